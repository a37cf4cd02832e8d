"""What the measurement of compression is made of."""

import numpy as np
import pytest

from benchmarks import kmeans_jpeg
from benchmarks.kmeans_jpeg import compress, compressed, folds, halved
from benchmarks.kmeans_samples import Sample
from dcgan_dist.evaluation.encoders import kmeans
from tests.benchmarks.bands import bands


def test_images_are_halved_by_means_rounded() -> None:
    images = bands(3, 16, seed=1).images
    found = halved(images)
    assert found.dtype == np.uint8
    wanted = images.astype(float).reshape(3, 8, 2, 8, 2, 3).mean((2, 4))
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


def test_each_image_is_tested_once_and_never_learned_from_then() -> None:
    images = bands(100, 16, seed=1).images
    pairs = folds(Sample(images, np.arange(100)), 3)
    assert sorted(np.concatenate([tested.labels for _, tested in pairs])) == list(range(100))
    for learned, tested in pairs:
        assert sorted(np.concatenate([learned.labels, tested.labels])) == list(range(100))
        assert np.array_equal(images[tested.labels[7]], tested.images[7])


def test_a_row_for_each_kind_of_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "PATCHES", 4_000)
    rows, losses = compress("bands", [(bands(700, 16, seed=1), bands(300, 16, seed=2))], 8)
    assert [row[:5] for row in rows] == [["bands", "700", "300", 8, kind] for kind in kmeans_jpeg.COLORS]
    assert losses[0] == 0
    assert rows[0][6] == ""
    for row, loss in zip(rows[1:], losses[1:], strict=True):
        assert float(str(rows[0][5])) - float(str(row[5])) == pytest.approx(loss, abs=0.02)
