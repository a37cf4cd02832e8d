"""What trials are compared by: an accuracy of the probe, or a number that runs log; pure."""

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.service.online import first_after
from dcgan_dist.monitoring.metric_names import BETTER, METRICS
from dcgan_dist.monitoring.sinks.curves import probe_metric
from dcgan_dist.settings import Settings

Mode = Literal["max", "min"]
LOGGED: Mapping[str, Mode | None] = {
    name: BETTER.get(name) for name in METRICS if name.islower() and name != "data/bad_images"
}
"""What every run logs of its training, and the better end of it, where that can be said. Names with capitals stand for
many; bad images are the data's."""
KEY = "objective"
"""Of the objective in what a trial tells Tune."""
IMAGES = "images"
"""How far it is, there."""
AT = "at"
"""Images at which the value is compared, there: equal for trials whose steps are of different sizes."""
PARTS = 9
"""Parts of a run after each of which trials can be compared: those after which ASHA cuts are among them."""
REDUCTION = 3
"""Of so many trials one goes on, after a ninth and after a third of the run (Li et al., 2018: 3 or 4)."""


def marks(total_images: int) -> tuple[int, ...]:
    """Images at which trials can be compared: after each ninth of a run, the last of them at its end."""
    every = max(1, total_images // PARTS)
    return (*(every * part for part in range(1, PARTS) if every * part < total_images), total_images)


def rungs(total_images: int) -> tuple[int, ...]:
    """Those of the marks after which ASHA cuts, and the end: 1/9, 1/3 and all of the run."""
    every = max(1, total_images // PARTS)
    return (*(at for at in (every, REDUCTION * every) if at < total_images), total_images)


@dataclass(frozen=True)
class Objective:
    """A metric and its better end.

    Attributes:
        from_probe: whether the probe measures it on checkpoints.
    """

    metric: str
    mode: Mode

    @property
    def from_probe(self) -> bool:
        return self.metric.startswith("probe/")

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another; nothing is better than a number."""
        return one > other if self.mode == "max" else one < other

    def show(self, value: float | None) -> str:
        """For people."""
        if value is None:
            return ""
        return f"{100 * value:.2f} %" if self.from_probe else f"{value:.4g}"


def parse_objective(given: str, mode: str, tasks: list[str], schedule: str) -> Objective:
    """The objective from the options.

    Args:
        given: `probe`, or the name of a metric.
        mode: `max`, `min`, or "" where it goes without saying.
        tasks: names of the probe's tasks, the first of which counts.
        schedule: of the trials' steps; one metric is that of one schedule only.

    Raises:
        SettingsError: nobody logs it, or it does not go without saying which end is better.
    """
    if given == "probe" or given.startswith("probe/"):
        metric = probe_metric(tasks[0]) if given == "probe" and tasks else given
        if metric not in [probe_metric(task) for task in tasks]:
            raise SettingsError(
                f"objective is {given} but the probe has {'the tasks ' + ', '.join(tasks) if tasks else 'no task'}: "
                "name one with --probe NAME, or another objective with --objective METRIC"
            )
        return Objective(metric, "min" if mode == "min" else "max")
    if given not in LOGGED or (given == "score/generated_after" and schedule != "both"):
        raise SettingsError(
            f"objective is {given} but runs do not log that{_close(given)}: use probe, or one of {', '.join(LOGGED)}"
            + (" (score/generated_after only with the schedule both)" if given == "score/generated_after" else "")
        )
    known = LOGGED[given]
    if not mode and known is None:
        raise SettingsError(
            f"objective is {given}, of which more may be better or worse: give --mode max or --mode min"
        )
    return Objective(given, "min" if (mode or known) == "min" else "max")


def _close(given: str) -> str:
    """What was meant, by a name's last part too."""
    short = {name.partition("/")[2]: name for name in LOGGED}
    close = difflib.get_close_matches(given, LOGGED, n=1) or [
        short[name] for name in difflib.get_close_matches(given.rpartition("/")[2], short, n=1)
    ]
    return f" (did you mean {close[0]}?)" if close else ""


@dataclass(frozen=True)
class Value:
    """A value of the objective.

    Attributes:
        at: images at which it is compared with values of other trials: one of the marks.
        images: of what it was found of: the first step at or after the mark, or the first point.
    """

    at: int
    images: int
    value: float


class Reports:
    """Makes values of the objective from the numbers of a run, in the order in which these come.

    An accuracy is one as it is, where its checkpoint is that of a mark. Of a number that is logged again and again it
    is the mean since the mark before.
    """

    def __init__(self, objective: Objective, at: Sequence[int], batch_size: int) -> None:
        """
        Args:
            at: the marks, in order.
            batch_size: of the run.
        """
        self._objective, self._at, self._batch_size = objective, at, batch_size
        self._values: list[float] = []
        self._last = 0

    def add(self, images: int, values: Mapping[str, float | None]) -> Iterator[Value]:
        """The values that are known by now."""
        value = values.get(self._objective.metric)
        known = value is not None and math.isfinite(value)
        if self._objective.from_probe:
            # Results of older checkpoints may come later; who compares trials looks forward only.
            mark = first_after(self._at, images, self._batch_size)
            if known and value is not None and mark is not None and mark > self._last:
                self._last = mark
                yield Value(mark, images, value)
            return
        if known and value is not None:
            self._values.append(value)
        mark = max((at for at in self._at if at <= images), default=0)
        if mark > self._last:
            self._last, found = mark, self._values
            self._values = []
            if found:
                yield Value(mark, images, sum(found) / len(found))


def first_at(objective: Objective, settings: Settings) -> int:
    """Images by which a run has logged a number for the first time, and after which it does so again."""
    monitoring = settings.monitoring
    points = monitoring.steps * settings.optimization.batch_size
    if objective.metric == "samples/drift":
        return max(points, 2 * monitoring.measure_images)  # what samples were the time before has to be known
    return max(points, monitoring.measure_images) if objective.metric.startswith("samples/") else points


def require_values(objective: Objective, settings: Settings, total_images: int) -> None:
    """See that trials will log the objective before each mark at which they are compared.

    Args:
        settings: of the trial with the largest batches.

    Raises:
        SettingsError: they will not, with what to give.
    """
    if objective.from_probe:
        return
    every, first = marks(total_images)[0], first_at(objective, settings)
    if first <= every:
        return
    monitoring, batch_size = settings.monitoring, settings.optimization.batch_size
    steps, measure_images = max(1, every // batch_size), every
    needed = []
    if monitoring.steps * batch_size > every:
        needed.append(f"--monitoring.steps {steps}")
    if objective.metric.startswith("samples/"):
        measure_images = every // 2 if objective.metric == "samples/drift" else every
        if measure_images < monitoring.measure_images:
            needed.append(f"--monitoring.measure-images {max(1, measure_images)}")
    longer = f"--images {PARTS * first:,}".replace(",", "_")
    give = f"{' '.join(needed)}, or {longer} or more" if every >= batch_size else f"{longer} or more"
    raise SettingsError(
        f"objective is {objective.metric}, which runs log first after {first:,} images, but trials of "
        f"{total_images:,} images are compared from {every:,} on, after each ninth: give {give}"
    )
