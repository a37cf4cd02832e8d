"""Where ImageNet's archives are, and of which splits."""

from pathlib import Path

import pytest

from dcgan_dist.data.readers.imagenet_files import (
    archives_in,
    choose_splits,
    find_archives,
    missing_part,
    split_of_archive,
    split_of_first,
)
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

TRAIN_TAR, VAL_TAR, KIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"
PARTS = [f"train_images_{part}.tar.gz" for part in range(5)]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        (TRAIN_TAR, "train"),
        ("n01440764.tar", "train"),
        ("train_images_3.tar.gz", "train"),
        (VAL_TAR, "val"),
        ("val_images.tar.gz", "val"),
        ("ILSVRC2012_img_test_v10102019.tar", "test"),
        ("ILSVRC2012_img_test.tar", "test"),
        ("test_images.tar.gz", "test"),
        (KIT, ""),
        ("ILSVRC2012_img_train_t3.tar", ""),
        ("ILSVRC2012_bbox_train_v2.tar.gz", ""),
        (f".{TRAIN_TAR}", ""),
        (f"{TRAIN_TAR}.aria2", ""),
        ("train.tar", ""),
    ],
)
def test_splits_of_names_that_are_known(name: str, split: str) -> None:
    assert split_of_archive(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("n01440764.tar", "train"),
        ("n01440764_1.JPEG", "train"),
        ("ILSVRC2012_val_00000293.JPEG", "val"),
        ("test/ILSVRC2012_test_00000001.JPEG", "test"),
        ("00001.jpg", ""),
        ("", ""),
    ],
)
def test_split_by_the_first_file(name: str, split: str) -> None:
    assert split_of_first(name) == split


def touched(folder: Path, *names: str) -> Place:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return Place(str(folder))


def of_none(place: Place) -> str:
    raise AssertionError(f"{place} need not be opened")


@pytest.mark.parametrize(
    ("names", "expected", "passed"),
    [
        ([VAL_TAR, TRAIN_TAR, "x.tar"], {"train": [TRAIN_TAR], "val": [VAL_TAR]}, 0),
        ([TRAIN_TAR, "n00000002.tar", *PARTS], {"train": [TRAIN_TAR]}, 6),
        (["n00000002.tar", "n00000001.tar"], {"train": ["n00000001.tar", "n00000002.tar"]}, 0),
        (["train/n00000002.tar", VAL_TAR], {"train": ["train/n00000002.tar"], "val": [VAL_TAR]}, 0),
        ([f"data/{name}" for name in PARTS], {"train": [f"data/{name}" for name in PARTS]}, 0),
        (["other/n00000002.tar", "val_images.tar.gz"], {"val": ["val_images.tar.gz"]}, 0),
        (
            ["ILSVRC2012_img_test.tar", "ILSVRC2012_img_test_v10102019.tar"],
            {"test": ["ILSVRC2012_img_test_v10102019.tar"]},
            1,
        ),
    ],
)
def test_archives_of_a_folder(tmp_path: Path, names: list[str], expected: dict[str, list[str]], passed: int) -> None:
    folder = touched(tmp_path, *names)
    found = find_archives([folder], of_none)
    assert found.by_split == {split: [folder / name for name in some] for split, some in expected.items()}
    assert list(found.by_split) == [split for split in ("train", "val", "test") if split in expected]
    assert found.devkit is None
    lines = [f"passed over: {passed} file"] if passed else []
    assert [note[: len(line)] for note, line in zip(found.notes, lines, strict=True)] == lines


def test_what_is_beside_ones_of_another_packing_is_told(tmp_path: Path) -> None:
    folder = touched(tmp_path, TRAIN_TAR, "n00000002.tar", "n00000001.tar")
    (note,) = find_archives([folder], of_none).notes
    assert note == (
        f"passed over: 2 files with pictures of train that {folder / TRAIN_TAR} has, for example "
        f"{folder / 'n00000001.tar'}"
    )


def test_files_are_taken_in_any_order_and_under_any_name(tmp_path: Path) -> None:
    folder = touched(tmp_path, "b.tar", "a.tar", VAL_TAR, "my_devkit.tgz")
    first = {"a.tar": "n00000001.tar", "b.tar": "n00000002_1.JPEG"}
    addresses = [folder / name for name in (VAL_TAR, "b.tar", "my_devkit.tgz", "a.tar", "b.tar")]
    found = find_archives(addresses, lambda place: first[place.name])
    assert found.by_split == {"train": [folder / "a.tar", folder / "b.tar"], "val": [folder / VAL_TAR]}
    assert found.devkit == folder / "my_devkit.tgz"


def test_kit_of_a_folder_is_found(tmp_path: Path) -> None:
    folder = touched(tmp_path, VAL_TAR, f"data/{KIT}")
    assert find_archives([folder], of_none).devkit == folder / "data" / KIT


@pytest.mark.parametrize(
    ("names", "given", "told"),
    [
        (
            [],
            [""],
            "there are no pictures of ImageNet at .*: ILSVRC2012_img_train.tar, .* are at https://image-net.org",
        ),
        ([KIT, "x.tar"], [""], "there are no pictures of ImageNet at"),
        ([KIT], [KIT], "there are no pictures of ImageNet at"),
        ([], ["gone.tar"], "there is no .*gone.tar: give the folder that holds ImageNet's tars"),
        (["x.tar"], ["x.tar"], r"x.tar is no archive of ImageNet's by its name and its first file: leave it out"),
        ([*PARTS[:2], *PARTS[3:]], [""], "lacks train_images_2.tar.gz: download it, or give the files that are there"),
        ([KIT, VAL_TAR, "more_devkit_.tar.gz"], ["", "more_devkit_.tar.gz"], "are both ImageNet's development kit"),
    ],
)
def test_what_cannot_be_taken_is_told(tmp_path: Path, names: list[str], given: list[str], told: str) -> None:
    folder = touched(tmp_path, *names)
    with pytest.raises(DataError, match=told):
        find_archives([folder / name if name else folder for name in given], lambda _: "00001.jpg")


def test_some_parts_are_taken_if_they_are_given_as_files(tmp_path: Path) -> None:
    folder = touched(tmp_path, *PARTS)
    files = [folder / PARTS[4], folder / PARTS[1]]
    assert find_archives(files, of_none).by_split == {"train": files[::-1]}


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (PARTS, ""),
        ([*PARTS, "train_images_5.tar.gz"], ""),
        (PARTS[1:], PARTS[0]),
        (PARTS[:4], PARTS[4]),
        (PARTS[2:3], PARTS[0]),
        ([TRAIN_TAR], ""),
        ([], ""),
    ],
)
def test_part_that_is_missing(names: list[str], missing: str) -> None:
    assert missing_part(names) == missing


@pytest.mark.parametrize(
    ("there", "asked", "expected"),
    [
        (("train", "val"), (), ("train", "val")),
        (("train", "val", "test"), ("test", "train"), ("train", "test")),
        (("val",), ("val",), ("val",)),
    ],
)
def test_splits_that_are_read(there: tuple[str, ...], asked: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert choose_splits(there, asked, "here") == expected


def test_splits_that_are_not_there_are_told() -> None:
    with pytest.raises(SettingsError, match="split is 'train,validation' but ImageNet has train, val, test"):
        choose_splits(("train",), ("train", "validation"), "here")
    with pytest.raises(
        DataError, match="there is nothing of ImageNet's split val at here: get it from https://image-net"
    ):
        choose_splits(("train",), ("train", "val"), "here")


def test_archives_below_a_folder(tmp_path: Path) -> None:
    names = ["data/n00000003.tar", "n00000001.tar", "n00000002.tar", "train/n00000004.tar"]
    folder = touched(tmp_path, *reversed(names), "x.tar", KIT, "other/n00000005.tar", "data.txt")
    assert archives_in(folder) == [folder / name for name in names]
