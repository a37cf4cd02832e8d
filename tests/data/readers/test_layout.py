"""Which split and class a picture belongs to, by its folders: tables of layouts."""

import pytest

from dcgan_dist.data.readers.layout import Layout, lay_out
from dcgan_dist.errors import DataError, SettingsError


def layout(names: str, given: str = "") -> Layout:
    return lay_out(sorted(names.split()), "/photos", given.split(",") if given else ())


def belongs(found: Layout) -> str:
    return " ".join(f"{name}={split}:{label}" for name, (split, label) in sorted(found.belongs.items()))


@pytest.mark.parametrize(
    ("names", "given", "splits", "classes", "expected"),
    [
        ("a.jpg b.jpg", "", "train", None, "a.jpg=train:None b.jpg=train:None"),
        ("bee/a.jpg ant/b.jpg", "", "train", "ant bee", "ant/b.jpg=train:ant bee/a.jpg=train:bee"),
        ("bee/a.jpg ant/b.jpg", "photos", "photos", "ant bee", "ant/b.jpg=photos:ant bee/a.jpg=photos:bee"),
        # The class that only one split has is numbered for both.
        (
            "train/ant/1.jpg train/bee/1.jpg test/bee/2.jpg test/cat/2.jpg",
            "",
            "train test",
            "ant bee cat",
            "test/bee/2.jpg=test:bee test/cat/2.jpg=test:cat train/ant/1.jpg=train:ant train/bee/1.jpg=train:bee",
        ),
        ("Training/a/1.jpg Valid/b/1.jpg", "", "train val", "a b", "Training/a/1.jpg=train:a Valid/b/1.jpg=val:b"),
        # Said to be one split, such folders are classes, as any others.
        ("train/a/1.jpg test/b/1.jpg", "all", "all", "test train", "test/b/1.jpg=all:test train/a/1.jpg=all:train"),
        ("old/a/1.jpg new/b/1.jpg x/c/1.jpg", "new,old", "new old", "a b", "new/b/1.jpg=new:b old/a/1.jpg=old:a"),
        # Trains among planes are a class.
        ("train/1.jpg plane/1.jpg", "", "train", "plane train", "plane/1.jpg=train:plane train/1.jpg=train:train"),
        # One split in flat folders has no classes, the other one keeps them.
        (
            "train/a/1.jpg train/b/1.jpg test/1.jpg",
            "",
            "train test",
            "a b",
            "test/1.jpg=test:None train/a/1.jpg=train:a train/b/1.jpg=train:b",
        ),
        ("train/1.jpg test/2.jpg", "", "train test", None, "test/2.jpg=test:None train/1.jpg=train:None"),
        ("train/a/1.jpg train/b/1.jpg", "", "train", "a b", "train/a/1.jpg=train:a train/b/1.jpg=train:b"),
        ("cats/1.jpg 2.jpg", "", "train", None, "2.jpg=train:None cats/1.jpg=train:None"),
        ("photos/a/1.jpg photos/b/1.jpg", "", "train", None, "photos/a/1.jpg=train:None photos/b/1.jpg=train:None"),
    ],
)  # fmt: skip
def test_folders_say_split_and_class(names: str, given: str, splits: str, classes: str | None, expected: str) -> None:
    found = layout(names, given)
    assert found.splits == tuple(splits.split())
    assert found.classes == (None if classes is None else tuple(classes.split()))
    assert belongs(found) == expected


@pytest.mark.parametrize(
    ("names", "given", "told"),
    [
        ("a.jpg b.jpg", "", []),
        ("ant/a.jpg bee/b.jpg", "", []),
        ("train/a/1.jpg test/a/1.jpg", "train,test", ["no classes: all pictures are in one folder, a/"]),
        (
            "train/a/1.jpg test/b/1.jpg",
            "",
            [
                "taken as splits by the name: train/, test/ in /photos; with --split train all pictures are one split, "
                "and folders there classes"
            ],
        ),
        (
            "train/a/1.jpg test/b/1.jpg more/c/1.jpg top.jpg",
            "train,test",
            ["left out: 2 pictures not in train/, test/, for example more/c/1.jpg"],
        ),
        ("cats/1.jpg 2.jpg 3.jpg", "", ["no classes: 2 pictures in no folder of a class, for example 2.jpg"]),
        (
            "photos/a/1.jpg photos/b/1.jpg",
            "",
            [
                "no classes: all pictures are in one folder, photos/; give /photos/photos if the folders in it are the "
                "classes"
            ],
        ),
        ("photos/1.jpg photos/2.jpg", "", ["no classes: all pictures are in one folder, photos/"]),
        (
            "train/a/1.jpg train/b/1.jpg test/1.jpg",
            "train,test",
            ["no classes in test: 1 picture in no folder of a class, for example test/1.jpg"],
        ),
    ],
)
def test_what_was_made_of_the_folders_is_told(names: str, given: str, told: list[str]) -> None:
    assert list(layout(names, given).told) == told


@pytest.mark.parametrize(
    ("names", "given", "sentence"),
    [
        ("train/a/1.jpg test/a/1.jpg x/1.jpg", "", r"holds train/, test/ beside x/: give --split train,test "),
        ("train/a/1.jpg test/a/1.jpg 1.jpg", "", r"beside 1\.jpg: give --split train,test if these are"),
        ("train/a/1.jpg training/a/1.jpg", "", r"holds train/, training/: give --split train,training"),
        ("test/a/1.jpg val/a/1.jpg", "", r"holds val/, test/: give"),
        ("train/a/1.jpg x/1.jpg", "train,test", r"there are no pictures in /photos/test: it holds tr"),
        ("1.jpg", "train,test", r"no pictures in /photos/train: it holds no folders with pictures"),
    ],
)  # fmt: skip
def test_what_can_be_understood_in_two_ways_is_asked_for(names: str, given: str, sentence: str) -> None:
    with pytest.raises((DataError, SettingsError), match=sentence):
        layout(names, given)
