from pathlib import Path

import pytest

from dcgan_dist.data.readers.published import Published, told, what_else
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

FLOWERS = Published(
    title="Flowers",
    home="https://flowers.example",
    splits={"train": ["train-1", "train-2"], "extra": ["more"], "test": ["test"]},
    counts={"train": 7, "extra": 5, "test": 2_000},
    plain=lambda name: name.removesuffix(".gz"),
    beside=["names"],
    below=["flowers/raw", "raw"],
)


def put(folder: Path, *names: str) -> Place:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return Place(str(folder))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train-1", "test", "readme", "names"], ["train-1", "test", "names"]),
        (["train-1.gz", "train-2.gz", "train-2"], ["train-1.gz", "train-2"]),
        (["test", "raw/train-1.gz"], ["raw/train-1.gz"]),
        (["raw/test", "flowers/raw/more", "test"], ["flowers/raw/more"]),
        (["raw/readme", "test"], ["test"]),
        (["elsewhere/test", "test.gz/inside"], []),
    ],
)
def test_files_of_a_folder_are_found_by_their_names(names: list[str], expected: list[str], tmp_path: Path) -> None:
    found, passed = FLOWERS.find([put(tmp_path, *names)])
    assert found == {Path(name).name.removesuffix(".gz"): Place(str(tmp_path / name)) for name in expected}
    assert passed == ()


def test_files_are_taken_in_any_order_and_others_told(tmp_path: Path) -> None:
    folder = put(tmp_path, "train-1.gz", "train-1", "mine", "other/test")
    given = [folder / "train-1.gz", folder / "mine", folder / "other/test", folder / "train-1"]
    for addresses in (given, given[::-1]):
        found, passed = FLOWERS.find(addresses)
        assert found == {"train-1": folder / "train-1", "test": folder / "other/test"}
        assert passed == (f"passed over: {folder}/mine, which is none of Flowers's files by its name",)


def test_two_folders_with_the_same_file_are_refused(tmp_path: Path) -> None:
    folder = put(tmp_path, "a/train-1", "b/train-1.gz")
    with pytest.raises(DataError, match=r"a/train-1 and \S+/b/train-1\.gz are the same file of Flowers .*: give one"):
        FLOWERS.find([folder / "a", folder / "b"])


def test_an_address_with_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"there is no {tmp_path}/nowhere: give the folder that holds .* Flowers"):
        FLOWERS.find([Place(str(tmp_path / "nowhere"))])


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (["test", "train-2", "train-1", "more"], (), ("train", "extra", "test")),
        (["test", "train-2", "train-1", "more"], ("test", "train"), ("train", "test")),
        (["more", "names"], (), ("extra",)),
        (["train-1", "test"], ("test",), ("test",)),
    ],
)
def test_splits_are_those_that_are_there_or_asked_for(
    found: list[str], asked: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert FLOWERS.choose(found, asked, "/x") == expected


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (
            [],
            (),
            "nothing whole of Flowers at /x: give --download, which also continues a ",
        ),
        (["names"], (), "nothing whole of Flowers at /x"),
        (["test", "train-1"], (), "Flowers's split train is not whole: there is no train-2 at /x; get what is missing"),
        (["test"], ("train",), "Flowers's split train is not whole: there is no train-1, train-2 at /x"),
    ],
)
def test_missing_files_are_named(found: list[str], asked: tuple[str, ...], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        FLOWERS.choose(found, asked, "/x")
    assert expected in str(caught.value)


def test_a_split_that_the_set_does_not_have_is_refused() -> None:
    with pytest.raises(SettingsError, match="split is 'test,val' but Flowers has train, extra, test"):
        FLOWERS.choose(["test"], ("test", "val"), "/x")


def test_other_counts_than_the_published_are_told() -> None:
    told = FLOWERS.differences({"train": 7, "test": 1}, "/x")
    assert told == ("test has 1 picture, Flowers as published 2,000",)
    with pytest.raises(DataError, match="Flowers's split extra at /x has no pictures: get it from https://flowers"):
        FLOWERS.differences({"train": 7, "extra": 0}, "/x")


def test_addresses_are_told_but_not_all_of_many() -> None:
    assert told([Place("/a"), Place("/b")]) == "/a, /b"
    assert told([Place(f"/{i}") for i in range(9)]) == "/0, /1, /2, /3 and 5 others"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"", "it is empty"),
        (b"\n <!DOCTYPE html>", "a page of HTML"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"\x80\x02}q\x01", ""),
    ],
)
def test_what_downloads_leave_is_known(first: bytes, expected: str) -> None:
    assert expected in what_else(first)
    assert bool(expected) == bool(what_else(first))
