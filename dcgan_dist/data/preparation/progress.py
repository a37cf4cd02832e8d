"""How far a step is, for whoever waits for it: a bar on a terminal, else a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from dcgan_dist.numerals import duration

_LINE_S = 10.0
_BAR_AFTER_S = 1.0


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
        self._began = self._last = time.monotonic()
        self._bar = (
            tqdm(desc=verb, total=total, unit=f" {unit}", initial=done, delay=_BAR_AFTER_S)
            if sys.stderr.isatty()
            else None
        )

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
        if self._bar is not None:
            if bad:
                self._bar.set_postfix_str(f"{self._bad:,} bad", refresh=False)
            self._bar.update(number)
            return
        now = time.monotonic()
        if now - self._last >= _LINE_S:
            self._last = now
            print(self.line(now - self._began), file=sys.stderr)

    def line(self, seconds: float) -> str:
        """What a log is told after some seconds."""
        rate = (self._done - self._before) / seconds
        of = "" if self._total is None else f" of {self._total:,}"
        bad = f", {self._bad:,} bad" if self._bad else ""
        left = ""
        if self._total is not None and rate > 0:
            left = f", {duration((self._total - self._done) / rate)} left"
        return f"{self._verb} {self._done:,}{of} {self._unit}{bad}, {rate:,.0f} a second{left}"
