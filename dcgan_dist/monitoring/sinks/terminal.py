"""What a person sees of a run: a live bar on a terminal, plain lines in a job's log."""

import math
import os
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, Protocol, TextIO

from tqdm import tqdm

from dcgan_dist.monitoring.messages import Scalars, WorkerInfo
from dcgan_dist.numerals import count, duration
from dcgan_dist.printing import printable, tell

SMOOTHED_POINTS = 20
"""Points that a bar shows the means of: from one alone, the time left would jump about."""

LINE_S = 10.0
"""Between two lines of `Progress` in a log."""
BAR_COLUMNS = 17
"""Of `100 %|12345678| ` and the last column, which tqdm leaves free."""


@dataclass(frozen=True)
class Totals:
    """Length of a run in images, of one pass over the data in images, and of a step."""

    images: int
    images_per_epoch: int
    batch_size: int = 1

    @property
    def epochs(self) -> float:
        """See `epochs_of`."""
        return epochs_of(self.images, self.images_per_epoch, self.batch_size)


def epochs_of(images: int, images_per_epoch: int, batch_size: int) -> float:
    """Passes over the data of a run: a whole number of them also where its last step goes some images into the next."""
    whole, over = divmod(images, images_per_epoch)
    return float(whole) if whole and over < batch_size else images / images_per_epoch


class Terminal(Protocol):
    """Shows lines, and how far the run is."""

    def say(self, text: str) -> None:
        """One line that stays."""
        ...

    def progress(self, points: Sequence[Scalars]) -> None:
        """How far the run is, from the points that came since the last call; at least one."""
        ...

    def close(self) -> None:
        """Nothing but lines from now on."""
        ...


def no_limit() -> float:
    """The seconds that are left to a run that is trained to its end, however long that takes."""
    return math.inf


def open_terminal(stream: TextIO, totals: Totals, line_s: float, time_left: Callable[[], float] = no_limit) -> Terminal:
    """A bar where `stream` is a terminal; a line every `line_s` seconds where it is a file or a pipe.

    Args:
        time_left: seconds after which the run is stopped, however far it is.
    """
    # A terminal that does not know its width (some containers and CI systems) cannot redraw a line.
    if stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0:
        return LiveTerminal(stream, totals, time_left)
    return LogTerminal(stream, totals, line_s, time_left=time_left)


class LogTerminal:
    """Plain lines."""

    def __init__(
        self,
        stream: TextIO,
        totals: Totals,
        line_s: float,
        clock: Callable[[], float] = time.monotonic,
        time_left: Callable[[], float] = no_limit,
    ) -> None:
        self._stream = stream
        self._totals = totals
        self._time_left = time_left
        self._line_s = line_s
        self._clock = clock
        self._last_line_s = -math.inf
        self._points: list[Scalars] = []

    def say(self, text: str) -> None:
        """One line, written through at once."""
        tell(text, self._stream)

    def progress(self, points: Sequence[Scalars]) -> None:
        """A line where one is due, over all points since the one before; the first is due at once."""
        self._points += points
        if self._clock() - self._last_line_s >= self._line_s:
            self._last_line_s = self._clock()
            self._line()

    def close(self) -> None:
        """A line over the points that have none yet; no time is left any more."""
        if self._points:
            self._line(ended=True)

    def _line(self, *, ended: bool = False) -> None:
        summary = summarize(self._points, self._totals, self._time_left())
        self._points = []
        left = [] if ended else [summary.left]
        self.say("  ".join([f"images {summary.images} ({summary.percent} %)", *summary.details.values(), *left]))


class LiveTerminal:
    """A bar at the bottom, lines above it."""

    def __init__(self, stream: TextIO, totals: Totals, time_left: Callable[[], float] = no_limit) -> None:
        self._totals = totals
        self._time_left = time_left
        self._stream = stream
        self._points: deque[Scalars] = deque(maxlen=SMOOTHED_POINTS)
        # `delay` keeps tqdm from drawing a bar at 0 before we have set it.
        layout = "{percentage:3.0f} %|{bar:8}| {desc}"
        self._make_bar = partial(
            tqdm, total=totals.images, file=stream, dynamic_ncols=True, bar_format=layout, delay=1e-9
        )
        self._bar: tqdm[NoReturn] | None = None

    def say(self, text: str) -> None:
        """One line above the bar."""
        tqdm.write(printable(text, self._stream), file=self._stream)

    def progress(self, points: Sequence[Scalars]) -> None:
        """Redraw the bar; the first call shows it."""
        self._points += points
        self._bar = self._bar or self._make_bar()
        self._bar.n = points[-1]["images"]
        self._describe(self._bar)

    def close(self) -> None:
        """Leave the bar's last state on the terminal, without a time that is left."""
        if self._bar is not None:
            self._describe(self._bar, ended=True)
            self._bar.close()
            self._bar = None

    def _describe(self, bar: "tqdm[NoReturn]", *, ended: bool = False) -> None:
        summary = summarize(self._points, self._totals, self._time_left())
        room = os.get_terminal_size(self._stream.fileno()).columns - BAR_COLUMNS
        # In the order in which a narrow terminal can do without them, from the end.
        details = [summary.details[name] for name in ("loss", "speed", "epoch", "waiting") if name in summary.details]
        left = [] if ended else [summary.left]
        bar.set_description_str(fitting([*left, summary.images, *details], room))


@dataclass(frozen=True)
class Summary:
    """The parts of a line."""

    images: str
    """`120,320 of 320,000`"""
    percent: int
    details: Mapping[str, str]
    """Of epoch, loss, speed and waiting those that the points hold."""
    left: str
    """`1 min 08 s left`"""


def summarize(points: Sequence[Scalars], totals: Totals, most_s: float = math.inf) -> Summary:
    """Means over points that stand for equally many images each; the speed is therefore a harmonic mean.

    Args:
        most_s: seconds after which the run is stopped.
    """

    def values(name: str) -> list[float]:
        return [point["values"][name] for point in points if name in point["values"]]

    images = points[-1]["images"]
    details = {"epoch": f"epoch {min(images / totals.images_per_epoch, totals.epochs):.1f}"}
    losses = [(short, values(f"loss/{name}")) for short, name in (("D", "discriminator"), ("G", "generator"))]
    if known := [f"{short} {statistics.fmean(mean):.2f}" for short, mean in losses if mean]:
        details["loss"] = " ".join(["loss", *known])
    if of_labels := values("supervised/loss"):
        details["loss"] = f"loss {statistics.fmean(of_labels):.2f}"
    left = "time left unknown"
    if speeds := [speed for speed in values("speed/images_per_second") if speed > 0]:
        speed = statistics.harmonic_mean(speeds)
        details["speed"] = f"{speed:,.0f} images/s"
        left = f"{duration(min(most_s, max(0, totals.images - images) / speed))} left"
    if waits := values("speed/wait_share"):
        details["waiting"] = f"waiting {100 * statistics.fmean(waits):.1f} %"
    return Summary(f"{images:,} of {totals.images:,}", 100 * images // totals.images, details, left)


def fitting(parts: Sequence[str], columns: int) -> str:
    """The first parts that fit into a line of so many columns, for tqdm would cut a number in two."""
    line = parts[0]
    for part in parts[1:]:
        if len(line) + 2 + len(part) > columns:
            break
        line += "  " + part
    return line


def workers_lines(workers: Sequence[WorkerInfo]) -> list[str]:
    """What runs where, `2 workers: rank 0 on host-a (cpu, 2 threads)`; neighbours in rank that are alike are joined."""
    groups: list[list[WorkerInfo]] = []
    for worker in workers:
        last = groups[-1][-1] if groups else None
        if last and (last["host"], last["device"]) == (worker["host"], worker["device"]):
            groups[-1].append(worker)
        else:
            groups.append([worker])
    head = f"{count(len(workers), 'worker')}: "
    lines = []
    for group in groups:
        first, last_rank = group[0], group[-1]["rank"]
        ranks = f"rank {first['rank']}" if len(group) == 1 else f"ranks {first['rank']} to {last_rank}"
        lines.append(f"{ranks} on {first['host']} ({first['device']})")
    return [head + lines[0], *(" " * len(head) + line for line in lines[1:])]


class Progress:
    """How far something is that comes before the run: a bar on a terminal; in a log a first line, a last one, and one
    every `LINE_S` seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` parts are done; a `total` of 0 is a plain line."""
        if not total:
            self._say(what)
            return
        if what != self._what:
            self._what = what
            self._began_s = self._told_s = self._clock()
            self._bar = tqdm(total=total, desc=what, file=self._stream, leave=False, disable=not self._stream.isatty())
            if self._bar.disable:
                self._say(f"{what} ...")
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
            self._say(f"{what}: done in {self._clock() - self._began_s:.1f} s")
        elif self._bar.disable and self._clock() - self._told_s >= LINE_S:
            self._told_s = self._clock()
            self._say(f"{what}: {100 * done // total} %")

    def _say(self, text: str) -> None:
        tell(text, self._stream)


class Line:
    """What is being done: one line that changes on a terminal; a line every so often where it is a file or a pipe."""

    def __init__(self, stream: TextIO, line_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._line_s, self._clock = stream, line_s, clock
        self._live = stream.isatty()
        self._last_s = -math.inf

    def say(self, text: str) -> None:
        """Show it."""
        text = printable(text, self._stream)
        if self._live:
            columns = os.get_terminal_size(self._stream.fileno()).columns or 80
            print(f"\r\x1b[K{text[: columns - 1]}", end="", file=self._stream, flush=True)
        elif self._clock() - self._last_s >= self._line_s:
            self._last_s = self._clock()
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Take it away."""
        if self._live:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
