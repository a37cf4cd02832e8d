"""Which trials go on: all to their end, fewer and fewer (ASHA), or a population that copies its best ones (PBT)."""

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
from dcgan_dist.randomness import stream
from tuning.objective import KEY, PARTS, Mode
from tuning.options import Kind
from tuning.space import Space

IMAGES = "images"
"""What trials are at, in what they tell Tune: images, and not steps, since trials differ in batch size."""
REDUCTION = 3
"""Of so many trials one goes on, after a ninth and after a third of the run (Li et al., 2018: 3 or 4)."""
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
        return AsyncHyperBandScheduler(
            time_attr=IMAGES,
            metric=KEY,
            mode=mode,
            max_t=total_images,
            grace_period=max(1, total_images // PARTS),
            reduction_factor=REDUCTION,
        )
    if kind == "pbt":
        population = Population(
            time_attr=IMAGES,
            metric=KEY,
            mode=mode,
            perturbation_interval=max(1, total_images // PARTS),
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


class Population(PopulationBasedTraining):  # type: ignore[misc]
    """Tune's, for trials whose first values come from a `Searcher`: Tune itself takes only its own for that.

    Attributes:
        all_at_once: whether there is room for all trials.
    """

    all_at_once = False

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Tune's."""
        super().on_trial_add(SimpleNamespace(search_alg=None), trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tune's, but where all trials run at once none has to make room for one that is waiting to go on."""
        decision = str(super().on_trial_result(tune_controller, trial, result))
        return TrialScheduler.CONTINUE if self.all_at_once and decision == TrialScheduler.PAUSE else decision


def _draw(values: Any, random: np.random.Generator) -> object:
    return values.draw(random)


def _keep_within(space: Space, config: dict[str, Any]) -> dict[str, Any]:
    """A value that was made larger or smaller stays among those that are searched."""
    return config | {name: values.nearest(config[name]) for name, values in space.items()}


def recall(scheduler: TrialScheduler, ended: Sequence[Sequence[tuple[int, float]]]) -> None:
    """Let a new scheduler know what trials of an earlier life of the sweep had come to.

    Args:
        ended: of each trial its values of the objective with their images, in order.
    """
    if not isinstance(scheduler, AsyncHyperBandScheduler):
        return
    for values in ended:
        trial = Trial("before", stub=True)
        scheduler.on_trial_add(None, trial)
        for images, value in values:
            scheduler.on_trial_result(None, trial, {IMAGES: images, KEY: value, "training_iteration": 1})


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
