"""Sample logs: which samples each rank used in which step of which attempt of a run, and what of that survived.

A log is a folder of files `LIFE-RANK.jsonl` whose lines hold "step" and "samples", written before the step is computed.
That is what `--monitoring.audit` writes, and what `benchmarks/stock.py` writes beside Ray's own loop.
"""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True)
class Use:
    """What one rank used in one step."""

    attempt: int
    rank: int
    step: int
    samples: tuple[int, ...]


@dataclass(frozen=True)
class AttemptSteps:
    """Steps that a worker group has begun: from `first` to `last`."""

    number: int
    first: int
    last: int


class SampleLog:
    """Reads a sample log while it grows.

    Attributes:
        uses: all of it so far; a line that a kill cut off is none.
        seen: of each (attempt, step) the moment at which it was seen first, by the clock.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._read: dict[Path, int] = {}
        self.uses: list[Use] = []
        self.seen: dict[tuple[int, int], float] = {}

    def look(self) -> None:
        """Read what has come since the last look."""
        for file in sorted(self._folder.glob("*-*.jsonl")):
            attempt, rank = (int(part) for part in file.stem.split("-"))
            with open(file, "rb") as opened:
                opened.seek(self._read.get(file, 0))
                lines = opened.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            self._read[file] = self._read.get(file, 0) + len(whole)
            for line in whole.splitlines():
                content = json.loads(line)
                self.uses.append(Use(attempt, rank, content["step"], tuple(content["samples"])))
                self.seen.setdefault((attempt, content["step"]), self._clock())

    @property
    def newest(self) -> AttemptSteps | None:
        """The attempt that was begun last, if there is one."""
        found = attempts(self.uses)
        return found[-1] if found else None

    def went_on(self, attempt: int, step: int | None = None) -> float | None:
        """When the first step of a later attempt was seen to be done, or, where it is given, the first after `step` of
        this one; None while it was not. A step is done where the next one begins."""
        begun: Counter[int] = Counter()
        for at, (number, reached) in sorted((at, key) for key, at in self.seen.items()):
            if number > attempt or (number == attempt and step is not None and reached > step):
                begun[number] += 1
                if begun[number] == 2:
                    return at
        return None

    def standstill(self, since: float, until: float) -> tuple[float, float]:
        """Begin and end of the longest time between two new steps, from the last before `since` up to `until`."""
        times = sorted(at for at in self.seen.values() if at <= until)
        before = max((at for at in times if at <= since), default=since)
        marks = [before, *(at for at in times if at > since)]
        return max(pairwise(marks), key=lambda ends: ends[1] - ends[0], default=(before, until))


def attempts(uses: Sequence[Use]) -> list[AttemptSteps]:
    """The attempts of a run that have begun a step, in order."""
    steps: dict[int, list[int]] = {}
    for use in uses:
        steps.setdefault(use.attempt, []).append(use.step)
    return [AttemptSteps(number, min(found), max(found)) for number, found in sorted(steps.items())]


def lost(uses: Sequence[Use], attempt: int) -> int:
    """How many steps of this attempt the next one went back by; 0 where there is no next one."""
    found = {one.number: one for one in attempts(uses)}
    later = [number for number in found if number > attempt]
    return max(0, found[attempt].last + 1 - found[min(later)].first) if later else 0


def surviving(uses: Sequence[Use]) -> list[Use]:
    """What was not done in vain: of each attempt the steps before those at which any later attempt began."""
    ends: dict[int, int | None] = {}
    end: int | None = None
    for attempt in reversed(attempts(uses)):
        ends[attempt.number] = end
        end = attempt.first if end is None else min(end, attempt.first)
    kept = [use for use in uses if (limit := ends[use.attempt]) is None or use.step < limit]
    return sorted(kept, key=lambda use: (use.step, use.attempt, use.rank))


@dataclass(frozen=True)
class Verdict:
    """Of the samples that a run was to use so and so often: uses that are lacking, and uses beyond."""

    missing: int
    twice: int


def judge(uses: Sequence[Use], images: int, epochs: int) -> Verdict:
    """Whether the surviving lineage used each of `images` samples once an epoch."""
    counts = Counter(sample for use in surviving(uses) for sample in use.samples)
    due = [counts.get(sample, 0) - epochs for sample in range(images)]
    return Verdict(sum(-n for n in due if n < 0), sum(n for n in due if n > 0))


def same(uses: Sequence[Use], others: Sequence[Use], *, of_ranks: bool = True) -> bool:
    """Whether both surviving lineages have the same samples in each step, each once; `of_ranks`: of the same ranks."""

    def plain(log: Sequence[Use]) -> list[tuple[int, int, tuple[int, ...]]]:
        found = sorted((use.step, use.rank, use.samples) for use in surviving(log))
        if of_ranks:
            return found
        # Ranks share a batch in their order, however many they are.
        steps = itertools.groupby(found, key=lambda one: one[0])
        return [(step, 0, tuple(sample for _, _, samples in of for sample in samples)) for step, of in steps]

    return plain(uses) == plain(others)
