"""All that a report needs of a run's folder, read once, also while the run goes on.

What is missing there, or not whole yet, is left out with a note; only `run.json` has to be there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dcgan_dist.errors import CheckpointError, DataError, DcganDistError
from dcgan_dist.evaluation.service.job import FOLDER as EVALUATIONS
from dcgan_dist.evaluation.service.job import read_result
from dcgan_dist.monitoring.run_status import NEEDED, Standing
from dcgan_dist.monitoring.sinks.curves import Point, Probed, read_lines, read_points, read_probed
from dcgan_dist.run_folder import checkpoint
from dcgan_dist.run_folder.attempts import attempts, workers_of
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.driver_lock import is_gone
from dcgan_dist.run_folder.naming import SETTINGS_FILE
from dcgan_dist.run_folder.record import RECORD_FILE, read_record
from dcgan_dist.settings import Settings, from_yaml
from dcgan_dist.storage import MissingFile, Place
from dcgan_dist.studies.result import FORMAT as STUDY_FORMAT
from dcgan_dist.studies.subject import FOLDER as STUDIES

T = TypeVar("T")
LARGEST_RECORD = 32 << 20
"""Bytes of a study's or an evaluation's JSON; larger ones are none of ours."""


@dataclass(frozen=True)
class RunFiles:
    """A run's folder.

    Attributes:
        place: its address.
        standing: record, curves, attempts, checkpoints.
        settings: None where they cannot be read.
        workers: of each attempt, by its number.
        probed: what probes found, as the curves have it.
        evaluations: contents of the files in `evaluation/`, by file name below the run.
        studies: contents of the JSON files in `studies/`, likewise.
        samples: names of the files in `samples/`.
        notes: what could not be read, and why.
    """

    place: Place
    standing: Standing
    settings: Settings | None
    workers: Mapping[int, Sequence[Mapping[str, Any]]]
    probed: Sequence[Probed]
    evaluations: Mapping[str, Mapping[str, Any]]
    studies: Mapping[str, Mapping[str, Any]]
    samples: Sequence[str]
    notes: Sequence[str]


def read_run(run: Place) -> RunFiles:
    """Read a run's folder.

    Raises:
        CheckpointError: it is none, nothing has been trained there, or its record is damaged.
        DataError: the store cannot be reached.
    """
    record = read_record(run, NEEDED)
    if wrong := [name for name in NEEDED[1:] if type(record[name]) is not int or record[name] < 0]:
        raise CheckpointError(
            f"{run / RECORD_FILE} is damaged: {wrong[0]} is {record[wrong[0]]!r} but needs to be a whole number; "
            "restore an intact copy"
        )
    notes: list[str] = []
    whole = manifests(run)
    standing = Standing(
        record,
        _or_note(notes, "the curves are left out", [], lambda: _points(run, read_lines(run))),
        _or_note([], "", [], lambda: _points(run, read_points(run))),  # of the same file: one note is enough
        _or_note(notes, "the attempts are left out", [], lambda: attempts(run)),
        whole,
        [name for name in checkpoint.folder(run).names() if name not in whole],
        is_gone(run),
    )
    return RunFiles(
        run,
        standing,
        _or_note(notes, "the settings are left out", None, lambda: _settings(run)),
        workers_of(run),
        _or_note(notes, "the curve of probes is left out", [], lambda: _probed(run)),
        _records(notes, run, EVALUATIONS, read_result),
        _records(notes, run, STUDIES, _study),
        (run / "samples").names(),
        notes,
    )


def _settings(run: Place) -> Settings:
    return from_yaml((run / SETTINGS_FILE).read_bytes().decode(), str(run / SETTINGS_FILE))


def _points(run: Place, points: list[Point]) -> list[Point]:
    """Points as they are; raises `DataError` where one lacks what is read of it."""
    for point in points:
        numbers = (point.get("attempt"), point.get("step"), point.get("images"))
        finite = isinstance(point.get("time"), int | float) and all(type(number) is int for number in numbers)
        if not finite or not isinstance(point["values"], dict):
            raise DataError(f"{run / 'metrics.jsonl'} holds a line of values without its attempt, step, images or time")
    return points


def _probed(run: Place) -> list[Probed]:
    """What probes found; raises `DataError` where a line lacks what is read of it."""
    every = read_probed(run)
    for one in every:
        bounds = (one["accuracy"], one.get("low"), one.get("high"))
        if type(one.get("images")) is not int or not all(isinstance(number, int | float) for number in bounds):
            raise DataError(f"{run / 'metrics.jsonl'} holds an accuracy without its images, or without its bounds")
    return every


def _or_note(notes: list[str], left_out: str, without: T, read: Callable[[], T]) -> T:
    """What is read; where it is damaged, a note, and what stands for it without."""
    try:
        return read()
    except (DcganDistError, ValueError, KeyError, TypeError) as error:
        notes.append(f"{left_out}: {' '.join(str(error).split())}")
        return without


def _records(
    notes: list[str], run: Place, folder: str, read: Callable[[Place], Mapping[str, Any] | None]
) -> dict[str, Mapping[str, Any]]:
    """The JSON files of a folder, by name below the run."""
    found = {}
    for file, info in (run / folder).files():
        if not file.name.endswith(".json"):
            continue
        content = read(file) if info.size <= LARGEST_RECORD else None
        if content is None:
            notes.append(f"{folder}/{file.name} is not whole, or no result of ours: it is left out")
        else:
            found[f"{folder}/{file.name}"] = content
    return found


def _study(file: Place) -> Mapping[str, Any] | None:
    try:
        content = json.loads(file.read_bytes())
    except (MissingFile, ValueError, RecursionError):  # it may go while a run is read
        return None
    return content if isinstance(content, dict) and content.get("format") == STUDY_FORMAT else None
