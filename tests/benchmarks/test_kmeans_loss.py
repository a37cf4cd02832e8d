"""What the comparison of K-means with the published demo, and with compressed images, is made of."""

import numpy as np
import pytest
import torch

from benchmarks import kmeans_loss
from benchmarks.demo_kmeans import Demo
from benchmarks.kmeans_loss import Sample, compare_with_demo, compress, compressed, folds, halved, lost, ours
from dcgan_dist.evaluation.encoders import kmeans
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans_loss, "PATCHES", 4_000)
    monkeypatch.setattr(kmeans, "PATCHES", 4_000)
    monkeypatch.setattr(kmeans_loss, "DEMO_IMAGES", 500)
    monkeypatch.setattr(kmeans_loss, "DEMO_CENTROIDS", 40)


def stripes(number: int, seed: int) -> Sample:
    """Noise of 16 x 16 pixels in which a band at a height of its class, of three, is brighter."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, number)
    images = random.integers(0, 160, (number, 16, 16, 3))
    for image, label in zip(images, labels, strict=True):
        image[5 * label : 5 * label + 5] += random.integers(0, 60)
    return Sample(images.astype(np.uint8), labels)


@pytest.fixture
def train() -> Sample:
    return stripes(700, seed=1)


@pytest.fixture
def test() -> Sample:
    return stripes(300, seed=2)


def test_images_are_halved_by_means_rounded(train: Sample) -> None:
    found = halved(train.images[:3])
    assert found.dtype == np.uint8
    wanted = train.images[:3].astype(float).reshape(3, 8, 2, 8, 2, 3).mean((2, 4))
    assert np.abs(found - wanted).max() <= 0.5


def test_halved_colors_lose_colors_that_full_ones_keep() -> None:
    """Red and green in turn by columns, equally bright."""
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[:, :, ::2] = (200, 40, 90)
    image[:, :, 1::2] = (60, 112, 90)
    assert compressed(image, None) is image
    full, half = (compressed(image, colors).astype(float)[0] for colors in ("444", "420"))
    contrast = [np.abs(one[:, ::2, 0] - one[:, 1::2, 0]).mean() for one in (full, half)]
    assert contrast[0] > 100 > 30 > contrast[1]


def test_the_demo_makes_the_features_that_ours_makes_of_its_centroids(train: Sample) -> None:
    demo = Demo(9, np.random.default_rng(1), 3_000)
    demo.fit(train.images)
    mine = KMeansFeatures(9, 700, *(torch.from_numpy(x).float() for x in (demo.mean, demo.whitening, demo.centroids)))
    found = demo.features(train.images[:5])
    assert found.shape == (5, 36)
    assert mine.features(train.images[:5]).numpy() == pytest.approx(found, rel=1e-3, abs=1e-2)


def test_both_implementations_do_about_as_well(train: Sample, test: Sample) -> None:
    rows, rates = compare_with_demo(train, test)
    accuracies = [float(str(row[1])) for row in rows]
    assert min(accuracies) > 60, "of three classes"
    assert max(accuracies) - min(accuracies) < 8
    assert rates["demo_points_lost"] == pytest.approx(accuracies[0] - accuracies[1])
    assert rates["features_apart"] < 1e-4


def test_the_classifier_is_chosen_by_images_held_out(train: Sample, test: Sample) -> None:
    predicted, cost = ours(train, test, 10, [1e-6, 50.0])
    assert cost == 50
    assert (predicted == test.labels).mean() > 0.6
    _, alone = ours(train, test, 10, [1e-6])
    assert alone == 1e-6


def test_each_image_is_tested_once_and_never_learned_from_then(train: Sample) -> None:
    marked = Sample(train.images, np.arange(700))
    pairs = folds(marked, 3)
    assert sorted(np.concatenate([tested.labels for _, tested in pairs])) == list(range(700))
    for learned, tested in pairs:
        assert sorted(np.concatenate([learned.labels, tested.labels])) == list(range(700))
        assert np.array_equal(train.images[tested.labels[7]], tested.images[7])


def test_points_lost_are_those_of_the_same_images() -> None:
    before = np.array([True] * 60 + [False] * 40)
    after = np.array([True] * 50 + [False] * 45 + [True] * 5)
    loss, interval = lost(before, after)
    assert loss == pytest.approx(5)
    differences = np.array([1] * 10 + [-1] * 5 + [0] * 85)
    assert interval == pytest.approx(1.96 * 100 * differences.std(ddof=1) / 10)


def test_a_row_for_each_kind_of_compression(train: Sample, test: Sample) -> None:
    rows, losses = compress("bands", [(train, test)], 8)
    assert [row[:5] for row in rows] == [["bands", 700, 300, 8, kind] for kind in kmeans_loss.COLORS]
    assert losses[0] == 0
    assert rows[0][6] == ""
    for row, loss in zip(rows[1:], losses[1:], strict=True):
        assert float(str(rows[0][5])) - float(str(row[5])) == pytest.approx(loss, abs=0.02)
