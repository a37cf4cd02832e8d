"""Every declared bound: what lies just inside is taken, what lies just outside is refused, and `--help` says so."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from dcgan_dist.bounds import Above, AtLeast, Below, Bound, From, bounds, shows_bounds
from dcgan_dist.cli.arguments import read
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.evaluation.service.comparison import EvaluateOptions
from dcgan_dist.memorised import MemorisedOptions
from dcgan_dist.settings import (
    CheckpointSettings,
    DataSettings,
    MonitoringSettings,
    NetworkSettings,
    OptimizationSettings,
    ProbeSettings,
    Settings,
    WorkerSettings,
)
from dcgan_dist.studies.samples import SampleOptions
from tuning.options import SweepOptions

GIVEN: dict[type, dict[str, Any]] = {
    DataSettings: {},
    NetworkSettings: {},
    OptimizationSettings: {},
    WorkerSettings: {},
    CheckpointSettings: {},
    MonitoringSettings: {},
    ProbeSettings: {},
    Settings: {"images": 999},
    ActorOptions: {},
    EvaluateOptions: {"features": "pixels"},
    MemorisedOptions: {"run": "mine"},
    PrepareOptions: {"words": ("photos", "shards")},
    SampleOptions: {"run": "mine", "export": "g.safetensors"},
    SweepOptions: {},
}
"""What has bounds, with what it needs besides."""
MOMENTUM = {"optimizer": "momentum"}
BESIDE: dict[str, dict[str, Any]] = {
    "maxout_pieces": {"structure": "maxout", "batchnorm": "nowhere"},
    "momentum": MOMENTUM,
    "final_momentum": MOMENTUM,
    "momentum_images": MOMENTUM,
}
"""What a setting needs beside it to be of any meaning."""
DECLARED = [(kind, name, bound) for kind in GIVEN for name, bound in bounds(kind).items()]


def made(kind: type, name: str, value: float | None) -> object:
    given = GIVEN[kind] | BESIDE.get(name, {}) | {name: value}
    if name == "epochs":
        given["images"] = None
    return kind(**given)


@pytest.mark.parametrize(("kind", "name", "bound"), DECLARED, ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_bound_holds_at_both_of_its_ends(kind: type, name: str, bound: Bound) -> None:
    default = next(field.default for field in dataclasses.fields(kind) if field.name == name)
    whole = isinstance(default, int) or name == "images"
    step = 1 if whole else 1e-9
    for end, inward in ((bound.low, step), (bound.high, -step)):
        if math.isfinite(end):
            inside, outside = (end + inward, end) if end in bound.excluded else (end, end - inward)
            made(kind, name, int(inside) if whole else inside)
            with pytest.raises(SettingsError, match=rf"{name} is \S+ but needs (to be )?{bound.phrase}"):
                made(kind, name, int(outside) if whole else outside)
    for value in () if whole else (math.nan, math.inf, -math.inf):
        with pytest.raises(SettingsError, match=f"{name} is {value} but needs to be a finite number"):
            made(kind, name, value)


@pytest.mark.parametrize(
    ("kind", "name", "phrase"),
    [
        (DataSettings, "window", "at least 1 image"),
        (DataSettings, "max_bad_fraction", "at least 0 and below 1"),
        (NetworkSettings, "latent_size", "at least 1"),
        (OptimizationSettings, "batch_size", "at least 2 images"),
        (OptimizationSettings, "lr", "above 0"),
        (OptimizationSettings, "beta1", "at least 0 and below 1"),
        (OptimizationSettings, "beta2", "at least 0 and below 1"),
        (OptimizationSettings, "eps", "above 0"),
        (OptimizationSettings, "decay", "from 0 to 1"),
        (WorkerSettings, "number", "at least 1"),
        (WorkerSettings, "hang_s", "above 0"),
        (WorkerSettings, "max_hangs", "at least 0"),
        (CheckpointSettings, "keep", "at least 1"),
        (CheckpointSettings, "minutes", "above 0"),
        (MonitoringSettings, "samples", "at least 2"),
        (ProbeSettings, "actors", "at least 1"),
        (Settings, "images", "at least 1"),
        (Settings, "epochs", "above 0"),
        (EvaluateOptions, "size", "at least 1"),
        (MemorisedOptions, "number", "at least 100"),
        (MemorisedOptions, "wait_s", "above 0"),
        (SampleOptions, "number", "at least 0 images"),
        (SweepOptions, "budget_hours", "above 0"),
    ],
)
def test_bounds_that_have_to_be_there(kind: type, name: str, phrase: str) -> None:
    assert bounds(kind)[name].phrase == phrase


def test_what_a_bound_admits() -> None:
    values = (-1.0, 0.0, 0.5, 1.0, 2.0)
    assert [AtLeast(0).admits(value) for value in values] == [False, True, True, True, True]
    assert [Above(0).admits(value) for value in values] == [False, False, True, True, True]
    assert [From(0, 1).admits(value) for value in values] == [False, True, True, True, False]
    assert [Below(1).admits(value) for value in values] == [False, True, True, False, False]


def test_help_shows_bounds_also_those_of_a_parent(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(EvaluateOptions, ["--help"], prog="evaluate")
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--wait-s SECONDS How long to wait if that cluster has too few machines; longer while some are being" in text
    assert "(above 0; default: 60.0)" in text


@shows_bounds
@dataclass(frozen=True)
class Worded:
    """Options."""

    first: Annotated[int, AtLeast(3)] = 4
    """How many, which
    is said in two lines of the source."""
    second: str = ""
    """Without a bound, but
    also in two lines."""


def test_help_shows_the_texts_of_the_source_without_its_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(Worded, ["--help"], prog="worded")
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    for text in ("How many, which is said in two lines", "Without a bound, but also in two lines"):
        assert any(text in line for line in lines)
