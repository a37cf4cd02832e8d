"""One, two and three real processes train the same networks, on 128 = 64 + 64 = 42 + 43 + 43 images a step."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dcgan_dist.model.batchnorm import EPS

WORLD = 3


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CASE-WORKERS-RANK.pt, written by the processes of step_worker.py."""
    folder = tmp_path_factory.mktemp("workers")
    script = Path(__file__).with_name("step_worker.py")
    processes = [
        subprocess.Popen([sys.executable, script, str(rank), str(WORLD), folder], stderr=subprocess.PIPE, text=True)
        for rank in range(WORLD)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return folder


def load(results: Path, case: str, workers: int) -> list[Any]:
    """What each worker gave."""
    return [torch.load(results / f"{case}-{workers}-{rank}.pt", weights_only=True) for rank in range(workers)]


def joined(tensors: list[Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors])


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("schedule", ["both", "alternate", "knowing", "original", "convolutional", "compared"])
def test_steps_do_not_depend_on_the_number_of_workers(results: Path, schedule: str, workers: int) -> None:
    """`knowing`: networks that know classes, of shades of gray, with dense layers and no gains; `original`: the
    original GAN, whose masks of dropout belong to rows; `convolutional`: the one with convolutions; `compared`:
    other activations, pooling, a linear output, and a penalty on D's slope."""
    [alone] = load(results, schedule, 1)
    assert len(alone["metrics"]) == {"convolutional": 10, "compared": 15}.get(schedule, 50)
    for together in load(results, schedule, workers):
        for name in ("weights 0", "weights 1"):
            torch.testing.assert_close(joined(together[name]), joined(alone[name]), rtol=0, atol=1e-9)
        for one, two in zip(together["metrics"], alone["metrics"], strict=True):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("schedule", ["both", "alternate", "knowing", "original", "convolutional", "compared"])
def test_workers_keep_equal_bits(results: Path, schedule: str, workers: int) -> None:
    first, *others = load(results, schedule, workers)
    for other in others:
        for name in ("weights 0", "weights 1"):
            assert torch.equal(joined(first[name]), joined(other[name]))


@pytest.mark.parametrize("workers", [2, 3])
def test_first_step_in_float32_agrees(results: Path, workers: int) -> None:
    [alone] = load(results, "fp32", 1)
    for together in load(results, "fp32", workers):
        torch.testing.assert_close(together["metrics"][0], alone["metrics"][0], rtol=1e-4, atol=0)
        for name in ("gradients 0", "gradients 1"):
            expected = joined(alone[name])
            assert (joined(together[name]) - expected).norm() <= 1e-4 * expected.norm()


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("case", "of_values", "of_gradients"), [("norm64", 1e-9, 1e-8), ("norm32", 5e-3, 1e-3)])
def test_batchnorm_of_unequal_shares_is_that_of_the_whole(
    results: Path, case: str, of_values: float, of_gradients: float, workers: int
) -> None:
    """A mean of 100 and a spread of 0.01, for which E[x^2] - E[x]^2 has no correct digit in float32."""
    parts = load(results, case, workers)

    def whole(name: str, group: int) -> Tensor:
        return torch.cat([part[name].chunk(2)[group] for part in parts])

    weight, bias = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for group in (0, 1):
        x, towards = whole("input", group).double().requires_grad_(), whole("towards", group).double()
        assert len(x) == 7
        mean = x.mean((0, 2, 3), keepdim=True)
        spread = (((x - mean) ** 2).mean((0, 2, 3), keepdim=True) + EPS).sqrt()
        normalized = (x - mean) / spread
        expected = normalized * 2 + 1
        (gradient,) = torch.autograd.grad((expected * towards).sum(), x)
        torch.testing.assert_close(whole("out", group).double(), expected, rtol=0, atol=of_values)
        size = gradient.abs().max()
        torch.testing.assert_close(whole("gradient", group).double() / size, gradient / size, rtol=0, atol=of_gradients)
        weight += (normalized * towards).sum((0, 2, 3)).detach()
        bias += towards.sum((0, 2, 3))
    for name, expected in (("weight", weight), ("bias", bias)):
        found = torch.stack([part[name].double() for part in parts]).sum(0)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2 if case == "norm32" else 1e-8)
