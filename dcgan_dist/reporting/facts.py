"""A fact of a report: a value, how people read it, and the file and key that it comes from."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Fact:
    """One value of a report.

    Attributes:
        name: what it is, for people.
        value: the value itself.
        shown: the same for people.
        file: that it is from, or computed from, below the folder of the run.
        key: which part of that file.
        low, high: bounds of its interval at 95 %, where it has one.
        note: what makes it doubtful, or what it leaves out.
    """

    name: str
    value: Value
    shown: str
    file: str
    key: str
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def source(self) -> str:
        """File and key in a line."""
        return f"{self.file}: {self.key}"

    def record(self) -> dict[str, Value]:
        """As it stands in `report.json`; what it lacks is left out."""
        # JSON has no numbers such as infinity; `shown` tells them.
        value = None if isinstance(self.value, float) and not math.isfinite(self.value) else self.value
        kept = {"name": self.name, "value": value, "shown": self.shown, "file": self.file, "key": self.key}
        interval = {} if self.low is None else {"low": self.low, "high": self.high}
        return {**kept, **interval, **({"note": self.note} if self.note else {})}


def number(value: float) -> str:
    """A number for people: whole ones with separators, others with four digits that count."""
    if not math.isfinite(value):
        return str(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1_000 else f"{value:.4g}"


def shown(value: Value) -> str:
    """Any value for people."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else value


def count_of(name: str, value: int, file: str, key: str, note: str = "") -> Fact:
    """A whole number of things."""
    return Fact(name, value, f"{value:,}", file, key, note=note)


def accuracy(name: str, score: Mapping[str, Any], file: str, key: str, note: str = "") -> Fact:
    """An accuracy with its interval, as results of probes have it."""
    value, low, high = (float(score[part]) for part in ("accuracy", "low", "high"))
    return Fact(name, value, percent(value, low, high), file, f"{key}.accuracy", low, high, note)


def percent(value: float, low: float, high: float) -> str:
    """`89.4 % (87.9 to 90.6)`."""
    return f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def leaves(content: object, key: str = "") -> Iterator[tuple[str, Value]]:
    """The values of nested mappings and lists, each with its key: `pixels.largest[2]`."""
    if isinstance(content, Mapping):
        for name, part in content.items():
            yield from leaves(part, f"{key}.{name}" if key else str(name))
    elif isinstance(content, Sequence) and not isinstance(content, str):
        for place, part in enumerate(content):
            yield from leaves(part, f"{key}[{place}]")
    elif content is None or isinstance(content, bool | int | float | str):
        yield key, content
