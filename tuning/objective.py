"""What trials are compared by: an accuracy of the probe, or a number that runs log; pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dcgan_dist.errors import SettingsError
from dcgan_dist.monitoring.curves import probe_metric

Mode = Literal["max", "min"]
LOGGED: Mapping[str, Mode | None] = {
    "loss/discriminator": None,
    "loss/generator": None,
    "score/real": None,
    "score/generated_before": None,
    "score/generated_after": None,
    "gradient/discriminator": None,
    "gradient/generator": None,
    "speed/images_per_second": "max",
    "speed/wait_share": "min",
    "samples/drift": None,
    "samples/spread": "max",
}
"""What every run logs, and which end of it is the better one, where that can be said of a GAN."""
KEY = "objective"
"""Of the objective in what a trial tells Tune."""
PARTS = 9
"""Parts of a run after each of which a number that runs log is looked at: as many as there are checkpoints to judge."""


@dataclass(frozen=True)
class Objective:
    """A metric and its better end.

    Attributes:
        judged: whether it is found of checkpoints, by the probe.
    """

    metric: str
    mode: Mode

    @property
    def judged(self) -> bool:
        return self.metric.startswith("probe/")

    def better(self, one: float, other: float) -> bool:
        """Whether one value is better than another; nothing is better than a number."""
        return one > other if self.mode == "max" else one < other

    def show(self, value: float | None) -> str:
        """For people."""
        if value is None:
            return ""
        return f"{100 * value:.2f} %" if self.judged else f"{value:.4g}"


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
            f"objective is {given} but nobody logs that: use probe, or one of {', '.join(LOGGED)}"
            + (" (score/generated_after only with the schedule both)" if given == "score/generated_after" else "")
        )
    known = LOGGED[given]
    if not mode and known is None:
        raise SettingsError(
            f"objective is {given}, of which more may be better or worse: give --mode max or --mode min"
        )
    return Objective(given, "min" if (mode or known) == "min" else "max")


class Reports:
    """Makes values of the objective from the numbers of a run, in the order in which these come.

    An accuracy is one as it is. Of a number that is logged again and again it is the mean since the last value, after
    each of `PARTS` parts of the run.
    """

    def __init__(self, objective: Objective, total_images: int) -> None:
        self._objective = objective
        self._every = max(1, total_images // PARTS)
        self._values: list[float] = []
        self._part = 0
        self._last = -1

    def add(self, images: int, values: Mapping[str, float | None]) -> Iterator[tuple[int, float]]:
        """The values, with their images, that are known by now."""
        value = values.get(self._objective.metric)
        if value is None or not math.isfinite(value):
            return
        if self._objective.judged:
            # Results of older checkpoints may come later; who compares trials looks forward only.
            if images > self._last:
                self._last = images
                yield images, value
            return
        self._values.append(value)
        if images // self._every > self._part:
            self._part = images // self._every
            yield images, sum(self._values) / len(self._values)
            self._values = []
