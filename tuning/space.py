"""What a sweep searches: settings by name, each with the values that it may have; pure."""

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
FIXED = (
    "name",
    "storage",
    "images",
    "epochs",
    "minutes",
    "on_collapse",
    "workers.address",
    "data.cpus",
    "data.keep",
    "probe.",
    "supervised.task",
    "supervised.per_class",
    "supervised.begin_with",
)
"""Settings that cannot be searched: trials could not be compared otherwise, or the sweep sets them itself."""
SHORT = {"workers": "workers.number", "data": "data.path"}
"""Short names on the command line that are not the last part of the dotted name."""


class Values(Protocol):
    """The values that a setting may have in a sweep."""

    def draw(self, random: np.random.Generator) -> object:
        """Draw one of the values."""
        ...

    def nearest(self, value: object) -> object:
        """The nearest of the values to any value."""
        ...

    def holds(self, value: object) -> bool:
        """Whether a value is among them."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both included, drawn uniformly or, if `log`, uniformly in their logarithm."""

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
    """A list of values, which are equally likely."""

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
"""Values of the settings that are searched, by dotted name."""


def parse_space(texts: Sequence[str], base: Settings) -> dict[str, Values]:
    """Parse a search space from `NAME=FORM` texts, see `FORMS`.

    Args:
        texts: one for each setting that is searched.
        base: settings of the sweep, which trials share otherwise.

    Raises:
        SettingsError: a name is not a setting, or not one that can be searched; a range is empty; a value is invalid.
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
    """The dotted name of a setting that can be searched, from its dotted or short name.

    Raises:
        SettingsError: there is no such setting, there are several, or it cannot be searched.
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
        raise SettingsError(f"--search {name}={form} is a range, but {name} is not a number: write choice(A,B,...)")
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
        # The settings convert a value to the type of the setting: to YAML, 1e-4 is text.
        values.append(flatten(check_values({name: yaml.safe_load(part)}, base))[name])
    if len(set(values)) < len(values):
        raise SettingsError(f"--search {name}={form} names a value twice")
    return Choice(tuple(values))


def check_values(values: Mapping[str, object], base: Settings) -> Settings:
    """The settings of a trial with these values.

    Raises:
        SettingsError: a value is invalid, or the values contradict each other.
    """
    return replaced(base, values, "--search")


def defaults(space: Space, base: Settings) -> dict[str, object]:
    """The values that the settings have without a sweep."""
    flat = flatten(base)
    return {name: flat[name] for name in space}


def grid(space: Space, first: Mapping[str, object]) -> list[dict[str, object]]:
    """Every combination of values; the first trial's comes first, even if it is not one of them.

    Raises:
        SettingsError: a setting has a range, not a list of values.
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


def space_of(listed: Sequence[Mapping[str, object]]) -> dict[str, Values]:
    """The space of trials whose values are listed: all values that a setting has in any of them."""
    found: dict[str, list[object]] = {}
    for values in listed:
        for name, value in values.items():
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return {name: Choice(tuple(values)) for name, values in found.items()}


def describe(values: Mapping[str, object]) -> str:
    """The values as shown to users: `lr 0.0002, beta1 0.5`."""
    return ", ".join(f"{short_name(name)} {show(value)}" for name, value in values.items())


def short_name(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def show(value: object) -> str:
    """A value with few digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def as_text(space: Space) -> dict[str, str]:
    """The space as it would be written on the command line."""
    return {name: _text(values) for name, values in space.items()}


def _text(values: Values) -> str:
    if isinstance(values, Choice):
        return f"choice({','.join('null' if value is None else str(value) for value in values.values)})"
    assert isinstance(values, Numbers)
    kind = "integer" if values.whole else "loguniform" if values.log else "uniform"
    ends = (values.low, values.high)
    return f"{kind}({','.join(str(int(end)) if values.whole else repr(end) for end in ends)})"
