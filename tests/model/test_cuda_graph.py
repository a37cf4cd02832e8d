"""Which steps are replayed; on a GPU (`make test-gpu`), that replays do what steps do."""

import copy
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan_dist.data.streaming.batches import to_device
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.cuda_graph import WARM_UP, ReplayedStep, Step, replayed
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.precision import resolve_precision
from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings
from tests.conftest import Command

CPU, GPU = torch.device("cpu"), torch.device("cuda")
NETWORKS = NetworkSettings(image_size=32, generator_maps=8, discriminator_maps=8, latent_size=20)
BATCH, STEPS = 16, 4 * WARM_UP
"""With `alternate` half of the steps are of a kind: as many are replayed as are launched."""


def make(settings: OptimizationSettings, device: torch.device) -> AdversarialStep:
    weights = resolve_precision(settings.precision, device).weights
    networks = build_networks(NETWORKS, 1, device, weights, settings.channels_last)
    return AdversarialStep(*networks, settings, STEPS)


def run(step: Step, numbers: range) -> list[dict[str, Tensor]]:
    found = []
    for number in numbers:
        random = np.random.default_rng(number)
        real = random.integers(0, 256, (BATCH, 32, 32, 3), dtype=np.uint8)
        z = torch.from_numpy(random.uniform(-1, 1, (BATCH, 20)).astype(np.float32))
        found.append(step(to_device(torch.from_numpy(real), GPU).permute(0, 3, 1, 2), to_device(z, GPU), number))
    return found


def assert_near(one: AdversarialStep, two: AdversarialStep) -> None:
    """Adam divides by what is near 0 at first, so that weights differ by a part of their step, not of themselves."""
    for network, other in ((one.generator, two.generator), (one.discriminator, two.discriminator)):
        for (name, weight), same in zip(network.named_parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(
                weight, same, rtol=1e-3, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
            )  # type: ignore[misc]


def test_on_a_cpu_a_step_stays_as_it_is() -> None:
    step = make(OptimizationSettings(batch_size=BATCH), CPU)
    assert replayed(step, wanted=True) is step


@pytest.fixture
def _same_kernels() -> Iterator[None]:
    """Without this cuDNN may add up in another order each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = before


@pytest.mark.gpu
@pytest.mark.usefixtures("_same_kernels")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("schedule", ["both", "alternate"])
def test_replays_do_what_steps_do(schedule: str, precision: str) -> None:
    # The rate falls over the whole run: a replay that kept the one it was recorded with would go too far.
    settings = OptimizationSettings(
        batch_size=BATCH,
        precision=precision,  # type: ignore[arg-type]
        schedule=schedule,  # type: ignore[arg-type]
        decay=1.0,
        average_images=50,
    )
    launched, recorded = make(settings, GPU), make(settings, GPU)
    step = replayed(recorded, wanted=True)
    assert isinstance(step, ReplayedStep)
    expected, found = run(launched, range(STEPS)), run(step, range(STEPS))
    for number, (one, two) in enumerate(zip(expected, found, strict=True)):
        assert one.keys() == two.keys()
        for name in one:
            assert two[name].item() == pytest.approx(one[name].item(), rel=1e-2), (number, name)
    assert_near(launched, recorded)
    assert launched.averaged is not None
    assert recorded.averaged is not None
    for name, weight in launched.averaged.items():
        torch.testing.assert_close(recorded.averaged[name], weight, rtol=1e-3, atol=2e-5)
    assert len({metrics["loss/discriminator"].item() for metrics in found if "loss/discriminator" in metrics}) > WARM_UP


@pytest.mark.gpu
@pytest.mark.usefixtures("_same_kernels")
def test_a_new_step_goes_on_from_the_state_of_replays() -> None:
    settings = OptimizationSettings(batch_size=BATCH, precision="fp32")
    whole, second = make(settings, GPU), make(settings, GPU)
    step = replayed(whole, wanted=True)
    run(step, range(STEPS // 2))
    second.load_state_dict(copy.deepcopy(whole.state_dict()))
    run(step, range(STEPS // 2, STEPS))
    run(replayed(second, wanted=True), range(STEPS // 2, STEPS))
    assert_near(whole, second)


@pytest.mark.gpu
def test_fp64_and_what_is_not_wanted_is_launched() -> None:
    exact = make(OptimizationSettings(batch_size=BATCH, precision="fp64"), GPU)
    assert replayed(exact, wanted=True) is exact
    plain = make(OptimizationSettings(batch_size=BATCH), GPU)
    assert replayed(plain, wanted=False) is plain
    rising = make(OptimizationSettings(batch_size=BATCH, optimizer="momentum"), GPU)
    assert replayed(rising, wanted=True) is rising
    networks = build_networks(PRESETS["original28"]().networks, 1, GPU, torch.float32, True)
    dropping = AdversarialStep(*networks, OptimizationSettings(batch_size=BATCH), STEPS)
    assert replayed(dropping, wanted=True) is dropping


@pytest.mark.gpu
def test_batch_of_another_shape_is_refused() -> None:
    step = replayed(make(OptimizationSettings(batch_size=BATCH), GPU), wanted=True)
    run(step, range(WARM_UP + 1))
    real, z = torch.zeros(8, 3, 32, 32, dtype=torch.uint8, device=GPU), torch.zeros(8, 20, device=GPU)
    with pytest.raises(RuntimeError, match=r"a batch is \(8, 3, 32, 32\) but \(16, 3, 32, 32\) was recorded"):
        step(real, z, WARM_UP + 1)


@pytest.mark.gpu
@pytest.mark.ray
def test_run_on_a_gpu_is_resumed(train_command: Command) -> None:
    narrow = ("--networks.generator-maps=8", "--networks.discriminator-maps=8")
    process = train_command.start(*narrow, "--name=run", "--images=1000000000", "--checkpoints.images=12800")
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if line.startswith("checkpoint 000000025600"):
            os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) == 130, "".join(told)
    assert any("(cuda, " in line for line in told)
    first = newest(train_command.folder)
    status, output = train_command.run("--resume", "run", "--minutes=0.5")
    assert status == 0, output
    assert newest(train_command.folder) > first >= 25_600


def newest(folder: Path) -> int:
    """Images of the newest checkpoint."""
    return max(int(path.name) for path in (folder / "runs" / "run" / "checkpoints").iterdir())
