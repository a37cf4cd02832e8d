"""How a run stands, told from its folder alone, also while it runs and on object storage."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.monitoring.attempt_costs import attempt_costs, totals
from dcgan_dist.monitoring.sinks.curves import Point, read_lines, read_points
from dcgan_dist.monitoring.sinks.terminal import epochs_of
from dcgan_dist.numerals import count, duration
from dcgan_dist.run_folder import checkpoint
from dcgan_dist.run_folder.attempts import Attempt, attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.driver_lock import is_gone
from dcgan_dist.run_folder.record import read_record
from dcgan_dist.storage import Place

SILENT_S = 150.0
"""Without a sign for so long a run is taken for dead: curves reach an object store once a minute."""
NEEDED = ("status", "images", "step", "total_images", "total_steps", "epoch_images")
"""Of `run.json`."""
State = Literal["finished", "stopped", "failed", "starting", "running", "killed", "silent"]
RECENT_POINTS = 20
"""Points that speed and losses are means of."""
LOSSES = (("D", "loss/discriminator"), ("G", "loss/generator"), ("labels", "supervised/loss"))
HELD_OUT = "supervised/held_out_accuracy"
"""Of runs that are trained on labels; not every point has it."""


@dataclass(frozen=True)
class Standing:
    """All that a run's folder tells of it.

    Attributes:
        record: `run.json`.
        lines: of the curves, those of lost attempts among them.
        points: the curves, each step once.
        attempts: of the run, in order.
        checkpoints: manifests of those that look whole, oldest first.
        torn: names of the others.
        is_driver_gone: whether its driver is known to have ended; False where that cannot be known.
    """

    record: Mapping[str, Any]
    lines: Sequence[Point]
    points: Sequence[Point]
    attempts: Sequence[Attempt]
    checkpoints: Mapping[str, Mapping[str, Any]]
    torn: Sequence[str]
    is_driver_gone: bool = False


def read_standing(run: Place) -> Standing:
    """Read a run's folder.

    Raises:
        CheckpointError: it is none.
    """
    record = read_record(run, NEEDED)
    whole = manifests(run)
    torn = [name for name in checkpoint.folder(run).names() if name not in whole]
    return Standing(record, read_lines(run), read_points(run), attempts(run), whole, torn, is_gone(run))


@dataclass(frozen=True)
class Position:
    """How far a run is.

    Attributes:
        state: `finished`, `stopped` and `failed` as its record says; `killed`: its driver has ended without a word;
            `silent`: there has been no sign for `SILENT_S`.
        silent_s: seconds since the last update; None where the record says that it has ended.
        images, step: that it has seen; where it does not run, those that it would be resumed at.
    """

    state: State
    silent_s: float | None
    images: int
    step: int

    @property
    def runs(self) -> bool:
        """Whether it is being trained."""
        return self.state in ("starting", "running")


def position(standing: Standing, now: float) -> Position:
    """How far a run is at `now`, in seconds since 1970."""
    record, points = standing.record, standing.points
    silent_s = _silence(standing, now) if record["status"] == "running" else None
    state = _state(str(record["status"]), silent_s, is_driver_gone=standing.is_driver_gone)
    # A run that has ended is resumed where its record says, one that was killed at its newest checkpoint: curves end
    # before that, or behind it.
    newest: Mapping[str, Any] = record
    if state in ("starting", "running") and points:
        newest = points[-1]
    elif silent_s is not None and standing.checkpoints:
        newest = standing.checkpoints[max(standing.checkpoints)]
    return Position(state, silent_s, newest["images"], newest["step"])


def describe(run: Place, standing: Standing, now: float) -> list[str]:
    """Lines for people; `now` in seconds since 1970."""
    record, points = standing.record, standing.points
    at = position(standing, now)
    images, step, runs = at.images, at.step, at.runs
    lines = [
        ("run", str(run)),
        ("status", _status(run, at)),
        (
            "images",
            f"{images:,} of {record['total_images']:,} ({100 * images // record['total_images']} %), "
            f"step {step:,} of {record['total_steps']:,}",
        ),
        ("epoch", _epoch(images, record)),
    ]
    recent = points[-RECENT_POINTS:]
    if speeds := [speed for speed in _values(recent, "speed/images_per_second") if speed > 0]:
        speed = statistics.harmonic_mean(speeds)
        left_s = max(0, record["total_images"] - images) / speed
        parts = [f"{speed:,.0f} images/s"]
        if waits := _values(recent, "speed/wait_share"):  # runs that are trained on labels do not log it
            parts.append(f"waiting {100 * statistics.fmean(waits):.1f} %")
        if left_s:
            parts.append(f"{duration(left_s)} {'to go at this speed' if runs else 'more at that speed'}")
        lines.append(("speed", ", ".join(parts)))
        losses = [f"{short} {statistics.fmean(mean):.2f}" for short, name in LOSSES if (mean := _values(recent, name))]
        if losses:
            lines.append(("loss", "  ".join(losses)))
    if judged := newest_judged(points):
        at_images, share = judged
        text = f"{100 * share:.1f} % on labeled images that are held out, at {at_images:,} images"
        lines.append(("accuracy", text))
    if standing.attempts:
        costs = attempt_costs(standing.attempts, standing.lines)
        sums = totals(costs)
        lines.append(
            (
                "attempts",
                f"{sums['attempts']}, the newest with {count(standing.attempts[-1].workers, 'worker')}; "
                f"{count(int(sums['steps_rolled_back']), 'step')} rolled back; "
                f"overhead: {duration(sums['seconds_starting'])} starting up, "
                f"{duration(sums['seconds_redone'])} in steps that were lost",
            )
        )
    if standing.checkpoints:
        name = max(standing.checkpoints)
        text = f"{name} at {standing.checkpoints[name]['images']:,} images; complete: {len(standing.checkpoints)}"
    else:
        text = "none yet"
    lines.append(("checkpoint", text + (f"; incomplete: {', '.join(standing.torn)}" if standing.torn else "")))
    if bad := {sample for line in standing.lines for sample in line.get("bad_images", [])}:
        lines.append(("bad images", f"{len(bad):,}"))
    lines += [("health", point["health"]) for point in points if "health" in point]
    return [f"{name:<12} {text}" for name, text in lines]


def newest_judged(points: Sequence[Point]) -> tuple[int, float] | None:
    """Images and accuracy of the newest point that has one on labeled images that are held out; None without any."""
    for point in reversed(points):
        for accuracy in _values([point], HELD_OUT):
            if 0 <= accuracy <= 1:
                return point["images"], accuracy
    return None


def _epoch(images: int, record: Mapping[str, Any]) -> str:
    """Which pass over the data a run is in: `3 of 5, 400 images left in it`; `5 of 5, done`."""
    total = epochs_of(record["total_images"], record["epoch_images"], record["total_images"] // record["total_steps"])
    done, into = divmod(images, record["epoch_images"])
    if images >= record["total_images"] or done >= total:
        return f"{total:.3g} of {total:.3g}, done"
    left = min(record["epoch_images"] - into, record["total_images"] - images)
    return f"{done + 1:,} of {total:.3g}, {count(left, 'image')} left in it"


def _silence(standing: Standing, now: float) -> float:
    """Seconds since the last update; 0 if there has been none, because the run has only just begun."""
    signs = [attempt.started for attempt in standing.attempts] + [point["time"] for point in standing.lines[-1:]]
    # A command that resumes the run writes the record before its workers are up.
    if signs and (written := standing.record.get("written")):
        signs.append(datetime.fromisoformat(written).timestamp())
    return now - max(signs) if signs else 0.0


def _state(status: str, silent_s: float | None, *, is_driver_gone: bool) -> State:
    if silent_s is None:
        return cast(State, status)
    if is_driver_gone:
        return "killed"
    if silent_s < SILENT_S:
        return "running" if silent_s else "starting"
    return "silent"


def _status(run: Place, at: Position) -> str:
    """For people."""
    again = command_line("train", "--resume", run.name, "--storage", str(run.parent))
    sweep, state = run.parent.parent, str(at.state)
    if (sweep / "sweep.json").is_file():  # which decides what becomes of its trials
        again = command_line("sweep", "--resume", sweep.name, "--storage", str(sweep.parent))
        state = "stopped by its sweep, or with it" if state == "stopped" else state
    ago = duration(at.silent_s or 0.0)
    match at.state:
        case "finished" | "starting":
            return state
        case "killed":
            return f"killed, last update {ago} ago; resume with: {again}"
        case "running":
            return f"running, last update {ago} ago"
        case "silent":
            return f"no update for {ago}: if it is dead, resume it with: {again}"
    return f"{state}; resume with: {again}"


def _values(points: Sequence[Point], name: str) -> list[float]:
    return [value for point in points if (value := point["values"].get(name)) is not None]
