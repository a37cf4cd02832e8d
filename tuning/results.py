"""The results of a sweep, from its folder alone: `results.csv`, `best.yaml`, and the table in TensorBoard."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dcgan_dist.data.shards.addresses import expand, split_addresses
from dcgan_dist.errors import DataError
from dcgan_dist.intervals import wilson
from dcgan_dist.monitoring.attempt_costs import attempt_costs, totals
from dcgan_dist.monitoring.sinks import tensorboard as event_file
from dcgan_dist.monitoring.sinks.curves import Point, read_found, read_lines, read_points
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.record import find_record
from dcgan_dist.settings import Settings, flatten, from_yaml, to_yaml
from dcgan_dist.storage import MissingFile, place
from tuning.folder import Record, SweepFolder, run_name
from tuning.objective import OF_LABELS, Objective
from tuning.ranking import ranking
from tuning.table import Entry
from tuning.trial import values_of

HPARAMS = "events.out.tfevents.000000.hparams"
"""Event file in a run's `tensorboard/`; its name sorts before those of the attempts."""
COMPARED_AT = "compared at images"
"""A column in TensorBoard's table of hyperparameters."""


@dataclass(frozen=True)
class Result:
    """The result of a trial.

    Attributes:
        entry: the trial as the table shows it.
        run: name of its newest run.
        updates: numbers of updates of the generator and of the discriminator.
        rank: rank among all trials, see `ranking`; None: it has no value.
        bounds: confidence intervals of its values, where they have some, by the images at which they are compared.
        value_images: images at which its last value was measured; 0: it has none.
        checkpoint: checkpoint on which its last value was measured; empty for a logged metric.
        worker_hours: hours of all its workers, counted from their starts.
    """

    entry: Entry
    run: str
    updates: tuple[int, int]
    rank: int | None
    bounds: Mapping[int, tuple[float, float]]
    value_images: int
    checkpoint: str
    worker_hours: float

    @property
    def age(self) -> int | None:
        """Images for which the trial went on after its last value was measured."""
        return None if self.entry.value is None else self.entry.images - self.value_images


def read_results(folder: SweepFolder, objective: Objective, at: Sequence[int]) -> list[Result]:
    """The results of all trials of a sweep, by number; `at`: images at which they are compared."""
    results = [_read(folder, record, objective, at) for record in folder.records()]
    ranks = {placed.number: placed.rank for placed in ranking(values_by_trial(results), objective)}
    return [replace(result, rank=ranks.get(result.entry.number)) for result in results]


def values_by_trial(results: Sequence[Result]) -> dict[int, dict[int, float]]:
    """Values of the objective of each trial, as `ranking` takes them."""
    return {result.entry.number: result.entry.objective_values for result in results}


def _read(folder: SweepFolder, record: Record, objective: Objective, at: Sequence[int]) -> Result:
    run = folder.trials / folder.run_of(record.number)
    points = read_points(run)
    # The last checkpoint is later than the last point where the trial was stopped between two of them.
    reached = [(0, 0), *((point["step"], point["images"]) for point in points[-1:])]
    reached += [(manifest["step"], manifest["images"]) for manifest in manifests(run).values()]
    step, images = max(reached)
    values = values_of(run, objective, at)
    found = read_found(run, objective.metric)
    bounds = {
        value.at: (one.low, one.high)
        for value in values
        for one in found
        if one.images == value.images and one.low is not None and one.high is not None
    }
    record_of_run = find_record(run) or {}
    if objective.metric == OF_LABELS and "held_out_images" in record_of_run:
        bounds = {value.at: wilson(value.value, int(record_of_run["held_out_images"])) for value in values}
    value_images = values[-1].images if values else 0
    values_now, both, of_labels = record.values, True, False
    with suppress(MissingFile):  # it was recorded, and lost before it began
        settings = from_yaml((run / "settings.yaml").read_bytes().decode(), str(run / "settings.yaml"))
        both, of_labels = settings.optimization.schedule != "alternate", bool(settings.supervised.task)
        values_now = {name: flatten(settings)[name] for name in record.values}
    hours = 0.0
    for attempt in folder.attempts(record.number):
        one = folder.trials / run_name(record.number, attempt)
        hours += float(totals(attempt_costs(attempts(one), read_lines(one)))["worker_hours"])
    entry = Entry(
        record.number,
        values_now,
        record.state,
        images,
        {value.at: value.value for value in values},
        _speed(points),
        record.seconds,
        record.reason,
    )
    return Result(
        entry,
        run.name,
        (0, step) if of_labels else (step, step) if both else (-(-step // 2), step // 2),
        None,
        bounds,
        value_images,
        next((one.checkpoint for one in reversed(found) if one.images == value_images), ""),
        hours,
    )


def _speed(points: Sequence[Point]) -> float:
    """Mean speed in images/s, over points that each stand for the same number of images; 0 if there are none."""
    speeds = [point["values"].get("speed/images_per_second") for point in points]
    known = [speed for speed in speeds if speed]
    return len(known) / sum(1 / speed for speed in known) if known else 0.0


def as_csv(results: Sequence[Result]) -> str:
    """All that is known of each trial, one per line; the names of the columns give their units."""
    text = io.StringIO()
    names = list(results[0].entry.values) if results else []
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "trial",
            "run",
            "state",
            *names,
            "objective",
            "compared_images",
            "rank",
            "low",
            "high",
            "checkpoint",
            "images",
            "objective_images",
            "age_images",
            "generator_updates",
            "discriminator_updates",
            "images_per_second",
            "seconds",
            "worker_hours",
            "reason",
        ]
    )
    for result in results:
        entry = result.entry
        low, high = result.bounds.get(entry.at, ("", ""))
        writer.writerow(
            [
                entry.number,
                result.run,
                entry.state,
                *(entry.values[name] for name in names),
                "" if entry.value is None else entry.value,
                entry.at or "",
                "" if result.rank is None else result.rank,
                low,
                high,
                result.checkpoint,
                entry.images,
                result.value_images,
                "" if result.age is None else result.age,
                *result.updates,
                round(entry.speed, 1),
                entry.seconds,
                round(result.worker_hours, 4),
                entry.reason,
            ]
        )
    return text.getvalue()


def best_settings(folder: SweepFolder, result: Result, base: Settings) -> Settings:
    """Settings that train a trial again, as a run of its own in the storage of the sweep."""
    text = (folder.trials / result.run / "settings.yaml").read_bytes().decode()
    settings = from_yaml(text, str(folder.trials / result.run / "settings.yaml"))
    return replace(
        settings,
        name="",
        storage=str(folder.place.parent),
        on_collapse=base.on_collapse,
        data=replace(
            settings.data,
            cpus=base.data.cpus,
            path=_from_anywhere(settings.data.path if "data.path" in result.entry.values else base.data.path),
        ),
        probe=replace(base.probe, tasks=_from_anywhere(base.probe.tasks)),
        checkpoints=base.checkpoints,
    )


def _from_anywhere(addresses: str) -> str:
    """Comma-separated addresses, or NAME=ADDRESS, with those that exist relative to this folder made absolute."""

    def absolute(text: str) -> str:
        name, equals, address = text.rpartition("=")
        try:
            there = "$" not in address and (Path(address).exists() or bool(expand(address)))
        except DataError:
            return text
        return f"{name}{equals}{place(address)}" if there else text

    return ",".join(map(absolute, split_addresses(addresses)))


def write_results(folder: SweepFolder, results: Sequence[Result], base: Settings, objective: Objective) -> None:
    """Write `results.csv`, `best.yaml`, and for each run what TensorBoard shows beside its curves."""
    (folder.place / "results.csv").write_bytes(as_csv(results).encode())
    best = best_of(results)
    if best is not None:
        (folder.place / "best.yaml").write_bytes(to_yaml(best_settings(folder, best, base)).encode())
    for result in results:
        if (folder.trials / result.run / "settings.yaml").is_file():
            # TensorBoard shows the newest value of each run, so a column has to say after how many images it is.
            values = _plain(result.entry.values) | {COMPARED_AT: result.entry.at}
            where = folder.trials / result.run / "tensorboard" / HPARAMS
            where.write_bytes(event_file.hparams_file(values, [objective.metric]))


def best_of(results: Sequence[Result]) -> Result | None:
    """The best trial by `ranking`; among equal ones, the first."""
    return min(
        (result for result in results if result.rank is not None),
        key=lambda result: (result.rank or 0, result.entry.number),
        default=None,
    )


def _plain(values: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    return {
        name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
        for name, value in values.items()
    }
