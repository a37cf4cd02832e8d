"""Search settings of the training job with Ray Tune:

python -m tuning.sweep --search 'lr=loguniform(5e-5,2e-3)' 'beta1=uniform(0,0.9)'
python -m tuning.sweep --preset cifar32 --trials 20 --search 'lr=loguniform(5e-5,2e-3)' 'batch_size=choice(32,64,128)'
python -m tuning.sweep --resume NAME
python -m tuning.sweep --report NAME
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from types import FrameType
from typing import TYPE_CHECKING, Any

from dcgan_dist.cli.invocation import command_line, tool_line
from dcgan_dist.cluster.autoscaling import bundles_of, require_resource, wait_for_room
from dcgan_dist.cluster.connect import carry_code, connected, describe_connecting, has_address, set_environment
from dcgan_dist.cluster.environment import interfaces, local_cores, require_interfaces
from dcgan_dist.cluster.placement import (
    READER_CPUS,
    ClusterFacts,
    Placement,
    describe,
    gather_facts,
    place_workers,
    set_aside,
)
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.data.shards.addresses import split_addresses
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import CheckpointError, DcganDistError, SettingsError, complain
from dcgan_dist.evaluation.fidelity.features import absolute, name_of
from dcgan_dist.evaluation.labels import open_task, read_labeled
from dcgan_dist.evaluation.tasks.fidelity import NAME as FIDELITY
from dcgan_dist.evaluation.tasks.registry import parse_tasks
from dcgan_dist.extensions import CODE_SETTINGS, Code, import_code, named_by, require_trust
from dcgan_dist.monitoring.sinks.trackers import require_trackers
from dcgan_dist.run_folder.driver_lock import LOCK_FILE, require_no_driver, sole_driver
from dcgan_dist.run_folder.trained_on import TrainedOn, contents
from dcgan_dist.settings import Settings, replaced, to_yaml
from dcgan_dist.storage import place, require_lasting, require_writable
from dcgan_dist.training.advice import warnings
from dcgan_dist.training.custom_code_checks import require_contract
from dcgan_dist.training.length import describe_length, fit_length
from tuning.capacity import Capacity, fit_trials, local_cpus, on_this_machine
from tuning.objective import (
    Objective,
    marks,
    metrics_of,
    of_labels,
    parse_objective,
    require_shared,
    require_values,
    rungs,
)
from tuning.options import SweepOptions, parse
from tuning.space import Choice, Numbers, as_text, check_values, defaults, parse_space, space_of

if TYPE_CHECKING:
    from dcgan_dist.data.streaming.cache import CachedPictures
    from dcgan_dist.evaluation.task import Task

# As in `dcgan_dist.training.launch`, what imports Ray is imported by functions: its environment has to be set first.

TUNE_ENVIRONMENT = {
    # Only the board writes to the terminal, and runs write their own curves.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Most reports of a trial only say how far it is, without a value of the objective.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    # Signals are handled here, and all that a resume needs is in the sweep's folder.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_WARN_THRESHOLD_S": "10",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0 when the sweep is done, 1 when trials failed, 2 for wrong input, 130 or 143 by signals."""
    started = False
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        for note in options.notes:
            print(note, flush=True)
        os.environ.update({name: os.environ.get(name, value) for name, value in TUNE_ENVIRONMENT.items()})
        set_environment(options.settings.workers.address, options.settings.workers.wait_s)
        sweep = Sweep(options)
        if options.report:
            return 0 if sweep.report() else 1
        if not options.dry_run:
            require_writable(place(options.settings.storage), "--storage")
        if not has_address(sweep.base.workers.address):
            require_interfaces(os.environ, interfaces(), gpus=False)
        # The folder of a new sweep is made when it starts.
        claimed = sweep.resumed and not options.dry_run
        with sole_driver(sweep.folder.place) if claimed else nullcontext():
            print(describe_connecting(sweep.base.workers.address), flush=True)
            with connected(sweep.base.workers.address, sweep.local_cpus):
                sweep.preflight()
                if options.dry_run:
                    sweep.rehearse()
                    return 0
                sweep.open_data()
                started = True
                return sweep.run(claimed=claimed)
    except DcganDistError as error:
        complain(error)
        return 1 if started else 2
    except KeyboardInterrupt:
        print("stopped; trials continue from their newest checkpoints when the sweep is resumed", file=sys.stderr)
        return 130


class Sweep:
    """One call of the command."""

    def __init__(self, options: SweepOptions, listed: Sequence[Mapping[str, object]] = ()) -> None:
        """Check that the sweep is possible; nothing is written and nothing is started.

        Args:
            listed: values of every trial, in place of a search: those that earlier calls had, then new ones.

        Raises:
            DcganDistError: it is not; the message says what to do.
        """
        from dcgan_dist.data.dataset import find_keep, find_shards
        from dcgan_dist.training.launch import open_tasks
        from tuning.extras import require_matplotlib
        from tuning.scheduling import require_changeable
        from tuning.searching import require_optuna

        self.options, settings = options, options.settings
        require_lasting(place(settings.storage), "--storage")
        self.folder = options.folder
        self.resumed = bool(options.resume or options.report)
        self.listed = listed
        self.space = space_of(listed) if listed else parse_space(options.search, settings)
        first = defaults(self.space, settings)
        check_values(first, settings)
        if options.scheduler == "pbt":
            require_changeable(self.space)
        if settings.supervised.task and {"networks.image_size", "networks.channels"} & self.space.keys():
            raise SettingsError(
                "--search cannot vary networks.image_size or networks.channels where trials are trained on labels: "
                "they share the images, which are decoded once"
            )
        if options.searcher == "optuna":
            require_optuna()
        require_matplotlib()
        if self.resumed and not options.report:
            require_no_driver(self.folder.place)
        drawing = options.starts_or_resumes and set(self.folder.place.names()) <= {"trials", LOCK_FILE}
        if not self.resumed and self.folder.exists() and not drawing:
            raise self._taken()
        if options.report:
            plan, _ = self.folder.read_plan()
            self.objective = Objective(**plan["compared"])
            return
        named = parse_tasks(settings.probe.tasks, "--probe") if settings.probe.tasks else []
        names = [task.name for task in named]
        by = ""
        if FIDELITY in names:
            by = name_of(settings.probe.fidelity_features, settings.storage)
            features = absolute(settings.probe.fidelity_features, settings.storage)
            settings = replace(settings, probe=replace(settings.probe, fidelity_features=features))
        metrics = metrics_of(names, by)
        self.objective = (
            of_labels(options.objective, options.mode)
            if settings.supervised.task
            else parse_objective(options.objective, options.mode, metrics, settings.optimization.schedule)
        )
        if self.objective.from_probe:
            require_shared(self.space, names)
        if self.objective.from_probe and settings.checkpoints.images:
            raise SettingsError(
                f"checkpoints.images is {settings.checkpoints.images} but a sweep whose objective is the probe writes "
                "checkpoints after each ninth of a run, where trials are compared: give --checkpoints.images 0"
            )
        # The built-in data set and indexes of other shards are kept in the storage of the trials, once for all of them.
        self.base = self._base(settings, ",".join(str(task) for task in named))
        require_trackers(self.base)
        self.code = self._import_code()
        # Trials that are trained on labels read those alone.
        self.shards = [] if settings.supervised.task else find_shards(self.base)
        self.keep = find_keep(self.base, self.shards) if self.shards else None
        self.labels = open_task(self.base) if settings.supervised.task else None
        if self.resumed:
            self._require_same_keep()
        shards = [] if self.base.data.path == EMBEDDED else [shard.address for shard in self.shards]
        self.tasks = open_tasks(self.base, TrainedOn(contents(shards))) if self.objective.from_probe else []
        actors = settings.probe.actors * settings.probe.cpus if self.objective.from_probe else 0.0
        self.largest = self._largest()
        if settings.images is not None and (not options.length_of or settings.data.path == EMBEDDED):
            require_values(self.objective, self._slowest(), settings.images)
        self.at_once = options.at_once
        self.local_cpus = 0.0
        if not has_address(settings.workers.address):
            self.at_once = on_this_machine(self.largest, local_cores(), options.at_once, options.trials, actors)
            self.local_cpus = local_cpus(self.largest, self.at_once, actors)

    def _taken(self) -> SettingsError:
        """The error for a new sweep whose name is taken."""
        name = self.options.settings.name
        return SettingsError(
            f"name is {name} but {self.folder.place} exists: resume it with --resume {name}, or choose another name"
        )

    def _require_same_keep(self) -> None:
        """Refuse to resume the sweep with other images left out, on which its trials could not be compared."""
        before = self.folder.read_plan()[0].get("keep_sha256", "")
        if before != (self.keep.sha256 if self.keep else ""):
            raise CheckpointError(
                f"the content of the keep-list {self.base.data.keep} has changed since {self.folder.place} was "
                f"started (its SHA-256 began with {before[:16]}): put that back, or start a sweep of another name"
            )

    def _base(self, settings: Settings, tasks: str) -> Settings:
        """Settings that all trials share; `tasks`: the probe's tasks with their folders."""
        from dcgan_dist.training.launch import with_absolute_keep

        threads = settings.workers.threads or max(1, int(settings.workers.cpus))
        return replace(
            settings,
            storage=str(self.folder.trials),
            # What was asked for one by one is to be seen to its end, whatever becomes of it.
            on_collapse="warn" if self.listed else "stop",
            data=replace(
                with_absolute_keep(settings).data,
                path=_absolute(settings.data.path),
                cpus=settings.data.cpus or READER_CPUS,
            ),
            workers=replace(settings.workers, threads=threads),
            probe=replace(settings.probe, tasks=tasks),
        )

    def _import_code(self) -> Code:
        """Import and check the user's own networks and losses that trials may have."""
        code: dict[str, Callable[..., Any]] = {}
        for settings in self._variants():
            if self.resumed:
                require_trust(named_by(settings), self.options.trust_code, str(self.folder.place))
            found = import_code(settings)
            require_contract(settings, found)
            code |= found
        return code

    def _variants(self) -> list[Settings]:
        """Settings for every combination of networks and loss that trials may have."""
        choices = {name: value for name, value in self.space.items() if name in CODE_SETTINGS}
        values = [value.values for value in choices.values() if isinstance(value, Choice)]
        return [
            replaced(self.base, dict(zip(choices, combination, strict=True)), "--search")
            for combination in product(*values)
        ]

    def _largest(self) -> Settings:
        """Settings of the trial that takes the most of the cluster."""
        return self._most("workers.number", "workers.cpus")

    def _slowest(self) -> Settings:
        """Settings of the trial that logs least often."""
        return self._most("optimization.batch_size", "monitoring.steps", "monitoring.measure_images")

    def _most(self, *names: str) -> Settings:
        """Settings with the largest value of each of these, if it is searched."""
        most: dict[str, object] = {}
        for name in names:
            values = self.space.get(name)
            if isinstance(values, Numbers):
                most[name] = int(values.high) if values.whole else values.high
            elif isinstance(values, Choice):
                most[name] = max(values.values)  # type: ignore[type-var]
        return replaced(self.base, most, "--search")

    def preflight(self) -> None:
        """Print what the cluster has and what the sweep takes of it; raises `ClusterError` if that is too much."""
        from dcgan_dist.training.launch import doubts

        options, probe = self.options, self.base.probe

        def place_all(facts: ClusterFacts) -> tuple[Placement, Capacity]:
            if self.objective.from_probe and probe.resource:
                require_resource(probe.resource, probe.actors)
            left = set_aside(facts, probe.actors, probe.cpus, probe.gpus) if self.objective.from_probe else facts
            return place_workers(self.largest, left), fit_trials(self.largest, left, self.at_once, options.trials)

        facts, (placement, capacity) = wait_for_room(
            self.largest, place_all, partial(bundles_of, self.largest), partial(print, flush=True)
        )
        self.at_once, self.facts = capacity.at_once, facts
        cores = None if has_address(self.base.workers.address) else local_cores()
        print(describe(placement, facts, cores, "each trial"), flush=True)
        print(f"trials: {options.trials}, {capacity.sentence}", flush=True)
        if not self.listed:
            print(f"search: {', '.join(f'{name}={form}' for name, form in as_text(self.space).items())}", flush=True)
            print(
                f"objective: {self.objective.metric}, the {self.objective.mode}imum; values: {options.searcher}; "
                f"scheduler: {options.scheduler}",
                flush=True,
            )
        for sentence in doubts(self.shards, self.tasks):
            print(f"warning: {sentence}", flush=True)

    def open_data(self) -> None:
        """Index the data, or draw it, and determine the length of the trials.

        Raises:
            SettingsError: trials are too short for the objective.
        """
        if self.labels is not None:
            self._open_labels(self.labels)
            return
        from dcgan_dist.data.dataset import open_run_index
        from dcgan_dist.monitoring.sinks.terminal import Progress

        self.index = open_run_index(self.base, self.shards, Progress(sys.stdout), self.keep)
        self.settle_length(len(self.index), self.index.image_size, self.facts.store_bytes)

    def _open_labels(self, task: "Task") -> None:
        """Decode the labeled images, once for all trials, and determine the length of the trials."""
        from dcgan_dist.training.supervised import describe_supervised

        largest, networks = self._most("optimization.batch_size"), self.base.networks
        self.labeled = read_labeled(task, largest.optimization.batch_size, networks.channels)
        _, self.total = fit_length(self.base, "", len(self.labeled.images))
        print(f"each trial: {describe_supervised(self.labeled, self.total)}", flush=True)

    def rehearse(self) -> None:
        """Print how long trials are; nothing is written.

        Raises:
            DataError: the shards cannot be read.
            SettingsError: trials are too short for the objective.
        """
        if self.labels is not None:
            self._open_labels(self.labels)
            return
        from dcgan_dist.data.dataset import count_images

        counted = count_images(self.base, self.shards, self.keep, partial(print, flush=True))
        self.settle_length(counted.images, counted.image_size, self.facts.store_bytes, exact=counted.exact)

    def settle_length(
        self, data_images: int, image_size: int | None, store_bytes: float | None, *, exact: bool = True
    ) -> None:
        """Print how long each trial is, and the warnings that hold for all trials, once for the sweep.

        Args:
            data_images: images of the data set.
            image_size: height and width of its images in pixels, if known.
            store_bytes: bytes of the smallest node's object store, if known.
            exact: whether `data_images` was counted, not estimated from the largest shard.

        Raises:
            SettingsError: trials are too short for the objective.
        """
        options = self.options
        settings, self.total = fit_length(options.settings, options.length_of, data_images)
        self.options = replace(options, settings=settings)
        self.base = replace(self.base, images=settings.images, epochs=settings.epochs)
        guess = "" if exact else ", if the other shards are like the largest"
        print(f"each trial: {describe_length(settings.optimization, self.total, data_images)}{guess}", flush=True)
        # With the largest batch a trial makes the fewest updates.
        fewest = self._most("optimization.batch_size")
        for sentence in warnings(fewest, data_images, self.total, image_size, store_bytes):
            print(f"warning: each trial: {sentence}", flush=True)
        require_values(self.objective, self._slowest(), self.total)

    def run(self, *, claimed: bool = False) -> int:
        """Run trials until all have ended, or until a budget or a signal ends the sweep.

        Args:
            claimed: whether the caller is already the sole driver of the sweep.

        Raises:
            CheckpointError: another command is running this sweep.
            SettingsError: another command has started a sweep of that name.
        """
        with nullcontext() if claimed else sole_driver(self.folder.place):
            if not self.resumed and self.folder.is_begun():
                raise self._taken()
            return self._run()

    def _run(self) -> int:
        from dcgan_dist.monitoring.sinks.terminal import Progress
        from dcgan_dist.training.launch import SharedBySweep
        from tuning.shared_evaluation import SharedEvaluation
        from tuning.tune_loop import Running

        settings, base, total = self.options.settings, self.base, self.total
        at = marks(total)
        evaluated_at = rungs(total) if self.options.scheduler == "asha" else at
        if self.objective.from_probe:
            base = replace(base, checkpoints=replace(base.checkpoints, images=at[0]))
        from_labels = self.labels is not None
        shared = SharedBySweep(
            SharedEvaluation.start(base) if self.objective.from_probe else None,
            self.tasks,
            None if from_labels else self._pictures(self.index, total, Progress(sys.stdout)),
            self.code,
            evaluated_at if self.objective.at_marks else (),
            self.keep,
            self.labeled if from_labels else None,
        )
        carry_code()
        # Also when it is resumed: it may have more trials now.
        found = {"total_images": total, "compared": asdict(self.objective)}
        if self.keep is not None:
            found["keep_sha256"] = self.keep.sha256
        self.folder.write_plan(self.options.plan() | found, to_yaml(settings))
        running = Running(
            self.options, self.folder, self.space, self.objective, base, at, shared, self.at_once, self.listed
        )
        with _on_signals(running.stop):
            running.run()
        valued = self.report()
        return self._ending(running, valued)

    def _pictures(self, index: Index, total: int, progress: Any) -> "CachedPictures | None":
        """The data, decoded once for all trials, if it fits into memory and is the same for all of them."""
        from dcgan_dist.data.streaming.cache import cache_pictures, is_cached
        from dcgan_dist.training.launch import open_pictures

        data, networks = self.base.data, self.base.networks
        of_pictures = ("networks.image_size", "networks.channels")
        if any(name.startswith("data.") or name in of_pictures for name in self.space):
            return None
        image_bytes = networks.image_size**2 * networks.channels
        if not is_cached(data.cache, len(index), image_bytes, total, gather_facts().store_bytes):
            return None
        return cache_pictures(open_pictures(index, self.base), progress)

    def report(self) -> bool:
        """Write tables and figures from what is in the folder, print the table, and say where the rest is.

        Returns:
            whether any trial has a value of the objective.
        """
        from tuning.figures import draw
        from tuning.ranking import remarks
        from tuning.results import best_of, read_results, values_by_trial, write_results
        from tuning.table import rows

        plan, _ = self.folder.read_plan()
        total = int(plan["total_images"])
        results = read_results(self.folder, self.objective, marks(total))
        write_results(self.folder, results, self.options.settings, self.objective)
        for name, file in draw(results, self.space, self.objective).items():
            (self.folder.place / "figures" / name).write_bytes(file)
        ranked = sorted(results, key=lambda result: (result.rank is None, result.rank or 0, result.entry.number))
        print("\n".join(["", *rows([result.entry for result in ranked], self.objective, total), ""]))
        where = str(self.folder.place)
        best = best_of(results)
        if best is not None:
            print(f"best         trial {best.entry.number}: {command_line('train', '--config', f'{where}/best.yaml')}")
            for remark in remarks(values_by_trial(results), self.objective):
                print(f"             {remark}")
        print(f"results      {self.folder.place / 'results.csv'}")
        print(f"figures      {self.folder.place / 'figures'}")
        print(f"curves       {tool_line('tensorboard', '--logdir', f'{where}/trials')}", flush=True)
        if best is None:
            complain(
                f"no trial of {self.folder.place} has a value of {self.objective.metric}, so there is no best "
                "trial and no best.yaml: results.csv says how each of them ended"
            )
        return best is not None

    def _ending(self, running: Any, valued: bool) -> int:
        """The exit status of the command; prints how to resume, if there is anything to resume."""
        entries = running.entries
        failed = entries.count("failed")
        if running.stopped_by is not None or running.over:
            settings = self.options.settings
            why = f"the budget of {running.over} is used up; " if running.over else ""
            again = command_line("sweep", "--resume", settings.name, "--storage", settings.storage)
            print(f"{why}resume with: {again}", flush=True)
        if running.stopped_by is not None:
            return 128 + int(running.stopped_by)
        if failed:
            complain(f"{failed} of {entries.trials} trials failed: results.csv has the reasons")
        return 0 if valued and not failed else 1


def _absolute(path: str) -> str:
    """A data address that is valid for drivers of trials too, which work in other folders."""
    if path == EMBEDDED:
        return path
    return ",".join(str(place(part)) for part in split_addresses(path))


@contextmanager
def _on_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM within the block: the first asks for checkpoints, the second ends the process."""
    received: list[int] = []

    def answer(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        stop(number)

    before = {number: signal.signal(number, answer) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
