"""Where the values of trials come from: drawn at random, proposed by Optuna, or a grid; and how Tune gets them.

The first trial has the values that the settings have without a sweep.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from ray.tune.search import Searcher

from dcgan_dist.errors import SettingsError
from dcgan_dist.model.randomness import stream
from tuning.folder import Record, SweepFolder
from tuning.objective import AT, KEY, Mode
from tuning.space import Numbers, Space

NUMBER = "number"
"""Key of a trial's number in its configuration in Tune."""


class Chooser(Protocol):
    """Chooses values of trials."""

    def choose(self, number: int) -> dict[str, object]:
        """Values for the trial of this number."""
        ...

    def tell(self, number: int, values: Mapping[str, object], objective_values: Mapping[int, float]) -> None:
        """Take in how a trial ended: its values of the objective by the images at which they are compared."""
        ...


class RandomChooser:
    """Each trial's values depend on the seed and its number alone."""

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    def choose(self, number: int) -> dict[str, object]:
        """See `Chooser`."""
        random = stream(self._seed, "values of a trial", number)
        return {name: values.draw(random) for name, values in self._space.items()}

    def tell(self, number: int, values: Mapping[str, object], objective_values: Mapping[int, float]) -> None:
        """Do nothing: values do not depend on results."""


class GridChooser:
    """Each trial has its own combination of values."""

    def __init__(self, combinations: Sequence[Mapping[str, object]]) -> None:
        self._combinations = combinations

    def choose(self, number: int) -> dict[str, object]:
        """See `Chooser`."""
        return dict(self._combinations[number])

    def tell(self, number: int, values: Mapping[str, object], objective_values: Mapping[int, float]) -> None:
        """Do nothing: values do not depend on results."""


class OptunaChooser:
    """Optuna's tree-structured Parzen estimator; running trials count as bad ones, so that it looks elsewhere.

    Trials that were cut early count as pruned: Optuna takes them for worse than complete ones, and compares them with
    each other by how far they went, and then by their values there.
    """

    def __init__(self, space: Space, seed: int, mode: Mode, total_images: int) -> None:
        """Raises `SettingsError` if Optuna is not installed."""
        require_optuna()
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna, self._space, self._total = optuna, space, total_images
        self._distributions = {name: self._distribution(values) for name, values in space.items()}
        direction = "maximize" if mode == "max" else "minimize"
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study = optuna.create_study(direction=direction, sampler=sampler)
        self._optuna_trials: dict[int, Any] = {}

    def choose(self, number: int) -> dict[str, object]:
        """See `Chooser`."""
        trial = self._optuna_trials[number] = self._study.ask(self._distributions)
        return dict(trial.params)

    def tell(self, number: int, values: Mapping[str, object], objective_values: Mapping[int, float]) -> None:
        """See `Chooser`; also takes trials that it did not choose, if their values are in the search space."""
        trial = self._optuna_trials.pop(number, None)
        states = self._optuna.trial.TrialState
        whole = objective_values.get(self._total)
        state = states.COMPLETE if whole is not None else states.PRUNED if objective_values else states.FAIL
        if trial is not None:
            for images, value in sorted(objective_values.items()):
                trial.report(value, images)
            self._study.tell(trial, whole, state=state)
        elif objective_values and all(values_.holds(values[name]) for name, values_ in self._space.items()):
            self._study.add_trial(
                self._optuna.trial.create_trial(
                    state=state,
                    params=dict(values),
                    distributions=self._distributions,
                    value=whole,
                    intermediate_values=dict(objective_values),
                )
            )

    def _distribution(self, values: Any) -> Any:
        of = self._optuna.distributions
        if not isinstance(values, Numbers):
            return of.CategoricalDistribution(values.values)
        if values.whole:
            return of.IntDistribution(int(values.low), int(values.high))
        return of.FloatDistribution(values.low, values.high, log=values.log)


def require_optuna() -> None:
    """Raise `SettingsError` if Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "searcher is optuna but the package is not installed: pip install 'dcgan-dist[sweep]', or use "
            "--searcher random"
        ) from error


class Suggestions(Searcher):  # type: ignore[misc]
    """Gives trials to Tune: first those that an earlier call of the sweep left unfinished, then new ones.

    A trial is recorded before Tune learns of it, so that none is lost with the driver.
    """

    def __init__(
        self,
        folder: SweepFolder,
        chooser: Chooser,
        first: Mapping[str, object],
        unfinished: Sequence[Record],
        new: Sequence[int],
        mode: Mode,
    ) -> None:
        """
        Args:
            first: values of trial 0.
            unfinished: trials to continue.
            new: numbers of trials to begin.
        """
        super().__init__(metric=KEY, mode=mode)
        self._folder, self._chooser, self._first = folder, chooser, first
        self._unfinished, self._new = list(unfinished), list(new)
        self._records: dict[str, Record] = {}
        self._objective_values: defaultdict[str, dict[int, float]] = defaultdict(dict)

    def suggest(self, trial_id: str) -> dict[str, object] | Literal["FINISHED"]:
        """The next trial's number and values."""
        if self._unfinished:
            record = self._unfinished.pop(0)
        elif self._new:
            number = self._new.pop(0)
            values = dict(self._first) if number == 0 else self._chooser.choose(number)
            record = self._folder.begin(number, values)
        else:
            return "FINISHED"
        self._records[trial_id] = record
        return {NUMBER: record.number, **record.values}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Take in a value of the objective."""
        if KEY in result:
            self._objective_values[trial_id][int(result[AT])] = float(result[KEY])

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Tell the searcher how a trial ended."""
        record = self._records.pop(trial_id)
        if result is not None:
            self.on_trial_result(trial_id, result)
        objective_values = self._objective_values.pop(trial_id, {})
        self._chooser.tell(record.number, record.values, {} if error else objective_values)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a resume starts from the records in the sweep's folder."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, see `save`."""
