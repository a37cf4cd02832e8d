"""What rank 0 draws, and when: with a real adversarial step, without Ray."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.model.adversarial_step import AdversarialStep, scale
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.drawing import interpolate, to_uint8
from dcgan_dist.model.generate import freeze
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import MonitoringSettings, NetworkSettings, OptimizationSettings, Settings
from dcgan_dist.training import sample_drawing as module
from dcgan_dist.training.sample_diversity import drift, spread
from dcgan_dist.training.sample_drawing import WALK_IMAGES, WALK_POINTS, SampleDrawing

CPU = torch.device("cpu")
BATCH, TOTAL = 6, 43
NETWORKS = NetworkSettings(image_size=8, generator_maps=4, discriminator_maps=4, latent_size=5)


def settings(**monitoring: Any) -> Settings:
    given = {"samples": 9, "samples_images": 60, "walk_images": 102, "measure_images": 30} | monitoring
    return Settings(
        images=BATCH * TOTAL,
        seed=3,
        networks=NETWORKS,
        optimization=OptimizationSettings(batch_size=BATCH, average_images=30),
        monitoring=MonitoringSettings(**given),
    )


def drawing(given: Settings, *, has_grid: bool = True) -> tuple[SampleDrawing, AdversarialStep]:
    weights = torch.float32
    generator, discriminator = build_networks(NETWORKS, given.seed, CPU, weights, channels_last=False, code={})
    adversarial = AdversarialStep(generator, discriminator, given.optimization, TOTAL, {})
    return SampleDrawing(given, adversarial, TOTAL, CPU, {}, has_grid=has_grid), adversarial


def names(one: SampleDrawing, step: int, *, leaving: bool = False) -> list[str]:
    return [name for name, *_ in one.pictures(step, leaving=leaving)]


@pytest.mark.parametrize(
    ("step", "leaving", "wanted"),
    [
        (9, False, []),
        (10, False, ["samples"]),
        (11, False, []),
        (11, True, ["samples"]),
        (17, False, ["walk"]),
        (34, False, ["walk"]),
        (40, False, ["samples"]),
        (TOTAL, False, ["samples", "walk"]),
    ],
)
def test_pictures_are_drawn_when_they_are_due(step: int, leaving: bool, wanted: list[str]) -> None:
    one, _ = drawing(settings())
    assert names(one, step, leaving=leaving) == wanted


def test_the_first_grid_comes_early_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = drawing(settings(), has_grid=False)
    one.begin()
    assert names(one, 2) == []
    later = module.time.monotonic() + 21
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    assert names(one, 3) == ["samples"]
    assert names(one, 4) == []
    resumed, _ = drawing(settings(), has_grid=True)
    monkeypatch.setattr(module.time, "monotonic", lambda: later + 60)
    assert names(resumed, 3) == []


def test_the_time_until_training_begins_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = drawing(settings(), has_grid=False)
    later = module.time.monotonic() + 100
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    one.begin()
    assert names(one, 2) == []


def test_a_grid_is_drawn_as_from_a_checkpoint_of_its_step() -> None:
    given = settings()
    one, adversarial = drawing(given)
    adversarial(torch.randint(256, (BATCH, 3, 8, 8), dtype=torch.uint8), torch.randn(BATCH, 5), 0)
    z = latents(NETWORKS, 9, given.seed, "samples")
    # The average is drawn once the run is four times its half-life long: at 126 images, but not at 18.
    expected, _ = build_networks(NETWORKS, 8, CPU, torch.float32, channels_last=False, code={})
    for step, kind, weights in ((3, "raw", adversarial.generator.state_dict()), (21, "averaged", adversarial.averaged)):
        expected.load_state_dict(weights)  # type: ignore[arg-type]
        [(name, drawn_by, images, _)] = one.pictures(step, leaving=True)
        assert (name, drawn_by) == ("samples", kind)
        with torch.no_grad():
            assert np.array_equal(images, to_uint8(freeze(expected, NETWORKS, BATCH)(z)))
    assert images.shape == (9, 8, 8, 3)
    assert images.dtype == np.uint8


def test_networks_that_know_classes_draw_one_a_row_and_walk_within_the_first() -> None:
    given = settings()
    given = replace(given, networks=replace(NETWORKS, classes=3, channels=1))
    generator, discriminator = build_networks(given.networks, 3, CPU, torch.float32, channels_last=False, code={})
    adversarial = AdversarialStep(generator, discriminator, given.optimization, TOTAL, {})
    one = SampleDrawing(given, adversarial, TOTAL, CPU, {}, has_grid=True)
    frozen = freeze(generator, given.networks, BATCH)
    [(_, _, images, columns), (_, _, walk, _)] = one.pictures(TOTAL, leaving=False)
    assert columns == 4
    z = latents(given.networks, 4, given.seed, "samples")
    expected = to_uint8(frozen(torch.cat([z, z]), torch.tensor([0] * 4 + [2] * 4)))
    assert (images[:4] == expected[:4]).all()
    assert len(images) == 8
    path = interpolate(latents(given.networks, WALK_POINTS, given.seed, "walk"), WALK_IMAGES)
    assert (walk == to_uint8(frozen(path, torch.zeros(WALK_IMAGES, dtype=torch.int64)))).all()
    real = torch.randint(256, (BATCH, 1, 8, 8), dtype=torch.uint8)
    assert one.diversity(5, real)["samples/spread"] > 0


def test_a_walk_leads_through_its_own_points_of_z() -> None:
    given = settings()
    one, adversarial = drawing(given)
    [(name, _, images, _)] = one.pictures(17, leaving=False)
    assert (name, images.shape) == ("walk", (WALK_IMAGES, 8, 8, 3))
    z = interpolate(latents(NETWORKS, WALK_POINTS, given.seed, "walk"), WALK_IMAGES)
    with torch.no_grad():
        assert np.array_equal(images, to_uint8(freeze(adversarial.bare_generator, NETWORKS, BATCH)(z)))


def test_diversity_is_measured_when_it_is_due_and_drift_from_the_second_time_on() -> None:
    one, adversarial = drawing(settings())
    real = torch.randint(256, (BATCH, 3, 8, 8), dtype=torch.uint8)
    assert one.diversity(4, real) == {}
    assert one.diversity(5, real).keys() == {"samples/spread"}
    same = one.diversity(10, real)
    assert same["samples/spread"] > 0
    assert same["samples/drift"] == 0
    with torch.no_grad():
        for parameter in adversarial.generator.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    assert one.diversity(15, real)["samples/drift"] > 0


@pytest.mark.parametrize("samples", [3, 9])
def test_diversity_is_that_of_samples_as_training_draws_them(samples: int) -> None:
    """By the raw G, with the statistics of a batch, which has at least as many z as one of training."""
    given = settings(samples=samples)
    one, adversarial = drawing(given)
    adversarial(torch.randint(256, (BATCH, 3, 8, 8), dtype=torch.uint8), torch.randn(BATCH, 5), 0)
    real = torch.randint(256, (BATCH, 3, 8, 8), dtype=torch.uint8)
    with torch.no_grad():
        drawn = adversarial.bare_generator(latents(NETWORKS, max(samples, BATCH), given.seed, "samples"))[:samples]
    assert one.diversity(5, real)["samples/spread"] == pytest.approx(spread(drawn) / spread(scale(real, drawn)))
    with torch.no_grad():
        for parameter in adversarial.generator.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        after = adversarial.bare_generator(latents(NETWORKS, max(samples, BATCH), given.seed, "samples"))[:samples]
    assert one.diversity(10, real)["samples/drift"] == pytest.approx(drift(after, drawn))
    assert one.diversity(15, real)["samples/drift"] == pytest.approx(0, abs=1e-6)


def test_real_images_that_are_all_the_same_say_nothing_of_spread() -> None:
    one, _ = drawing(settings())
    assert one.diversity(5, torch.full((BATCH, 3, 8, 8), 7, dtype=torch.uint8)) == {}
    assert one.diversity(10, torch.full((1, 3, 8, 8), 7, dtype=torch.uint8)).keys() == {"samples/drift"}
