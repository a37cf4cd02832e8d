import pytest
import torch

from dcgan_dist.model.precision import BF16, FP32, FP64, Precision, of_networks, resolve_precision
from dcgan_dist.settings import Settings, replaced

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(("setting", "meaning"), [("fp32", FP32), ("bf16", BF16), ("fp64", FP64)])
def test_named_precision_is_taken_on_any_device(setting: str, meaning: Precision) -> None:
    assert resolve_precision(setting, CPU) is resolve_precision(setting, GPU) is meaning  # type: ignore[arg-type]


@pytest.mark.parametrize(("units", "meaning"), [({"amx_bf16": True}, BF16), ({"amx_bf16": False}, FP32), ({}, FP32)])
def test_auto_is_bf16_on_a_cpu_with_amx_only(
    units: dict[str, bool], meaning: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert resolve_precision("auto", CPU) is meaning


@pytest.mark.parametrize(("generation", "meaning"), [((7, 5), FP32), ((8, 0), BF16), ((9, 0), BF16)])
def test_auto_is_bf16_on_a_gpu_with_matrix_units_for_it(
    generation: tuple[int, int], meaning: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert resolve_precision("auto", GPU) is meaning


@pytest.mark.parametrize(
    ("factory", "given", "used"),
    [("", "auto", "auto"), ("", "bf16", "bf16"), ("mine:build", "auto", "fp32"), ("mine:build", "fp64", "fp64")],
)
def test_own_networks_are_never_given_bf16(factory: str, given: str, used: str) -> None:
    settings = replaced(
        Settings(images=1),
        {"networks.factory": factory, "optimization.precision": given, "optimization.lr": 3e-3},
        "test",
    )
    assert (of_networks(settings).precision, of_networks(settings).lr) == (used, 3e-3)
