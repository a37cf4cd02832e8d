"""When a worker group stops, what follows its end, and when the next one starts: pure functions of facts.

The supervisor gathers the facts, carries the decisions out, and reports them.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from dcgan_dist.numerals import count
from dcgan_dist.settings import WorkerSettings

SETTLE_S = 5.0
"""How long after a group's end the machines that it held may take to be free again."""

Stop = Literal["", "signal", "finding", "notice", "resize"]
"""Why a group is to stop with a checkpoint; empty: it is not. After `notice` and `resize` another group starts."""


@dataclass(frozen=True)
class Running:
    """Facts about a running group.

    Attributes:
        requested: why it has already been told to stop, if it has.
        signalled: whether a signal asks the run to stop.
        finding: whether an error was found that ends the run.
        leaving: nodes of the group that have been given notice.
        arrived: nodes that joined the cluster since the group was started.
        workers: size of the group.
        room: workers that all nodes have room for.
    """

    requested: Stop
    signalled: bool
    finding: bool
    leaving: int
    arrived: int
    workers: int
    room: int


def why_stop(facts: Running) -> Stop:
    """Why the group is to stop now. One that already stops for notice or resize keeps its reason."""
    if facts.signalled:
        return "signal"
    if facts.finding:
        return "finding"
    if facts.requested in ("notice", "resize"):
        return facts.requested
    if facts.leaving:
        return "notice"
    # What is free says little: read tasks hold a CPU also while they wait to hand on what they have read.
    if facts.arrived and facts.room > facts.workers:
        return "resize"
    return ""


How = Literal["in order", "fixable", "lost", "defect"]


@dataclass(frozen=True)
class Ended:
    """How a group has ended.

    Attributes:
        how: it stopped in order; or with an error that the user can fix, with the loss of a part of the cluster, or
            with anything else, which is a bug.
        complete: whether the run is trained to its end.
        requested: why it had been told to stop, if it had.
        signalled: whether a signal asks the run to stop; also one that came too late for the group to act on.
        finding: whether an error was found that ends the run; likewise.
    """

    how: How
    complete: bool
    requested: Stop
    signalled: bool
    finding: bool


After = Literal["finding", "finish", "again", "fixable", "defect", "lost while stopping", "count the loss"]


def what_next(facts: Ended) -> After:
    """How the run continues: it ends with the finding, in order, or with the group's error, or another group starts."""
    if facts.finding:
        return "finding"
    if facts.how == "in order":
        starts_again = facts.requested in ("notice", "resize") and not facts.signalled and not facts.complete
        return "again" if starts_again else "finish"
    if facts.how == "fixable":
        return "fixable"
    if facts.how == "defect":
        return "defect"
    return "lost while stopping" if facts.signalled else "count the loss"


@dataclass(frozen=True)
class Waiting:
    """Facts while a group waits for room.

    Attributes:
        room: workers that all nodes have room for; 0: fewer than the run needs.
        free: workers that there is room for right now; 0: likewise.
        waited_s: time waited so far.
        is_over: whether the limit for waiting is reached.
        signalled: whether a signal asks the run to stop.
        announced: whether the user has been told that the run waits.
    """

    room: int
    free: int
    waited_s: float
    is_over: bool
    signalled: bool
    announced: bool


def may_start(facts: Waiting) -> Literal["start", "wait", "announce", "give up"]:
    """Whether a group starts now, with as many workers as there is room for right now.

    That may be fewer than the nodes have room for, but only once they have had time to become free.
    """
    settled = facts.waited_s > SETTLE_S
    if facts.free:
        return "start" if facts.free >= facts.room or settled else "wait"
    if facts.is_over or facts.signalled:
        return "give up"
    return "announce" if settled and not facts.announced else "wait"


Cause = Literal["process", "node", "hang"]
"""Why a group was lost: one of its processes died, a whole node died, or no rank made progress."""


def cause_of(*, hung: bool, node_gone: bool) -> Cause:
    """The cause of a loss. A hung group is killed on purpose, which can look like the loss of a process or a node."""
    if hung:
        return "hang"
    return "node" if node_gone else "process"


class Budgets:
    """Losses in a row with no new checkpoint between them: each cause has a budget of its own.

    A process that dies again and again is a bug; spot machines are expected to disappear.
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
        """Count a loss, with the newest checkpoint at `step`; returns the error message if it is one too many."""
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
