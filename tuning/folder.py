"""A sweep's folder `STORAGE/NAME`: its options, its trials, and how each ended. A resume needs nothing else.

sweep.json  settings.yaml        the options of the sweep
trials/000 ...                   runs, each the folder of a training run
records/000.json ...             values of each trial, and how it ended
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
"""`cut`: ended by the scheduler; `condemned`: ended by the health rule; `running` is never written to a record."""
FORMAT = 1


@dataclass(frozen=True)
class Record:
    """What is recorded of a trial.

    Attributes:
        values: values of the settings that are searched, by dotted name.
        reason: why it did not finish.
        started: when it started, in seconds since 1970.
        seconds: how long it ran, over all calls of the sweep.
    """

    number: int
    values: Mapping[str, Any]
    state: State = "unfinished"
    reason: str = ""
    started: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class SweepFolder:
    """Reads and writes a sweep's folder."""

    place: Place

    @property
    def trials(self) -> Place:
        """The folder of the trials' runs."""
        return self.place / "trials"

    def exists(self) -> bool:
        """Whether the folder holds anything."""
        return bool(self.place.names())

    def is_begun(self) -> bool:
        """Whether a sweep was started here: before its plan is written, the folder may hold only data drawn for it."""
        return (self.place / "sweep.json").is_file()

    def write_plan(self, plan: Mapping[str, Any], settings: str) -> None:
        """Record the options of the sweep; `settings` is YAML."""
        (self.place / "settings.yaml").write_bytes(settings.encode())
        (self.place / "sweep.json").write_bytes(json.dumps({"format": FORMAT, **plan}, indent=1).encode())

    def read_plan(self) -> tuple[dict[str, Any], str]:
        """The options of the sweep, and its settings as YAML.

        Raises:
            CheckpointError: there is no sweep here, or it is of another version.
            DataError: `sweep.json` is damaged.
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
        """Names of sweeps in the same storage, for the message."""
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
        """Record that a trial begins."""
        record = Record(number, dict(values), started=time.time())
        self.write(record)
        return record

    def end(self, number: int, state: State, reason: str, seconds: float) -> None:
        """Record how a trial, or an attempt at it, ended."""
        record = self.read(number)
        self.write(replace(record, state=state, reason=reason, seconds=round(record.seconds + seconds, 1)))

    def read(self, number: int) -> Record:
        """A trial's record.

        Raises:
            DataError: it is damaged.
        """
        file = self._record(number)
        try:
            return Record(**json.loads(file.read_bytes()))
        except (ValueError, TypeError) as error:
            raise DataError(f"{file} is damaged: restore an intact copy") from error

    def records(self) -> list[Record]:
        """Records of all trials, by number."""
        names = (self.place / "records").names()
        return [self.read(int(name.partition(".")[0])) for name in names if re.fullmatch(r"\d+\.json", name)]

    def _record(self, number: int) -> Place:
        return self.place / "records" / f"{number:03d}.json"

    def run_of(self, number: int) -> str:
        """Name of a trial's run; if it took over checkpoints of other trials, that of its newest run."""
        return run_name(number, max(self.attempts(number), default=0))

    def attempts(self, number: int) -> list[int]:
        """Numbers of a trial's runs: 0, and one more for each checkpoint of another trial that it took over."""
        found = [re.fullmatch(rf"{number:03d}(?:\.(\d+))?", name) for name in self.trials.names()]
        return sorted(int(match[1] or 0) for match in found if match)


def run_name(number: int, attempt: int) -> str:
    """Name of a run: `007`, `007.1`, ..."""
    return f"{number:03d}" + (f".{attempt}" if attempt else "")
