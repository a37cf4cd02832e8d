"""What a call makes an evaluation actor hold: declared where the method is defined, so that nothing is forgotten.

What an actor holds is made in stages, each from the ones before. The calls in force are repeated on an actor that
replaces a dead one: those whose stage has not been made anew since. A method that declares nothing cannot be called.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])
_EFFECT = "_effect"
CLASSIFIER = "svm"
"""Name of the method by which an evaluator passes calls on to its part of the classifier."""


class Stage(IntEnum):
    """Stages of what an evaluator holds, each made from the ones before."""

    IMAGES = 0
    FEATURES = 1
    SCALED = 2
    SELECTION = 3
    """Training images of a classifier."""
    WEIGHTS = 4
    """Weights that the classifier's iterations begin with."""
    ITERATION = 5


@dataclass(frozen=True)
class Effect:
    """What a call does to the state of an actor.

    Attributes:
        stage: what it makes; what was made from an earlier version of that is void. None: it changes nothing.
        adds: whether it goes on from earlier calls of its own stage, which stay in force.
    """

    stage: Stage | None
    adds: bool = False


@dataclass(frozen=True)
class Call:
    """A call of a method, by name, with its arguments and its effect."""

    name: str
    arguments: tuple[Any, ...]
    effect: Effect


def makes(stage: Stage, *, adds: bool = False) -> Callable[[Method], Method]:
    """Declare that a method makes this stage anew; or, with `adds`, goes on from what its earlier calls made."""

    def declare(method: Method) -> Method:
        setattr(method, _EFFECT, Effect(stage, adds))
        return method

    return declare


def reads(method: Method) -> Method:
    """Declare that a method changes nothing that a later call depends on."""
    setattr(method, _EFFECT, Effect(None))
    return method


def effect_of(method: Callable[..., Any]) -> Effect:
    """What a method declares; raises `TypeError` where it declares nothing."""
    effect = getattr(method, _EFFECT, None)
    if not isinstance(effect, Effect):
        raise TypeError(
            f"{getattr(method, '__qualname__', method)} declares no effect, so it would not be repeated on a "
            "replacement of a dead actor: decorate it with makes(Stage...) or reads"
        )
    return effect


def in_force(calls: Sequence[Call], call: Call) -> list[Call]:
    """The calls to repeat on a replacement, once `call` was made after `calls`."""
    stage = call.effect.stage
    if stage is None:
        return list(calls)
    void_from = stage + 1 if call.effect.adds else stage
    return [*(one for one in calls if one.effect.stage is not None and one.effect.stage < void_from), call]
