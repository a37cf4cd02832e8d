"""Columns of attributes: what they are made of, and how those of several parts come together."""

from typing import Any

import numpy as np
import pytest

from dcgan_dist.data.shards.attributes import Columns, columns, joined, typed
from dcgan_dist.errors import DataError


def test_columns_are_made_of_what_is_known_of_each_image() -> None:
    found = columns(
        [{"age": 31, "name": "Ada", "score": 0.5, "smiles": True}, {"name": "Béla", "score": 2, "age": -1, "smiles": 0}]
    )
    assert {name: (column.tolist(), column.dtype.kind) for name, column in found.items()} == {
        "age": ([31, -1], "i"),
        "name": (["Ada", "Béla"], "U"),
        "score": ([0.5, 2.0], "f"),
        "smiles": ([1, 0], "i"),
    }
    assert (found["age"].dtype, found["smiles"].dtype, found["score"].dtype) == (np.int64, np.int64, np.float64)
    assert columns([]) == columns([{}, {}]) == {}


def test_the_largest_numbers_and_what_is_none_are_kept() -> None:
    found = columns([{"a": 2**63 - 1, "b": np.float32(0.1)}, {"a": -(2**63), "b": float("nan")}])
    assert found["a"].tolist() == [2**63 - 1, -(2**63)]
    assert found["b"][0] == np.float32(0.1)
    assert np.isnan(found["b"][1])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"a": 1}, {"a": 1}, {"b": 1}], r"image 2 has the attributes \['b'\], but image 0 has \['a'\]"),
        ([{}, {"a": 1}], "image 1 has"),
        ([{"a": 1}, {}], "image 1 has"),
        ([{"a": 1}, {"a": "one"}], "attribute 'a' cannot be printed, or is a word for some"),
        ([{"a\0": 1}], r"attribute 'a\\x00' cannot be printed"),
        ([{"a": 2**70}], "attribute 'a' is of dtype object"),
        ([{"a": 2**63}], r"attribute 'a' has numbers of 2\*\*63 and more"),
        ([{"a": 2**63 + 5}, {"a": -1}], rf"attribute 'a' is {2**63 + 5} for an image, which would be kept as 9\.22"),
        (
            [{"a": 0.5}, {"a": 2**53 + 1}],
            rf"attribute 'a' is {2**53 + 1} for an image, which would be kept as {2**53}\.0",
        ),
        ([{"a": "x"}, {"a": "y\0"}], r"attribute 'a' is 'y\\x00' for an image, which would be kept as 'y'"),
    ],
)
def test_attributes_that_make_no_column_are_refused(rows: list[dict[str, Any]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        columns(rows)


@pytest.mark.parametrize(
    ("given", "dtype"), [(np.int8, np.int64), (np.uint16, np.int64), (np.float32, np.float64), ("<U7", "<U7")]
)
def test_columns_have_one_dtype_a_kind(given: Any, dtype: Any) -> None:
    column = typed("a", np.array([3, 5], given))
    assert column.dtype == dtype
    assert column.tolist() == np.array([3, 5], dtype).tolist()


def test_numbers_without_a_sign_are_kept_where_they_fit() -> None:
    assert typed("a", np.array([2**63 - 1], np.uint64)).tolist() == [2**63 - 1]
    with pytest.raises(ValueError, match="attribute 'a' has numbers of"):
        typed("a", np.array([1, 2**63], np.uint64))


def test_parts_are_joined_in_their_order() -> None:
    parts: list[tuple[str, Columns]] = [
        ("0.tar", {"age": np.array([3, 4]), "name": np.array(["x", "yy"])}),
        ("1.tar", {"name": np.array(["zzz"]), "age": np.array([5])}),
    ]
    assert {name: column.tolist() for name, column in joined(parts).items()} == {
        "age": [3, 4, 5],
        "name": ["x", "yy", "zzz"],
    }
    assert joined([]) == joined([("0.tar", {})]) == {}


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ({"a": [1]}, {}, "attribute 'a' is missing in 1.tar but a whole number in 0.tar: use them apart"),
        ({"b": ["x"]}, {"b": ["y"], "c": [0.5]}, "attribute 'c' is a number in 1.tar but missing in 0.tar"),
        ({"a": ["1"]}, {"a": [1]}, "attribute 'a' is a whole number in 1.tar but text in 0.tar"),
    ],
)
def test_parts_that_differ_in_their_attributes_are_refused(
    first: dict[str, list[Any]], second: dict[str, list[Any]], sentence: str
) -> None:
    parts = [
        (file, {name: typed(name, np.array(values)) for name, values in part.items()})
        for file, part in (("0.tar", first), ("1.tar", second))
    ]
    with pytest.raises(DataError, match=sentence):
        joined(parts)
