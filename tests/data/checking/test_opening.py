"""Which shards are meant, and what is on record about them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dcgan_dist.data.checking.opening import find_given
from dcgan_dist.data.preparation.record import Record
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place
from tests.data.checking.shards import foreign, ours, picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = [(picture(number), number % 2) for number in range(6)]
    return ours(tmp_path / "shards", {"train": images, "test": images[:3]})


def names(shards: tuple[Place, ...]) -> list[str]:
    return [shard.name for shard in shards]


def test_a_folder_means_the_shards_of_all_splits(folder: Path) -> None:
    given = find_given(str(folder))
    assert names(given.shards) == ["test-000000.tar", "train-000000.tar", "train-000001.tar"]
    assert given.record is not None
    assert given.record.classes == ("cat", "dog")
    assert given.problems == ()


def test_a_folder_with_a_folder_for_each_split_means_all_of_them(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        foreign(tmp_path / split / "00000.tar", [("a.png", picture(1))])
    foreign(tmp_path / "other" / "00000.tar", [("a.png", picture(1))])
    assert [shard.parent.name for shard in find_given(str(tmp_path)).shards] == ["train", "validation"]


def test_hidden_files_are_no_shards_and_are_told(folder: Path) -> None:
    (folder / "._train-000000.tar").write_bytes(b"of macOS")
    given = find_given(str(folder))
    assert names(given.shards) == ["test-000000.tar", "train-000000.tar", "train-000001.tar"]
    assert given.notes == (f"odd: 1 hidden file beside the shards, such as {folder}/._train-000000.tar",)


def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path: Path) -> None:
    folder = ours(tmp_path / "shards[1]", {"train": [(picture(1), 0)], "val": [(picture(2), 1)]})
    assert names(find_given(str(folder)).shards) == ["train-000000.tar", "val-000000.tar"]


def test_a_pattern_means_what_it_matches(folder: Path) -> None:
    given = find_given(f"{folder}/train-*.tar, {folder}/train-000001.tar")
    assert names(given.shards) == ["train-000000.tar", "train-000001.tar"]
    assert given.record is not None
    assert given.problems == ()


def test_a_shard_that_is_on_record_but_not_there_is_told_where_all_were_meant(folder: Path) -> None:
    (folder / "train-000000.tar").unlink()
    [problem] = find_given(str(folder)).problems
    assert problem == f"{folder}/train-000000.tar is missing, but dataset.json names it: copy it again"
    assert find_given(f"{folder}/train-*.tar").problems == ()


def test_shards_of_several_folders_have_no_record_of_all(folder: Path, tmp_path: Path) -> None:
    foreign(tmp_path / "zoo" / "a.tar", [("a.png", picture(1))])
    given = find_given(f"{folder},{tmp_path / 'zoo'}")
    assert len(given.shards) == 4
    assert given.record is None


@pytest.mark.parametrize("content", ['{"name": "somebody else\'s"}', "[]", "no JSON"])
def test_the_description_of_somebody_else_is_no_record(content: str, tmp_path: Path) -> None:
    foreign(tmp_path / "a.tar", [("a.png", picture(1))])
    (tmp_path / "dataset.json").write_text(content)
    given = find_given(str(tmp_path))
    assert (given.record, given.problems) == (None, ())


@pytest.mark.parametrize("name", ["index.npz", "dataset.json"])
def test_a_damaged_record_is_a_problem(name: str, folder: Path) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b'"images"', b'"pictures"', 1) + b" " * (name == "index.npz"))
    given = find_given(str(folder))
    assert given.record is None
    [problem] = given.problems
    assert "is damaged" in problem
    assert len(given.shards) == 3


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("{}/nosuch", "does not exist"),
        ("{}/empty", "is empty"),
        (",", "names no shards"),
        ("{}/photos", "holds pictures"),
    ],
)
def test_what_means_no_shards_is_refused(address: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(picture(1))
    with pytest.raises(DataError, match=told):
        find_given(address.format(tmp_path))


@pytest.mark.parametrize("written", [False, True])
def test_what_prepare_is_not_done_with_is_refused(written: bool, folder: Path, tmp_path: Path) -> None:
    where = folder if written else tmp_path
    record = Record({"size": 16}, "0" * 64, 6)
    record.save(Place(str(where)))
    with pytest.raises(DataError, match=f"prepare has begun to write shards into {where} and is not done"):
        find_given(str(where))
    replace(record, complete=True).save(Place(str(folder)))
    assert len(find_given(str(folder)).shards) == 3


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"reader": "imagenet"}, "imagenet"),
        ({"reader": "folder", "faces": True}, "faces"),
        ({}, ""),
        ("all", ""),
        (None, ""),
    ],
)
def test_what_shards_were_prepared_from_is_on_record(options: object, word: str, folder: Path) -> None:
    file = folder / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prepared": {"options": options}}))
    assert find_given(str(folder)).word == word
