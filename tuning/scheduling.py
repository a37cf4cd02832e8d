"""Which trials go on: all to their end, fewer and fewer (ASHA), or a population that copies its best ones (PBT)."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import (
    AsyncHyperBandScheduler,
    FIFOScheduler,
    PopulationBasedTraining,
    TrialScheduler,
)

from dcgan_dist.errors import SettingsError
from dcgan_dist.model.randomness import stream
from tuning.objective import AT, KEY, REDUCTION, Mode, Value, marks, rungs
from tuning.options import Kind
from tuning.space import Space

CHANGEABLE = ("lr", "beta1", "beta2", "eps", "weight_decay")
"""Settings of the optimization that can change in mid-run: networks, batches and their order stay as they are."""


def require_changeable(space: Space) -> None:
    """See that a population can change the settings of a space; raises `SettingsError`."""
    allowed = [f"optimization.{name}" for name in CHANGEABLE]
    for name in space:
        if name not in allowed:
            raise SettingsError(
                f"--search {name} cannot change in mid-run, as --scheduler pbt would have it: search only "
                f"{', '.join(allowed)}, or use --scheduler asha"
            )


def make_scheduler(
    kind: Kind, mode: Mode, total_images: int, space: Space, seed: int, *, all_at_once: bool = False
) -> TrialScheduler:
    """Tune's scheduler of that kind; `all_at_once`: whether there is room for all trials."""
    if kind == "asha":
        halving = Halving(
            time_attr=AT,
            metric=KEY,
            mode=mode,
            max_t=total_images,
            grace_period=rungs(total_images)[0],
            reduction_factor=REDUCTION,
        )
        halving.rungs = rungs(total_images)
        return halving
    if kind == "pbt":
        population = Population(
            time_attr=AT,
            metric=KEY,
            mode=mode,
            perturbation_interval=marks(total_images)[0],
            hyperparam_mutations={
                name: partial(_draw, values, stream(seed, f"mutations of {name}")) for name, values in space.items()
            },
            custom_explore_fn=partial(_keep_within, dict(space)),
            log_config=False,
            require_attrs=False,
        )
        population.all_at_once = all_at_once
        return population
    return FIFOScheduler()


class Halving(AsyncHyperBandScheduler):  # type: ignore[misc]
    """Tune's, but a value that is of more images than a rung's never stands for a trial at that rung.

    Attributes:
        rungs: images after which trials are cut, and the end.
    """

    rungs: Sequence[int] = ()

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tune's."""
        if result.get(AT) not in self.rungs:
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Tune's."""
        super().on_trial_complete(tune_controller, trial, result if result.get(AT) in self.rungs else {})


class Population(PopulationBasedTraining):  # type: ignore[misc]
    """Tune's, for trials whose first values come from a `Searcher`: Tune itself takes only its own for that.

    It compares trials where they have values at equally many images; Tune's takes the last value of each.

    Attributes:
        all_at_once: whether there is room for all trials.
    """

    all_at_once = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._objective_values: dict[Trial, dict[int, float]] = {}
        """Of each trial its values by the images at which they are compared, since it last took another's weights."""
        self._reporting: Trial | None = None

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Tune's."""
        super().on_trial_add(SimpleNamespace(search_alg=None), trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tune's, but where all trials run at once none has to make room for one that is waiting to go on."""
        if KEY in result:
            self._objective_values.setdefault(trial, {})[result[AT]] = self._metric_op * result[KEY]
        self._reporting = trial
        decision = str(super().on_trial_result(tune_controller, trial, result))
        return TrialScheduler.CONTINUE if self.all_at_once and decision == TrialScheduler.PAUSE else decision

    def _quantiles(self) -> tuple[list[Trial], list[Trial]]:
        """Tune's: the worst trials and the best ones, where the one that tells news and others have values.

        One that is alone there, as the first to come is, may be the best as far as anybody knows.
        """
        mine = self._objective_values.get(self._reporting, {}) if self._reporting else {}
        there = {trial: values for trial, values in self._objective_values.items() if not trial.is_finished()}
        at = max((mark for mark in mine if sum(mark in values for values in there.values()) > 1), default=None)
        if at is None:
            return [], [self._reporting] if self._reporting else []
        order = sorted((trial for trial in there if at in there[trial]), key=lambda trial: there[trial][at])
        number = max(1, min(math.ceil(len(order) * self._quantile_fraction), len(order) // 2))
        best = order[-number:]
        return [trial for trial in order[:number] if there[trial][at] < there[best[0]][at]], best

    def _exploit(self, tune_controller: Any, trial: Trial, trial_to_clone: Trial) -> None:
        """Tune's."""
        super()._exploit(tune_controller, trial, trial_to_clone)
        self._objective_values[trial] = {}


def _draw(values: Any, random: np.random.Generator) -> object:
    return values.draw(random)


def _keep_within(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """A value that was made larger or smaller stays among those that are searched."""
    return config | {name: values.nearest(config[name]) for name, values in space.items()}


def recall(scheduler: TrialScheduler, ended: Sequence[Sequence[Value]]) -> None:
    """Let a new scheduler know what trials of an earlier call of the sweep had come to.

    Args:
        ended: of each trial its values of the objective, in order.
    """
    if not isinstance(scheduler, AsyncHyperBandScheduler):
        return
    for values in ended:
        trial = Trial("before", stub=True)
        scheduler.on_trial_add(None, trial)
        for value in values:
            scheduler.on_trial_result(None, trial, {AT: value.at, KEY: value.value, "training_iteration": 1})


class Stopper(tune.Stopper):  # type: ignore[misc]
    """Tells Tune whether all trials are to end, by asking `stops` some times a second."""

    def __init__(self, stops: Callable[[], bool]) -> None:
        self._stops = stops

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Tune's: no result ends a single trial."""
        return False

    def stop_all(self) -> bool:
        """Tune's."""
        return self._stops()
