"""What a run is going to take: tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import Discriminator, Generator, count_parameters, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import CheckpointSettings, NetworkSettings, OptimizationSettings, Settings
from dcgan_dist.storage import place
from dcgan_dist.training.estimate import (
    SPEED,
    Budget,
    Expected,
    FirstMinute,
    checkpoint_bytes,
    checkpoints_kept,
    moments_kept,
    shared_cores,
)

LAPTOP = Expected(
    images=90_000,
    images_per_second=300,
    source="measured over 30 s",
    gpus=0,
    maps=32,
    checkpoint_bytes=37_000_000,
    checkpoints=6,
)


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {},
            [
                "expected: 300 images/s (measured over 30 s), 5 min 00 s for 90,000 images; "
                "up to 6 checkpoints of 37 MB, 0.22 GB in all"
            ],
        ),
        # 15 million images at the speed that the paper's networks have on two cores.
        (
            {"images": 15_165_210, "images_per_second": 14.8, "maps": 128, "checkpoint_bytes": 433_000_000},
            [
                "expected: 14.8 images/s (measured over 30 s), 11 d 21 h for 15,165,210 images; "
                "up to 6 checkpoints of 0.43 GB, 2.6 GB in all",
                "warning: 11 d 21 h are too long for these processors: --preset own64 has networks for processors, or "
                "train on GPUs",
            ],
        ),
        (
            {"images": 60_000_000},
            [
                "expected: 300 images/s (measured over 30 s), 2 d 08 h for 60,000,000 images; "
                "up to 6 checkpoints of 37 MB, 0.22 GB in all",
                "warning: 2 d 08 h are too long for these processors: give fewer --images, or train on GPUs",
            ],
        ),
        (
            {"images": 6_480_000},
            [
                "expected: 300 images/s (measured over 30 s), 6 h 00 min for 6,480,000 images; "
                "up to 6 checkpoints of 37 MB, 0.22 GB in all"
            ],
        ),
        (
            {"images": 60_000_000, "gpus": 4},
            [
                "expected: 300 images/s (measured over 30 s), 2 d 08 h for 60,000,000 images, 222 GPU hours; "
                "up to 6 checkpoints of 37 MB, 0.22 GB in all"
            ],
        ),
        # A budget stops it first: what it is enough for, and no warning.
        (
            {"images": 9_985_000, "images_per_second": 363, "budget": Budget(180, 140, 15_000)},
            [
                "expected: 363 images/s (measured over 30 s), stops after 3 min 00 s, at about 66,000 of 10,000,000 "
                "images; up to 6 checkpoints of 37 MB, 0.22 GB in all"
            ],
        ),
        (
            {"images": 60_000_000, "gpus": 4, "budget": Budget(7_200, 1_800, 0)},
            [
                "expected: 300 images/s (measured over 30 s), stops after 2 h 00 min, at about 540,000 of 60,000,000 "
                "images, 2 GPU hours; up to 6 checkpoints of 37 MB, 0.22 GB in all"
            ],
        ),
        # It is enough.
        (
            {"images": 9_000_000, "budget": Budget(90_000, 80_000, 15_000)},
            [
                "expected: 300 images/s (measured over 30 s), 8 h 20 min for 9,000,000 images; "
                "up to 6 checkpoints of 37 MB, 0.22 GB in all"
            ],
        ),
    ],
)
def test_what_a_run_takes_is_told(changes: dict[str, Any], lines: list[str]) -> None:
    assert replace(LAPTOP, **changes).lines() == lines


def test_nothing_is_told_of_a_run_that_is_about_to_stop() -> None:
    stops = replace(LAPTOP, budget=Budget(180, 25, 40_000))
    assert stops.lines(least_s=30) == []
    assert len(stops.lines(least_s=20)) == 1


@pytest.mark.parametrize(("of_generator", "of_discriminator"), [(0, 0), (500, 0), (0, 600), (500, 600)])
@pytest.mark.parametrize(("optimizer", "moments"), [("adam", 2), ("momentum", 1)])
def test_the_size_of_a_checkpoint_is_known_before_it_is_written(
    optimizer: Literal["adam", "momentum"], moments: int, of_generator: int, of_discriminator: int, tmp_path: Path
) -> None:
    networks = NetworkSettings(image_size=16, generator_maps=48, discriminator_maps=24)
    optimization = OptimizationSettings(
        batch_size=4,
        average_images=of_generator,
        average_discriminator_images=of_discriminator,
        optimizer=optimizer,
    )
    generator, discriminator = Generator(networks), Discriminator(networks)
    initialize(generator, 1)
    initialize(discriminator, 1)
    step = AdversarialStep(generator, discriminator, optimization, 10)
    for network in (generator, discriminator):
        for weight in network.parameters():
            weight.grad = weight.detach().clone()
    step.generator_optimizer.step()
    step.discriminator_optimizer.step()
    settings = Settings(images=40, networks=networks, optimization=optimization)
    name = write_checkpoint(place(str(tmp_path)), step.state_dict(), settings, step=1, attempt=1, kept=False)
    found = (tmp_path / "checkpoints" / name / "state.pt").stat().st_size
    sizes = count_parameters(generator), count_parameters(discriminator)
    averaged = sum(size for size, kept in zip(sizes, (of_generator, of_discriminator), strict=True) if kept)
    expected = checkpoint_bytes(*sizes, moments=moments, averaged=averaged)
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("optimizer", "outer_momentum", "moments"),
    [("adam", 0.0, 2), ("adam", 0.9, 3), ("momentum", 0.0, 1), ("momentum", 0.3, 2)],
)
def test_moments_of_a_weight_in_a_checkpoint(optimizer: str, outer_momentum: float, moments: int) -> None:
    assert moments_kept(optimizer, outer_momentum) == moments


def test_checkpoints_of_quarters_stay_beside_the_newest() -> None:
    assert checkpoints_kept(CheckpointSettings(keep=5)) == 8


@pytest.mark.parametrize(
    ("workers", "cores", "told"),
    [
        (2, 2, None),
        (1, 64, None),
        (3, 2, "3 workers share the 2 cores of a machine and are no faster than 2: give --workers 2, or add machines"),
        (2, 1, "2 workers share the 1 core of a machine and are no faster than 1: give --workers 1, or add machines"),
    ],
)
def test_workers_that_share_cores_are_told(workers: int, cores: int, told: str | None) -> None:
    assert shared_cores(workers, cores) == told


@pytest.mark.parametrize(
    ("points", "told"),
    [
        # The first point is left out, and only those with a speed count.
        ([(640, 1), (1_280, 80), (6_640, 400)], []),
        ([(640, 1), (1_280, 80), (1_300, None), (6_640, 100), (9_000, 1)], [(6_640, 6_000 / 61.6, 61.6)]),
        # Long points: the seconds are those that were measured.
        ([(640, 1), (3_640, 50), (9_000, 1)], [(3_640, 50, 60)]),
        # Rolled back, also to less than all and more than nothing: what is done again has nothing to do with before.
        ([(9_000, 500), (3_000, 500), (6_000, 50)], [(6_000, 50, 60)]),
        ([(600, 500), (9_000, 500), (3_000, 10), (6_000, 50)], [(6_000, 50, 60)]),
    ],
)
def test_the_first_minute_is_told_once_from_the_points_after_the_first(
    points: list[tuple[int, float | None]], told: list[tuple[int, float, float]]
) -> None:
    found: list[tuple[int, float, float]] = []
    first = FirstMinute(lambda *values: found.append(values))
    for images, speed in points:
        first(images, {"loss/generator": 1.0} if speed is None else {SPEED: float(speed)})
    assert found == [pytest.approx(values) for values in told]
