"""Ranges that settings and options declare beside their types, in one place for the check and for `--help`.

threads: Annotated[int, AtLeast(0)] = 1
"""

import ast
import dataclasses
import inspect
import itertools
import math
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import tyro

from dcgan_dist.errors import SettingsError

Kind = TypeVar("Kind", bound=type)


@dataclass(frozen=True)
class Bound:
    """A range of numbers: `phrase` says it in help; with `unit`, it says what is counted."""

    low: float
    high: float = math.inf
    excluded: tuple[float, ...] = ()
    unit: str = ""

    @property
    def phrase(self) -> str:
        low, high = f"{self.low:g}", f"{self.high:g}"
        if self.high == math.inf:
            return f"above {low}" if self.low in self.excluded else f"at least {low}{self.unit and ' ' + self.unit}"
        return f"at least {low} and below {high}" if self.high in self.excluded else f"from {low} to {high}"

    def admits(self, value: float) -> bool:
        """Whether a number lies in the range."""
        return self.low <= value <= self.high and value not in self.excluded


def AtLeast(low: float, unit: str = "") -> Bound:
    """No less than `low`."""
    return Bound(low, unit=unit)


def Above(low: float) -> Bound:
    """More than `low`."""
    return Bound(low, excluded=(low,))


def From(low: float, high: float) -> Bound:
    """From `low` to `high`, both included."""
    return Bound(low, high)


def Below(high: float) -> Bound:
    """At least 0, and less than `high`."""
    return Bound(0, high, excluded=(high,))


def bounds(kind: type) -> dict[str, Bound]:
    """The bounds that a dataclass declares, by field."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        name: one for name, hint in hints.items() for one in getattr(hint, "__metadata__", ()) if isinstance(one, Bound)
    }


def check_bounds(options: Any, prefix: str = "") -> None:
    """See that the numbers in a dataclass are finite and lie within their bounds; None lies within any.

    Args:
        prefix: put before the field's name, as in `data.`.

    Raises:
        SettingsError: one does not; names the field, its value and its range.
    """
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise SettingsError(f"{prefix}{field.name} is {value} but needs to be a finite number")
    for name, bound in bounds(type(options)).items():
        value = getattr(options, name)
        if value is not None and not bound.admits(value):
            to_be = "" if bound.phrase.startswith("at least") and bound.high == math.inf else "to be "
            raise SettingsError(f"{prefix}{name} is {value} but needs {to_be}{bound.phrase}")


def shows_bounds(kind: Kind) -> Kind:
    """Decorate a dataclass so that `--help` shows each bound beside the default, and its texts in full lines."""
    assert dataclasses.is_dataclass(kind)
    own = kind.__annotations__  # those of a parent are shown already
    for name, text in _texts(kind.__module__)[kind.__name__].items():
        # Tyro itself would keep the line breaks of the source.
        own[name] = typing.Annotated[own[name], tyro.conf.arg(help=text)]
    for name in bounds(kind).keys() & own.keys():
        own[name] = typing.Annotated[own[name], tyro.conf.arg(help_behavior_hint=_Hint(bounds(kind)[name].phrase))]
    return kind


@cache
def _texts(module: str) -> Mapping[str, Mapping[str, str]]:
    """The text under each field of each class of a module, in one line; read once, since every process of a run imports
    all settings."""
    defined = ast.parse(inspect.getsource(sys.modules[module])).body
    return {one.name: dict(_fields(one)) for one in defined if isinstance(one, ast.ClassDef)}


def _fields(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in itertools.pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                yield name, " ".join(words.split())


@dataclass(frozen=True)
class _Hint:
    phrase: str

    def __call__(self, default: str) -> str:
        return f"({self.phrase}; default: {default})"
