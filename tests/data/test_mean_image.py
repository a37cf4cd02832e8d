"""The mean of a run's images."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.data.mean_image import mean_image
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

IMAGES = np.random.default_rng(3).integers(0, 256, (13, 8, 8, 3), np.uint8)


def written(folder: Path, bad: frozenset[int]) -> ShardPictures:
    with ShardWriter(Place(str(folder)), "train", 5) as writer:
        for number, image in enumerate(IMAGES):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "png")
            writer.add(b"no picture" if number in bad else file.getvalue(), suffix="png")
    return ShardPictures(concatenate(writer.written), 8, "resize", 1 << 20, 1 << 20)


@pytest.mark.parametrize("chunk", [4, 100])
def test_it_is_that_of_all_images_that_can_be_decoded(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcgan_dist.data.mean_image.CHUNK", chunk)
    found = mean_image(written(tmp_path, frozenset({0, 7})))
    good = np.delete(IMAGES, [0, 7], axis=0)
    np.testing.assert_allclose(found, good.mean(0).transpose(2, 0, 1) / 255, atol=1e-6)
    assert found.dtype == np.float32


def test_of_many_it_takes_some_at_even_distances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.data.mean_image.MOST", 4)
    found = mean_image(written(tmp_path, frozenset()))
    np.testing.assert_allclose(found, IMAGES[[0, 4, 8, 12]].mean(0).transpose(2, 0, 1) / 255, atol=1e-6)


def test_of_shades_of_gray_it_has_one_channel(tmp_path: Path) -> None:
    colors = written(tmp_path, frozenset())
    gray = ShardPictures(colors.index, 8, "resize", 1 << 20, 1 << 20, channels=1)
    shades = np.empty((13, 8, 8, 1), np.uint8)
    gray.read(np.arange(13), shades, np.arange(13))
    found = mean_image(gray)
    assert found.shape == (1, 8, 8)
    np.testing.assert_allclose(found[0], shades[..., 0].mean(0) / 255, atol=1e-6)


def test_nothing_that_can_be_decoded_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of 13 images can be decoded: look at the files"):
        mean_image(written(tmp_path, frozenset(range(13))))
