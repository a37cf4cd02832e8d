"""Concepts by the attributes that a judge sees, as "glasses, no long_hair", and what their sum should show; no Ray."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.errors import SettingsError
from dcgan_dist.studies.judges.attributes import Attributes

Concept = Mapping[str, bool]
"""Whether a picture has each attribute; those that are not named may be either way."""

_NOT = "no "


def concept_of(text: str, option: str, names: Sequence[str]) -> Concept:
    """Read a concept: attributes with commas between, with "no" before those that are missing.

    Args:
        text: that a person gave.
        option: by which.
        names: of all attributes.

    Raises:
        SettingsError: it names no attribute, an unknown one, or one twice.
    """
    concept: dict[str, bool] = {}
    for part in text.split(","):
        word = " ".join(part.split())
        name = word.removeprefix(_NOT)
        if name not in names or name in concept:
            raise SettingsError(
                f"{option} is {text!r} but needs to name attributes, each once, with commas between and `no` before "
                f"those that are missing, as in '{names[0]}, no {names[1]}'; there are {', '.join(names)}"
            )
        concept[name] = word == name
    return concept


def wanted_of(a: Concept, b: Concept, c: Concept) -> Concept:
    """What a picture of A - B + C should show: what A has other than B is as in A, all else as in C.

    Raises:
        SettingsError: the sum says nothing new, or is more than once what A has other than B.
    """
    if not set(a) == set(b) == set(c):
        raise SettingsError("a, b and c need to name the same attributes: say of each that they have it, or `no` it")
    moved = [name for name in a if a[name] != b[name]]
    if not moved or c == b:
        raise SettingsError("a and c each need to differ from b in an attribute")
    clash = [name for name in moved if c[name] != b[name]]
    if clash:
        raise SettingsError(f"b and c differ in {clash[0]}, which is what a - b changes: let them be alike in it")
    return {name: a[name] if name in moved else c[name] for name in a}


def shows(concept: Concept, attributes: Attributes) -> NDArray[np.bool_]:
    """Which of n pictures show a concept: bool [n]."""
    found: NDArray[np.bool_] = np.logical_and.reduce([attributes[name] == value for name, value in concept.items()])
    return found


def words(concept: Concept) -> str:
    """As a person would give it."""
    return ", ".join(name if value else _NOT + name for name, value in concept.items())
