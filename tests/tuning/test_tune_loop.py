"""What is done as trials come, tell news and end; and when a budget ends a sweep."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist.settings import scenes32
from dcgan_dist.storage import Place
from dcgan_dist.training.launch import SharedBySweep
from tuning import tune_loop
from tuning.folder import SweepFolder
from tuning.objective import Objective, Value, marks
from tuning.options import SweepOptions
from tuning.searching import OptunaChooser
from tuning.tune_loop import Running

VALUES = {"optimization.lr": 2e-4}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test moves on."""
    at = [0.0]
    monkeypatch.setattr(tune_loop.time, "monotonic", lambda: at[0])
    return at


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(Place(str(tmp_path / "sweep")))


def make(folder: SweepFolder, workers: int = 1, **options: Any) -> Running:
    settings = scenes32()
    settings = replace(settings, workers=replace(settings.workers, number=workers))
    objective = Objective("probe/rooms/accuracy", "max")
    given = SweepOptions(search=("lr=uniform(1e-4,1e-3)",), **options)
    return Running(given, folder, {}, objective, settings, marks(9_000), SharedBySweep(), 1)


def test_news_and_ends_are_told_and_written_down(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make(folder)
    folder.begin(0, VALUES)
    sweep.begins(0, VALUES)
    sweep.reports(0, {"images": 500, "speed": 100.0, "seconds": 5.0})
    sweep.reports(0, {"images": 1_024, "at": 1_000, "objective": 0.5, "speed": 100.0, "seconds": 10.0})
    sweep.ends(0, VALUES, "cut", "")
    assert capsys.readouterr().out.splitlines() == [
        "trial 0 begins: lr 0.0002",
        "trial 0 at 1,000 images (11 %): probe/rooms/accuracy 50.00 %",
        "trial 0 is cut at 1,024 images",
    ]
    record = folder.read(0)
    assert (record.state, record.seconds) == ("cut", 10.0)
    best = sweep.entries.best()
    assert best is not None
    assert (best.number, best.value, best.at) == (0, 0.5, 1_000)


def test_values_that_change_in_mid_run_are_on_record(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make(folder)
    folder.begin(0, VALUES)
    sweep.begins(0, VALUES)
    sweep.reports(0, {"images": 3_000, "at": 3_000, "objective": 0.9, "seconds": 5.0})
    sweep.begins(0, {"optimization.lr": 4e-4})
    sweep.reports(0, {"images": 2_000, "at": 2_000, "objective": 0.7, "seconds": 3.0})
    entry = sweep.entries.by_number[0]
    assert (entry.images, entry.at, entry.value) == (2_000, 2_000, 0.7)
    sweep.ends(0, {"optimization.lr": 4e-4}, "finished", "")
    assert folder.read(0).seconds == 8.0
    assert folder.read(0).values == {"optimization.lr": 4e-4}
    assert "trial 0 continues with lr 0.0004" in capsys.readouterr().out


def test_minutes_end_a_sweep(folder: SweepFolder, now: list[float]) -> None:
    sweep = make(folder, budget_minutes=2.0)
    assert not sweep._stops()
    now[0] = 119.0
    assert not sweep._stops()
    now[0] = 121.0
    assert sweep._stops()
    assert sweep.over == "2 minutes"


def test_hours_of_all_workers_end_a_sweep(folder: SweepFolder) -> None:
    sweep = make(folder, workers=4, budget_hours=1.0)
    for number in (0, 1):
        folder.begin(number, VALUES)
        sweep.begins(number, VALUES)
    sweep.reports(0, {"images": 1, "seconds": 600.0})
    assert not sweep._stops()
    sweep.ends(0, VALUES, "finished", "")
    sweep.reports(1, {"images": 1, "seconds": 200.0})
    assert not sweep._stops()
    sweep.reports(1, {"images": 2, "seconds": 301.0})
    assert sweep._stops()
    assert sweep.over == "1 accelerator hour"


def test_a_signal_ends_a_sweep(folder: SweepFolder, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make(folder)
    assert not sweep._stops()
    sweep.stop(15)
    assert sweep._stops()
    assert sweep._stops()
    assert capsys.readouterr().out.count("stopping: every trial writes a checkpoint first") == 1
    assert sweep.stopped_by == 15


def test_a_resumed_sweep_learns_nothing_from_what_a_failed_trial_had_found(
    folder: SweepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = make(folder, searcher="optuna")
    monkeypatch.setattr(tune_loop, "values_of", lambda run, objective, at: [Value(9_000, 9_024, 0.9)])
    for number, state in enumerate(["finished", "failed", "cut", "unfinished"]):
        folder.begin(number, {})
        folder.end(number, state, "", 1.0)  # type: ignore[arg-type]
    chooser = sweep._chooser(folder.records())
    assert isinstance(chooser, OptunaChooser)
    told = [(trial.state.name, trial.value) for trial in chooser._study.trials]
    assert told == [("COMPLETE", 0.9), ("COMPLETE", 0.9)], "those that finished, and were cut"
