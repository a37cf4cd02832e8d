"""A sweep's folder `STORAGE/NAME`: what was asked for, the trials, and how each ended. It is all that a resume needs.

sweep.json  settings.yaml        what was asked for
trials/000 ...                   runs, each the folder of a training run
records/000.json ...             what each trial was given, and how it ended
best.yaml  results.csv  figures/  tensorboard/
"""

import difflib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.storage import MissingFile, Place

State = Literal["unfinished", "running", "finished", "cut", "condemned", "failed"]
"""`cut`: by the scheduler; `condemned`: by the health rule; `running` is said only while a sweep runs."""
FORMAT = 1


@dataclass(frozen=True)
class Record:
    """A trial.

    Attributes:
        values: of the settings that are searched, by dotted name.
        reason: why it is not finished.
        started: seconds since 1970.
        seconds: that it took, over all calls of the sweep.
    """

    number: int
    values: Mapping[str, Any]
    state: State = "unfinished"
    reason: str = ""
    started: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class SweepFolder:
    """Reads and writes it."""

    place: Place

    @property
    def trials(self) -> Place:
        """The storage of the trials' runs."""
        return self.place / "trials"

    def exists(self) -> bool:
        """Whether anything is there."""
        return bool(self.place.names())

    def is_begun(self) -> bool:
        """Whether it is a sweep's: before its plan is written, only data that was drawn for it may be there."""
        return (self.place / "sweep.json").is_file()

    def write_plan(self, plan: Mapping[str, Any], settings: str) -> None:
        """Write down what was asked for; `settings` is YAML."""
        (self.place / "settings.yaml").write_bytes(settings.encode())
        (self.place / "sweep.json").write_bytes(json.dumps({"format": FORMAT, **plan}, indent=1).encode())

    def read_plan(self) -> tuple[dict[str, Any], str]:
        """What was asked for.

        Raises:
            CheckpointError: this is no sweep's folder.
        """
        try:
            plan: dict[str, Any] = json.loads((self.place / "sweep.json").read_bytes())
            settings = (self.place / "settings.yaml").read_bytes().decode()
        except MissingFile as error:
            raise CheckpointError(f"there is no sweep in {self.place}{self._others()}") from error
        except ValueError as error:
            raise DataError(f"{self.place / 'sweep.json'} is damaged: it holds no JSON; start another sweep") from error
        if plan.pop("format", None) != FORMAT:
            raise CheckpointError(f"{self.place / 'sweep.json'} is of another version of dcgan-dist: use that one")
        return plan, settings

    def _others(self) -> str:
        """What may have been meant in its place."""
        storage = self.place.parent
        there = [name for name in storage.names() if (storage / name / "sweep.json").is_file()]
        if not there:
            return f", and no other one in {storage}: give --storage where it is"
        close = difflib.get_close_matches(self.place.name, there, n=1)
        return f": did you mean {close[0]}?" if close else f": there are {', '.join(there)}"

    def write(self, record: Record) -> None:
        """Write a trial's record."""
        self._record(record.number).write_bytes(json.dumps(asdict(record), indent=1).encode())

    def begin(self, number: int, values: Mapping[str, object]) -> Record:
        """A trial begins."""
        record = Record(number, dict(values), started=time.time())
        self.write(record)
        return record

    def end(self, number: int, state: State, reason: str, seconds: float) -> None:
        """Record how a trial has ended, or an attempt at it."""
        record = self.read(number)
        self.write(replace(record, state=state, reason=reason, seconds=round(record.seconds + seconds, 1)))

    def read(self, number: int) -> Record:
        """A trial's record."""
        return Record(**json.loads(self._record(number).read_bytes()))

    def records(self) -> list[Record]:
        """All trials, in order."""
        names = (self.place / "records").names()
        return [self.read(int(name.partition(".")[0])) for name in names if re.fullmatch(r"\d+\.json", name)]

    def _record(self, number: int) -> Place:
        return self.place / "records" / f"{number:03d}.json"

    def run_of(self, number: int) -> str:
        """Name of a trial's run: its newest one, where it went on from another trial's checkpoint."""
        return run_name(number, max(self.attempts(number), default=0))

    def attempts(self, number: int) -> list[int]:
        """Runs of a trial that are there: 0, and one more for each checkpoint of another trial that it took over."""
        found = [re.fullmatch(rf"{number:03d}(?:\.(\d+))?", name) for name in self.trials.names()]
        return sorted(int(match[1] or 0) for match in found if match)


def run_name(number: int, attempt: int) -> str:
    """`007`, `007.1`, ..."""
    return f"{number:03d}" + (f".{attempt}" if attempt else "")
