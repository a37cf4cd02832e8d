"""A run's record, `run.json`: how all commands read it, and what they say where it is missing or damaged."""

import json
from collections.abc import Collection
from typing import Any

from dcgan_dist.errors import CheckpointError
from dcgan_dist.storage import MissingFile, Place

RECORD_FILE = "run.json"


class NoRecord(CheckpointError):
    """There is no record, or none that can be read."""


def read_record(run: Place, needed: Collection[str] = ()) -> dict[str, Any]:
    """What `run.json` of a run says.

    Args:
        needed: what has to stand in it.

    Raises:
        NoRecord: it is missing or damaged.
        DataError: the store cannot be reached.
    """
    file = run / RECORD_FILE
    try:
        record = json.loads(file.read_bytes())
    except MissingFile as error:
        raise NoRecord(f"{run} holds no {RECORD_FILE} yet: nothing has been trained there") from error
    except (ValueError, RecursionError) as error:
        raise NoRecord(_damaged(file)) from error
    if not isinstance(record, dict) or any(name not in record for name in needed):
        raise NoRecord(_damaged(file))
    return record


def find_record(run: Place) -> dict[str, Any] | None:
    """What `run.json` says, for readers that can do without: None where it is missing or damaged."""
    try:
        return read_record(run)
    except NoRecord:
        return None


def _damaged(file: Place) -> str:
    return f"{file} is damaged: restore an intact copy, otherwise the run cannot be resumed"
