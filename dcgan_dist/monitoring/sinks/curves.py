"""The curves of a run on file: `metrics.jsonl` and `tensorboard/`.

TensorBoard's "step" is images seen, as the length of a run is given in images: it means the same at every batch size.

A run that was cut off goes on from a checkpoint, which is behind the last point of its curves. What the lost attempt
measured after that checkpoint stays in the files, and readers leave it out: TensorBoard because every attempt's file
says where it starts, `read_points` because every line says its attempt.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

import numpy as np

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import DataError
from dcgan_dist.monitoring.messages import Scalars
from dcgan_dist.monitoring.metric_names import describe
from dcgan_dist.monitoring.sinks import tensorboard as event_file
from dcgan_dist.monitoring.sinks.growing_file import GrowingFile
from dcgan_dist.settings import Settings, flatten, to_yaml
from dcgan_dist.storage import Place

COMPARED = ("loss/discriminator", "loss/generator", "samples/spread")
"""Metrics that TensorBoard shows beside the settings of runs."""


class Point(TypedDict):
    """A line of `metrics.jsonl`."""

    time: float
    """When the driver wrote it, in seconds since 1970."""
    attempt: int
    step: int
    images: int
    values: dict[str, float | None]
    """By metric name; None (JSON has no such numbers) where the value was infinite or not a number."""
    bad_images: NotRequired[list[int]]
    """Numbers of the images that were found to be bad since the line before."""
    health: NotRequired[str]
    """What is wrong with training since then, in words."""


class Probed(TypedDict):
    """A line of `metrics.jsonl` about a checkpoint; it comes later than the point of its step."""

    time: float
    """When the driver wrote it, in seconds since 1970."""
    checkpoint: str
    step: int
    images: int
    task: str
    accuracy: float
    low: float
    high: float
    """Bounds of the accuracy."""


class Measured(TypedDict):
    """A line of `metrics.jsonl` about a checkpoint that is no accuracy."""

    time: float
    """When the driver wrote it, in seconds since 1970."""
    checkpoint: str
    step: int
    images: int
    metric: str
    """Its name among the metrics."""
    value: float
    low: NotRequired[float]
    high: NotRequired[float]
    """Bounds of the value, where there are any."""


@dataclass(frozen=True)
class Found:
    """What a metric is at a checkpoint.

    Attributes:
        checkpoint, images: which one, and after how many images.
        value: of the metric.
        low, high: its bounds, where there are any.
    """

    checkpoint: str
    images: int
    value: float
    low: float | None
    high: float | None


def scalar_of(line: Probed | Measured) -> tuple[str, float]:
    """Name and value of what was found of a checkpoint."""
    if "accuracy" in line:
        probed = cast(Probed, line)
        return probe_metric(probed["task"]), probed["accuracy"]
    return line["metric"], line["value"]


def probe_metric(task: str) -> str:
    """Name of the accuracy on a task among the metrics."""
    return f"probe/{task}/accuracy"


_LEARNED = ("seed", "images", "epochs", "data.", "networks.", "optimization.", "supervised.")
_ONLY_RUN = ("data.cache", "data.cpus", "data.max_", "optimization.channels_last")
"""Of these groups, what changes how a run is run, and not what it learns."""


def hyperparameters(settings: Settings) -> dict[str, event_file.Hyperparameter]:
    """Settings that determine what a run learns; none of those that only change how it is run."""
    return {
        name: value
        for name, value in flatten(settings).items()
        if name.startswith(_LEARNED) and not name.startswith(_ONLY_RUN) and isinstance(value, event_file.Hyperparameter)
    }


def read_points(run: Place) -> list[Point]:
    """The points of a run in order, each step once: of two attempts that went the same way, the later one counts.

    No points where the run has none yet; raises `DataError` where the file cannot be read.
    """
    points: list[Point] = []
    for point in read_lines(run):
        while points and points[-1]["attempt"] < point["attempt"] and points[-1]["step"] >= point["step"]:
            points.pop()
        points.append(point)
    return points


def read_lines(run: Place) -> list[Point]:
    """All points that were measured, in the order of writing, also by attempts that were lost. See `read_points`."""
    return [cast(Point, line) for line in _read(run) if "values" in line]


def read_probed(run: Place) -> list[Probed]:
    """What was found of checkpoints, in the order of writing."""
    return [cast(Probed, line) for line in _read(run) if "accuracy" in line]


def read_measured(run: Place) -> list[Measured]:
    """What was found of checkpoints besides accuracies, in the order of writing."""
    return [cast(Measured, line) for line in _read(run) if "metric" in line]


def read_found(run: Place, metric: str) -> list[Found]:
    """What one metric was found to be at checkpoints, in the order of writing."""
    lines: list[Probed | Measured] = [*read_probed(run), *read_measured(run)]
    return [
        Found(line["checkpoint"], line["images"], scalar_of(line)[1], line.get("low"), line.get("high"))
        for line in lines
        if scalar_of(line)[0] == metric
    ]


def _read(run: Place) -> list[dict[str, Any]]:
    where = run / "metrics.jsonl"
    return list(_parse(where, where.read_bytes())) if where.exists() else []


def _parse(where: Place, lines: bytes) -> Iterator[dict[str, Any]]:
    # What follows the last line end is torn, or still being written.
    for number, line in enumerate(lines.split(b"\n")[:-1], start=1):
        try:
            point: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise DataError(f"line {number} of {where} is damaged, a JSON object is needed: remove the line") from error
        yield point


class Curves:
    """Writes points and pictures. What was added is on disk after `flush`, and on object stores after `copy_up`."""

    def __init__(self, run: Place, scratch: Path, settings: Settings | None = None) -> None:
        """Continues the curves that the run has.

        Args:
            scratch: a local folder, needed for object stores.
            settings: of the run, shown in TensorBoard.

        Raises:
            DataError: they cannot be read.
        """
        self._run = run
        self._scratch = scratch
        where = run / "metrics.jsonl"
        self._lines = GrowingFile(where, scratch, lines=True)
        self._events: list[GrowingFile] = []
        self._settings = settings
        self._described: set[str] = set()
        self._attempt = -1
        self._step = 0
        self.bad_images = {
            sample for point in _parse(where, self._lines.before) for sample in point.get("bad_images", [])
        }
        """Numbers of the images that were found to be bad so far, in all attempts."""
        self._new_bad_images: list[int] = []

    def begin(self, attempt: int, step: int, images: int) -> None:
        """An attempt goes on after `images` images; only points of later steps are taken from now on.

        Nothing is done for an attempt that has begun already: a message may be delivered twice.
        """
        if attempt <= self._attempt:
            return
        # TensorBoard reads the files of a folder by name, so the attempt is its first part; the time keeps two drivers
        # that both believe to be the same attempt from writing to one file.
        name = f"events.out.tfevents.{attempt:06}.{time.time_ns()}"
        self._events.append(GrowingFile(self._run / "tensorboard" / name, self._scratch, lines=False))
        # Grids of samples at 0 images are drawn again, points at `images` are not.
        self._events[-1].add(event_file.opening(images + 1 if images else 0))
        self._described.clear()
        if self._settings is not None:
            words = f"```yaml\n{to_yaml(self._settings)}```"
            self._events[-1].add(event_file.text(images, "settings", words, describe("settings")))
            tasks = [task.partition("=")[0].strip() for task in self._settings.probe.tasks.split(",") if task]
            # Names of the measures of the task `fidelity` are known with its first result only.
            shown = [*COMPARED, *(probe_metric(task) for task in tasks if task != "fidelity")]
            self._events[-1].add(event_file.hparams(hyperparameters(self._settings), shown, ended=False))
        # Last, so that the next point tries again where the file could not be made.
        self._attempt, self._step = attempt, step

    def add_bad_images(self, samples: list[int]) -> int:
        """Note images that could not be decoded; how many of them were not known before."""
        new = sorted(set(samples) - self.bad_images)
        self.bad_images.update(new)
        self._new_bad_images += new
        return len(new)

    def awaits(self, point: Scalars) -> bool:
        """Whether a point is new: it belongs to no lost attempt, and was not delivered before."""
        return (point["attempt"], point["step"]) > (self._attempt, self._step)

    def add(self, point: Scalars, health: str | None = None) -> bool:
        """Add a point, with what it makes sure to be wrong.

        False, and nothing done, where it is not awaited.
        """
        if not self.awaits(point):
            return False
        if point["attempt"] > self._attempt:
            # The message that told of the attempt was lost together with the mailbox.
            self.begin(point["attempt"], point["step"], max(0, point["images"] - 1))
        self._step = point["step"]
        values = {**point["values"], "data/bad_images": float(len(self.bad_images))}
        line: Point = {
            "time": round(time.time(), 3),
            "attempt": point["attempt"],
            "step": point["step"],
            "images": point["images"],
            "values": {name: value if math.isfinite(value) else None for name, value in values.items()},
        }
        if self._new_bad_images:
            line["bad_images"], self._new_bad_images = self._new_bad_images, []
        if health is not None:
            line["health"] = health
            self._events[-1].add(event_file.text(point["images"], "health", health, describe("health")))
        self._lines.add(json.dumps(line, allow_nan=False).encode() + b"\n")
        self._add_scalars(point["images"], values)
        return True

    def add_probed(self, result: Probed | Measured) -> None:
        """Add what was found of a checkpoint: in TensorBoard where its images are, which is behind the newest point."""
        if not self._events:
            self.begin(0, 0, 0)
        self._lines.add(json.dumps(result, allow_nan=False).encode() + b"\n")
        self._add_scalars(result["images"], dict([scalar_of(result)]))

    def add_picture(self, name: str, images: int, png: bytes, picture: Pixels) -> None:
        """Show a picture in TensorBoard: uint8 [H, W, 3], and the same as PNG."""
        if not self._events:
            self.begin(0, 0, max(0, images - 1))
        height, width = np.shape(picture)[:2]
        self._events[-1].add(event_file.picture(images, name, png, height, width, describe(name)))

    def _add_scalars(self, images: int, values: Mapping[str, float]) -> None:
        new = values.keys() - self._described
        self._events[-1].add(event_file.scalars(images, values, {name: describe(name) for name in new}))
        self._described |= new

    def flush(self) -> None:
        """Write to the disk; after an `OSError` nothing is lost, and it may be called again."""
        self._lines.flush()
        for events in self._events:
            events.flush()

    def copy_up(self) -> None:
        """Bring the files of an object store up to date; after a `DataError` it may be called again."""
        self._lines.copy_up()
        for events in self._events:
            events.copy_up()
