"""Which images samples are compared with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.embedded import embedded_folder
from dcgan_dist.data.shards import ShardWriter, concatenate
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.tasks import neighbours
from dcgan_dist.evaluation.tasks.neighbours import open_neighbours
from dcgan_dist.settings import Settings, scenes32
from dcgan_dist.storage import Place


def settings(path: str) -> Settings:
    base = scenes32()
    return replace(base, networks=replace(base.networks, image_size=16), data=replace(base.data, path=path))


def write(folder: Path, prefix: str, values: list[int], size: int = 16) -> None:
    """Grey images of these values."""
    with ShardWriter(Place(str(folder)), prefix, 100) as writer:
        for value in values:
            writer.add(simplejpeg.encode_jpeg(np.full((size, size, 3), value, np.uint8), quality=95))
    concatenate(writer.written, image_size=size).save(Place(str(folder)))


def greys(folder: Path, path: str, given: Path | None) -> list[int]:
    asked = open_neighbours(
        Place(str(given)) if given else None, Place(str(folder / "run")), settings(path), resize=False
    )
    return [int(image.mean()) for image in asked.images.read(np.arange(len(asked.images)))]


def test_they_are_the_first_that_the_run_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data", "train", [10, 200, 90])
    monkeypatch.setattr(neighbours, "IMAGES", 2)
    assert greys(tmp_path, f"{tmp_path}/data", None) == [10, 200]


def test_or_those_of_the_embedded_data_set(tmp_path: Path) -> None:
    storage = replace(settings("scenes"), storage=str(tmp_path))
    write(Path(str(embedded_folder(storage))), "rooms", [50, 60])
    assert greys(tmp_path, "scenes", None) == [50, 60]


def test_or_those_held_out_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "data", "test", [30, 40, 50])
    assert greys(tmp_path, "gone", tmp_path / "data") == [30, 40, 50]


def test_data_that_is_gone_or_of_another_size_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        greys(tmp_path, f"{tmp_path}/gone", None)
    write(tmp_path / "data", "test", [30], size=32)
    with pytest.raises(DataError, match="has 32 x 32 pixels but the networks are made for 16 x 16"):
        greys(tmp_path, "gone", tmp_path / "data")


def test_images_that_the_run_was_trained_on_are_not_held_out(tmp_path: Path) -> None:
    write(tmp_path / "data", "train", [10, 20])
    write(tmp_path / "data", "test", [30, 40])
    with pytest.raises(DataError, match=r"trained on .*/data/test-000000\.tar, which is to be held out: its data is"):
        greys(tmp_path, f"{tmp_path}/data/*.tar", tmp_path / "data")
    assert greys(tmp_path, f"{tmp_path}/data/train-*.tar", tmp_path / "data") == [30, 40]


def test_a_single_image_is_refused_before_anything_starts(tmp_path: Path) -> None:
    write(tmp_path / "data", "test", [30])
    with pytest.raises(DataError, match=r"images held out, test-\*\.tar: there is only 1, but the spread of distances"):
        greys(tmp_path, "gone", tmp_path / "data")


def test_what_is_torn_in_shards_is_told(tmp_path: Path) -> None:
    write(tmp_path / "data", "test", [30, 40, 50])
    for name in ("dataset.json", "index.npz"):
        (tmp_path / "data" / name).unlink()
    shard = tmp_path / "data" / "test-000000.tar"
    shard.write_bytes(shard.read_bytes()[:-1500])
    asked = open_neighbours(Place(str(tmp_path / "data")), Place(str(tmp_path)), settings("gone"), resize=False)
    assert len(asked.images) == 2
    assert len(asked.notes) == 1
    assert "test-000000.tar is torn" in asked.notes[0]
