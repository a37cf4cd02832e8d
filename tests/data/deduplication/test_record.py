"""The record of a call is continued only where it is whole and asked for the same."""

import json
from typing import Any

import pytest

from dcgan_dist.data.deduplication.record import KEEP_FILE, LEAKS_FILE, PAGE_FILE, Record, begin, load
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

ASKED = {"data": "d1", "against": "", "radius": 9}
FOUND: dict[str, Any] = {
    "images": 20,
    "unreadable": 1,
    "groups": 2,
    "left_out": 3,
    "not_compared": 0,
    "not_reported": 0,
    "page": "0123",
    "against": {"images": 5, "with_copies": 1},
    "marks": {"judged": 4, "false": 1, "rate": 0.25, "low": 0.1, "high": 0.6},
}


@pytest.fixture
def out(tmp_path: object) -> Place:
    return Place(str(tmp_path)) / "out"


def test_the_same_call_goes_on_and_another_one_is_refused(out: Place) -> None:
    assert not begin(out, ASKED).complete
    assert begin(out, ASKED) == Record(ASKED)
    with pytest.raises(SettingsError, match="radius is 8, not 9 as when"):
        begin(out, {**ASKED, "radius": 8})
    with pytest.raises(SettingsError, match="data is not the same as when"):
        begin(out, {**ASKED, "data": "d2"})
    with pytest.raises(SettingsError, match="against is not the same as when"):
        begin(out, {"data": "d1", "radius": 9})


@pytest.mark.parametrize(
    ("against", "there", "complete"),
    [
        ("", {KEEP_FILE, PAGE_FILE}, True),
        ("", {KEEP_FILE}, False),
        ("", {PAGE_FILE}, False),
        ("d3", {KEEP_FILE, PAGE_FILE}, False),
        ("d3", {KEEP_FILE, PAGE_FILE, LEAKS_FILE}, True),
    ],
)
def test_it_is_complete_while_all_results_are_there(against: str, there: set[str], complete: bool, out: Place) -> None:
    asked = {**ASKED, "against": against}
    Record(asked, FOUND).save(out)
    for name in there:
        (out / name).write_bytes(b"")
    assert begin(out, asked) == Record(asked, FOUND if complete else {})


@pytest.mark.parametrize(
    "name", [*FOUND, "against.images", "against.with_copies", "marks.judged", "marks.rate", "marks.high"]
)
def test_one_that_was_edited_is_refused(name: str, out: Place) -> None:
    Record(ASKED, FOUND).save(out)
    assert load(out).found == FOUND
    outer, _, inner = name.partition(".")
    for wrong in ("x", None, [3]):
        Record(ASKED, {**FOUND, outer: {**FOUND[outer], inner: wrong} if inner else wrong}).save(out)
        if name == "page" and wrong == "x":
            continue
        with pytest.raises(DataError, match=r"dedup\.json \(it does not say all that was found\): choose"):
            load(out)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, json.dumps({"format": "dcgan-dist dedup 1", "asked": []}).encode()],
)
def test_what_is_no_record_is_refused(content: bytes, out: Place) -> None:
    (out / "dedup.json").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot continue from .*dedup\.json .*: choose another folder, or delete"):
        load(out)


def test_one_of_another_format_is_refused(out: Place) -> None:
    Record(ASKED).save(out)
    content = (out / "dedup.json").read_bytes()
    (out / "dedup.json").write_bytes(content.replace(b"dedup 1", b"dedup 2"))
    with pytest.raises(DataError, match=r"dedup\.json \(another version of this program wrote it\): choose another"):
        load(out)


def test_a_folder_with_something_else_is_refused(out: Place) -> None:
    (out / "cache" / "file").write_bytes(b"")
    assert begin(out, ASKED) == Record(ASKED)
    (out / "dedup.json").delete()
    (out / "thesis.tex").write_bytes(b"")
    with pytest.raises(SettingsError, match=r"is not empty, it holds thesis\.tex: choose a new folder"):
        begin(out, ASKED)
