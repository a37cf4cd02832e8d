"""Which trials go on."""

from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, PopulationBasedTraining

from dcgan_dist.errors import SettingsError
from tuning.objective import Value
from tuning.scheduling import Population, Stopper, make_scheduler, recall, require_changeable
from tuning.space import Choice, Numbers

TOTAL = 9_000
SPACE = {"optimization.lr": Numbers(1e-4, 1e-3, log=True), "optimization.beta1": Numbers(0.0, 0.9)}


def asha(mode: Any = "max") -> AsyncHyperBandScheduler:
    scheduler = make_scheduler("asha", mode, TOTAL, SPACE, 0)
    assert isinstance(scheduler, AsyncHyperBandScheduler)
    return scheduler


def tell(scheduler: Any, trial: Trial, images: int, value: float) -> str:
    decision: str = scheduler.on_trial_result(None, trial, {"at": images, "objective": value, "training_iteration": 1})
    return decision


def new(scheduler: Any) -> Trial:
    trial = Trial("some", stub=True)
    scheduler.on_trial_add(None, trial)
    return trial


def test_a_third_goes_on_after_a_ninth_and_after_a_third_of_the_run() -> None:
    scheduler = asha()
    trials = [new(scheduler) for _ in range(9)]
    values = (0.9, 0.1, 0.7, 0.8, 0.2, 0.3, 0.85, 0.4, 0.5)
    decisions = [tell(scheduler, trial, 1_000, value) for trial, value in zip(trials, values, strict=True)]
    # Who goes on is in the best third of those that have come so far.
    assert decisions == ["CONTINUE", "STOP", "CONTINUE", "CONTINUE", "STOP", "STOP", "CONTINUE", "STOP", "STOP"]
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
    recall(scheduler, [[Value(1_000, 1_024, value), Value(2_000, 2_048, value)] for value in (0.5, 0.6, 0.7, 0.8)])
    assert tell(scheduler, new(scheduler), 1_000, 0.4) == "STOP"
    assert tell(scheduler, new(scheduler), 1_000, 0.9) == "CONTINUE"
    forgetful = asha()
    assert tell(forgetful, new(forgetful), 1_000, 0.4) == "CONTINUE"


def test_a_population_keeps_within_what_is_searched() -> None:
    scheduler = make_scheduler("pbt", "max", TOTAL, SPACE, 0)
    assert isinstance(scheduler, PopulationBasedTraining)
    drawn = [scheduler._hyperparam_mutations["optimization.lr"]() for _ in range(20)]
    assert 1e-4 <= min(drawn) < 2e-4 < 5e-4 < max(drawn) <= 1e-3
    explored = scheduler._custom_explore_fn({"number": 3, "optimization.lr": 1.2e-3, "optimization.beta1": 0.5})
    assert explored == {"number": 3, "optimization.lr": 1e-3, "optimization.beta1": 0.5}


def test_there_is_no_room_for_all_trials_unless_somebody_says_so() -> None:
    scheduler = make_scheduler("pbt", "max", TOTAL, SPACE, 0)
    assert isinstance(scheduler, Population)
    assert not scheduler.all_at_once


def test_a_population_changes_only_what_can_change_in_mid_run() -> None:
    require_changeable(SPACE)
    with pytest.raises(SettingsError, match=r"--search optimization\.batch_size cannot change in the middle of a run"):
        require_changeable({**SPACE, "optimization.batch_size": Choice((32, 64))})


def test_a_value_of_more_images_never_stands_for_a_rung() -> None:
    scheduler = asha()
    others = [new(scheduler) for _ in range(3)]
    for trial, value in zip(others, (0.5, 0.6, 0.7), strict=True):
        tell(scheduler, trial, 1_000, value)
    late = new(scheduler)
    assert tell(scheduler, late, 2_000, 0.1) == "CONTINUE", "nobody else is compared at 2,000"
    assert tell(scheduler, new(scheduler), 1_000, 0.4) == "STOP"
    assert sorted(scheduler._brackets[0]._rungs[-1][1].values()) == [0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(("images", "recorded"), [(1_000, [0.5]), (2_000, []), (2_500, [])])
def test_the_last_value_of_a_trial_that_is_done_counts_only_at_a_rung(images: int, recorded: list[float]) -> None:
    scheduler = asha()
    scheduler.on_trial_complete(None, new(scheduler), {"at": images, "objective": 0.5})
    assert list(scheduler._brackets[0]._rungs[-1][1].values()) == recorded


def test_a_stopper_ends_all_trials_or_none() -> None:
    for stops in (True, False):
        stopper = Stopper(lambda stops=stops: stops)
        assert stopper.stop_all() == stops
        assert not stopper("trial", {"objective": 0.5})


def test_equal_trials_are_not_cut_whichever_comes_first() -> None:
    scheduler = asha()
    trials = [new(scheduler) for _ in range(4)]
    assert [tell(scheduler, trial, at, 0.5) for at in (1_000, 3_000) for trial in trials] == ["CONTINUE"] * 8


class Controller:
    """In the place of Tune's: knows the trials, and saves at once."""

    def __init__(self, trials: list[Any]) -> None:
        self._trials = trials

    def get_trials(self) -> list[Any]:
        return self._trials

    def _schedule_trial_save(self, trial: Any, result: Any) -> str:
        return f"checkpoint of {trial}"


def test_a_population_compares_at_equally_many_images(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = make_scheduler("pbt", "max", TOTAL, SPACE, 0, all_at_once=True)
    assert isinstance(scheduler, PopulationBasedTraining)
    exploited: list[tuple[Any, Any]] = []
    trials = [Trial(f"trial {number}", stub=True) for number in range(2)]
    controller = Controller(trials)

    def exploit(self: Any, given: Any, trial: Any, donor: Any) -> None:
        assert given is controller
        exploited.append((trial, donor))

    monkeypatch.setattr(PopulationBasedTraining, "_exploit", exploit)
    for trial in trials:
        trial.config = {"optimization.lr": 2e-4, "optimization.beta1": 0.5}
        scheduler.on_trial_add(controller, trial)
    slow, fast = trials

    def news(trial: Any, at: int, value: float) -> None:
        scheduler.on_trial_result(controller, trial, {"at": at, "objective": value, "images": at + 24})

    news(fast, 1_000, 0.3)
    news(fast, 2_000, 0.4)
    news(fast, 3_000, 0.5)
    news(slow, 1_000, 0.35)
    assert exploited == [], "it is ahead at 1,000 images, though the other has a larger value at 3,000"
    news(fast, 4_000, 0.55)
    assert exploited == [(fast, slow)], "behind at 1,000, where both have a value"
    news(slow, 2_000, 0.1)
    assert exploited == [(fast, slow)], "nobody else has a value at 2,000 with the weights that it has now"
    news(fast, 5_000, 0.7)
    news(slow, 5_000, 0.7)
    assert len(exploited) == 1, "equal ones leave each other alone"
    news(slow, 6_000, 0.6)
    news(fast, 6_000, 0.8)
    assert len(exploited) == 1
    news(slow, 7_000, 0.6)
    assert exploited[1:] == [(slow, fast)]


def population(number: int, *, all_at_once: bool = True) -> tuple[Population, list[Trial], Controller]:
    scheduler = make_scheduler("pbt", "max", TOTAL, SPACE, 0, all_at_once=all_at_once)
    assert isinstance(scheduler, Population)
    trials = [Trial(f"trial {one}", stub=True) for one in range(number)]
    controller = Controller(trials)
    for trial in trials:
        trial.config = {"optimization.lr": 2e-4, "optimization.beta1": 0.5}
        scheduler.on_trial_add(controller, trial)
    return scheduler, trials, controller


@pytest.mark.parametrize(
    ("values", "worst", "best"),
    [
        ((0.3, 0.6), [0], [1]),
        ((0.3, 0.6, 0.5), [0], [1]),
        ((0.4, 0.7, 0.1, 0.5, 0.6), [2, 0], [4, 1]),
        ((0.4, 0.7, 0.1, 0.5, 0.6, 0.2, 0.3, 0.8), [2, 5], [1, 7]),
        # Nobody gets the weights of one that is no better.
        ((0.5, 0.5), [], [1]),
        ((0.5, 0.5, 0.5, 0.5, 0.1), [4], [2, 3]),
    ],
)
def test_a_quarter_of_a_population_takes_the_weights_of_the_best_quarter(
    values: tuple[float, ...], worst: list[int], best: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Population, "_exploit", lambda *_: None)
    scheduler, trials, controller = population(len(values))
    assert scheduler._quantiles() == ([], [])
    for trial, value in zip(trials, values, strict=True):
        scheduler.on_trial_result(controller, trial, {"at": 1_000, "objective": value})
        if trial is trials[0]:
            assert scheduler._quantiles() == ([], [trial]), "as far as anybody knows"
    assert scheduler._quantiles() == ([trials[one] for one in worst], [trials[one] for one in best])


@pytest.mark.parametrize(("all_at_once", "decision"), [(True, "CONTINUE"), (False, "PAUSE")])
def test_a_trial_makes_room_for_one_that_waits_unless_there_is_room_for_all(all_at_once: bool, decision: str) -> None:
    scheduler, (first, waiting), controller = population(2, all_at_once=all_at_once)
    assert waiting.status == Trial.PENDING
    assert scheduler.on_trial_result(controller, first, {"at": 1_000, "objective": 0.5}) == decision
    waiting.set_status(Trial.RUNNING)
    first.set_status(Trial.RUNNING)
    assert scheduler.on_trial_result(controller, first, {"at": 2_000, "objective": 0.5}) == "CONTINUE"
