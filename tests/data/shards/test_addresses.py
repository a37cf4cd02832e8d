"""Which shards an address means, on a disk and on S3."""

import os
import re
from pathlib import Path

import pytest

from dcgan_dist.data.shards.addresses import expand, expand_names
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty folder on each kind of store."""
    return Place(str(tmp_path)) if request.param == "local" else request.getfixturevalue("s3") / "some" / "where"


def _make(folder: Place, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"x")


def _names(folder: Place, addresses: str) -> list[str]:
    return [where.address.removeprefix(f"{folder}/") for where in expand(addresses)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("set", ["set/train-0.tar", "set/train-1.tar", "set/train-2.tar"]),
        ("set/", ["set/train-0.tar", "set/train-1.tar", "set/train-2.tar"]),
        ("set/train-1.tar", ["set/train-1.tar"]),
        ("set/train-[02].tar", ["set/train-0.tar", "set/train-2.tar"]),
        ("set/train-?.tar", ["set/train-0.tar", "set/train-1.tar", "set/train-2.tar"]),
        ("set/*", ["set/train-0.tar", "set/train-1.tar", "set/train-2.tar"]),
        ("*/train-0.tar", ["other/train-0.tar", "set/train-0.tar"]),
        ("set/train-{0..1}.tar", ["set/train-0.tar", "set/train-1.tar"]),
        ("set/train-{2..1}.tar", ["set/train-1.tar", "set/train-2.tar"]),
        ("set/train-{0,2}.tar", ["set/train-0.tar", "set/train-2.tar"]),
        ("{set/train-{0,1},other/train-0}.tar", ["other/train-0.tar", "set/train-0.tar", "set/train-1.tar"]),
        ("{set,other}/train-0.*", ["other/train-0.tar", "set/train-0.tar"]),
        ("s?t", ["set/train-0.tar", "set/train-1.tar", "set/train-2.tar"]),
        ("odd/notes.txt", ["odd/notes.txt"]),
        ("wide/a-{008..010}.tar", ["wide/a-008.tar", "wide/a-009.tar", "wide/a-010.tar"]),
    ],
)
def test_addresses_mean_shards_as_in_a_shell(folder: Place, pattern: str, expected: list[str]) -> None:
    _make(folder / "set", "train-0.tar", "train-1.tar", "train-2.tar", "dataset.json")
    _make(folder / "other", "train-0.tar")
    _make(folder / "odd", "notes.txt")
    _make(folder / "wide", "a-008.tar", "a-009.tar", "a-010.tar")
    assert _names(folder, f"{folder}/{pattern}") == expected


def test_commas_join_addresses_and_each_shard_comes_once(folder: Place) -> None:
    _make(folder, "a-0.tar", "a-1.tar", "b-0.tar")
    assert _names(folder, f"{folder}/b-0.tar, {folder}/a-{{1,0}}.tar,{folder}/*.tar") == [
        "a-0.tar",
        "a-1.tar",
        "b-0.tar",
    ]


def test_presets_address_by_variable_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(Place(str(tmp_path)) / "set", "train-0.tar")
    monkeypatch.setenv("DATA_OF_MINE", str(tmp_path))
    assert _names(Place(str(tmp_path)), "${DATA_OF_MINE}/set/train-{0,0}.tar") == ["set/train-0.tar"]


def test_name_with_brackets_that_exists_is_taken_as_it_is(tmp_path: Path) -> None:
    here = Place(str(tmp_path))
    _make(here / "set [1]", "a-0.tar")
    assert _names(here, f"{here}/set [1]") == ["set [1]/a-0.tar"]


def test_star_does_not_match_hidden_files(tmp_path: Path) -> None:
    here = Place(str(tmp_path))
    _make(here, "a-0.tar", "._a-0.tar")
    assert _names(here, f"{here}/*.tar") == ["a-0.tar"]


def test_folder_with_several_splits_asks_for_one(folder: Place) -> None:
    _make(folder, "train-000000.tar", "train-000001.tar", "test-000000.tar")
    with pytest.raises(DataError, match=r"more than one split \(test, train\).*for example \S+/train-\*\.tar"):
        expand(folder.address)


def test_of_many_splits_the_first_six_are_named(tmp_path: Path) -> None:
    _make(Place(str(tmp_path)), *(f"{name}-0.tar" for name in "gfedcba"))
    with pytest.raises(DataError, match=r"more than one split \(a, b, c, d, e, f, \.\.\.\): choose one"):
        expand(str(tmp_path))
    (tmp_path / "g-0.tar").unlink()
    with pytest.raises(DataError, match=r"more than one split \(a, b, c, d, e, f\): choose one"):
        expand(str(tmp_path))


ONE, OTHER = "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "9A2504E0-4F89-11D3-9A0C-0305E82C3302"


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002.tar", "train-00001-of-00002.tar"],
        [f"training_{ONE}.tar", f"training_{OTHER}.tar"],
        ["00000-train.tar", "00001-train.tar"],
        ["train_0_0.tar", "train_0_1.tar"],
        ["n01440764.tar", "n01443537.tar"],
        ["train.tar"],
        [f"part-00000-{ONE}.tar", f"part-00001-{OTHER}.tar"],
        ["train-00112233445566778899.tar", "train-aabbccddeeff00112233.tar"],
    ],
)
def test_shards_of_one_split_are_taken_whatever_makes_their_names_unique(names: list[str], tmp_path: Path) -> None:
    _make(Place(str(tmp_path)), *names)
    assert [shard.name for shard in expand(str(tmp_path))] == names


@pytest.mark.parametrize(
    ("train", "test", "pattern"),
    [
        (["train-00000-of-00002.tar", "train-00001-of-00002.tar"], ["test-00000-of-00001.tar"], "train-*.tar"),
        ([f"training_{ONE}.tar", f"training_{OTHER}.tar"], [f"validation_{ONE}.tar"], "training_*.tar"),
        (["00000-train.tar", "00001-train.tar"], ["00000-test.tar"], "*-train.tar"),
        (["train.tar"], ["test.tar"], "train.tar"),
        (["train0.tar", "train1.tar"], ["train-extra-0.tar"], "train[0-9]*.tar"),
        (["train-0.tar", "train-1.tar"], ["train-extra-0.tar"], "train-[0-9]*.tar"),
        (["train_0.tar", "train_1.tar"], ["val_0.tar", "0.tar"], "train_*.tar"),
    ],
)
def test_the_pattern_that_is_suggested_takes_one_split_and_all_of_it(
    train: list[str], test: list[str], pattern: str, tmp_path: Path
) -> None:
    """Nobody trains on a test set unawares."""
    _make(Place(str(tmp_path)), *train, *test)
    with pytest.raises(DataError) as caught:
        expand(str(tmp_path))
    found = re.search(r"for example (\S+)$", str(caught.value))
    assert found is not None
    assert found[1] == f"{tmp_path}/{pattern}"
    assert sorted(shard.name for shard in expand(found[1])) == sorted(train)


def test_folders_of_shards_in_a_folder_are_named(tmp_path: Path) -> None:
    here = Place(str(tmp_path))
    _make(here / "set" / "test", "0.tar")
    _make(here / "set" / "other", "a.txt")
    with pytest.raises(DataError, match=r"holds no .tar, but its folder test does: give \S+/set/test$"):
        expand(f"{here}/set")
    _make(here / "set" / "rest", "0.tar")
    every = r"its folders rest, test do: give \S+/set/rest, or all with \S+/set/\*/\*\.tar$"
    with pytest.raises(DataError, match=every):
        expand(f"{here}/set")
    _make(here / "set" / "train", "0.tar")
    with pytest.raises(DataError, match=r"its folders rest, test, train do: give \S+/set/train$"):
        expand(f"{here}/set")


def test_all_shards_of_a_folder_are_suggested_only_where_none_is_there_to_train_on(tmp_path: Path) -> None:
    _make(Place(str(tmp_path)), "cats-0.tar", "dogs-0.tar")
    with pytest.raises(DataError, match=r"for example \S+/cats-\*\.tar, or take all with \S+/\*\.tar$"):
        expand(str(tmp_path))


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        (
            "set/nope/train-0.tar",
            r"set/nope/train-0.tar does not exist; the nearest folder that exists is \S+/set, with a",
        ),
        ("set/train-*.tar", r"train-\*.tar matches no shards; the nearest folder that exists is \S+/set"),
        ("set/*.tar", r"matches no shards"),
        ("set/a*", r"matches no shards; it matches a-0.txt, which is no .tar"),
        ("set", r"holds no .tar"),
        ("packed", r"holds no .tar \(a-0.tar.gz needs to be decompressed\)"),
        ("set/a-{0..9999999}.tar", r"means 10,000,000 files"),
        (",", r"names no shards"),
    ],
)
def test_address_that_means_nothing_is_one_sentence(tmp_path: Path, pattern: str, sentence: str) -> None:
    here = Place(str(tmp_path))
    _make(here / "set", "a-0.txt")
    _make(here / "packed", "a-0.tar.gz")
    with pytest.raises(DataError, match=sentence) as caught:
        expand(f"{here}/{pattern}" if pattern != "," else pattern)
    assert "\n" not in str(caught.value)


def test_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        expand(str(tmp_path))


def test_address_in_a_missing_bucket_says_so(s3: Place) -> None:
    with pytest.raises(DataError, match="s3://no-such-bucket-here does not exist either"):
        expand("s3://no-such-bucket-here/a/*.tar")


def test_names_of_any_kind_are_found_by_patterns_and_braces(folder: Place) -> None:
    for name in ("in/b-1.parquet", "in/b-0.parquet", "in/c[1].zip", "in/d/e.jpg", "in/.b-2.parquet"):
        (folder / name).write_bytes(b"x")
    at = folder / "in"
    for address, names in {
        f"{at}": ["in"],
        f"{at}/b-*.parquet": ["b-0.parquet", "b-1.parquet"],
        f"{at}/b-{{0..1}}.parquet": ["b-0.parquet", "b-1.parquet"],
        f"{at}/c[1].zip": ["c[1].zip"],
        f"{at}/*": ["b-0.parquet", "b-1.parquet", "c[1].zip", "d"],
    }.items():
        assert [found.name for found in expand_names(address)] == names
    for address in (f"{at}/nowhere", f"{at}/*.tar", f"{at}/b-{{0,7}}.parquet"):
        with pytest.raises(DataError, match=r"there is no file or folder \S+: give a folder or files that are there"):
            expand_names(address)


def test_pipes_and_devices_are_neither_files_nor_folders(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    for address in (tmp_path / "a.tar", tmp_path / "*.tar", "/dev/zero"):
        with pytest.raises(DataError, match="there is no file or folder "):
            expand_names(str(address))
