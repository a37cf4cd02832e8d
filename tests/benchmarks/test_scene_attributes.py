from itertools import combinations

import numpy as np
import pytest
import torch

from benchmarks import rejects
from benchmarks.scene_attributes import ATTRIBUTES, REAL_RATES, AttributeClassifier, draw_rooms, furthest
from dcgan_dist.settings import scenes32

HELD_OUT_SEED = 77


def test_at_least_95_percent_of_held_out_rooms_are_told_right(classifier: AttributeClassifier) -> None:
    accuracy = classifier.accuracy(*draw_rooms(1_000, HELD_OUT_SEED))
    assert list(accuracy) == ["bed", "window", "door"]
    assert min(accuracy.values()) >= 0.95


def test_rates_of_held_out_rooms_are_the_real_ones(classifier: AttributeClassifier) -> None:
    images, truth = draw_rooms(1_000, HELD_OUT_SEED)
    rates = classifier.rates(images)
    assert rates == pytest.approx(dict(zip(ATTRIBUTES, truth.mean(0), strict=True)), abs=0.02)
    assert furthest(rates) < 0.05


def test_pale_noisy_rooms_are_read_as_well(classifier: AttributeClassifier) -> None:
    images, truth = draw_rooms(1_000, HELD_OUT_SEED)
    worn = 128 + 0.7 * (images.astype(np.float32) - 128) + np.random.default_rng(0).normal(0, 8, images.shape)
    assert min(classifier.accuracy(worn.clip(0, 255).astype(np.uint8), truth).values()) >= 0.95


def test_real_rates_lie_at_least_20_points_apart() -> None:
    assert min(abs(a - b) for a, b in combinations(REAL_RATES.values(), 2)) >= 0.2


@pytest.mark.parametrize("kind", ["uniform", "gaussian", "mean", "untrained"])
def test_what_has_learned_nothing_misses_a_rate_by_more_than_15_points(
    classifier: AttributeClassifier, kind: str
) -> None:
    real, _ = draw_rooms(1_000, HELD_OUT_SEED)
    images = {
        "uniform": lambda: rejects.uniform_noise(real, 1_000),
        "gaussian": lambda: rejects.gaussian_noise(real, 1_000),
        "mean": lambda: rejects.mean_image(real, 1_000),
        "untrained": lambda: rejects.untrained(scenes32().networks, 1_000),
    }[kind]()
    assert furthest(classifier.rates(images)) > 0.15


def test_the_furthest_rate_counts_in_either_direction() -> None:
    assert furthest(dict(REAL_RATES)) == 0
    assert furthest(REAL_RATES | {"door": 0.1}) == pytest.approx(0.24)
    assert furthest(REAL_RATES | {"bed": 1.0, "window": 0.8}) == pytest.approx(0.18)


def test_images_of_another_size_are_refused(classifier: AttributeClassifier) -> None:
    with pytest.raises(ValueError, match="64"):
        classifier.find(np.zeros((1, 64, 64, 3), np.uint8))


def test_learning_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    AttributeClassifier.learn(rooms=64, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)
