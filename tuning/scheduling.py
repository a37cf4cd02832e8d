"""Which trials continue: all to their end, fewer and fewer (ASHA), or a population that copies its best ones (PBT)."""

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
"""Optimizer settings that can change in the middle of a run: networks, batches and their order stay the same."""


def require_changeable(space: Space) -> None:
    """Check that population-based training can change these settings; raises `SettingsError`."""
    allowed = [f"optimization.{name}" for name in CHANGEABLE]
    for name in space:
        if name not in allowed:
            raise SettingsError(
                f"--search {name} cannot change in the middle of a run, which --scheduler pbt needs: search only "
                f"{', '.join(allowed)}, or use --scheduler asha"
            )


def make_scheduler(
    kind: Kind, mode: Mode, total_images: int, space: Space, seed: int, *, all_at_once: bool = False
) -> TrialScheduler:
    """Tune's scheduler of this kind; `all_at_once`: whether all trials run at the same time."""
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
    """Tune's ASHA, except that a value after more images than those of a rung never counts at that rung.

    Attributes:
        rungs: images at which trials are cut, and the end.
    """

    rungs: Sequence[int] = ()

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Let Tune decide at the rungs only."""
        if result.get(AT) not in self.rungs:
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Count the last value of a trial only if it is that of a rung."""
        super().on_trial_complete(tune_controller, trial, result if result.get(AT) in self.rungs else {})


class Population(PopulationBasedTraining):  # type: ignore[misc]
    """Tune's PBT, for trials whose first values come from a `Searcher`, which Tune's own does not allow.

    It compares trials after the same number of images; Tune's compares the last value of each.

    Attributes:
        all_at_once: whether all trials run at the same time.
    """

    all_at_once = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._objective_values: dict[Trial, dict[int, float]] = {}
        """Values of each trial by the images at which they are compared, since it last copied another trial."""
        self._reporting: Trial | None = None

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Add a trial whatever its searcher is."""
        super().on_trial_add(SimpleNamespace(search_alg=None), trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """As Tune's, except that no trial is paused for others if all run at the same time."""
        if KEY in result:
            self._objective_values.setdefault(trial, {})[result[AT]] = self._metric_op * result[KEY]
        self._reporting = trial
        decision = str(super().on_trial_result(tune_controller, trial, result))
        return TrialScheduler.CONTINUE if self.all_at_once and decision == TrialScheduler.PAUSE else decision

    def _quantiles(self) -> tuple[list[Trial], list[Trial]]:
        """The worst and the best trials, compared where both the one that reports and others have values.

        A trial that is the only one with a value there, as the first one is, counts as one of the best.
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
        """Copy another trial; values from before do not count for the copy."""
        super()._exploit(tune_controller, trial, trial_to_clone)
        self._objective_values[trial] = {}


def _draw(values: Any, random: np.random.Generator) -> object:
    return values.draw(random)


def _keep_within(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """Bring values that were perturbed back into the range that is searched."""
    return config | {name: values.nearest(config[name]) for name, values in space.items()}


def recall(scheduler: TrialScheduler, ended: Sequence[Sequence[Value]]) -> None:
    """Tell a new scheduler the results of trials from earlier calls of the sweep.

    Args:
        ended: values of the objective of each trial, in order.
    """
    if not isinstance(scheduler, AsyncHyperBandScheduler):
        return
    for values in ended:
        trial = Trial("before", stub=True)
        scheduler.on_trial_add(None, trial)
        for value in values:
            scheduler.on_trial_result(None, trial, {AT: value.at, KEY: value.value, "training_iteration": 1})


class Stopper(tune.Stopper):  # type: ignore[misc]
    """Tells Tune whether to end all trials; it asks `stops` several times a second."""

    def __init__(self, stops: Callable[[], bool]) -> None:
        self._stops = stops

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Never end a single trial because of its result."""
        return False

    def stop_all(self) -> bool:
        """Whether to end all trials now."""
        return self._stops()
