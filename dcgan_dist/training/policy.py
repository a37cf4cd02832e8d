"""What becomes of a worker group, and of the run once that has ended: decided from facts alone, by pure functions.

The supervisor gathers the facts, does what is decided here, and says so.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from dcgan_dist.numerals import count
from dcgan_dist.settings import WorkerSettings

SETTLE_S = 5.0
"""How long after a group's end the machines that it held may take to be free again."""

Stop = Literal["", "signal", "finding", "notice", "resize"]
"""Why a group is asked to stop with a checkpoint; empty: it is not. After `notice` and `resize` another one starts."""


@dataclass(frozen=True)
class Running:
    """What is known of a group that runs.

    Attributes:
        asked: why it has been asked to stop, if it has.
        signalled: whether the run is to end, since a signal came.
        finding: whether something was found that ends the run.
        leaving: nodes of the group that have been given notice.
        arrived: nodes that have come since the group was started.
        workers: of the group.
        room: workers that all nodes have room for.
    """

    asked: Stop
    signalled: bool
    finding: bool
    leaving: int
    arrived: int
    workers: int
    room: int


def why_stop(facts: Running) -> Stop:
    """Why the group is to stop now. A group that stops for a new one is asked nothing else of the kind."""
    if facts.signalled:
        return "signal"
    if facts.finding:
        return "finding"
    if facts.asked in ("notice", "resize"):
        return facts.asked
    if facts.leaving:
        return "notice"
    # What is free says little: read tasks hold a CPU also while they wait to hand on what they have read.
    if facts.arrived and facts.room > facts.workers:
        return "resize"
    return ""


How = Literal["in order", "mendable", "lost", "defect"]


@dataclass(frozen=True)
class Ended:
    """How a group has ended.

    Attributes:
        how: it stopped in order; or with an error that a user can mend, with a loss of a part of the cluster, or with
            anything else, which is a defect of ours.
        complete: whether the run is trained to its end.
        asked: why it had been asked to stop, if it had.
        signalled: whether the run is to end, since a signal came; also one that came too late to be asked for.
        finding: whether something was found that ends the run; likewise.
    """

    how: How
    complete: bool
    asked: Stop
    signalled: bool
    finding: bool


After = Literal["finding", "finish", "again", "mendable", "defect", "lost while stopping", "count the loss"]


def what_next(facts: Ended) -> After:
    """What becomes of the run: it ends with the finding, in order, or with the group's error; or goes on."""
    if facts.finding:
        return "finding"
    if facts.how == "in order":
        starts_again = facts.asked in ("notice", "resize") and not facts.signalled and not facts.complete
        return "again" if starts_again else "finish"
    if facts.how == "mendable":
        return "mendable"
    if facts.how == "defect":
        return "defect"
    return "lost while stopping" if facts.signalled else "count the loss"


@dataclass(frozen=True)
class Waiting:
    """What is known while a group waits for room.

    Attributes:
        room: workers that all nodes have room for; 0: fewer than the run needs.
        free: those that there is room for at the moment; 0 as well.
        waited_s: so far.
        is_over: whether patience is.
        signalled: whether the run is to end.
        told: whether it was said that the run waits.
    """

    room: int
    free: int
    waited_s: float
    is_over: bool
    signalled: bool
    told: bool


def may_start(facts: Waiting) -> Literal["start", "wait", "tell", "give up"]:
    """Whether a group starts, with as many workers as there is room for at the moment.

    That may be fewer than the nodes have room for, but only once they have had time to become free.
    """
    settled = facts.waited_s > SETTLE_S
    if facts.free:
        return "start" if facts.free >= facts.room or settled else "wait"
    if facts.is_over or facts.signalled:
        return "give up"
    return "tell" if settled and not facts.told else "wait"


Cause = Literal["process", "node", "hang"]
"""What a group was lost with: a process of it, a whole node, or that no rank got on."""


def cause_of(*, hung: bool, node_gone: bool) -> Cause:
    """A group that hung is ended by us, which may look like the loss of a process or a node."""
    if hung:
        return "hang"
    return "node" if node_gone else "process"


class Budgets:
    """Losses in a row with no new checkpoint between them: each cause has a budget of its own.

    A process that dies again and again is a defect; that machines go is the way of cheap ones.
    """

    def __init__(self, workers: WorkerSettings) -> None:
        self._most: dict[Cause, tuple[str, int, str]] = {
            "process": ("max_failures", workers.max_failures, "workers were lost"),
            "node": ("max_nodes_lost", workers.max_nodes_lost, "machines were lost"),
            "hang": ("max_hangs", workers.max_hangs, "workers hung"),
        }
        self._step = 0
        self._losses: Counter[Cause] = Counter()

    def take(self, cause: Cause, step: int) -> str | None:
        """Count a loss, with the newest checkpoint at `step`; where it is one too many, what is to be said of it."""
        if step > self._step:
            self._step = step
            self._losses.clear()
        self._losses[cause] += 1
        name, most, what = self._most[cause]
        number = self._losses[cause]
        if number <= most:
            return None
        return (
            f"{what} {count(number, 'time')} in a row without a new checkpoint in between, more than "
            f"workers.{name} {most} allows"
        )
