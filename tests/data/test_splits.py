"""Names of splits, what is held out, and what a run must not train on."""

import hashlib

import pytest

from dcgan_dist.data.splits import choose_splits, is_held_out, parse_splits, trains_on_held_out
from dcgan_dist.errors import SettingsError


def test_splits_are_named_with_commas_between() -> None:
    assert parse_splits("") == ()
    assert parse_splits("new, old_2") == ("new", "old_2")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,a", "split is 'a,a' but needs each name once"),
        ("a,", "split is 'a,' but needs names of up to 60 letters"),
        ("a.b", "split is 'a.b' but needs names of up to 60 letters"),
    ],
)
def test_names_that_are_none_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        parse_splits(text)


def test_a_tenth_is_held_out_and_stays_so_for_larger_shares() -> None:
    digests = [hashlib.sha256(str(number).encode()).digest() for number in range(4_000)]
    some, more = ([digest for digest in digests if is_held_out(digest, share)] for share in (0.1, 0.25))
    assert 320 < len(some) < 480, "4 standard deviations"
    assert 890 < len(more) < 1_110
    assert set(some) < set(more)


@pytest.mark.parametrize(
    ("names", "held_out"),
    [
        ("train-000000.tar train-000001.tar", ""),
        ("train-000000.tar test-000000.tar val-000000.tar", "test and val"),
        ("training_0.tar validation.tar", "validation"),
        ("train-00000-of-00002.tar test-00000-of-00001.tar", "test"),
        ("00000-train.tar 00000-val.tar", "val"),
        ("contest-0.tar train-0.tar", ""),
        ("test-000000.tar", ""),
        ("train-0.tar bedrooms-0.tar", ""),
    ],
)
def test_training_on_pictures_that_are_to_judge_is_told(names: str, held_out: str) -> None:
    told = trains_on_held_out(names.split())
    assert (
        told.startswith(f"the data includes shards of {held_out} besides those of train,") if held_out else told == ""
    )


@pytest.mark.parametrize(
    ("asked", "chosen"), [((), ("train", "val", "test")), (("test", "train"), ("train", "test")), (("val",), ("val",))]
)
def test_splits_are_read_in_the_order_of_their_source(asked: tuple[str, ...], chosen: tuple[str, ...]) -> None:
    assert choose_splits(("train", "val", "test"), asked, "/data") == chosen


def test_a_split_that_a_source_does_not_have_is_refused() -> None:
    with pytest.raises(SettingsError, match="split is 'test,old' but /data has train, test"):
        choose_splits(("train", "test"), ("test", "old"), "/data")
