"""What a sweep searches: settings by name, each with the values that it may take; pure."""

import difflib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import yaml

from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import Settings, flatten, replaced

FORMS = "uniform(LOW,HIGH), loguniform(LOW,HIGH), integer(LOW,HIGH) or choice(A,B,...)"
FIXED = ("name", "storage", "images", "epochs", "minutes", "on_collapse", "workers.address", "data.cpus", "probe.")
"""Settings that are the same in all trials: a sweep could not compare them otherwise, or sets them itself."""
SHORT = {"workers": "workers.number", "data": "data.path"}
"""Short names on the command line that are not the last part of the dotted one."""


class Values(Protocol):
    """The values that a setting may take."""

    def draw(self, random: np.random.Generator) -> object:
        """One of them."""
        ...

    def nearest(self, value: object) -> object:
        """The one that is nearest to a value that may be none of them."""
        ...

    def holds(self, value: object) -> bool:
        """Whether a value is one of them."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both among them, equally likely by their size or, if `log`, by their logarithm."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, random: np.random.Generator) -> float | int:
        """See `Values`."""
        if self.whole:
            return int(random.integers(int(self.low), int(self.high) + 1))
        if self.log:
            number = math.exp(random.uniform(math.log(self.low), math.log(self.high)))
            return min(max(number, self.low), self.high)
        return float(random.uniform(self.low, self.high))

    def nearest(self, value: object) -> float | int:
        """See `Values`."""
        number = min(max(float(str(value)), self.low), self.high)
        return round(number) if self.whole else number

    def holds(self, value: object) -> bool:
        """See `Values`."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """Some values, equally likely."""

    values: tuple[object, ...]

    def draw(self, random: np.random.Generator) -> object:
        """See `Values`."""
        return self.values[int(random.integers(len(self.values)))]

    def nearest(self, value: object) -> object:
        """See `Values`."""
        return value if value in self.values else self.values[0]

    def holds(self, value: object) -> bool:
        """See `Values`."""
        return value in self.values


Space = Mapping[str, Values]
"""By dotted name."""


def parse_space(texts: Sequence[str], base: Settings) -> dict[str, Values]:
    """A space from `NAME=FORM` texts, see `FORMS`.

    Args:
        base: settings that the others are as in.

    Raises:
        SettingsError: a name is no setting, or one that cannot be searched; a range is empty; a value is impossible.
    """
    space: dict[str, Values] = {}
    for text in texts:
        given, equals, form = (part.strip() for part in text.partition("="))
        if not equals:
            raise SettingsError(f"--search {text} has no values: write NAME={FORMS}")
        name = full_name(given, base)
        if name in space:
            raise SettingsError(f"--search names {name} twice: give it once")
        space[name] = _parse_values(name, form, base)
    return space


def full_name(given: str, base: Settings) -> str:
    """The dotted name of a setting that may be searched, from that or from a short one.

    Raises:
        SettingsError: there is none, there are several, or it cannot be searched.
    """
    known = list(flatten(base))
    plain = given.replace("-", "_")
    name = SHORT.get(plain, plain)
    if name not in known:
        fitting = [other for other in known if other.rpartition(".")[2] == name]
        if len(fitting) > 1:
            raise SettingsError(f"--search {given} stands for {' and '.join(fitting)}: give one of these names")
        if not fitting:
            short = [other.rpartition(".")[2] for other in known]
            close = difflib.get_close_matches(name, [*known, *short], n=1)
            hint = f"; did you mean {close[0]}?" if close else f": see {prog('train')} --help"
            raise SettingsError(f"--search {given} is not a setting{hint}")
        (name,) = fitting
    if name.startswith(FIXED):
        raise SettingsError(f"--search cannot vary {name}: it has to be the same in all trials for them to be compared")
    return name


def _parse_values(name: str, form: str, base: Settings) -> Values:
    match = re.fullmatch(r"(\w+)\((.*)\)", form)
    kind = match[1] if match else ""
    if match is None or kind not in {"uniform", "loguniform", "integer", "choice"}:
        raise SettingsError(f"--search {name}={form} is none of {FORMS}")
    parts = [part.strip() for part in match[2].split(",")]
    if kind == "choice":
        return _choice(name, form, parts, base)
    if len(parts) != 2 or not all(_is_number(part) for part in parts):
        raise SettingsError(f"--search {name}={form} needs two numbers: write {name}={kind}(LOW,HIGH)")
    low, high = (float(part) for part in parts)
    if not low < high:
        raise SettingsError(f"--search {name}={form} is an empty range: the first number needs to be the smaller one")
    if kind == "loguniform" and low <= 0:
        raise SettingsError(f"--search {name}={form} needs a low end above 0: a logarithm goes no further")
    now = flatten(base)[name]
    if isinstance(now, bool | str):
        raise SettingsError(f"--search {name}={form} is a range, but {name} is no number: write choice(A,B,...)")
    whole = kind == "integer"
    if whole and (low, high) != (int(low), int(high)):
        raise SettingsError(f"--search {name}={form} needs whole numbers")
    for end in (low, high):
        check_values({name: int(end) if whole else end}, base)
    return Numbers(low, high, log=kind == "loguniform", whole=whole)


def _choice(name: str, form: str, parts: Sequence[str], base: Settings) -> Choice:
    if not all(parts):
        raise SettingsError(f"--search {name}={form} has an empty value: write choice(A,B,...)")
    values = []
    for part in parts:
        # Passed through the settings, a value is of their type: 1e-4 is text to YAML.
        values.append(flatten(check_values({name: yaml.safe_load(part)}, base))[name])
    if len(set(values)) < len(values):
        raise SettingsError(f"--search {name}={form} names a value twice")
    return Choice(tuple(values))


def check_values(values: Mapping[str, object], base: Settings) -> Settings:
    """The settings of a trial.

    Raises:
        SettingsError: they are impossible, also together.
    """
    return replaced(base, values, "--search")


def defaults(space: Space, base: Settings) -> dict[str, object]:
    """The values that the settings have without a sweep."""
    flat = flatten(base)
    return {name: flat[name] for name in space}


def grid(space: Space, first: Mapping[str, object]) -> list[dict[str, object]]:
    """Every combination of values; those of the first trial stand in front, also where they are none of them.

    Raises:
        SettingsError: a setting may take any value of a range.
    """
    choices = []
    for name, values in space.items():
        if not isinstance(values, Choice):
            raise SettingsError(
                f"searcher is grid but {name} is a range: write {name}=choice(A,B,...), or use --searcher random"
            )
        choices.append(values.values)
    every = (dict(zip(space, combination, strict=True)) for combination in itertools.product(*choices))
    return [dict(first), *(values for values in every if values != first)]


def describe(values: Mapping[str, object]) -> str:
    """For people: `lr 0.0002, beta1 0.5`."""
    return ", ".join(f"{short_name(name)} {show(value)}" for name, value in values.items())


def short_name(name: str) -> str:
    """Last part of a dotted name."""
    return name.rpartition(".")[2]


def show(value: object) -> str:
    """A value with as many digits as people read."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def as_text(space: Space) -> dict[str, str]:
    """The space in the words of the command line, for the record."""
    return {name: _text(values) for name, values in space.items()}


def _text(values: Values) -> str:
    if isinstance(values, Choice):
        return f"choice({','.join('null' if value is None else str(value) for value in values.values)})"
    assert isinstance(values, Numbers)
    kind = "integer" if values.whole else "loguniform" if values.log else "uniform"
    ends = (values.low, values.high)
    return f"{kind}({','.join(str(int(end)) if values.whole else repr(end) for end in ends)})"
