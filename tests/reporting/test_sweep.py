"""A sweep's folder, as `tuning` writes it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.pixels import png
from dcgan_dist.reporting.sweep import MOST_TRIALS, find_sweep, from_records, from_results, read_sweep
from dcgan_dist.settings import to_yaml
from dcgan_dist.storage import Place
from tests.reporting.runs import SETTINGS, write_run
from tuning.folder import SweepFolder
from tuning.objective import Objective, marks
from tuning.results import as_csv, read_results

OBJECTIVE = Objective("probe/cifar10/accuracy", "max")


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    """Three trials: one that finished, one that was cut, one that has just begun."""
    folder = SweepFolder(Place(str(tmp_path / "runs" / "search")))
    plan = {"search": ["lr=loguniform(1e-4,1e-3)"], "objective": "probe", "searcher": "optuna", "scheduler": "asha"}
    folder.write_plan(plan, to_yaml(SETTINGS))
    for number, lr in enumerate((2.34567e-4, 3e-4, 7e-4)):
        folder.begin(number, {"optimization.lr": lr})
        if number < 2:
            settings = replace(SETTINGS, optimization=replace(SETTINGS.optimization, lr=lr))
            write_run(folder.trials / f"{number:03d}", tmp_path / f"scratch-{number}", settings)
            folder.end(number, "cut" if number else "finished", "worse <b>than</b> others" if number else "", 33.0)
    (folder.place / "results.csv").write_bytes(as_csv(read_results(folder, OBJECTIVE, marks(6_400))[:2]).encode())
    (folder.place / "figures" / "lr.png").write_bytes(png(np.zeros((30, 40, 3), np.uint8)))
    return folder


def test_trials_stand_in_the_order_of_the_sweep(sweep: SweepFolder) -> None:
    found = read_sweep(sweep.place, 0.0)
    expected = {result.entry.number: result for result in read_results(sweep, OBJECTIVE, marks(6_400))}
    assert [trial.rank for trial in found.trials] == [1, 1, None]
    for trial in found.trials[:2]:
        assert trial.objective is not None
        assert trial.objective.value == expected[trial.number].entry.value
        low, high = expected[trial.number].bounds[expected[trial.number].entry.at]
        assert (trial.objective.low, trial.objective.high) == (low, high)
        assert trial.objective.source == f"results.csv: line {2 + trial.number}, objective"
        assert trial.values == {"optimization.lr": f"{expected[trial.number].entry.values['optimization.lr']:.4g}"}
    assert [trial.state for trial in found.trials] == ["finished", "cut", "unfinished"]
    assert found.trials[1].reason == "worse <b>than</b> others"
    assert found.searched == ["optimization.lr"]
    assert [shot.file for shot in found.figures] == ["figures/lr.png"]
    facts = {fact.name: fact.value for fact in found.facts}
    assert facts["Search"] == "lr=loguniform(1e-4,1e-3)"
    assert (facts["Trials"], facts["Trials that have ended"]) == (3, 2)


def test_the_best_runs_stand_side_by_side(sweep: SweepFolder) -> None:
    found = read_sweep(sweep.place, 0.0)
    assert found.best is not None
    assert [run.name for run in found.best.runs] == ["000", "001"]
    assert found.best.settings == [("optimization.lr", ["0.000234567", "0.0003"])]
    # The third has no run yet.
    assert [note for note in found.notes if "002" in note]


def test_before_results_are_written_trials_are_told_from_their_records(sweep: SweepFolder) -> None:
    (sweep.place / "results.csv").delete()
    found = read_sweep(sweep.place, 0.0)
    assert [(trial.number, trial.state, trial.rank) for trial in found.trials] == [
        (0, "finished", None), (1, "cut", None), (2, "unfinished", None)
    ]  # fmt: skip
    assert any("results.csv is not there yet" in note and "--report" in note for note in found.notes)


@pytest.mark.parametrize("content", ["trial,run\n1,2\n", "trial,run,state,objective\nx,y,z,1\n"])
def test_results_that_cannot_be_read_are_a_note(content: str, sweep: SweepFolder) -> None:
    (sweep.place / "results.csv").write_bytes(content.encode())
    found = read_sweep(sweep.place, 0.0)
    assert len(found.trials) == 3
    assert any("results.csv cannot be read" in note for note in found.notes)


def test_a_torn_record_is_named(sweep: SweepFolder) -> None:
    (sweep.place / "records" / "002.json").write_bytes(b"{")
    found = read_sweep(sweep.place, 0.0)
    assert [trial.number for trial in found.trials] == [0, 1]
    assert "records/002.json is not whole: it is left out" in found.notes


def test_a_sweep_is_named_as_runs_are(sweep: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("search", "runs/search", f"{sweep.place}/"):
        assert find_sweep(text, "runs") == sweep.place
    for text in ("000", "nobody", "", "runs/search/trials/000"):
        assert find_sweep(text, "runs") is None


def test_a_damaged_plan_is_one_sentence(sweep: SweepFolder) -> None:
    for content in (b"{", b"[]"):
        (sweep.place / "sweep.json").write_bytes(content)
        with pytest.raises(CheckpointError, match=r"sweep\.json is damaged"):
            read_sweep(sweep.place, 0.0)


def test_a_run_is_looked_for_among_the_trials_alone(sweep: SweepFolder) -> None:
    text = (sweep.place / "results.csv").read_bytes().decode()
    (sweep.place / "results.csv").write_bytes(text.replace("0,000,", "0,../../elsewhere,").encode())
    found = read_sweep(sweep.place, 0.0)
    assert found.best is not None
    assert [run.name for run in found.best.runs] == ["001"]


def test_many_trials_are_counted(sweep: SweepFolder) -> None:
    for number in range(3, MOST_TRIALS + 8):
        sweep.begin(number, {"optimization.lr": 0.1})
    found = read_sweep(sweep.place, 0.0)
    assert (len(found.trials), found.left_out) == (MOST_TRIALS, 8)


def test_trials_without_results_or_records_are_none() -> None:
    states: dict[int, Any] = {4: {"state": "cut", "values": {"a": 1}, "reason": "r"}}
    assert from_results("", {}) == []
    (trial,) = from_records(states)
    assert (trial.run, trial.values, trial.objective) == ("004", {"a": "1"}, None)
    assert json.dumps(trial.values) == '{"a": "1"}'
