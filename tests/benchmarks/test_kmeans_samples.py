"""Our features and classifier on images in memory, and differences between results."""

import numpy as np
import pytest
import torch

from benchmarks.kmeans_samples import classified, encoded, lost, ours, percent
from dcgan_dist.evaluation.encoders import kmeans
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from tests.benchmarks.bands import bands


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "PATCHES", 4_000)


def test_c_is_chosen_by_images_held_out() -> None:
    train, test = bands(700, 16, seed=1), bands(300, 16, seed=2)
    predicted, cost = ours(train, test, 10, [1e-6, 50.0])
    assert cost == 50
    assert percent(predicted == test.labels) > 60
    _, alone = ours(train, test, 10, [1e-6])
    assert alone == 1e-6


def test_features_are_standardized_by_the_training_images() -> None:
    features, asked = encoded(KMeansFeatures(9, 200), bands(200, 16, seed=1), bands(50, 16, seed=2))
    assert features.mean(0).abs().max() < 1e-4
    assert features.std(0).numpy() == pytest.approx(np.ones(36), abs=0.05)
    assert asked.shape == (50, 36)
    assert asked.mean(0).abs().max() > 1e-3


def test_the_last_tenth_is_held_out_only_where_something_is_chosen() -> None:
    """Its classes are wrong: what learns from it as well does worse on them than what does not."""
    features = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    labels = (features[:, 0] > 0).long().numpy()
    labels[360:] = 1 - labels[360:]
    chosen, _ = classified(features, labels, features[360:], [1.0, 100.0])
    alone, _ = classified(features[360:], labels[360:], features[360:], [100.0])
    assert (chosen == labels[360:]).mean() < 0.1
    assert (alone == labels[360:]).mean() > 0.8


def test_points_lost_are_those_of_the_same_images() -> None:
    before = np.array([True] * 60 + [False] * 40)
    after = np.array([True] * 50 + [False] * 45 + [True] * 5)
    loss, interval = lost(before, after)
    assert loss == pytest.approx(5)
    differences = np.array([1] * 10 + [-1] * 5 + [0] * 85)
    assert interval == pytest.approx(1.96 * 100 * differences.std(ddof=1) / 10)
