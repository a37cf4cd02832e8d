"""The whole measurement, by evaluators in this process."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.fidelity import Reference, blurred, scenes
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.encoders.discriminator import features_of
from dcgan_dist.evaluation.encoders.efficientnet import load_efficientnet
from dcgan_dist.evaluation.encoders.pooled import pooled
from dcgan_dist.evaluation.fidelity.measure import MEASURES, doubts, measure
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.evaluation.tasks.fidelity import DrawnScenes
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.monitoring.metric_names import describe
from dcgan_dist.settings import NetworkSettings

SETTINGS = NetworkSettings(image_size=16, generator_maps=4, discriminator_maps=6)
IMAGES = Labeled(DrawnScenes("rooms", 16), np.arange(1_000, 1_300), np.zeros(300, np.int64))


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    generator = Generator(SETTINGS)
    initialize(generator, 1)
    return Sampler(generator, "raw", SETTINGS, 24, seed=5)


@pytest.fixture(scope="module")
def encoder() -> Any:
    discriminator = Discriminator(SETTINGS)
    initialize(discriminator, 2)
    return pooled(features_of(discriminator))


def test_one_actor_and_three_find_the_same(here: Callable[[int], Any], sampler: Sampler, encoder: Any) -> None:
    """Shares and the kernel distance to the last bit; sums over parts round in another order."""
    one, three = (measure(here(parts), IMAGES, sampler, 220, encoder, "") for parts in (1, 3))
    for name in MEASURES:
        for part, value in one["measures"][name].items():
            assert three["measures"][name][part] == pytest.approx(value, rel=1e-6), (name, part)
    assert set(one["measures"]) == set(MEASURES)
    assert one["data_checksum"] == three["data_checksum"]
    assert (one["held_out_images"], one["samples"], one["features"]) == (300, 220, 18)
    assert one["measures"]["frechet"]["low"] < one["measures"]["frechet"]["value"]
    assert one["measures"]["frechet"]["value"] > 0.01
    assert all(describe(f"fidelity/any/{name}") for name in MEASURES)


def test_images_that_are_known_are_not_made_features_of_again(
    here: Callable[[int], Any], sampler: Sampler, encoder: Any
) -> None:
    evaluators = here(2)
    before = measure(evaluators, IMAGES, sampler, 120, encoder, "one")
    others = Labeled(DrawnScenes("faces", 16), IMAGES.samples, IMAGES.labels)
    again = measure(evaluators, others, sampler, 120, encoder, "one")
    assert again["data_checksum"] == before["data_checksum"]
    for key in ("two", ""):
        assert measure(evaluators, others, sampler, 120, encoder, key)["data_checksum"] != before["data_checksum"]


def test_sets_are_told_apart_in_the_right_order() -> None:
    """The cheap part of benchmarks/fidelity.py: what no generator drew."""
    encoder, number = load_efficientnet(), 100

    def features(images: np.ndarray) -> torch.Tensor:
        return encoder.features(images)[:, ::10].contiguous()  # covariances of all of them take seconds

    reference = Reference.of(features(scenes(0, number)))
    images = scenes(5_000, number)
    noise = np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)
    repeated = images[np.arange(number) % 5]
    found = [reference.compare(features(one)) for one in (noise, blurred(images, 8), repeated, images)]
    distances = [one.frechet.value for one in found]
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 3 * distances[-1]
    assert found[0].shares.coverage < 0.1
    assert found[2].shares.recall < 0.1
    assert found[3].shares.precision > 0.6
    assert abs(found[3].kernel.value) < 3 * found[3].kernel.error
    assert found[2].kernel.value > 3 * found[2].kernel.error


def test_fewer_samples_than_features_are_told() -> None:
    assert doubts(1_280, 1_280) == doubts(2_000, 640) == ()
    (told,) = doubts(1_279, 1_280)
    assert told.startswith(
        "1,279 samples are fewer than the 1,280 features: the intervals of the distances are too narrow"
    )
    assert told.endswith("; draw at least 1,280")
