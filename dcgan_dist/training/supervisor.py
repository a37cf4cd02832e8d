"""The lives of a run's worker groups: started, watched, ended in order when machines come or go, started again.

Ray's own retries are not used. They know neither whether there was progress since the last loss nor how many workers
fit by now, and they resize a group without letting it write a checkpoint.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType

from dcgan_dist.cluster.autoscaling import Patience, asking, worker_bundles
from dcgan_dist.cluster.placement import (
    ClusterFacts,
    Placement,
    any_gone,
    gather_facts,
    leaving_nodes,
    place_workers,
    without,
)
from dcgan_dist.errors import ClusterError, DcganDistError
from dcgan_dist.monitoring.hangs import LastHeartbeat, describe, stuck
from dcgan_dist.monitoring.mailbox import Receiver
from dcgan_dist.monitoring.messages import Wish
from dcgan_dist.monitoring.monitor import Monitor
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.checkpoint import newest_manifest
from dcgan_dist.settings import Settings
from dcgan_dist.training.failures import explain, loss
from dcgan_dist.training.policy import (
    Budgets,
    Cause,
    Ended,
    How,
    Running,
    Stop,
    Waiting,
    cause_of,
    may_start,
    what_next,
    why_stop,
)
from dcgan_dist.training.worker import Outcome
from dcgan_dist.training.worker_group import Attempted, Group

LOOK_S = 0.5
"""Between two looks at the group and at the cluster."""
STOP = signal.SIGTERM
"""Reason given to a run that is to end, if no other is known."""


class Supervisor:
    """Trains a run to its end, over as many worker groups as it takes."""

    def __init__(
        self,
        group: Group,
        receiver: Receiver,
        monitor: Monitor,
        check: Callable[[], None],
        held: Callable[[], Mapping[str, tuple[float, float]]] = dict,
    ) -> None:
        """
        Args:
            check: is called at every look; a `DcganDistError` that it raises ends the run with a checkpoint.
            held: CPUs and GPUs of each node that are not for workers, since evaluation has them.
        """
        self._held = held
        self._group, self._receiver, self._monitor, self._check = group, receiver, monitor, check
        self._settings: Settings = group.settings
        self._signal: int | None = None
        self._ended = 0
        self._wished: Wish = {"stop": None, "abandon": None}
        self._budgets = Budgets(self._settings.workers)

    @property
    def signal(self) -> int | None:
        """That the run was ended by, if it was."""
        return self._signal

    def stop(self, number: int = STOP) -> None:
        """Let the run end with a checkpoint, as that signal does; from any thread."""
        self._signal = self._signal or number

    def run(self) -> Outcome:
        """Until the run is done, out of time, or stopped by a signal.

        Raises:
            DcganDistError: it cannot go on, for a reason that a user can mend.
        """
        with self._on_signals():
            placement = self._wait_for_room(self._settings.workers.wait_s, "--workers.wait-s")
            while self._signal is None:
                outcome = self._one_group(placement)
                if outcome is not None:
                    return outcome
                placement = self._wait_for_room(self._settings.workers.return_s, "--workers.return-s")
        # Between two groups there is nobody to ask for a checkpoint, and nothing to lose.
        newest = newest_manifest(self._group.run)
        return Outcome(newest["step"] if newest else 0, "asked to stop")

    def _one_group(self, placement: Placement) -> Outcome | None:
        """A worker group from its start to its end; None where another one is to follow."""
        asked: Stop = ""
        hung: tuple[int, str] | None = None
        finding: DcganDistError | None = None
        self._ended = max((rank.beat["attempt"] for rank in self._heard()), default=self._ended)
        self._wish(None, None)
        known = frozenset(self._facts().hosts)
        self._monitor.say(f"starting {placement.workers} worker{'' if placement.workers == 1 else 's'}")
        attempt = Attempted(lambda: self._group.train(placement))
        while attempt.lasts(LOOK_S):
            finding = finding or self._find()
            facts = self._look(asked, finding is not None, placement, known)
            why = why_stop(facts)
            if why != asked:
                self._say_why(why, facts)
            asked = why
            hung = hung or self._look_at_ranks()
            self._wish(str(finding) if asked == "finding" else asked, hung)
        return self._after(attempt, asked, finding, hung, known)

    def _find(self) -> DcganDistError | None:
        """What ends the run, where it has been found."""
        try:
            self._check()
        except DcganDistError as found:
            return found
        return None

    def _look(self, asked: Stop, finding: bool, placement: Placement, known: frozenset[str]) -> Running:
        """What is known of the group that runs; at nodes nobody looks once it has been asked to stop."""
        signalled = self._signal is not None
        leaving, arrived, room = 0, 0, 0
        if not (asked or signalled or finding):
            leaving = len(leaving_nodes() & self._monitor.nodes)
            facts = self._facts()
            arrived, room = len(facts.hosts.keys() - known), _fitting(self._settings, facts)
        return Running(asked, signalled, finding, leaving, arrived, placement.workers, room)

    def _say_why(self, why: Stop, facts: Running) -> None:
        if why == "notice":
            self._monitor.say(
                f"notice: {_nodes(facts.leaving)} of this run will be taken away; a checkpoint is written first"
            )
        if why == "resize":
            self._monitor.say(
                f"{_nodes(facts.arrived)} more: a checkpoint is written, and training continues from it with more "
                "workers"
            )

    def _after(
        self,
        attempt: Attempted,
        asked: Stop,
        finding: DcganDistError | None,
        hung: tuple[int, str] | None,
        known: frozenset[str],
    ) -> Outcome | None:
        """What becomes of the run once the group has ended: its outcome; None where it goes on with another group.

        Args:
            known: nodes that were there when the group began.
        """
        outcome, error = attempt.outcome, attempt.error
        mendable = explain(error, self._settings) if error is not None else None
        lost = None if error is None else hung[1] if hung else loss(error, self._monitor.hosts)
        how: How = "in order" if error is None else "mendable" if mendable else "lost" if lost else "defect"
        complete = outcome is not None and outcome.step == self._group.total_steps
        match what_next(Ended(how, complete, asked, self._signal is not None, finding is not None)):
            case "finding":
                assert finding is not None
                raise finding
            case "finish":
                return outcome
            case "mendable":
                assert mendable is not None
                raise mendable from error
            case "defect":
                assert error is not None
                raise error
            case "lost while stopping":
                raise ClusterError(
                    f"the workers were lost while they were stopping ({lost}): resume the run"
                ) from error
            case "count the loss":
                self._count_loss(str(lost), error, cause_of(hung=hung is not None, node_gone=self._any_gone(known)))
        return None

    def _any_gone(self, known: frozenset[str]) -> bool:
        return any_gone(self._monitor.nodes & known)

    def _count_loss(self, lost: str, error: BaseException | None, cause: Cause) -> None:
        """Go on after a loss, unless there were too many."""
        newest = newest_manifest(self._group.run)
        over = self._budgets.take(cause, newest["step"] if newest else 0)
        if over is not None:
            raise ClusterError(f"{over}; the last loss: {lost}") from error
        self._monitor.say(f"lost: {lost}")

    def _facts(self) -> ClusterFacts:
        """What the cluster has for workers."""
        return without(gather_facts(), self._held())

    def _wish(self, stop: str | None, hung: tuple[int, str] | None) -> None:
        """Let the workers know what is wanted of them, where that has changed."""
        wish: Wish = {"stop": stop or None, "abandon": hung[0] if hung else None}
        if wish != self._wished:
            self._wished = wish
            self._receiver.wish(wish)

    def _look_at_ranks(self) -> tuple[int, str] | None:
        """The attempt whose processes are to end since it does not get on, and why."""
        limit_s = self._settings.workers.hang_s
        ranks = self._heard()
        self._monitor.hear(ranks)
        rank = stuck(ranks, limit_s)
        if rank is None:
            return None
        reason = f"{describe(rank)}; no rank made progress for {limit_s:g} s, which is workers.hang_s"
        self._monitor.say(f"stuck: {reason}")
        return rank.beat["attempt"], reason

    def _heard(self) -> list[LastHeartbeat]:
        """The ranks' signs of life. Those of a group that has ended stay in the mailbox until the next one's come: by
        them it would be given up again, and the next one would not be watched."""
        return [rank for rank in self._receiver.beats(LOOK_S) if rank.beat["attempt"] > self._ended]

    def _wait_for_room(self, wait_s: float, option: str) -> Placement:
        """As many workers as the nodes have room for, once they are free; after some seconds as many as are.

        Raises:
            ClusterError: too few fit, all the time.
        """
        patience, told = Patience(wait_s, option), False
        with ExitStack() as asked:
            while True:
                waited_s, facts = patience.waited_s, self._facts()
                room = _fitting(self._settings, facts)
                if room:
                    asked.close()  # or what has come would not be free
                placement, lacking = self._place()
                free = placement.workers if placement else 0
                signalled = self._signal is not None
                is_over = placement is None and patience.is_over()
                match may_start(Waiting(room, free, waited_s, is_over, signalled, told)):
                    case "start":
                        assert placement is not None
                        return placement
                    case "give up":
                        raise ClusterError(f"{lacking} (waited {waited_s:.0f} s)") from lacking
                    case "tell":
                        told = True
                        self._monitor.say(f"waiting for machines, {patience}: {lacking}")
                        if not room:
                            asked.enter_context(asking(worker_bundles(self._settings, facts)))
                time.sleep(LOOK_S)

    def _place(self) -> tuple[Placement | None, ClusterError | None]:
        """What workers can take of what is free now, or what it lacks."""
        try:
            return place_workers(self._settings, gather_facts(free=True)), None
        except ClusterError as error:
            return None, error

    @contextmanager
    def _on_signals(self) -> Iterator[None]:
        """Answer SIGINT and SIGTERM within the block: the first asks for a checkpoint, the second ends the process.

        Signals reach the main thread alone: a run that another one drives is ended by `stop`.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._answer) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self.stop(number)
        # A signal comes in the middle of anything, also of the monitor's lock: the line is said by another thread.
        line = "stopping: a checkpoint is written first; interrupt again to stop at once"
        threading.Thread(target=self._monitor.say, args=(line,), name="stop").start()


def _fitting(settings: Settings, facts: ClusterFacts) -> int:
    try:
        return place_workers(settings, facts).workers
    except ClusterError:
        return 0


def _nodes(number: int) -> str:
    return count(number, "node")
