"""A trial, as Tune sees it: an actor that drives a training run.

Tune calls `train` again and again, and between two calls may ask for a checkpoint, or end the trial. So `step` waits no
longer than a second for news of the run.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray import tune

from dcgan_dist.cluster.connect import set_driver_environment
from dcgan_dist.monitoring.sinks.curves import read_found, read_measured, read_points, read_probed
from dcgan_dist.run_folder.checkpoint import load_checkpoint, manifests, write_checkpoint
from dcgan_dist.settings import Settings, flatten, from_yaml, replaced, to_yaml
from dcgan_dist.storage import MissingFile, Place, place
from dcgan_dist.training.launch import SharedBySweep
from dcgan_dist.training.options import TrainOptions
from tuning.folder import SweepFolder, run_name
from tuning.objective import Objective, Reports, Value
from tuning.searching import NUMBER
from tuning.trial_run import Driving

NEWS_S = 1.0
"""Seconds that a step waits for news of the run."""
DONOR = "donor.json"
"""File in a checkpoint for Tune: which trial and run it was copied from."""
BRANCH = "branch.json"
"""File in a run that started from another trial's checkpoint: which one."""


@dataclass(frozen=True)
class Shared:
    """What all trials have in common.

    Attributes:
        folder: the sweep's folder.
        base: settings of every trial, except for those that are searched.
        objective: what trials are compared by.
        at: images at which trials are compared; the last of them is the length of a trial that is not cut.
        from_sweep: what the sweep provides: the evaluation pool, and the data if it fits into memory.
    """

    folder: SweepFolder
    base: Settings
    objective: Objective
    at: Sequence[int]
    from_sweep: SharedBySweep


class Trial(tune.Trainable):  # type: ignore[misc]
    """Drives the run of one trial."""

    def setup(self, config: dict[str, Any], shared: Shared) -> None:
        """Called by Tune first; the run begins with the first step, when it is known what it continues from."""
        self._shared = shared
        # Not the number in `config`, which a population copies from one trial to another with the values.
        self._number = int(self.trial_name)
        self._values = {name: value for name, value in config.items() if name != NUMBER}
        self._driving: Driving | None = None
        set_driver_environment(shared.base.workers.wait_s)

    def step(self) -> dict[str, Any]:
        """Wait a moment for news of the run, and report it."""
        if self._driving is None:
            self._driving = self._begin()
        return self._driving.take(NEWS_S)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Put the newest evaluated checkpoint, or else the newest one, where other trials can continue from it."""
        run = self._run
        there = manifests(run)
        evaluated = {found["checkpoint"] for found in (*read_probed(run), *read_measured(run))}
        donor = {"trial": self._number, "run": run.name, "checkpoint": ""}
        for name in sorted(there, key=lambda name: (name in evaluated, name), reverse=True):
            copy = Place(str(Path(checkpoint_dir).absolute())) / "checkpoints" / name
            with suppress(MissingFile):  # it is being deleted, since there are newer ones
                for file, _ in (run / "checkpoints" / name).files():
                    (copy / file.name).write_bytes(file.read_bytes())
                donor["checkpoint"] = name
                break
        (Path(checkpoint_dir) / DONOR).write_text(json.dumps(donor))

    def load_checkpoint(self, checkpoint: str) -> None:
        """Continue from a checkpoint: the trial's own is in its run already; another trial's begins a new run."""
        donor: dict[str, Any] = json.loads((Path(checkpoint) / DONOR).read_text())
        if donor["trial"] == self._number or not donor["checkpoint"]:
            return
        branch = donor | {"values": self._values}
        with suppress(MissingFile):
            if json.loads((self._run / BRANCH).read_bytes()) == branch:
                return  # begun before, by an attempt of this trial that was lost
        folder = self._shared.folder
        attempt = max(folder.attempts(self._number), default=0) + 1
        run = folder.trials / run_name(self._number, attempt)
        found = load_checkpoint(place(checkpoint), donor["checkpoint"])
        settings = self._settings(run.name)
        write_checkpoint(run, found.state, settings, step=found.step, attempt=0, kept=True)
        # The data and its sequence are the same for a run that continues from that checkpoint.
        with suppress(MissingFile):
            (run / "run.json").write_bytes((folder.trials / donor["run"] / "run.json").read_bytes())
        (run / BRANCH).write_bytes(json.dumps(branch, indent=1).encode())
        (run / "settings.yaml").write_bytes(to_yaml(settings).encode())

    def cleanup(self) -> None:
        """Called by Tune last: the run writes a checkpoint and releases its workers."""
        if self._driving is not None:
            self._driving.stop()

    @property
    def _run(self) -> Place:
        return self._shared.folder.trials / self._shared.folder.run_of(self._number)

    def _settings(self, name: str) -> Settings:
        settings = replaced(self._shared.base, self._values, f"trial {self._number}")
        return replace(settings, name=name)

    def _begin(self) -> Driving:
        run, shared = self._run, self._shared
        goes_on = (run / "settings.yaml").is_file()
        settings = self._settings(run.name)
        if goes_on:
            # If a driver was lost after its values had changed but before their run began, this is the run before that.
            theirs = flatten(from_yaml((run / "settings.yaml").read_bytes().decode(), str(run / "settings.yaml")))
            settings = replaced(settings, {name: theirs[name] for name in self._values}, str(run))
        options = TrainOptions(resume=run.name if goes_on else "", settings=settings)
        before = values_of(run, shared.objective, shared.at)
        return Driving(options, shared.from_sweep, shared.objective, shared.at, before)


def values_of(run: Place, objective: Objective, at: Sequence[int]) -> list[Value]:
    """Values of the objective that a run has reached, in order; `at`: the marks."""
    lines = read_points(run)
    batch_size = lines[-1]["images"] // lines[-1]["step"] if lines else 1
    reports = Reports(objective, at, batch_size)
    points: list[tuple[int, Mapping[str, float | None]]]
    if objective.from_probe:
        found = sorted((one.images, one.value) for one in read_found(run, objective.metric))
        points = [(images, {objective.metric: value}) for images, value in found]
    else:
        points = [(point["images"], point["values"]) for point in lines]
    return [value for images, values in points for value in reports.add(images, values)]
