"""Which settings of a run differ from those of its preset. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcgan_dist.reporting.facts import Fact, shown
from dcgan_dist.settings import PRESETS, Settings, flatten

NOT_COMPARED = frozenset({"name", "storage"})
"""They say where a run lies, not what it is."""


@dataclass(frozen=True)
class Differing:
    """A setting, and what it would be."""

    fact: Fact
    preset_shown: str


@dataclass(frozen=True)
class PresetDifferences:
    """How a run differs from a preset.

    Attributes:
        preset: its name.
        recorded: whether the run says that it began with it; else it is the nearest one.
        differing: the settings that differ, in their own order.
    """

    preset: str
    recorded: bool
    differing: Sequence[Differing]


def differences(settings: Settings, recorded: str) -> PresetDifferences:
    """Settings that differ from the preset that the run began with, or from the nearest one, by their number.

    Args:
        recorded: name of the preset in the run's record; "" where there is none.
    """
    known = recorded in PRESETS
    preset = recorded if known else min(PRESETS, key=lambda name: len(_differing(settings, PRESETS[name]())))
    return PresetDifferences(preset, known, _differing(settings, PRESETS[preset]()))


def _differing(settings: Settings, other: Settings) -> list[Differing]:
    here, there = flatten(settings), flatten(other)
    return [
        Differing(Fact(name, _value(value), _shown(value), "settings.yaml", name), _shown(there[name]))
        for name, value in here.items()
        if value != there[name] and name not in NOT_COMPARED
    ]


def between(runs: Mapping[str, Settings]) -> list[tuple[str, list[str]]]:
    """Settings that differ between runs, with the value of each run for people."""
    flat = [flatten(settings) for settings in runs.values()]
    names = [name for name in (flat[0] if flat else ()) if name not in NOT_COMPARED]
    return [
        (name, [_shown(one[name]) for one in flat]) for name in names if any(one[name] != flat[0][name] for one in flat)
    ]


def _value(value: object) -> bool | int | float | str | None:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _shown(value: object) -> str:
    """As it would be typed: 0.0004, not rounded."""
    if isinstance(value, bool) or value is None:
        return shown(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.12g}" if isinstance(value, float) else str(value) or "(empty)"
