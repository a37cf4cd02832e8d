"""What users see of a sweep: a table that is redrawn on a terminal, or lines in a job's log."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from dcgan_dist.numerals import duration
from dcgan_dist.printing import printable, tell
from tuning.folder import State
from tuning.objective import Objective
from tuning.ranking import ranking
from tuning.space import describe, short_name, show

LINE_S = 30.0
"""Seconds between two lines of a log that say how far the sweep is."""
DRAW_S = 1.0
"""Seconds between two drawings of the table."""
BEST = 5
"""How many of the trials that have ended are shown while others run."""


@dataclass
class Entry:
    """A trial as the table shows it."""

    number: int
    values: Mapping[str, object]
    state: State = "unfinished"
    images: int = 0
    objective_values: dict[int, float] = field(default_factory=dict)
    """Values of the objective, by the images at which they are compared."""
    speed: float = 0.0
    seconds: float = 0.0
    reason: str = ""

    @property
    def at(self) -> int:
        """Images at which the trial is compared: the most at which it has a value; 0: it has none."""
        return max(self.objective_values, default=0)

    @property
    def value(self) -> float | None:
        """The value of the objective there; None: it has none."""
        return self.objective_values.get(self.at)


@dataclass
class Entries:
    """All trials of a sweep."""

    objective: Objective
    total_images: int
    trials: int
    by_number: dict[int, Entry] = field(default_factory=dict)
    compared: bool = True
    """Whether one of them is asked for as the best."""

    def best(self) -> Entry | None:
        """The best trial by `ranking`; among equal ones, the first."""
        return next(iter(self.ranked()), None)

    def ranked(self) -> list[Entry]:
        """The trials that have a value, best first."""
        values = {number: entry.objective_values for number, entry in self.by_number.items()}
        return [self.by_number[placed.number] for placed in ranking(values, self.objective)]

    def count(self, state: State) -> int:
        """How many trials are in a state."""
        return sum(entry.state == state for entry in self.by_number.values())


def summary(entries: Entries, elapsed_s: float) -> str:
    """`5 of 12 trials ended, 2 running; best 61.3 % at 9,000 images by trial 4 (lr 0.0003)  12 min 08 s`."""
    running = entries.count("running")
    ended = len(entries.by_number) - running - entries.count("unfinished")
    best = entries.best() if entries.compared else None
    text = f"{ended} of {entries.trials} trials ended, {running} running"
    if best is not None:
        text += f"; best {entries.objective.show(best.value)} at {best.at:,} images by trial {best.number} "
        text += f"({describe(best.values)})"
    return f"{text}  {duration(elapsed_s)}"


def rows(entries: Sequence[Entry], objective: Objective, total_images: int) -> list[str]:
    """A table with a header and one line per trial."""
    if not entries:
        return []
    names = list(entries[0].values)
    head = [
        "trial",
        *map(short_name, names),
        "state",
        "images",
        "",
        objective.metric,
        "compared at",
        "images/s",
        "time",
    ]
    lines = [head]
    for entry in entries:
        lines.append(
            [
                str(entry.number),
                *(show(entry.values[name]) for name in names),
                entry.state,
                f"{entry.images:,}",
                f"{100 * entry.images // total_images} %",
                objective.show(entry.value),
                f"{entry.at:,}" if entry.value is not None else "",
                f"{entry.speed:,.0f}" if entry.speed else "",
                duration(entry.seconds),
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    state = 1 + len(names)
    return [
        "  ".join(
            cell.ljust(width) if column == state else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


class Board:
    """Shows a sweep on a terminal, or in a log."""

    def __init__(self, stream: TextIO, entries: Entries, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._entries, self._clock = stream, entries, clock
        self._live = stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
        self._drawn = 0
        self._began = clock()
        self._last = -math.inf

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._wipe()
        tell(text, self._stream)
        self._last = -math.inf if self._live else self._last

    def tick(self) -> None:
        """Redraw the table, or write a line, if it is time."""
        now = self._clock()
        if now - self._last < (DRAW_S if self._live else LINE_S):
            return
        self._last = now
        text = summary(self._entries, now - self._began)
        if not self._live:
            if self._entries.by_number:
                tell(text, self._stream)
            return
        size = os.get_terminal_size(self._stream.fileno())
        lines = [*self._shown(max(1, size.lines - 4)), text]
        self._wipe()
        for line in lines:
            print(printable(line, self._stream)[: size.columns - 1], file=self._stream)
        self._stream.flush()
        self._drawn = len(lines)

    def close(self) -> None:
        """Remove the table; only lines are printed from now on."""
        self._wipe()

    def _shown(self, room: int) -> list[str]:
        entries = self._entries
        running = sorted(
            (entry for entry in entries.by_number.values() if entry.state == "running"), key=lambda entry: entry.number
        )
        ended = [entry for entry in entries.ranked() if entry.state != "running"][:BEST]
        return rows([*running, *ended][: room - 1], entries.objective, entries.total_images)

    def _wipe(self) -> None:
        if self._drawn:
            print(f"\x1b[{self._drawn}A\x1b[J", end="", file=self._stream, flush=True)
            self._drawn = 0
