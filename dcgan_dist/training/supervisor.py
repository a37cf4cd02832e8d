"""Starts a run's worker groups, watches them, ends them in order when machines come or go, and starts them again.

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
    place_workers,
    without,
)
from dcgan_dist.cluster.ray_internals import leaving_nodes
from dcgan_dist.errors import ClusterError, DcganDistError
from dcgan_dist.monitoring.hangs import LastHeartbeat, describe, stuck
from dcgan_dist.monitoring.mailbox import Receiver
from dcgan_dist.monitoring.messages import Request
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
from dcgan_dist.training.worker_group import Attempted, Group
from dcgan_dist.training.worker_job import Outcome

LOOK_S = 0.5
"""Between two looks at the group and at the cluster."""
STOP = signal.SIGTERM
"""Reason for stopping a run, where no other is known."""


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
            check: called at every look; a `DcganDistError` that it raises ends the run with a checkpoint.
            held: returns the CPUs and GPUs of each node that evaluation holds, which are not for workers.
        """
        self._held = held
        self._group, self._receiver, self._monitor, self._check = group, receiver, monitor, check
        self._settings: Settings = group.settings
        self._signal: int | None = None
        self._ended = 0
        self._requested: Request = {"stop": None, "abandon": None}
        self._budgets = Budgets(self._settings.workers)

    @property
    def signal(self) -> int | None:
        """The signal that stopped the run, if one did."""
        return self._signal

    def stop(self, number: int = STOP) -> None:
        """Stop the run with a checkpoint, as that signal would; callable from any thread."""
        self._signal = self._signal or number

    def run(self) -> Outcome:
        """Train until the run is done, out of time, or stopped by a signal.

        Raises:
            DcganDistError: training cannot continue, for a reason that the user can fix.
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
        """Run one worker group from its start to its end; None if another one is to follow."""
        requested: Stop = ""
        hung: tuple[int, str] | None = None
        finding: DcganDistError | None = None
        self._ended = max((rank.heartbeat["attempt"] for rank in self._live_heartbeats()), default=self._ended)
        self._request(None, None)
        nodes_before = frozenset(self._facts().hosts)
        self._monitor.say(f"starting {count(placement.workers, 'worker')}")
        attempt = Attempted(lambda: self._group.train(placement))
        while attempt.lasts(LOOK_S):
            finding = finding or self._find()
            facts = self._look(requested, finding is not None, placement, nodes_before)
            why = why_stop(facts)
            if why != requested:
                self._say_why(why, facts)
            requested = why
            hung = hung or self._look_at_ranks()
            self._request(str(finding) if requested == "finding" else requested, hung)
        return self._after(attempt, requested, finding, hung, nodes_before)

    def _find(self) -> DcganDistError | None:
        """The error that ends the run, once `check` has found one."""
        try:
            self._check()
        except DcganDistError as found:
            return found
        return None

    def _look(self, requested: Stop, finding: bool, placement: Placement, nodes_before: frozenset[str]) -> Running:
        """Facts about the running group; the nodes are not looked at any more once it has been told to stop."""
        signalled = self._signal is not None
        leaving, arrived, room = 0, 0, 0
        if not (requested or signalled or finding):
            leaving = len(leaving_nodes() & self._monitor.nodes)
            facts = self._facts()
            arrived, room = len(facts.hosts.keys() - nodes_before), _fitting(self._settings, facts)
        return Running(requested, signalled, finding, leaving, arrived, placement.workers, room)

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
        requested: Stop,
        finding: DcganDistError | None,
        hung: tuple[int, str] | None,
        nodes_before: frozenset[str],
    ) -> Outcome | None:
        """The outcome of the run once the group has ended; None if the run continues with another group.

        Args:
            nodes_before: nodes of the cluster when the group was started.
        """
        outcome, error = attempt.outcome, attempt.error
        fixable = explain(error, self._settings) if error is not None else None
        lost = None if error is None else hung[1] if hung else loss(error, self._monitor.hosts)
        how: How = "in order" if error is None else "fixable" if fixable else "lost" if lost else "defect"
        complete = outcome is not None and outcome.step == self._group.total_steps
        match what_next(Ended(how, complete, requested, self._signal is not None, finding is not None)):
            case "finding":
                assert finding is not None
                raise finding
            case "finish":
                return outcome
            case "fixable":
                assert fixable is not None
                raise fixable from error
            case "defect":
                assert error is not None
                raise error
            case "lost while stopping":
                raise ClusterError(
                    f"the workers were lost while they were stopping ({lost}): resume the run"
                ) from error
            case "count the loss":
                self._count_loss(
                    str(lost), error, cause_of(hung=hung is not None, node_gone=self._any_gone(nodes_before))
                )
        return None

    def _any_gone(self, nodes_before: frozenset[str]) -> bool:
        return any_gone(self._monitor.nodes & nodes_before)

    def _count_loss(self, lost: str, error: BaseException | None, cause: Cause) -> None:
        """Count a loss; raise if there were too many in a row."""
        newest = newest_manifest(self._group.run)
        over = self._budgets.take(cause, newest["step"] if newest else 0)
        if over is not None:
            raise ClusterError(f"{over}; the last loss: {lost}") from error
        self._monitor.say(f"lost: {lost}")

    def _facts(self) -> ClusterFacts:
        """What the cluster has for workers, without what evaluation holds."""
        return without(gather_facts(), self._held())

    def _request(self, stop: str | None, hung: tuple[int, str] | None) -> None:
        """Send the workers a request, unless it is the one that they have."""
        request: Request = {"stop": stop or None, "abandon": hung[0] if hung else None}
        if request != self._requested:
            self._requested = request
            self._receiver.request(request)

    def _look_at_ranks(self) -> tuple[int, str] | None:
        """The attempt whose processes are to be ended because it hangs, and the reason."""
        limit_s = self._settings.workers.hang_s
        ranks = self._live_heartbeats()
        self._monitor.hear(ranks)
        rank = stuck(ranks, limit_s)
        if rank is None:
            return None
        reason = f"{describe(rank)}; no rank made progress for {limit_s:g} s, which is workers.hang_s"
        self._monitor.say(f"stuck: {reason}")
        return rank.heartbeat["attempt"], reason

    def _live_heartbeats(self) -> list[LastHeartbeat]:
        """The newest heartbeats of the running group.

        Those of a group that has ended stay in the mailbox until the next one's come: by them it would be given up
        again, and the next one would not be watched.
        """
        return [rank for rank in self._receiver.heartbeats(LOOK_S) if rank.heartbeat["attempt"] > self._ended]

    def _wait_for_room(self, wait_s: float, option: str) -> Placement:
        """Place as many workers as the nodes have room for once they are free; after some seconds, as many as fit now.

        Raises:
            ClusterError: too few fit, all the time.
        """
        patience, announced = Patience(wait_s, option), False
        with ExitStack() as requested_nodes:
            while True:
                waited_s, facts = patience.waited_s, self._facts()
                room = _fitting(self._settings, facts)
                if room:
                    requested_nodes.close()  # or what has come would not be free
                placement, lacking = self._place()
                free = placement.workers if placement else 0
                signalled = self._signal is not None
                is_over = placement is None and patience.is_over()
                match may_start(Waiting(room, free, waited_s, is_over, signalled, announced)):
                    case "start":
                        assert placement is not None
                        return placement
                    case "give up":
                        raise ClusterError(f"{lacking} (waited {waited_s:.0f} s)") from lacking
                    case "announce":
                        announced = True
                        self._monitor.say(f"waiting for machines, {patience}: {lacking}")
                        if not room:
                            requested_nodes.enter_context(asking(worker_bundles(self._settings, facts)))
                time.sleep(LOOK_S)

    def _place(self) -> tuple[Placement | None, ClusterError | None]:
        """The placement of workers on what is free now, or what is missing for one."""
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
        # A signal comes in the middle of anything, also of the monitor's lock: another thread prints the line.
        line = "stopping: a checkpoint is written first; interrupt again to stop at once"
        threading.Thread(target=self._monitor.say, args=(line,), name="stop").start()


def _fitting(settings: Settings, facts: ClusterFacts) -> int:
    try:
        return place_workers(settings, facts).workers
    except ClusterError:
        return 0


def _nodes(number: int) -> str:
    return count(number, "node")
