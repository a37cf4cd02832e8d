"""How far a step is, for whoever waits for it: a bar on a terminal, else a line now and then."""

import os
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from dcgan_dist.numerals import duration

_LINE_S = 10.0


class Progress:
    """Shows on stderr how many there were; use it in a `with` block.

    Args:
        verb: what happened to them, such as `converted`.
        unit: what they are, such as `pictures`.
        total: how many there are, None where nobody knows.
        done: how many were done before.
    """

    def __init__(self, verb: str, unit: str, total: int | None, done: int = 0) -> None:
        self._verb, self._unit, self._total, self._before = verb, unit, total, done
        self._done, self._bad = done, 0
        self._last = time.monotonic()
        self._began: float | None = None
        self._bar = tqdm(desc=verb, total=total, unit=f" {unit}", initial=done) if _shows_bars() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def reach(self, done: int, total: int | None) -> None:
        """There were `done` until now, of `total`."""
        self._total = total
        if self._bar is not None:
            self._bar.total = total
        self.add(done - self._done)

    def add(self, number: int, bad: int = 0) -> None:
        """There were some more, of which some are bad."""
        self._done += number
        self._bad += bad
        now = time.monotonic()
        if self._began is None and number:
            self._begin(now)
        if self._bar is not None:
            if bad:
                self._bar.set_postfix_str(f"{self._bad:,} bad", refresh=False)
            self._bar.update(number)
            return
        if now - self._last >= _LINE_S:
            self._last = now
            print(self.line(now - (self._began or now)), file=sys.stderr)

    def _begin(self, now: float) -> None:
        """Count speed and time from the first ones on, before which processes start and files are opened."""
        self._began, self._before = now, self._done
        if self._bar is not None:
            self._bar.initial = self._bar.last_print_n = self._done
            self._bar.start_t = self._bar.last_print_t = time.time()

    def line(self, seconds: float) -> str:
        """What a log is told some seconds after the first ones."""
        more = self._done - self._before
        rate = more / seconds if more and seconds else 0.0
        speed = f", {rate:,.0f} a second" if rate else ""
        of = "" if self._total is None else f" of {self._total:,}"
        bad = f", {self._bad:,} bad" if self._bad else ""
        left = ""
        if self._total is not None and rate > 0:
            left = f", {duration((self._total - self._done) / rate)} left"
        return f"{self._verb} {self._done:,}{of} {self._unit}{bad}{speed}{left}"


def _shows_bars() -> bool:
    """Whether stderr is a terminal that has room for a bar: some that programs make have no columns or rows."""
    if not sys.stderr.isatty():
        return False
    try:
        return min(os.get_terminal_size(sys.stderr.fileno())) > 0
    except OSError:
        return True
