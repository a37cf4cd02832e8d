"""Class numbers of ImageNet's pictures."""

import numpy as np
import pytest

from dcgan_dist.data.readers.imagenet_devkit import Devkit
from dcgan_dist.data.readers.imagenet_labels import number_classes, wnids_of
from dcgan_dist.data.readers.imagenet_names import NO_CLASS
from dcgan_dist.errors import DataError

KIT = Devkit(np.array([10, 20, 30], np.int32), np.array([30, 10, 20, 10], np.int32))


def int32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.mark.parametrize(
    ("split", "wnid", "number", "kit", "expected"),
    [
        ("train", [20, 10], [0, 0], None, [20, 10]),
        ("train", [20, 10], [0, 0], KIT, [20, 10]),
        ("val", [-1, -1, -1], [1, 4, 3], KIT, [30, 10, 20]),
        ("val", [-1, 10, -1], [1, 2, 3], KIT, [30, 10, 20]),
        ("val", [20, 99], [1, 900], None, [20, 99]),
        ("test", [-1, 7], [1, 2], None, [-1, -1]),
        ("test", [-1, -1], [1, 2], KIT, [-1, -1]),
    ],
)
def test_class_of_each_picture(
    split: str, wnid: list[int], number: list[int], kit: Devkit | None, expected: list[int]
) -> None:
    found = wnids_of(split, int32(*wnid), int32(*number), kit, "here", "HOME")
    assert found.tolist() == expected
    assert found.dtype == np.int32


@pytest.mark.parametrize(
    ("split", "wnid", "number", "kit", "told"),
    [
        ("val", [-1], [5], KIT, "here has validation picture 5, but ILSVRC2012_devkit_t12.tar.gz has classes of 4"),
        ("val", [-1, -1], [1, 0], KIT, "here has validation picture 0, but"),
        (
            "val",
            [-1, 20],
            [3, 4],
            KIT,
            "picture 4 of class n00000020 by its name, but of n00000010 by ILSVRC2012_devkit",
        ),
        (
            "val",
            [20, -1],
            [1, 2],
            None,
            "here does not say which classes its pictures of val have: give ILSVRC2012_devkit",
        ),
        ("val", [-1], [1], None, "which is at HOME; or name other splits with --split"),
        ("train", [20, 40], [0, 0], KIT, "here has pictures of n00000040, which is no class of ILSVRC2012_devkit"),
    ],
)
def test_what_does_not_belong_together_is_told(
    split: str, wnid: list[int], number: list[int], kit: Devkit | None, told: str
) -> None:
    with pytest.raises(DataError, match=told):
        wnids_of(split, int32(*wnid), int32(*number), kit, "here", "HOME")


def test_numbers_mean_the_same_in_all_splits() -> None:
    by_split = {"train": int32(20, 40), "val": int32(30, 20, 10), "test": int32(NO_CLASS)}
    classes, labels = number_classes(by_split, None)
    assert classes == ("n00000010", "n00000020", "n00000030", "n00000040")
    assert {split: label.tolist() for split, label in labels.items()} == {
        "train": [1, 3],
        "val": [2, 1, 0],
        "test": [-1],
    }
    assert all(label.dtype == np.int32 for label in labels.values())


def test_kit_says_which_classes_there_are() -> None:
    classes, labels = number_classes({"train": int32(30), "test": int32(NO_CLASS)}, KIT)
    assert classes == ("n00000010", "n00000020", "n00000030")
    assert labels["train"].tolist() == [2]
    assert labels["test"].tolist() == [-1]


def test_pictures_without_classes_have_none() -> None:
    classes, labels = number_classes({"test": int32(NO_CLASS, NO_CLASS)}, None)
    assert classes is None
    assert labels["test"].tolist() == [-1, -1]
