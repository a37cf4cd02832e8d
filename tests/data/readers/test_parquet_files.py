"""Which Parquet files a set has, and their splits, by names."""

from pathlib import Path

import pytest

from dcgan_dist.data.readers.parquet_files import find_files, lacking, looks_like_parquet, said_split, split_files
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

TRAIN, VAL, TEST = "train-00000-of-00001.parquet", "validation-00000-of-00001.parquet", "test-00000-of-00001.parquet"


def touch(folder: Path, *names: str) -> Place:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return Place(str(folder))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00294.parquet", "train"),
        ("data/validation-00013-of-00014.parquet", "val"),
        ("data/test-00001-of-00002-0f8c9e1d2b3a4c5d.parquet", "test"),
        ("data/extra-00000-of-00002.parquet", "extra"),
        ("data/train_small-00000-of-00002.parquet", "train_small"),
        ("data/cifar-train-00000-of-00001.parquet", "train"),
        ("data/my-set-00000-of-00001.parquet", "my-set"),
        ("train/extra-00000-of-00001.parquet", "extra"),
        ("digits-val.parquet", "val"),
        ("TEST.parquet", "test"),
        ("default/validation/0000.parquet", "val"),
        ("default/partial-train/0000.parquet", "train"),
        ("test/train.parquet", "train"),
        ("data/trains.parquet", ""),
        ("data/train-test.parquet", ""),
        ("part-00000-of-1.parquet", ""),
    ],
)
def test_names_say_the_split(name: str, split: str) -> None:
    assert said_split(Place("/sets") / name) == split


@pytest.mark.parametrize(
    ("names", "given", "found"),
    [
        ([TEST, TRAIN, VAL], (), {"train": [TRAIN], "val": [VAL], "test": [TEST]}),
        ([TEST, TRAIN, VAL], ("test", "val"), {"test": [TEST], "val": [VAL]}),
        (["a.parquet", "b.parquet"], (), {"train": ["a.parquet", "b.parquet"]}),
        (["a.parquet", "b.parquet"], ("photos",), {"photos": ["a.parquet", "b.parquet"]}),
        (["a.parquet", TRAIN], ("train",), {"train": [TRAIN]}),
        (["extra-00000-of-00001.parquet", TEST], (), {"extra": ["extra-00000-of-00001.parquet"], "test": [TEST]}),
    ],
)
def test_splits_are_those_that_were_asked_for_or_all_in_order(
    names: list[str], given: tuple[str, ...], found: dict[str, list[str]]
) -> None:
    divided = split_files([Place("/set") / name for name in names], given, "/set")
    assert list(divided.items()) == [(split, [Place("/set") / name for name in of]) for split, of in found.items()]


@pytest.mark.parametrize(
    ("names", "given", "error", "sentence"),
    [
        ([TRAIN, TEST], ("val",), SettingsError, "split is 'val' but /set has no files of val: it has train, test$"),
        (["a.parquet"], ("train", "test"), SettingsError, "no files of train: it has names that say none, such as a"),
        (
            ["a.parquet", TRAIN, TEST],
            (),
            DataError,
            "files of train, test, and it is not known which of them a.parquet",
        ),
    ],
)
def test_a_split_that_nothing_says_is_one_sentence(
    names: list[str], given: tuple[str, ...], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        split_files([Place("/set") / name for name in names], given, "/set")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([TRAIN], ""),
        (["train.parquet", "b.parquet"], ""),
        (["train-00001-of-00002.parquet", "train-00000-of-00002.parquet"], ""),
        (["x/train-00000-of-00001.parquet", "y/train-00000-of-00001.parquet"], ""),
        (
            ["train-00000-of-00004.parquet", "train-00002-of-00004.parquet"],
            "2 of 4 files of train, for example train-00001-of-00004.parquet",
        ),
        (["train-00001-of-00002.parquet"], "1 of 2 files of train, for example train-00000-of-00002.parquet"),
    ],
)
def test_numbers_say_what_is_lacking(names: list[str], told: str) -> None:
    assert lacking("train", [Place("/set") / name for name in names]) == told


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00001.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
        ["train-00000-of-00001-0123456789abcdef.parquet", "train-00000-of-00001-0123456789abcde0.parquet"],
        ["train-00000-of-00002.parquet", "train-00001-of-00003.parquet"],
    ],
)
def test_two_versions_of_a_split_are_not_mixed(names: list[str]) -> None:
    with pytest.raises(DataError, match=r"^/set holds two versions of val, such as train\S+ and train\S+: delete"):
        lacking("val", [Place("/set") / name for name in names])


def test_files_are_found_below_folders_but_for_hidden_ones(tmp_path: Path) -> None:
    folder = touch(
        tmp_path / "set", f"data/{TEST}", f"data/{TRAIN}", "data/README.md", f".cache/x/{VAL}", f"data/.{VAL}"
    )
    single = touch(tmp_path, "blob") / "blob"
    assert find_files([folder / "data" / TRAIN, single, folder]) == [
        single,
        folder / "data" / TEST,
        folder / "data" / TRAIN,
    ]
    converted = touch(tmp_path / "converted", "train/0000.parquet", "validation/0000.parquet")
    assert find_files([converted]) == [converted / "train/0000.parquet", converted / "validation/0000.parquet"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], r"^there is no \S+/set: give Parquet files, or the folder"),
        (["a.txt"], r"^there are no Parquet files below \S+/set"),
        (
            [f"32x32/{TRAIN}", f"64x64/{TRAIN}"],
            r"^\S+/set holds Parquet files in more than one folder, such as \S+/32x32 and \S+/64x64, which may",
        ),
        (["a/train/0.parquet", "b/train/0.parquet"], r"such as \S+/set/a and \S+/set/b, which"),
    ],
)
def test_addresses_without_one_set_are_one_sentence(tmp_path: Path, names: list[str], sentence: str) -> None:
    folder = touch(tmp_path / "set", *names) if names else Place(str(tmp_path / "set"))
    with pytest.raises(DataError, match=sentence):
        find_files([folder])


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (["data/a.parquet", "README.md"], True),
        (["default/train/0000.parquet"], True),
        (["a.parquet"], True),
        ([".cache/a.parquet"], False),
        (["00000.tar", "00000.parquet"], False),
        (["1.JPEG", "metadata.parquet"], False),
        (["a.txt"], False),
        ([*(f"{n}/a.txt" for n in range(10, 40)), "zz/a.parquet"], False),
    ],
)
def test_parquet_is_recognized_by_names(tmp_path: Path, names: list[str], seen: bool) -> None:
    assert looks_like_parquet(touch(tmp_path, *names)) is seen


def test_a_file_is_recognized_by_its_suffix(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.parquet", "b.tar")
    assert [looks_like_parquet(folder / name) for name in ("a.parquet", "b.tar", "gone.parquet")] == [
        True,
        False,
        False,
    ]
