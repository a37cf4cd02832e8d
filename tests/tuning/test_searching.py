"""Where values of trials come from, and that none of them is lost."""

import math
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import cifar32
from dcgan_dist.storage import Place
from tuning.folder import SweepFolder
from tuning.searching import NUMBER, GridChooser, OptunaChooser, RandomChooser, Suggestions
from tuning.space import Choice, Numbers, defaults, grid

SPACE = {"optimization.lr": Numbers(1e-5, 1e-1, log=True), "optimization.batch_size": Choice((32, 64, 128))}
FIRST = defaults(SPACE, cifar32())


def suggestions(folder: SweepFolder, **changed: Any) -> Suggestions:
    given: dict[str, Any] = {"chooser": RandomChooser(SPACE, 1), "first": FIRST, "unfinished": [], "new": range(4)}
    return Suggestions(folder, **{**given, **changed}, mode="max")


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(Place(str(tmp_path / "sweep")))


def test_values_depend_on_the_seed_and_the_number_alone() -> None:
    forward = [RandomChooser(SPACE, 1).choose(number) for number in range(5)]
    chooser = RandomChooser(SPACE, 1)
    backward = [chooser.choose(number) for number in reversed(range(5))]
    assert forward == backward[::-1]
    assert len({values["optimization.lr"] for values in forward}) == 5
    assert RandomChooser(SPACE, 2).choose(0) != forward[0]
    # A sweep that is resumed with a newer version draws what it would have drawn.
    assert forward[3] == {"optimization.lr": pytest.approx(0.02051447935594237), "optimization.batch_size": 32}


def test_the_first_trial_has_the_presets_values_and_each_is_on_record_before_it_starts(folder: SweepFolder) -> None:
    given = suggestions(folder)
    assert given.suggest("a") == {NUMBER: 0, "optimization.lr": 2e-4, "optimization.batch_size": 128}
    second = given.suggest("b")
    assert [record.number for record in folder.records()] == [0, 1]
    assert {NUMBER: 1, **folder.read(1).values} == second
    assert [given.suggest(name) for name in "cde"][-1] == "FINISHED"
    assert [record.state for record in folder.records()] == ["unfinished"] * 4


def test_a_grid_gives_each_combination_once(folder: SweepFolder) -> None:
    space = {"optimization.lr": Choice((1e-4, 2e-4)), "optimization.batch_size": Choice((64, 128))}
    combinations = grid(space, FIRST)
    given = suggestions(folder, chooser=GridChooser(combinations))
    found = [given.suggest(name) for name in "abcde"]
    assert found == [{NUMBER: number, **one} for number, one in enumerate(combinations)] + ["FINISHED"]


def test_a_resumed_sweep_gives_what_was_unfinished_and_then_what_is_new(folder: SweepFolder) -> None:
    before = suggestions(folder)
    for name in "abc":
        before.suggest(name)
    folder.end(0, "finished", "", 10.0)
    unfinished = [record for record in folder.records() if record.state == "unfinished"]
    after = suggestions(folder, unfinished=unfinished, new=[3])
    found = [after.suggest(name) for name in "defg"]
    assert [one if isinstance(one, str) else one[NUMBER] for one in found] == [1, 2, 3, "FINISHED"]
    assert found[0] == {NUMBER: 1, **folder.read(1).values}


def test_optuna_looks_where_it_is_good(folder: SweepFolder) -> None:
    chooser = OptunaChooser(SPACE, 0, "max", 900)
    chooser.tell(0, {"optimization.lr": 2e-4, "optimization.batch_size": 128}, {900: -1.7})
    given = suggestions(folder, chooser=chooser, new=range(1, 40))
    tried = []
    for number in range(1, 40):
        values = given.suggest(str(number))
        assert isinstance(values, dict)
        lr = float(str(values["optimization.lr"]))
        tried.append(lr)
        given.on_trial_complete(str(number), {"at": 900, "objective": -abs(math.log10(lr) + 2)})
    early, late = (sum(3e-3 < lr < 3e-2 for lr in part) for part in (tried[:10], tried[-10:]))
    assert late > early
    assert late >= 6


def test_optuna_learns_from_what_others_chose_but_not_from_values_outside(folder: SweepFolder) -> None:
    chooser = OptunaChooser(SPACE, 0, "min", 900)
    chooser.tell(0, {"optimization.lr": 2e-4, "optimization.batch_size": 128}, {900: 1.0})
    chooser.tell(1, {"optimization.lr": 2.0, "optimization.batch_size": 128}, {900: 2.0})
    chooser.tell(2, {"optimization.lr": 2e-4, "optimization.batch_size": 100}, {900: 3.0})
    chooser.choose(3)
    chooser.tell(3, {}, {})
    states = [trial.state.name for trial in chooser._study.trials]
    assert states == ["COMPLETE", "FAIL"]


def test_optuna_proposes_the_same_with_the_same_seed() -> None:
    def proposed(seed: int) -> list[dict[str, object]]:
        chooser = OptunaChooser(SPACE, seed, "max", 900)
        return [chooser.choose(number) for number in range(4)]

    assert proposed(3) == proposed(3)
    assert proposed(3) != proposed(4)


def test_optuna_looks_for_the_better_end() -> None:
    for mode, direction in (("max", "MAXIMIZE"), ("min", "MINIMIZE")):
        assert OptunaChooser(SPACE, 0, mode, 900)._study.direction.name == direction  # type: ignore[arg-type]


def test_optuna_hears_of_a_trial_that_ended_before_its_first_value(folder: SweepFolder) -> None:
    chooser = OptunaChooser(SPACE, 0, "max", 900)
    given = suggestions(folder, chooser=chooser, new=[1])
    given.suggest("a")
    given.on_trial_complete("a")
    assert [trial.state.name for trial in chooser._study.trials] == ["FAIL"]


def test_optuna_searches_the_same_values_as_others() -> None:
    space = {"lr": Numbers(1e-5, 1e-1, log=True), "beta1": Numbers(0.1, 0.9), "maps": Numbers(3, 7, whole=True)}
    of = optuna.distributions
    assert OptunaChooser(space, 0, "max", 900)._distributions == {
        "lr": of.FloatDistribution(1e-5, 1e-1, log=True),
        "beta1": of.FloatDistribution(0.1, 0.9),
        "maps": of.IntDistribution(3, 7),
    }


def test_optuna_learns_from_what_others_chose_and_was_cut() -> None:
    chooser = OptunaChooser(SPACE, 0, "min", 900)
    chooser.tell(0, {"optimization.lr": 2e-4, "optimization.batch_size": 128}, {100: 1.5, 300: 1.0})
    (trial,) = chooser._study.trials
    assert (trial.state.name, trial.intermediate_values) == ("PRUNED", {100: 1.5, 300: 1.0})
    assert trial.params == {"optimization.lr": 2e-4, "optimization.batch_size": 128}


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match=r"not installed: pip install 'dcgan-dist\[sweep\]', or use"):
        OptunaChooser(SPACE, 0, "max", 900)


def test_tune_is_told_what_is_compared(folder: SweepFolder) -> None:
    given = suggestions(folder)
    assert (given.metric, given.mode) == ("objective", "max")


def test_optuna_hears_of_a_trial_that_was_cut_as_of_one_that_was_pruned(folder: SweepFolder) -> None:
    """So it takes no value of few images for better than one of a whole trial."""
    chooser = OptunaChooser(SPACE, 0, "max", 900)
    given = suggestions(folder, chooser=chooser, new=range(3))
    for name in "abc":
        given.suggest(name)
    given.on_trial_result("b", {"at": 100, "objective": 0.9, "images": 128})
    given.on_trial_result("b", {"images": 256})
    given.on_trial_complete("b", {"at": 300, "objective": 0.95, "images": 320})
    given.on_trial_complete("a", {"at": 900, "objective": 0.5, "images": 960, "done": True})
    given.on_trial_result("c", {"at": 100, "objective": 0.99, "images": 128})
    given.on_trial_complete("c", {"at": 100, "objective": 0.99}, error=True)
    told = {str(trial.state.name): (trial.value, trial.intermediate_values) for trial in chooser._study.trials}
    assert told == {"COMPLETE": (0.5, {900: 0.5}), "PRUNED": (0.95, {100: 0.9, 300: 0.95}), "FAIL": (None, {})}
    assert chooser._study.best_trial.value == 0.5
