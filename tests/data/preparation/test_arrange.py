"""Where images go, once all pieces are made."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.preparation.arrange import plan_shards, same_in_two, splits_of, unite
from dcgan_dist.data.preparation.pieces import Made, Table, order_of, read_table, write_piece
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place


def made(row: int, split: int = 0, content: str = "", reason: str = "") -> Made:
    """A sample named by its row, whose image has as many bytes as its number."""
    digest = hashlib.sha256((content or str(row)).encode()).digest()
    image = b"" if reason else b"i" * (row + 1)
    return Made(row, order_of(7, f"key {row}"), split, row % 3 - 1, digest, image, "png", b"{}", reason)


def tables(tmp_path: Place, *parts: list[Made]) -> list[Table]:
    for number, part in enumerate(parts):
        write_piece(tmp_path, number, part)
    return [read_table(tmp_path, number) for number in range(len(parts))]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(str(tmp_path_factory.mktemp("pieces")))


def rows_of(everything: object) -> list[int]:
    return everything.columns["row"][everything.order].tolist()  # type: ignore[attr-defined,no-any-return]


def test_the_order_follows_from_the_seed_and_the_keys_and_not_from_the_pieces(folder: Place) -> None:
    samples = [made(row, row % 2) for row in range(40)]
    expected = sorted(range(40), key=lambda row: (row % 2, hashlib.sha256(f"7/key {row}".encode()).digest()))
    for parts in ([samples], [samples[:9], samples[9:]], [samples[::-2], samples[::2]]):
        assert rows_of(unite(tables(folder, *parts))) == expected
    assert expected != sorted(expected)


def test_bad_pictures_are_in_no_shard(folder: Place) -> None:
    parts = [[made(0), made(1, reason="is empty")], [made(2, reason="is torn"), made(3)]]
    everything = unite(tables(folder, *parts))
    assert sorted(rows_of(everything)) == [0, 3]
    assert {everything.columns["row"][row]: reason for row, reason in everything.reasons.items()} == {
        1: "is empty",
        2: "is torn",
    }


def test_shards_have_so_many_images_and_each_split_begins_a_new_one(folder: Place) -> None:
    parts = [[made(row, row > 10) for row in range(9)], [made(row, row > 10) for row in range(9, 15)]]
    everything = unite(tables(folder, *parts))
    plans = plan_shards(everything, ("b", "a"), 4)
    assert [(plan.name, plan.first_image, len(plan)) for plan in plans] == [
        ("b-000000.tar", 0, 4),
        ("b-000001.tar", 4, 4),
        ("b-000002.tar", 8, 3),
        ("a-000000.tar", 0, 4),
    ]
    planned = [row for plan in plans for row in (plan.image_bytes - 1).tolist()]
    assert planned == rows_of(everything)
    for plan in plans:
        assert plan.piece.tolist() == [int(row > 8) for row in plan.image_bytes - 1]
        assert plan.label.tolist() == [(row - 1) % 3 - 1 for row in plan.image_bytes.tolist()]
        for piece in (0, 1):
            # What a shard has of a piece are neighbors there.
            here = plan.piece == piece
            ends = plan.offset[here] + plan.image_bytes[here] + plan.meta_bytes[here]
            assert plan.offset[here][1:].tolist() == ends[:-1].tolist()


def test_copies_in_two_splits_are_told_with_the_first_pair(folder: Place) -> None:
    keys = pa.array(["a/1", "a/2", "b/1", "b/2", "b/3", "c/1"])
    samples = [
        made(0, 0, "same"),
        made(1, 0, "same"),
        made(2, 1, "same"),
        made(3, 1, "else"),
        made(4, 1, "same"),
        made(5, 2, "else"),
    ]
    everything = unite(tables(folder, samples[3:], samples[:3]))
    told = same_in_two(everything, ("a", "b", "c"), keys)
    first_of_a, first_of_b = (min(rows, key=lambda row: order_of(7, f"key {row}")) for rows in ((0, 1), (2, 4)))
    assert told == [
        "the same in two splits: 2 pictures of b also in a, byte for byte, for example "
        f"{keys[first_of_b]} and {keys[first_of_a]}",
        "the same in two splits: 1 picture of c also in b, byte for byte, for example c/1 and b/2",
    ]


def test_copies_within_a_split_and_bad_pictures_are_no_copies(folder: Place) -> None:
    samples = [made(0, 0, "same"), made(1, 0, "same"), made(2, 1, "lost"), made(3, 0, "lost", reason="is torn")]
    assert same_in_two(unite(tables(folder, samples)), ("a", "b"), pa.array(list("wxyz"))) == []
    assert same_in_two(unite(tables(folder, samples)), ("a",), pa.array(list("wxyz"))) == []


def test_what_is_held_out_is_a_split_more() -> None:
    assert splits_of(("photos",), "/pictures", 20, 0.25) == ("photos", "test")
    assert splits_of(("train", "test"), "/pictures", 20, 0) == ("train", "test")


@pytest.mark.parametrize(
    ("splits", "holdout", "sentence"),
    [
        (("train", "val"), 0.2, "holdout is 0.2 but /pictures is split already, into train, val: leave --holdout out"),
        (("test",), 0.3, "holdout is 0.3 but split is test, which is what held-out pictures are called"),
        (("photos",), 0.04, "holdout is 0.04 but that leaves none of the 20 pictures in /pictures to test: give"),
        (("photos",), 0.96, "that leaves none of the 20 pictures in /pictures to photos"),
    ],
)
def test_what_cannot_be_held_out_is_refused(splits: tuple[str, ...], holdout: float, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        splits_of(splits, "/pictures", 20, holdout)
    assert sentence in str(caught.value)


def test_rows_are_counted_over_all_pieces(folder: Place) -> None:
    everything = unite(tables(folder, [made(0)], [made(1), made(2)]))
    assert everything.columns["piece"].tolist() == [0, 1, 1]
    assert np.array_equal(np.sort(everything.order), [0, 1, 2])
