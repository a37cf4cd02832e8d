"""The comparison with the published demo, and the demo itself."""

import numpy as np
import pytest
import torch

from benchmarks import kmeans_demo
from benchmarks.coates_demo import Demo
from benchmarks.kmeans_demo import compare_with_demo
from dcgan_dist.evaluation.encoders import kmeans
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from tests.benchmarks.bands import bands


def test_the_demo_makes_the_features_that_ours_makes_of_its_centroids() -> None:
    images = bands(300, 16, seed=1).images
    demo = Demo(9, np.random.default_rng(1), 3_000)
    demo.fit(images)
    mine = KMeansFeatures(9, 300, *(torch.from_numpy(x).float() for x in (demo.mean, demo.whitening, demo.centroids)))
    found = demo.features(images[:5])
    assert found.shape == (5, 36)
    assert mine.features(images[:5]).numpy() == pytest.approx(found, rel=1e-3, abs=1e-2)


def test_both_implementations_do_about_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans_demo, "PATCHES", 4_000)
    monkeypatch.setattr(kmeans, "PATCHES", 4_000)
    monkeypatch.setattr(kmeans_demo, "IMAGES", 500)
    monkeypatch.setattr(kmeans_demo, "CENTROIDS", 40)
    rows, rates = compare_with_demo(bands(700, 16, seed=1), bands(300, 16, seed=2))
    accuracies = [float(str(row[1])) for row in rows]
    assert min(accuracies) > 60, "of three classes"
    assert max(accuracies) - min(accuracies) < 8
    assert rates["points_lost"] == pytest.approx(accuracies[0] - accuracies[1], abs=0.02)
    assert rates["features_apart"] < 1e-4
