"""Which split each shard is of, by names."""

import pytest

from dcgan_dist.data.readers.shard_splits import choose_splits, said_split
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place


def shards(*names: str) -> list[Place]:
    return [Place(f"/data/set/{name}") for name in names]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-000001.tar", "train"),
        ("train-00000-of-00002.tar", "train"),
        ("training_0f8fad5b-d9cb-469f-a165-70867728950e.tar", "train"),
        ("imagenet1k-validation-00.tar", "val"),
        ("Test_3.tar", "test"),
        ("00012-dev.tar", "val"),
        ("val/00000.tar", "val"),
        ("Training/00000.tar", "train"),
        ("val/train-00000.tar", "train"),
        ("val/laion-00000.tar", "val"),
        ("training-train-0.tar", "train"),
        ("train-test-000.tar", "train-test"),
        ("val/train-test-000.tar", "train-test"),
        ("laion2B-en-00000.tar", "laion2B-en"),
        ("trainval-00000.tar", "trainval"),
        ("my-test-data/00000.tar", ""),
        ("00000.tar", ""),
    ],
)
def test_split_of_a_shard_is_what_its_name_says_or_else_its_folder(name: str, split: str) -> None:
    assert said_split(*shards(name)) == split


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (("train-0.tar", "val-0.tar", "train-1.tar"), (), ["train", "val", "train"]),
        (("test/0.tar",), (), ["test"]),
        (("0.tar", "1.tar"), (), ["train", "train"]),
        (("laion-0.tar", "laion-1.tar"), (), ["train", "train"]),
        (("train-0.tar", "minival-0.tar"), ("train",), ["train", None]),
        (("train-0.tar", "minival-0.tar"), ("minival", "train"), ["train", "minival"]),
        (("train-0.tar", "0.tar", "test-0.tar"), ("test",), [None, None, "test"]),
        (("0.tar", "1.tar"), ("photos",), ["photos", "photos"]),
        (("cat-0.tar", "dog-0.tar"), ("train",), ["train", "train"]),
        (("cat-0.tar", "dog-0.tar"), ("dog",), [None, "dog"]),
    ],
)
def test_splits_are_those_that_names_say_or_that_were_asked_for(
    names: tuple[str, ...], given: tuple[str, ...], expected: list[str | None]
) -> None:
    assert choose_splits(shards(*names), given, "here") == expected


@pytest.mark.parametrize(
    ("names", "given", "sentence"),
    [
        (
            ("minival-0.tar", "test-0.tar", "train-0.tar"),
            (),
            "here holds shards of train, minival, test, and it is not known whether all of these are splits, for "
            "example minival-0.tar: give --split train,test to take these",
        ),
        (
            ("train-0.tar", "7.tar"),
            (),
            "here holds shards of train, no name, and it is not known whether all of these are splits, for example "
            "7.tar: give --split train to take this one",
        ),
        (
            ("cat-0.tar", "dog-0.tar"),
            (),
            "here holds shards of cat, dog, and it is not known whether all of these are splits, for example "
            "cat-0.tar: give --split cat,dog to take these, or --split train if all of them are one",
        ),
        (
            ("train-0.tar", "test-0.tar"),
            ("val",),
            "split is 'val' but here has no shards of val: it has train, test",
        ),
        (
            ("0.tar", "1.tar"),
            ("train", "test"),
            "split is 'train,test' but here has no shards of train: it has no name",
        ),
        (
            tuple(f"{name}-0.tar" for name in "abcdefgh"),
            ("x", "a"),
            "split is 'x,a' but here has no shards of x: it has a, b, c, d, e, f and 2 others",
        ),
    ],
)
def test_what_names_do_not_say_is_asked_for(names: tuple[str, ...], given: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        choose_splits(shards(*names), given, "here")
    assert str(caught.value) == sentence
