"""A trial's run as its driver sees it: what is reported, and how it ends."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dcgan_dist.errors import DataError, TrainingError
from dcgan_dist.training.launch import SharedBySweep
from dcgan_dist.training.options import TrainOptions
from tuning import trial_run
from tuning.objective import Objective, Value, marks
from tuning.trial_run import Driving

OBJECTIVE = Objective("probe/rooms/accuracy", "max")
OPTIONS = TrainOptions()
"""With batches of 64."""
TOTAL = 9_000
OnScalars = Callable[[int, Mapping[str, float]], None]


class Run:
    """In the place of a training run: does what a test says."""

    act: Callable[[OnScalars], None]

    def __init__(self, options: TrainOptions, shared: SharedBySweep, on_scalars: OnScalars) -> None:
        self.on_scalars = on_scalars
        self.asked_to_stop = threading.Event()

    def preflight(self) -> None:
        """Nothing."""

    def open_data(self) -> None:
        """Nothing."""

    def train(self) -> int:
        """What the test says, and until it is stopped if that says so."""
        if type(self).act(self.on_scalars) == "until stopped":  # type: ignore[func-returns-value]
            assert self.asked_to_stop.wait(30)
        return 0

    def stop(self) -> None:
        """Remember it."""
        self.asked_to_stop.set()


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Driving]:
    """`drive(ACT)` drives a run that does that."""

    def drive(act: Callable[[OnScalars], Any], before: list[Value] | None = None) -> Driving:
        monkeypatch.setattr(Run, "act", staticmethod(act), raising=False)
        monkeypatch.setattr(trial_run, "Launch", Run)
        return Driving(OPTIONS, SharedBySweep(), OBJECTIVE, marks(TOTAL), before or [])

    return drive


def reports(driven: Driving) -> list[dict[str, Any]]:
    found = [driven.take(30)]
    while not found[-1].get("done"):
        found.append(driven.take(30))
    return [{name: value for name, value in one.items() if name not in {"seconds", "speed"}} for one in found]


def accuracy(value: float) -> dict[str, float]:
    return {"probe/rooms/accuracy": value}


def test_values_are_reported_as_they_come_and_the_last_one_with_the_end(drive: Callable[..., Driving]) -> None:
    def act(on_scalars: OnScalars) -> None:
        on_scalars(1_500, {"speed/images_per_second": 100.0, "loss/generator": 1.0})
        on_scalars(1_024, accuracy(0.5))
        on_scalars(1_300, accuracy(0.9))
        on_scalars(9_024, {"speed/images_per_second": 200.0})
        on_scalars(9_024, accuracy(0.7))

    driven = drive(act)
    assert reports(driven) == [
        {"images": 1_024, "at": 1_000, "objective": 0.5},
        {"images": 9_024, "at": 9_000, "objective": 0.7, "done": True, "state": "finished", "reason": ""},
    ]


def test_a_run_without_news_says_how_far_it_is_and_ends_when_asked(drive: Callable[..., Driving]) -> None:
    def act(on_scalars: OnScalars) -> str:
        on_scalars(1_500, {"speed/images_per_second": 100.0})
        return "until stopped"

    driven = drive(act)
    news = driven.take(0.3)
    while not news["images"]:
        news = driven.take(0.1)
    assert (news["images"], news["speed"]) == (1_500, 100.0)
    assert "objective" not in news
    driven.stop()
    assert driven.take(1)["done"]


def test_what_an_earlier_life_found_is_reported_again(drive: Callable[..., Driving]) -> None:
    driven = drive(
        lambda on_scalars: on_scalars(3_000, accuracy(0.6)), before=[Value(1_000, 1_024, 0.4), Value(2_000, 2_048, 0.5)]
    )
    assert [one.get("objective") for one in reports(driven)] == [0.4, 0.5, 0.6, None]


@pytest.mark.parametrize(
    ("error", "state"),
    [(TrainingError("D wins since 40,000 images"), "condemned"), (DataError("a shard is gone"), "failed")],
)
def test_a_run_that_ends_early_says_why(drive: Callable[..., Driving], error: Exception, state: str) -> None:
    def act(on_scalars: OnScalars) -> None:
        on_scalars(1_000, accuracy(0.5))
        raise error

    *_, last = reports(drive(act))
    assert (last["state"], last["reason"]) == (state, str(error))


def test_a_defect_is_raised(drive: Callable[..., Driving], capfd: pytest.CaptureFixture[str]) -> None:
    def act(on_scalars: OnScalars) -> None:
        raise ValueError("a defect of ours")

    driven = drive(act)
    with pytest.raises(ValueError, match="a defect of ours"):
        driven.take(30)
    assert "ValueError: a defect of ours" in capfd.readouterr().err
