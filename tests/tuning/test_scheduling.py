"""Which trials go on."""

from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, PopulationBasedTraining

from dcgan_dist.errors import SettingsError
from tuning.scheduling import make_scheduler, recall, require_changeable
from tuning.space import Choice, Numbers

TOTAL = 9_000
SPACE = {"optimization.lr": Numbers(1e-4, 1e-3, log=True), "optimization.beta1": Numbers(0.0, 0.9)}


def asha(mode: Any = "max") -> AsyncHyperBandScheduler:
    scheduler = make_scheduler("asha", mode, TOTAL, SPACE, 0)
    assert isinstance(scheduler, AsyncHyperBandScheduler)
    return scheduler


def tell(scheduler: Any, trial: Trial, images: int, value: float) -> str:
    decision: str = scheduler.on_trial_result(
        None, trial, {"images": images, "objective": value, "training_iteration": 1}
    )
    return decision


def new(scheduler: Any) -> Trial:
    trial = Trial("some", stub=True)
    scheduler.on_trial_add(None, trial)
    return trial


def test_a_third_goes_on_after_a_ninth_and_after_a_third_of_the_run() -> None:
    scheduler = asha()
    trials = [new(scheduler) for _ in range(9)]
    decisions = [tell(scheduler, trial, 1_000, 0.9 - 0.1 * number) for number, trial in enumerate(trials)]
    assert decisions == ["CONTINUE"] + ["CONTINUE" if rank < 3 else "STOP" for rank in range(1, 9)] or (
        decisions[0] == "CONTINUE" and decisions.count("CONTINUE") <= 4
    )
    assert tell(scheduler, trials[0], 2_000, 0.9) == "CONTINUE"
    assert tell(scheduler, trials[0], 3_000, 0.9) == "CONTINUE"
    assert tell(scheduler, trials[1], 3_000, 0.1) == "STOP"
    assert tell(scheduler, trials[0], TOTAL, 0.9) == "STOP", "it is done"


def test_news_without_a_value_cut_nobody() -> None:
    scheduler = asha()
    trial = new(scheduler)
    assert scheduler.on_trial_result(None, trial, {"images": 5_000, "training_iteration": 1}) == "CONTINUE"


def test_a_new_scheduler_recalls_what_trials_had_come_to() -> None:
    scheduler = asha()
    recall(scheduler, [[(1_000, value), (2_000, value)] for value in (0.5, 0.6, 0.7, 0.8)])
    assert tell(scheduler, new(scheduler), 1_000, 0.4) == "STOP"
    assert tell(scheduler, new(scheduler), 1_000, 0.9) == "CONTINUE"
    forgetful = asha()
    assert tell(forgetful, new(forgetful), 1_000, 0.4) == "CONTINUE"


def test_a_population_keeps_within_what_is_searched() -> None:
    scheduler = make_scheduler("pbt", "max", TOTAL, SPACE, 0)
    assert isinstance(scheduler, PopulationBasedTraining)
    explored = scheduler._custom_explore_fn({"number": 3, "optimization.lr": 1.2e-3, "optimization.beta1": 0.5})
    assert explored == {"number": 3, "optimization.lr": 1e-3, "optimization.beta1": 0.5}


def test_a_population_changes_only_what_can_change_in_mid_run() -> None:
    require_changeable(SPACE)
    with pytest.raises(SettingsError, match=r"--search optimization\.batch_size cannot change in mid-run"):
        require_changeable({**SPACE, "optimization.batch_size": Choice((32, 64))})
