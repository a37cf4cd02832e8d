"""What the first screen says of a run: how it stands, how far it is, what it took; what interruptions cost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.monitoring.attempt_costs import AttemptCost, attempt_costs, totals
from dcgan_dist.monitoring.run_status import Position, Standing, position
from dcgan_dist.numerals import count, duration
from dcgan_dist.reporting.facts import Fact, count_of

STATES = {
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "starting": "starting",
    "running": "running",
    "killed": "killed",
    "silent": "no sign of life",
}
"""What people call the states of a run."""
ATTEMPTS = "attempts/*.json and metrics.jsonl"
_TIMES = "started; attempt, time"


@dataclass(frozen=True)
class Overview:
    """How a run stands.

    Attributes:
        state: one of `STATES`.
        facts: progress, time, cost, in the order of the page.
        losses: what interruptions cost.
        attempts: each worker group, in order.
    """

    state: Fact
    facts: Sequence[Fact]
    losses: Sequence[Fact]
    attempts: Sequence[AttemptCost]


def overview(standing: Standing, now: float, price: float = 0.0) -> Overview:
    """How a run stands at `now`, in seconds since 1970.

    Args:
        price: of an hour of one worker, in whatever currency; 0: nobody knows it, and nothing is said of cost.
    """
    record, at = standing.record, position(standing, now)
    words = STATES.get(at.state, str(at.state))
    last = f"last update {duration(at.silent_s)} before this report" if at.silent_s else ""
    costs = attempt_costs(standing.attempts, standing.lines)
    sums = totals(costs)
    busy_s = sum(cost.start_s + cost.train_s for cost in costs)
    total = int(record["total_images"])
    share = f" ({100 * at.images // total} %)" if at.images < total else ""
    where = _file_of_position(standing, at)
    facts = [
        Fact("Images seen", at.images, f"{at.images:,} of {total:,}{share}", where, "images; run.json: total_images"),
        Fact("Minutes", round(busy_s / 60, 2), minutes(busy_s), ATTEMPTS, _TIMES),
        Fact("Worker hours", sums["worker_hours"], hours(sums["worker_hours"]), ATTEMPTS, f"workers; {_TIMES}"),
    ]
    if price:
        cost = round(sums["worker_hours"] * price, 4)
        facts.append(
            Fact(
                "Cost", cost, f"{cost:,.2f}", ATTEMPTS, f"workers; {_TIMES}",
                note=f"worker hours at {price:g} each, as the command was told; of workers alone",
            )
        )  # fmt: skip
    losses = [count_of("Steps", at.step, where, "step"), *_losses(standing, costs)]
    return Overview(Fact("State", at.state, words, "run.json", "status", note=last), facts, losses, costs)


def _file_of_position(standing: Standing, at: Position) -> str:
    """Where `position` has it from."""
    if at.runs and standing.points:
        return "metrics.jsonl"
    if at.silent_s is not None and not at.runs and standing.checkpoints:
        return f"checkpoints/{max(standing.checkpoints)}/MANIFEST.json"
    return "run.json"


def _losses(standing: Standing, costs: Sequence[AttemptCost]) -> list[Fact]:
    """Of time and of steps."""
    sums = totals(costs)
    found = [
        count_of("Attempts", int(sums["attempts"]), "attempts/*.json", "number"),
        count_of("Steps done in vain", int(sums["steps_rolled_back"]), ATTEMPTS, "step"),
    ]
    for name, part in (
        ("Time in steps that were lost", "seconds_redone"),
        ("Time to start up", "seconds_starting"),
        ("Time in steps that count", "seconds_training"),
    ):
        found.append(Fact(name, sums[part], duration(sums[part]), ATTEMPTS, _TIMES))
    if waits := [
        value for point in standing.points if isinstance(value := point["values"].get("speed/wait_share"), int | float)
    ]:
        mean = sum(waits) / len(waits)
        where = "values.speed/wait_share"
        found.append(Fact("Share of time waiting for data", mean, f"{100 * mean:.1f} %", "metrics.jsonl", where))
    if standing.torn:
        text = f"{count(len(standing.torn), 'checkpoint')}, passed over"
        found.append(Fact("Incomplete checkpoints", len(standing.torn), text, "checkpoints/", "MANIFEST.json"))
    return found


def minutes(seconds: float) -> str:
    """Time in minutes for people, as all runs have it; hours where it is long."""
    if seconds < 100 * 60:
        return f"{seconds / 60:.1f} min"
    return duration(seconds)


def hours(value: float) -> str:
    """Hours of workers: `0.052 h`, `12.3 h`."""
    return f"{value:.3f} h" if value < 1 else f"{value:,.1f} h"
