"""Which images samples are compared with."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data import keep_list
from dcgan_dist.data.scenes.builtin import embedded_folder
from dcgan_dist.data.shards.index import concatenate, layout_sha256
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.tasks import neighbours
from dcgan_dist.evaluation.tasks.labeled import open_index
from dcgan_dist.evaluation.tasks.neighbours import NeighboursTask, open_neighbours
from dcgan_dist.run_folder.trained_on import FIELD, Kept, TrainedOn, contents, find_trained_on
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


def opened(folder: Path, path: str, given: Path | None) -> NeighboursTask:
    run, of = Place(str(folder / "run")), settings(path)
    return open_neighbours(Place(str(given)) if given else None, run, of, find_trained_on(run, of), resize=False)


def greys(folder: Path, path: str, given: Path | None) -> list[int]:
    asked = opened(folder, path, given)
    return [int(image.mean()) for image in asked.images.read(np.arange(len(asked.images)))]


def record(folder: Path, *shards: str, keep: Kept | None = None) -> None:
    """What a run says that was trained on these."""
    index = open_index(",".join(shards))
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "run.json").write_text(
        json.dumps({"data_sha256": layout_sha256(index), FIELD: TrainedOn(contents(shards), keep=keep).record()})
    )


def test_they_are_the_first_that_the_run_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data", "train", [10, 200, 90])
    monkeypatch.setattr(neighbours, "IMAGES", 2)
    assert greys(tmp_path, f"{tmp_path}/data", None) == [10, 200]


def test_without_those_that_its_keep_list_leaves_out(tmp_path: Path) -> None:
    write(tmp_path / "data", "train", [10, 11, 90])
    shard, file = f"{tmp_path}/data/train-000000.tar", Place(str(tmp_path / "keep.parquet"))
    record(tmp_path, shard)
    with_all = opened(tmp_path, shard, None)
    record(tmp_path, shard, keep=Kept(file.address, keep_list.write(file, open_index(shard), np.array([0, 0, 2]))))
    assert greys(tmp_path, shard, None) == [10, 90]
    kept = opened(tmp_path, shard, None)
    assert kept.notes == (f"keep-list: {file} leaves out 1 of 3 images",)
    assert kept.data != with_all.data, "results of one would be read as those of the other"


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


def test_wherever_the_command_is_given_and_whatever_a_copy_of_them_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data", "all", [10, 20])
    write(tmp_path / "other", "test", [30, 40])
    record(tmp_path, f"{tmp_path}/data/all-000000.tar")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert greys(tmp_path, "data", None) == [10, 20], "the run's --data was relative to another folder"
    assert greys(tmp_path, "data", tmp_path / "other") == [30, 40]
    assert opened(tmp_path, "data", tmp_path / "other").notes == ()
    shutil.copy(tmp_path / "data" / "all-000000.tar", tmp_path / "elsewhere" / "test-7.tar")
    # Not even the shards that it was trained on need to be there any more.
    (tmp_path / "data").rename(tmp_path / "gone")
    with pytest.raises(
        DataError, match=r"on .*/all-000000.tar \(here as its copy .*/test-7.tar\), which is to be held"
    ):
        greys(tmp_path, "data", tmp_path / "elsewhere")


def test_where_nobody_knows_what_a_run_was_trained_on_the_result_says_so(tmp_path: Path) -> None:
    write(tmp_path / "data", "test", [30, 40])
    (note,) = opened(tmp_path, "gone/*.tar", tmp_path / "data").notes
    assert note == (
        f"it is not known whether the run was trained on the held-out images: {tmp_path}/run holds no run.json "
        "yet, and gone/*.tar is not found from here"
    )


def test_other_images_in_the_place_of_those_that_the_run_was_trained_on_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data", "train", [10, 20])
    record(tmp_path, f"{tmp_path}/data/train-000000.tar")
    write(tmp_path / "other" / "data", "train", [50, 60])
    (tmp_path / "data").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(DataError, match=r"/other/data/train-000000.tar and the shards beside it are not the training"):
        greys(tmp_path, "data", None)
    (tmp_path / "other" / "data").rename(tmp_path / "other" / "away")
    (tmp_path / "moved").rename(tmp_path / "other" / "data")
    assert greys(tmp_path, "data", None) == [10, 20], "they may have been moved"


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
    asked = opened(tmp_path, "gone", tmp_path / "data")
    assert len(asked.images) == 2
    assert len(asked.notes) == 2
    assert "test-000000.tar is torn" in asked.notes[1]
