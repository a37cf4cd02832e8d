"""Thumbnails of real shards: what is in the files, which rows are read, and which files are found again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.deduplication import thumbnail_files
from dcgan_dist.data.deduplication.thumbnail_files import Limits, ThumbnailFiles, cut, make_thumbnails, part
from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

LIMITS = Limits(1 << 20, 1 << 20)
BAD = 5


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail_files, "_IMAGES", 4)


def shards(folder: Path, images: int = 17, first: int = 0, per_shard: int = 10) -> Index:
    with ShardWriter(Place(str(folder)), "train", per_shard) as writer:
        for number in range(images):
            data = b"no picture" if number == BAD else embedded_image("rooms", 64, first + number)[0]
            writer.add(data, label=number)
    return concatenate(writer.written, image_size=64)


def make(index: Index, folder: Place) -> tuple[ThumbnailFiles, list[tuple[int, int]]]:
    units = cut(index)
    made = [make_thumbnails((folder, LIMITS), unit, part(index, unit)) for unit in units]
    return ThumbnailFiles(folder, units), made


def expected(index: Index, row: int) -> np.ndarray:
    """By the decoder alone."""
    out = np.zeros((32, 32, 3), np.uint8)
    if row != BAD:
        data = Place(index.shards[index.shard[row]]).read_range(int(index.offset[row]), int(index.size[row]))
        decode(data, out, fit="resize", max_pixels=1 << 20)
    return out


def test_units_are_neighbors_of_one_shard(tmp_path: Path) -> None:
    units = cut(shards(tmp_path))
    assert [(unit.first, unit.images) for unit in units] == [(0, 4), (4, 4), (8, 2), (10, 4), (14, 3)]
    assert len({unit.name for unit in units}) == 5


def test_thumbnails_are_read_by_rows_in_any_order_also_twice(tmp_path: Path) -> None:
    index = shards(tmp_path / "shards")
    files, made = make(index, Place(str(tmp_path / "cache")))
    assert made == [(4, 0), (4, 1), (2, 0), (4, 0), (3, 0)]
    assert len(files) == 17
    rows = np.array([16, 0, BAD, 9, 10, 0, 3])
    assert (files.read(rows) == [expected(index, row) for row in rows.tolist()]).all()
    assert (files.unit(3) == [expected(index, row) for row in range(10, 14)]).all()


def test_tails_tell_bad_images_and_which_thumbnails_are_alike(tmp_path: Path) -> None:
    first, second = shards(tmp_path / "first"), shards(tmp_path / "second", first=3)
    tails = [make(index, Place(str(tmp_path / "cache")))[0].tails() for index in (first, second)]
    assert [np.flatnonzero(~good).tolist() for good, _ in tails] == [[BAD], [BAD]]
    assert all(good.dtype == bool and digests.dtype == np.uint64 for good, digests in tails)
    same = tails[0][1][:, None] == tails[1][1]
    assert {(row, other) for row, other in np.argwhere(same)} == {
        (row, row - 3) for row in range(3, 17) if BAD not in (row, row - 3)
    } | {(BAD, BAD)}


def test_files_are_found_again_for_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    here, copy = shards(tmp_path / "here"), shards(tmp_path / "copy")
    other = shards(tmp_path / "other", first=1)
    assert [unit.name for unit in cut(here)] == [unit.name for unit in cut(copy)]
    assert not {unit.name for unit in cut(here)} & {unit.name for unit in cut(other)}


def test_files_of_foreign_shards_are_found_again_while_those_have_not_changed(tmp_path: Path) -> None:
    index = replace(shards(tmp_path), sha256=())
    before = [unit.name for unit in cut(index)]
    assert [unit.name for unit in cut(index)] == before
    shard = Path(index.shards[1])
    shard.write_bytes(shard.read_bytes())
    after = [unit.name for unit in cut(index)]
    assert after[:3] == before[:3]
    assert not set(after[3:]) & set(before[3:])


def test_other_members_that_are_images_are_other_files(tmp_path: Path) -> None:
    index = shards(tmp_path)
    assert not {unit.name for unit in cut(index)} & {unit.name for unit in cut(index.without([0, 10]))}


def test_files_of_another_decoder_are_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = shards(tmp_path)
    before = {unit.name for unit in cut(index)}
    monkeypatch.setattr(thumbnail_files, "version", lambda name: "0.1")
    assert not before & {unit.name for unit in cut(index)}


@pytest.mark.parametrize("lost", [1, 3_081])
def test_a_file_of_another_length_is_refused(lost: int, tmp_path: Path) -> None:
    files, _ = make(shards(tmp_path / "shards"), Place(str(tmp_path / "cache")))
    file = tmp_path / "cache" / files.units[2].name
    file.write_bytes(file.read_bytes()[:-lost])
    with pytest.raises(DataError, match=f"{files.units[2].name} is damaged: delete it"):
        files.tails()
