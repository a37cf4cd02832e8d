"""How far a step is, for whoever waits for it."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

_LINE_S = 10.0
_BAR_AFTER_S = 1.0


def watched(results: Iterable[T], verb: str, total: int | None, done: int = 0) -> Iterator[T]:
    """Hand on results, one a picture, and show on stderr how many there were: by a bar on a terminal, else by lines.

    Args:
        verb: what happened to a picture, such as `converted`.
        total: pictures in all, None where nobody knows.
        done: pictures before the first result.
    """
    if sys.stderr.isatty():
        yield from tqdm(results, verb, total, unit=" pictures", initial=done, delay=_BAR_AFTER_S)
        return
    began = last = time.monotonic()
    of = "" if total is None else f" of {total:,}"
    for number, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - last >= _LINE_S:
            rate = number / (now - began)
            print(f"{verb} {done + number:,}{of} pictures, {rate:,.0f} a second", file=sys.stderr)
            last = now
