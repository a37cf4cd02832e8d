"""The trials of a sweep, as Tune runs them: what Tune is given, and what happens as trials begin, report and end."""

import logging
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ray import tune

from dcgan_dist.numerals import count
from dcgan_dist.settings import Settings
from dcgan_dist.training.launch import SharedBySweep
from tuning.capacity import DRIVER_MEMORY
from tuning.folder import Record, State, SweepFolder
from tuning.groups import give_back
from tuning.objective import AT, IMAGES, KEY, Objective, Value
from tuning.options import SweepOptions
from tuning.results import read_results
from tuning.scheduling import Stopper, make_scheduler, recall
from tuning.searching import NUMBER, Chooser, GridChooser, OptunaChooser, RandomChooser, Suggestions
from tuning.space import Space, defaults, describe, grid
from tuning.table import Board, Entries, Entry
from tuning.trial import Shared, Trial, values_of

MAX_LOST = 3
"""How often a trial whose driver is lost, for example with its machine, is resumed from its newest checkpoint."""
TUNE = "tune"
"""Folder in the sweep's folder that Tune writes to while it runs."""
LOOK_S = 2.0
"""Seconds between two checks for resources that dead trials still hold."""


class Running:
    """Runs the trials of a sweep; `stop` ends all of them with checkpoints."""

    def __init__(
        self,
        options: SweepOptions,
        folder: SweepFolder,
        space: Space,
        objective: Objective,
        base: Settings,
        at: Sequence[int],
        shared: SharedBySweep,
        at_once: int,
        listed: Sequence[Mapping[str, object]] = (),
    ) -> None:
        """`listed`: values of every trial, where nothing is searched."""
        self._listed = listed
        self._options, self._folder, self._space = options, folder, space
        self._objective, self._base, self._at, self._total = objective, base, at, at[-1]
        self._shared, self._at_once = shared, at_once
        self.entries = Entries(objective, self._total, options.trials, compared=not listed)
        self.board = Board(sys.stdout, self.entries)
        self.stopped_by: int | None = None
        self.over = ""
        """The budget that ended the sweep, as shown to users; "": none did."""
        self._reported = False
        self._began = time.monotonic()
        self._hours_before = 0.0
        self._now: defaultdict[int, float] = defaultdict(float)
        """Seconds since the drivers of running trials began; `_earlier`: those of the drivers they had before."""
        self._earlier: defaultdict[int, float] = defaultdict(float)
        self._before: dict[int, float] = {}
        """Seconds that each trial took in earlier calls of the sweep."""

    def stop(self, number: int) -> None:
        """End all trials with checkpoints, because of this signal."""
        self.stopped_by = number

    def run(self) -> None:
        """Run until all trials have ended, or a budget or signal ends them."""
        options, folder = self._options, self._folder
        known = read_results(folder, self._objective, self._at)
        records = folder.records()
        unfinished = [record for record in records if record.state == "unfinished"]
        new = [number for number in range(options.trials) if number >= len(records)]
        self._hours_before = sum(result.worker_hours for result in known)
        for result in known:
            self.entries.by_number[result.entry.number] = result.entry
        if options.resume:
            ended = len(records) - len(unfinished)
            self.board.say(
                f"found {count(len(records), 'trial')}: {ended} ended, {len(unfinished)} unfinished; {len(new)} new"
            )
        if not unfinished and not new:
            return
        chooser = self._chooser(records)
        scheduler = make_scheduler(
            options.scheduler,
            self._objective.mode,
            self._total,
            self._space,
            self._base.seed,
            all_at_once=self._at_once >= options.trials,
        )
        recall(scheduler, [self._values(record) for record in records if record.state != "unfinished"])
        first = self._listed[0] if self._listed else defaults(self._space, self._base)
        suggestions = Suggestions(folder, chooser, first, unfinished, new, self._objective.mode)
        shared = Shared(folder, self._base, self._objective, self._at, self._shared)
        scratch = folder.place / TUNE
        scratch.delete()  # what an earlier call left
        store, path = folder.place.store
        tuner = tune.Tuner(
            tune.with_resources(
                tune.with_parameters(Trial, shared=shared), tune.PlacementGroupFactory([{"memory": DRIVER_MEMORY}])
            ),
            tune_config=tune.TuneConfig(
                search_alg=suggestions,
                scheduler=scheduler,
                num_samples=len(unfinished) + len(new),
                max_concurrent_trials=self._at_once,
                trial_name_creator=lambda trial: str(trial.config[NUMBER]),
                trial_dirname_creator=lambda trial: f"{trial}-{trial.trial_id}",
            ),
            run_config=tune.RunConfig(
                name=TUNE,
                storage_path=path,
                storage_filesystem=store,
                stop=Stopper(self._stops),
                callbacks=[Watch(self)],
                failure_config=tune.FailureConfig(max_failures=MAX_LOST),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=3),
                verbose=0,
            ),
        )
        # Failures are reported here, in one line each; Tune's full account of them is in `tune/`.
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module="ray.tune")
        try:
            tuner.fit()
        finally:
            self.board.close()
            for entry in self.entries.by_number.values():
                if entry.state == "running":
                    self._end(entry, "unfinished", "")
        if not self.entries.count("failed"):
            scratch.delete()  # only the tracebacks of failed trials are worth keeping

    def _values(self, record: Record) -> list[Value]:
        run = self._folder.trials / self._folder.run_of(record.number)
        return values_of(run, self._objective, self._at)

    def _chooser(self, records: list[Record]) -> Chooser:
        """The searcher that the options name; it has been told how earlier trials ended."""
        if self._listed:
            return GridChooser(self._listed)
        if self._options.searcher == "random":
            return RandomChooser(self._space, self._base.seed)
        if self._options.searcher == "grid":
            return GridChooser(grid(self._space, defaults(self._space, self._base)))
        chooser = OptunaChooser(self._space, self._base.seed, self._objective.mode, self._total)
        for record in records:
            if record.state != "unfinished":
                # As while the sweep runs: what a trial measured before it failed is no value of its settings.
                failed = record.state == "failed"
                values = {} if failed else {value.at: value.value for value in self._values(record)}
                chooser.tell(record.number, record.values, values)
        return chooser

    def _stops(self) -> bool:
        options = self._options
        if self.stopped_by is not None:
            self._tell_stop("stopping: every trial writes a checkpoint first; interrupt again to stop at once")
            return True
        if options.budget_minutes is not None and time.monotonic() - self._began > 60 * options.budget_minutes:
            self.over = count(round(options.budget_minutes, 1), "minute")
        if options.budget_hours is not None and self._hours() > options.budget_hours:
            self.over = count(options.budget_hours, "accelerator hour")
        if self.over:
            self._tell_stop(f"the budget of {self.over} is used up: every trial writes a checkpoint")
        return bool(self.over)

    def _tell_stop(self, text: str) -> None:
        if not self._reported:
            self._reported = True
            self.board.say(text)

    def _hours(self) -> float:
        """Hours of all workers, in all calls of the sweep."""
        now = sum(
            (self._now[number] + self._earlier[number]) * self._workers(entry)
            for number, entry in self.entries.by_number.items()
        )
        return self._hours_before + now / 3600

    def _workers(self, entry: Entry) -> int:
        return int(str(entry.values.get("workers.number", self._base.workers.number)))

    # Called by `Watch`, in Tune's loop.

    def begins(self, number: int, values: Mapping[str, object]) -> None:
        """A trial begins or continues."""
        entry = self.entries.by_number.get(number)
        if entry is None:
            entry = self.entries.by_number[number] = Entry(number, dict(values))
        changed = dict(values) != dict(entry.values)
        verb = "continues with" if changed else "continues:" if entry.images else "begins:"
        self._before.setdefault(number, entry.seconds)
        self._earlier[number] += self._now.pop(number, 0.0)
        entry.values, entry.state = dict(values), "running"
        if changed:
            # A new run, which begins at the checkpoint of another trial.
            entry.images, entry.objective_values = 0, {}
            self._folder.write(replace(self._folder.read(number), values=dict(values)))
        self.board.say(f"trial {number} {verb} {describe(values)}")

    def reports(self, number: int, result: Mapping[str, Any]) -> None:
        """A trial reports."""
        entry = self.entries.by_number[number]
        entry.images = max(entry.images, int(result[IMAGES]))
        entry.speed = result.get("speed") or entry.speed
        self._now[number] = result.get("seconds", 0.0)
        entry.seconds = self._before[number] + self._earlier[number] + self._now[number]
        if KEY in result and int(result[AT]) > entry.at:
            entry.objective_values[int(result[AT])] = float(result[KEY])
            self.board.say(
                f"trial {number} at {entry.at:,} images ({100 * entry.at // self._total} %): "
                f"{self._objective.metric} {self._objective.show(entry.value)}"
            )

    def ends(self, number: int, values: Mapping[str, object], state: State, reason: str) -> None:
        """A trial has ended; it may not even have begun."""
        entry = self.entries.by_number.setdefault(number, Entry(number, values))
        self._end(entry, state, reason)
        why = f": {reason}" if reason else ""
        self.board.say(f"trial {number} is {state} at {entry.images:,} images{why}")

    def lost(self, number: int) -> None:
        """A trial's driver was lost; Tune starts a new one."""
        self.board.say(f"trial {number}: its driver was lost; it resumes from its newest checkpoint")

    def _end(self, entry: Entry, state: State, reason: str) -> None:
        seconds = self._now.pop(entry.number, 0.0) + self._earlier.pop(entry.number, 0.0)
        entry.state, entry.reason = state, reason
        entry.seconds = self._before.pop(entry.number, 0.0) + seconds
        self._hours_before += seconds * self._workers(entry) / 3600
        self._folder.end(entry.number, state, reason, seconds)


class Watch(tune.Callback):  # type: ignore[misc]
    """Passes Tune's callbacks on to `Running`."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._looked = 0.0

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial was started, or resumed."""
        self._running.begins(_number(trial), _values(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial reported."""
        self._running.reports(_number(trial), result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial said that it was done, or the scheduler cut it."""
        last = trial.last_result or {}
        self._running.ends(_number(trial), _values(trial), last.get("state", "cut"), last.get("reason", ""))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial failed for good."""
        error = trial.get_error()
        reason = str(error).strip().splitlines()[-1] if error is not None else "its driver was lost again and again"
        self._running.ends(_number(trial), _values(trial), "failed", reason)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial's driver was lost and will be replaced."""
        self._running.lost(_number(trial))

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Called several times a second."""
        self._running.board.tick()
        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            give_back()


def _number(trial: Any) -> int:
    return int(trial.custom_trial_name)


def _values(trial: Any) -> dict[str, Any]:
    return {name: value for name, value in trial.config.items() if name != NUMBER}
