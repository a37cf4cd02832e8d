"""Which figures a report has, and what is marked in them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dcgan_dist.monitoring.sinks.curves import Point, Probed, probe_metric
from dcgan_dist.reporting.facts import Fact
from dcgan_dist.reporting.series import Series, series
from dcgan_dist.run_folder.attempts import Attempt

MOST_MARKS = 40
"""Of a kind in a figure; a run of thousands of attempts would have nothing else in it."""


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        title: what it shows.
        axis: label of the values.
        series: its lines.
        source: file and keys of the values.
        percent: whether values are shares, shown in percent.
        intervals: whether low and high are bounds of intervals, drawn as bars.
        restarts, findings: images at which they are marked.
        note: what a reader has to know.
    """

    title: str
    axis: str
    series: Sequence[Series]
    source: str
    percent: bool = False
    intervals: bool = False
    restarts: Sequence[int] = ()
    findings: Sequence[int] = ()
    note: str = ""

    @property
    def about(self) -> str:
        """For those who cannot see it: what it shows, and how it ends."""
        scale, unit = (100, " %") if self.percent else (1, "")
        ends = [
            f"{one.label} {scale * last:.3g}{unit}"
            for one in self.series
            for last in [next((value for value in reversed(one.mean) if value == value), None)]
            if last is not None
        ]
        return f"{self.title} over images seen; last values: {', '.join(ends)}" if ends else self.title


@dataclass(frozen=True)
class Marks:
    """What is marked in all figures of a run.

    Attributes:
        restarts: attempts after the first: a fact each.
        findings: what was wrong with training, likewise.
    """

    restarts: Sequence[Fact] = field(default_factory=list)
    findings: Sequence[Fact] = field(default_factory=list)


PARTS = (
    (
        "Accuracy on held-out images",
        "accuracy",
        (("supervised/held_out_accuracy", "network trained on labels"),),
        True,
    ),
    ("Loss on labels", "cross-entropy", (("supervised/loss", "network trained on labels"),), False),
    (
        "Losses",
        "loss",
        (("loss/discriminator", "discriminator"), ("loss/generator", "generator")),
        False,
    ),
    (
        "What the discriminator takes for real",
        "mean score",
        (("score/real", "real images"), ("score/generated_before", "generated images")),
        True,
    ),
    (
        "Variety of samples",
        "share",
        (("samples/spread", "spread, of that of real images"), ("samples/drift", "drift since the look before")),
        True,
    ),
    ("Speed", "images per second", (("speed/images_per_second", "images per second"),), False),
)
"""Title, axis, metrics with their labels, and whether values are shares."""


def marks(attempts: Sequence[Attempt], points: Sequence[Point]) -> Marks:
    """Restarts and findings, in order."""
    restarts = [
        Fact(
            f"Attempt {attempt.number}",
            attempt.images,
            f"from {attempt.images:,} images, "
            + (f"checkpoint {attempt.checkpoint}" if attempt.checkpoint else "the start")
            + f", {attempt.workers} worker{'s' * (attempt.workers != 1)}",
            f"attempts/{attempt.number:06d}.json",
            "images",
        )
        for attempt in attempts[1:]
    ]
    findings = [
        Fact("Finding", point["images"], str(point["health"]), "metrics.jsonl", "health")
        for point in points
        if "health" in point
    ]
    return Marks(restarts, findings)


def charts(points: Sequence[Point], probed: Sequence[Probed], marked: Marks) -> list[Chart]:
    """The figures of one run; none of what was not measured."""
    restarts = [int(str(fact.value)) for fact in marked.restarts][:MOST_MARKS]
    findings = [int(str(fact.value)) for fact in marked.findings][:MOST_MARKS]
    found = []
    for title, axis, metrics, percent in PARTS:
        lines = [
            line
            for color, (metric, label) in enumerate(metrics)
            if (line := series(points, metric, label, color)) is not None
        ]
        if lines:
            keys = ", ".join(f"values.{metric}" for metric, _ in metrics)
            note = _means(lines)
            source = f"metrics.jsonl: {keys}"
            found.append(Chart(title, axis, lines, source, percent, False, restarts, findings, note))
    if probed:
        found.insert(0, _of_probes(probed, restarts, findings))
    return found


def _of_probes(probed: Sequence[Probed], restarts: Sequence[int], findings: Sequence[int]) -> Chart:
    tasks = list(dict.fromkeys(one["task"] for one in probed))
    lines = [probe_series(probed, task, task, color) for color, task in enumerate(tasks)]
    return Chart(
        "Accuracy of the probe", "accuracy", lines, "metrics.jsonl: accuracy, low, high", True, True, restarts,
        findings, "Bars are intervals at 95 %: of another draw of test images, not of another training run.",
    )  # fmt: skip


def probe_series(probed: Sequence[Probed], task: str, label: str, color: int) -> Series:
    """Accuracies on a task; of a checkpoint that was evaluated more than once, the last result."""
    newest = {one["images"]: one for one in probed if one["task"] == task}
    order = [newest[images] for images in sorted(newest)]
    return Series(
        label,
        color,
        [one["images"] for one in order],
        [one["accuracy"] for one in order],
        [one["low"] for one in order],
        [one["high"] for one in order],
    )


COMPARED = (
    ("supervised/held_out_accuracy", "Accuracy on held-out images", "accuracy", True),
    ("supervised/loss", "Loss on labels", "cross-entropy", False),
    ("loss/generator", "Loss of the generator", "loss", False),
    ("loss/discriminator", "Loss of the discriminator", "loss", False),
    ("samples/spread", "Variety of samples: spread, of that of real images", "share", True),
    ("speed/images_per_second", "Speed", "images per second", False),
)
"""Metric, title, axis, and whether values are shares, of figures that compare runs."""


def compared(runs: Mapping[str, tuple[Sequence[Point], Sequence[Probed]]]) -> list[Chart]:
    """Figures with a line for each run, by its name."""
    found = []
    tasks = dict.fromkeys(one["task"] for _, probed in runs.values() for one in probed)
    for task in tasks:
        lines = [
            one
            for color, (name, (_, probed)) in enumerate(runs.items())
            if (one := probe_series(probed, task, name, color)).x
        ]
        source = f"metrics.jsonl of each run: accuracy, low, high ({probe_metric(task)})"
        found.append(Chart(f"Accuracy of the probe on {task}", "accuracy", lines, source, True, True))
    for metric, title, axis, percent in COMPARED:
        shown = [
            line
            for color, (name, (points, _)) in enumerate(runs.items())
            if (line := series(points, metric, name, color)) is not None
        ]
        if shown:
            source = f"metrics.jsonl of each run: values.{metric}"
            found.append(Chart(title, axis, shown, source, percent, note=_means(shown)))
    return found


def _means(lines: Sequence[Series]) -> str:
    most = max(line.together for line in lines)
    return f"Lines are means of {most} points, bands reach from the least to the most of them." if most > 1 else ""
