"""What a person said of pairs, as a file."""

import json
from typing import Any

import pytest

from dcgan_dist.data.deduplication.marks import FORMAT, Marks, read_marks
from dcgan_dist.errors import SettingsError

PAGE = "0123456789abcdef"


def saved(**changed: Any) -> bytes:
    marks = [{"pair": 1, "same": True}, {"pair": 2, "same": False}, {"pair": 3, "same": True}]
    return json.dumps({"format": FORMAT, "page": PAGE, "pairs": 5, "marks": marks} | changed).encode()


def test_marks_are_counted() -> None:
    assert read_marks(saved(), PAGE, "marks.json") == Marks(marked=1, seen=3)
    assert read_marks(saved(marks=[]), PAGE, "marks.json") == Marks(marked=0, seen=0)


def test_marks_of_another_page_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"mine\.json has marks of another page \(page fedc, and this one is 0123"):
        read_marks(saved(page="fedc"), PAGE, "mine.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[1, 2]",
        b"7",
        b"[" * 100_000,
        saved(format="dcgan-dist marks 2"),
        saved(marks=None),
        saved(marks=[3]),
        saved(marks=[{"pair": 1}]),
        saved(marks=[{"pair": 1, "same": "true"}]),
        saved(marks=[{"pair": 1, "same": 1}]),
        saved(marks=[{"pair": 0, "same": True}]),
        saved(marks=[{"pair": 6, "same": True}]),
        saved(marks=[{"pair": 2, "same": False}]),
        saved(marks=[{"pair": 1, "same": True}] * 6, pairs=5),
        saved(marks=[{"pair": number, "same": True} for number in range(1, 7)], pairs=5),
        saved(marks=[{"pair": [1], "same": True}]),
        saved(marks=[{"pair": 1, "same": True}, {"pair": 1, "same": False}]),
        saved(pairs="many"),
        b" " * (1 << 24) + saved(),
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_no_page_saved_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(SettingsError, match=r"mine\.json is no file of marks that a page of duplicates saved"):
        read_marks(data, PAGE, "mine.json")
