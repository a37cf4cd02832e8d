"""Where the pictures of a source go, whatever the source is."""

from collections import Counter
from collections.abc import Sequence

import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.arrange import arrange
from dcgan_dist.data.readers.source import Item, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place


def source_of(items: Sequence[Item], splits: tuple[str, ...] = ("photos",)) -> Source:
    return Source(Place("/pictures"), None, iter(items), splits, told=("taken as pictures",))


def items_of(number: int, split: str = "photos") -> list[Item]:
    return [Item(f"{split}/{i:03d}", split, 4, b"%04d" % i, i % 3, {"i": i}) for i in range(number)]


def test_the_order_follows_from_the_seed_and_the_keys_alone() -> None:
    def order(seed: int, items: Sequence[Item]) -> list[str]:
        return [item.key for item in arrange(source_of(items), holdout=0, seed=seed)[1]]

    items = items_of(40)
    assert order(0, items) == order(0, items[::-1])
    assert order(0, items) != order(1, items)
    assert order(0, items) != sorted(order(0, items))
    assert sorted(order(0, items)) == [item.key for item in items]


def test_splits_are_in_the_order_of_the_source_and_what_it_says_of_pictures_stays() -> None:
    items = [*items_of(5, "a"), *items_of(7, "b")]
    splits, arranged, told = arrange(source_of(items, ("b", "a")), holdout=0, seed=3)
    assert splits == ("b", "a")
    assert [item.split for item in arranged] == ["b"] * 7 + ["a"] * 5
    assert sorted(arranged, key=lambda item: item.key) == items
    assert told[0] == "taken as pictures"


def test_pictures_are_held_out_by_their_bytes() -> None:
    items = items_of(200)
    # Under another name, of no label, and read when asked: the same bytes are held out or not as well.
    again = [Item(f"x/{i:03d}", "photos", 4, lambda i=i: b"%04d" % i) for i in range(200)]
    splits, arranged, told = arrange(source_of([*items, *again]), holdout=0.25, seed=0)
    assert splits == ("photos", "test")
    held = {item.key for item in arranged if item.split == "test"}
    assert {key.removeprefix("x/") for key in held if key.startswith("x/")} == {
        key.removeprefix("photos/") for key in held if key.startswith("photos/")
    }
    assert told[1] == f"held out: {len(held)} of 400 pictures, as test"
    assert 50 < len(held) < 150, "4 standard deviations around 100, as pairs go together"
    kept = next(item for item in arranged if item.key == "photos/007")
    assert (kept.label, kept.attributes) == (1, {"i": 7})


def test_a_picture_that_cannot_be_read_is_held_out_by_its_name_and_no_copy_of_another() -> None:
    def fail() -> bytes:
        raise BadImage("is gone")

    items = [Item(f"{split}/{i}", split, 0, fail) for split in ("a", "b") for i in range(50)]
    assert arrange(source_of(items, ("a", "b")), holdout=0, seed=0)[2] == ("taken as pictures",)
    items = [Item(f"{i}", "photos", 0, fail) for i in range(100)]
    counts = Counter(item.split for item in arrange(source_of(items), holdout=0.5, seed=0)[1])
    assert 30 < counts["test"] < 70, "4 standard deviations"


def test_a_source_that_fails_while_pictures_are_compared_ends_it() -> None:
    def fail() -> bytes:
        raise DataError("the bucket has vanished")

    with pytest.raises(DataError, match="the bucket has vanished"):
        arrange(source_of([Item("a", "photos", 1, fail)]), holdout=0.5, seed=0)


def test_copies_in_two_splits_are_told_with_the_first_pair() -> None:
    items = [
        Item("a/1", "a", 4, b"same"),
        Item("a/2", "a", 4, b"same"),
        Item("b/1", "b", 4, b"same"),
        Item("b/2", "b", 4, b"else"),
        Item("b/3", "b", 4, lambda: b"same"),
    ]
    assert arrange(source_of(items, ("a", "b")), holdout=0, seed=0)[2] == (
        "taken as pictures",
        "the same in two splits: 2 pictures of b also in a, byte for byte, for example b/1 and a/1",
    )


@pytest.mark.parametrize(
    ("splits", "holdout", "sentence"),
    [
        (("train", "val"), 0.2, "holdout is 0.2 but /pictures is split already, into train, val: leave --holdout out"),
        (("test",), 0.3, "holdout is 0.3 but split is test, which is what held-out pictures are called"),
        (("photos",), 1e-9, "holdout is 1e-09 but that leaves none of the 20 pictures in /pictures to test: give"),
        (("photos",), 1 - 1e-9, "that leaves none of the 20 pictures in /pictures to photos"),
    ],
)
def test_what_cannot_be_held_out_is_refused(splits: tuple[str, ...], holdout: float, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        arrange(source_of(items_of(20, splits[0]), splits), holdout=holdout, seed=0)
    assert sentence in str(caught.value)
