"""What a call leaves in its folder beside the keep-list: what was asked for, and what was found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

RECORD_FILE = "dedup.json"
CACHE, SCRATCH = "cache", ".dedup"
"""Folders beside it: of thumbnails and codes; and while the work is done, with a lock."""
FORMAT = "dcgan-dist dedup 1"
_SHOWN = ("method", "radius", "threshold", "seed")
"""What can be read in what was asked for; the rest stands for whole files."""
KEEP_FILE, PAGE_FILE, LEAKS_FILE = "keep.parquet", "dedup.html", "leaks.parquet"
"""The results; the last one only where another data set was given."""
_COUNTS = ("images", "unreadable", "groups", "left_out", "not_compared", "not_reported")
_PARTS = {"against": ("images", "with_copies"), "marks": ("judged", "false", "rate", "low", "high")}
"""What is read again of what was found."""


@dataclass(frozen=True)
class Record:
    """`dedup.json`.

    Attributes:
        asked: what the result depends on: data by checksums, the method and its numbers.
        found: what came of it, once it is complete; empty before.
    """

    asked: Mapping[str, object]
    found: Mapping[str, object] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all results are there."""
        return bool(self.found)

    def save(self, folder: Place) -> None:
        """Write it; raises `DataError`."""
        content = {"format": FORMAT, "asked": self.asked, "found": self.found}
        (folder / RECORD_FILE).write_bytes(json.dumps(content, indent=1).encode() + b"\n")


def load(folder: Place) -> Record:
    """Raises `MissingFile`, or `DataError` where it is none of ours."""
    file = folder / RECORD_FILE
    try:
        content = json.loads(file.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError("another version of this program wrote it")
        asked, found = content["asked"], content["found"]
        if not (isinstance(asked, dict) and isinstance(found, dict)):
            raise ValueError("it does not say what was asked for and found")
        if found and not _is_whole(found):
            raise ValueError("it does not say all that was found")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"cannot continue from {file} ({error}): choose another folder, or delete {folder}") from error
    return Record(asked, found)


def _is_whole(found: Mapping[str, Any]) -> bool:
    """Whether a complete record has all that is read of it."""
    numbers = [found.get(name) for name in _COUNTS]
    for part in _PARTS.keys() & found.keys():
        numbers += [found[part].get(name) if isinstance(found[part], dict) else None for name in _PARTS[part]]
    return type(found.get("page")) is str and all(type(number) in (int, float) for number in numbers)


def require_ours(folder: Place, there: Sequence[str]) -> None:
    """See that a folder holds nothing but what a call has left there before its record, or nothing.

    Raises:
        SettingsError: it does.
    """
    if RECORD_FILE not in there and (others := sorted(set(there) - {CACHE, SCRATCH})):
        raise SettingsError(f"{folder} is not empty, it holds {others[0]}: choose a new folder")


def begin(folder: Place, asked: Mapping[str, object]) -> Record:
    """The record of an earlier call that asked for the same, or a new one, which is written.

    It is not complete where a result is there no more: that is made again.

    Raises:
        SettingsError: the folder holds something else, or an earlier call asked for something else.
        DataError: its record cannot be read.
    """
    there = folder.names()
    if RECORD_FILE in there:
        record = load(folder)
        wanted = json.loads(json.dumps(asked))
        for name in [*wanted, *record.asked]:
            first, now = record.asked.get(name), wanted.get(name)
            if first != now:
                shown = f"is {now!r}, not {first!r} as" if name in _SHOWN else "is not the same as"
                raise SettingsError(
                    f"{name} {shown} when {folder} was begun: choose another folder, with --cache {folder / 'cache'} "
                    "to decode no image twice"
                )
        results = {KEEP_FILE, PAGE_FILE} | ({LEAKS_FILE} if record.asked.get("against") else set())
        return record if results <= set(there) else Record(record.asked)
    require_ours(folder, there)
    record = Record(asked)
    folder.make_folder()
    record.save(folder)
    return record
