"""What trials are compared by: what the probe finds of checkpoints, or a metric that runs log; pure."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.fidelity.measure import LOWER_IS_BETTER, MEASURES
from dcgan_dist.evaluation.service.online import first_after
from dcgan_dist.evaluation.tasks.fidelity import NAME as FIDELITY
from dcgan_dist.monitoring.metric_names import BETTER, METRICS
from dcgan_dist.monitoring.sinks.curves import probe_metric
from dcgan_dist.settings import Settings

Mode = Literal["max", "min"]
LOGGED: Mapping[str, Mode | None] = {
    name: BETTER.get(name)
    for name in METRICS
    if name.islower() and name not in ("data/bad_images", "loss/r1") and not name.startswith("supervised/")
}
"""Metrics that every run of a DCGAN logs of its training, and which end is the better one, where that is known. Names
with capitals stand for many metrics; bad images say something about the data only, and `loss/r1` is a part of what D
minimizes, of some runs."""
KEY = "objective"
"""Key of the objective's value in what a trial reports to Tune."""
IMAGES = "images"
"""Key of the images shown so far, in the same report."""
AT = "at"
"""Key of the images at which the value is compared: the same number whatever a trial's batch size is."""
OF_LABELS = "supervised/held_out_accuracy"
"""What trials that are trained on labels are compared by."""
OF_PROBED = ("networks.image_size",)
"""Settings that the images of a probe's tasks depend on, which are opened once for all trials."""
OF_FIDELITY = (*OF_PROBED, "networks.channels", "data.path", "data.scenes", "data.fit")
"""The same of the held-out images that samples are compared with."""
PARTS = 9
"""Number of parts of a run; trials are compared after each. ASHA cuts at the end of some of them."""
REDUCTION = 3
"""One trial in this many continues after a ninth, and after a third of the run (Li et al., 2018: 3 or 4)."""


def marks(total_images: int) -> tuple[int, ...]:
    """Images at which trials are compared: after each ninth of a run, up to its end."""
    every = max(1, total_images // PARTS)
    return (*(every * part for part in range(1, PARTS) if every * part < total_images), total_images)


def rungs(total_images: int) -> tuple[int, ...]:
    """The marks at which ASHA cuts trials, and the end: 1/9, 1/3 and all of the run."""
    every = max(1, total_images // PARTS)
    return (*(at for at in (every, REDUCTION * every) if at < total_images), total_images)


@dataclass(frozen=True)
class Objective:
    """A metric, and which end of it is the better one.

    Attributes:
        from_probe: whether the probe measures it on checkpoints.
    """

    metric: str
    mode: Mode

    @property
    def from_probe(self) -> bool:
        return self.metric.startswith(("probe/", f"{FIDELITY}/"))

    @property
    def is_share(self) -> bool:
        """Whether it is shown in percent."""
        return self.metric.startswith("probe/") or self.metric == OF_LABELS

    @property
    def at_marks(self) -> bool:
        """Whether it is measured where trials are compared alone, and not logged again and again."""
        return self.from_probe or self.metric == OF_LABELS

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another; NaN is never better or worse."""
        return one > other if self.mode == "max" else one < other

    def show(self, value: float | None) -> str:
        """The value as shown to users; "" for None."""
        if value is None:
            return ""
        return f"{100 * value:.2f} %" if self.is_share else f"{value:.4g}"


def of_labels(given: str, mode: str) -> Objective:
    """The objective of trials that are trained on labels, from the options; raises as `parse_objective`."""
    if given not in ("probe", OF_LABELS):
        raise SettingsError(
            f"objective is {given} but trials that are trained on labels are compared by {OF_LABELS}: leave it out"
        )
    return Objective(OF_LABELS, "min" if mode == "min" else "max")


def parse_objective(given: str, mode: str, metrics: Sequence[str], schedule: str) -> Objective:
    """The objective from the options.

    Args:
        given: `probe`, or the name of a metric.
        mode: `max`, `min`, or "" if the metric says which is better.
        metrics: what the probe finds of checkpoints (`metrics_of`); `probe` means the first.
        schedule: the schedule of the trials' steps; one metric exists only with one of them.

    Raises:
        SettingsError: runs do not log the metric, or it is not known which end of it is better.
    """
    if given == "probe" or given.startswith(("probe/", f"{FIDELITY}/")):
        metric = metrics[0] if given == "probe" and metrics else given
        if metric not in metrics:
            finds = f"the probe finds {', '.join(metrics)}" if metrics else "the probe has no task"
            raise SettingsError(
                f"objective is {given} but {finds}: name a task with --probe NAME, or another objective with "
                "--objective METRIC"
            )
        lower = metric.startswith(f"{FIDELITY}/") and metric.rpartition("/")[2] in LOWER_IS_BETTER
        return Objective(metric, "min" if (mode or ("min" if lower else "max")) == "min" else "max")
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


def metrics_of(tasks: Sequence[str], by: str) -> list[str]:
    """What the probe finds of a checkpoint on tasks, that which checkpoints are compared by first.

    Args:
        by: name of the features that the task `fidelity` compares by.
    """
    found: list[str] = []
    for task in tasks:
        if task == FIDELITY:
            found += sorted((f"{task}/{by}/{name}" for name in MEASURES), key=lambda name: not name.endswith("/kernel"))
        else:
            found.append(probe_metric(task))
    return found


def require_shared(searched: Iterable[str], tasks: Sequence[str]) -> None:
    """See that the images of a probe, which are the same for all trials, are right for each of them.

    Args:
        searched: settings that differ between trials, by dotted name.
        tasks: of the probe by which trials are compared, by name.

    Raises:
        SettingsError: some trials need others.
    """
    for name in searched:
        if name in (OF_FIDELITY if FIDELITY in tasks else OF_PROBED):
            raise SettingsError(
                f"--search cannot vary {name} where trials are compared by the probe: they share the images of "
                f"{' and '.join(tasks)}; run a sweep for each value, or give another --objective"
            )


def _close(given: str) -> str:
    """A hint at the metric that was probably meant, also by the last part of its name."""
    short = {name.partition("/")[2]: name for name in LOGGED}
    close = difflib.get_close_matches(given, LOGGED, n=1) or [
        short[name] for name in difflib.get_close_matches(given.rpartition("/")[2], short, n=1)
    ]
    return f" (did you mean {close[0]}?)" if close else ""


@dataclass(frozen=True)
class Value:
    """A value of the objective.

    Attributes:
        at: images at which it is compared with other trials: one of the marks.
        images: images at which it was measured: the first step, or the first logged point, at or after the mark.
    """

    at: int
    images: int
    value: float


class Reports:
    """Turns what a run logs, in the order in which it is logged, into values of the objective.

    An accuracy counts as it is, if its checkpoint is that of a mark. A metric that is logged again and again counts
    with its mean since the previous mark.
    """

    def __init__(self, objective: Objective, at: Sequence[int], batch_size: int) -> None:
        """
        Args:
            at: the marks, in order.
            batch_size: batch size of the run.
        """
        self._objective, self._at, self._batch_size = objective, at, batch_size
        self._values: list[float] = []
        self._last = 0

    def add(self, images: int, values: Mapping[str, float | None]) -> Iterator[Value]:
        """Take what was logged at some number of images; yield the values that are known by now."""
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
    """Images from one point at which a run logs the metric to the next, or from its start to the first."""
    monitoring = settings.monitoring
    points = monitoring.steps * settings.optimization.batch_size
    if objective.metric == "samples/drift":
        return max(points, 2 * monitoring.measure_images)  # what samples were the time before has to be known
    return max(points, monitoring.measure_images) if objective.metric.startswith("samples/") else points


def require_values(objective: Objective, settings: Settings, total_images: int) -> None:
    """Check that trials will log the objective before each mark at which they are compared.

    Args:
        settings: settings of the trial that logs least often.

    Raises:
        SettingsError: they will not; the message says what to give.
    """
    if objective.at_marks:
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
