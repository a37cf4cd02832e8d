"""What the attempts of a run did, lost and cost, from what they left in its folder; no Ray."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.monitoring.sinks.curves import Point
from dcgan_dist.run_folder.attempts import Attempt


@dataclass(frozen=True)
class AttemptCost:
    """One attempt, as far as its points of the curves tell.

    Attributes:
        number: of the attempt.
        workers: in its group.
        first_step: steps that were done when it began.
        last_step: that it is known to have reached.
        kept_step: up to which its steps count; the later ones were done again by the next attempt.
        start_s: from the start of the group to its first point.
        train_s: from there to its last point.
        redone_s: part of `train_s` whose steps were done again.
    """

    number: int
    workers: int
    first_step: int
    last_step: int
    kept_step: int
    start_s: float
    train_s: float
    redone_s: float

    @property
    def steps_rolled_back(self) -> int:
        """Steps that were done in vain."""
        return self.last_step - self.kept_step


def attempt_costs(attempts: Sequence[Attempt], lines: Sequence[Point]) -> list[AttemptCost]:
    """All attempts of a run in order; `lines` are those of `read_lines`."""
    costs = []
    for i, attempt in enumerate(attempts):
        points = [point for point in lines if point["attempt"] == attempt.number]
        times = {point["step"]: point["time"] for point in points}
        last_step = max(times, default=attempt.step)
        kept_step = min(last_step, attempts[i + 1].step) if i + 1 < len(attempts) else last_step
        begun = min(times.values(), default=attempt.started)
        ended = max(times.values(), default=attempt.started)
        kept_until = max((at for step, at in times.items() if step <= kept_step), default=begun)
        costs.append(
            AttemptCost(
                number=attempt.number,
                workers=attempt.workers,
                first_step=attempt.step,
                last_step=last_step,
                kept_step=kept_step,
                start_s=begun - attempt.started,
                train_s=ended - begun,
                redone_s=ended - kept_until,
            )
        )
    return costs


def totals(costs: Sequence[AttemptCost]) -> dict[str, int | float]:
    """What all attempts together did and cost, as it stands in `run.json`."""
    return {
        "attempts": len(costs),
        "steps_rolled_back": sum(cost.steps_rolled_back for cost in costs),
        "seconds_training": round(sum(cost.train_s - cost.redone_s for cost in costs), 1),
        "seconds_starting": round(sum(cost.start_s for cost in costs), 1),
        "seconds_redone": round(sum(cost.redone_s for cost in costs), 1),
        "worker_hours": round(sum(cost.workers * (cost.start_s + cost.train_s) for cost in costs) / 3600, 4),
    }
