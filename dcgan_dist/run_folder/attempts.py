"""Attempts: where each worker group of a run began, written down once for all that have to begin there; and on which
machines its workers were, which the driver's monitor writes once they have told it."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dcgan_dist.run_folder.checkpoint import newest_checkpoint
from dcgan_dist.storage import MissingFile, Place


@dataclass(frozen=True)
class Attempt:
    """One worker group, from its start to its end. Data source and workers learn from this alone where they begin.

    Attributes:
        number: counts from 1 in a run.
        checkpoint: name of the checkpoint that it begins with; None: from the start.
        step: first step.
        images: position in the sequence.
        workers: size of the group.
        started: seconds since 1970.
    """

    number: int
    checkpoint: str | None
    step: int
    images: int
    workers: int
    started: float


def begin_attempt(run: Place, workers: int) -> Attempt:
    """Decide, once for a worker group, where it begins, and write it down as `attempts/N.json`."""
    newest = newest_checkpoint(run)
    names = (run / "attempts").names()
    attempt = Attempt(
        number=len(names) + 1,
        checkpoint=newest.name if newest else None,
        step=newest.step if newest else 0,
        images=newest.images if newest else 0,
        workers=workers,
        started=time.time(),
    )
    (run / "attempts" / f"{attempt.number:06d}.json").write_bytes(json.dumps(asdict(attempt), indent=1).encode())
    return attempt


def first_step(run: Place, workers: int) -> int:
    """`begin_attempt`, of which a data source needs the step alone.

    Here, and not beside what starts a worker group: Ray Train's process for data imports the module that it is in.
    """
    return begin_attempt(run, workers).step


def attempts(run: Place) -> list[Attempt]:
    """All attempts of a run, in order."""
    place = run / "attempts"
    return [Attempt(**json.loads((place / name).read_bytes())) for name in place.names()]


WORKERS = "workers"
"""Folder of a run with the machines of each attempt."""


def workers_file(run: Place, attempt: int) -> Place:
    """Where the workers of an attempt are listed: rank, node, host and device of each."""
    return run / WORKERS / f"{attempt:06d}.json"


def workers_of(run: Place) -> dict[int, list[Mapping[str, Any]]]:
    """The workers of each attempt that told where they are, by its number; none of a run of before that was written.

    A file that cannot be read as such a list counts as missing: it says nothing that a run needs.
    """
    place, found = run / WORKERS, {}
    for name in place.names():
        try:
            workers = json.loads((place / name).read_bytes())
            number = int(name.removesuffix(".json"))
        except (MissingFile, ValueError):
            continue
        if isinstance(workers, list) and all(isinstance(worker, dict) for worker in workers):
            found[number] = workers
    return found
