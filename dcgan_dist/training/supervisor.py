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
from dcgan_dist.monitoring.hangs import Heard, describe, stuck
from dcgan_dist.monitoring.mailbox import Receiver
from dcgan_dist.monitoring.messages import Wish
from dcgan_dist.monitoring.monitor import Monitor
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.checkpoint import newest_manifest
from dcgan_dist.settings import Settings
from dcgan_dist.training.failures import Budgets, explain, loss
from dcgan_dist.training.worker import Outcome
from dcgan_dist.training.worker_group import Group, Life

LOOK_S = 0.5
"""Between two looks at the group and at the cluster."""
STOP = signal.SIGTERM
"""Reason given to a run that is to end, if no other is known."""
SETTLE_S = 5.0
"""How long after a group's end the machines that it held may take to be free again."""


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
            placement = self._wait_for_room(self._settings.workers.wait_s)
            while self._signal is None:
                outcome = self._live(placement)
                if isinstance(outcome, Outcome) and (outcome.step == self._group.total_steps or not self._again):
                    return outcome
                placement = self._wait_for_room(self._settings.workers.return_s)
        # Between two groups there is nobody to ask for a checkpoint, and nothing to lose.
        newest = newest_manifest(self._group.run)
        return Outcome(newest["step"] if newest else 0, "asked to stop")

    def _live(self, placement: Placement) -> Outcome | None:
        """One life of the worker group; None where it was lost and the run goes on."""
        self._again, self._given_up, error = "", None, None
        self._ended = max((rank.beat["attempt"] for rank in self._heard()), default=self._ended)
        self._wish(None)
        known = frozenset(self._facts().hosts)
        self._monitor.say(f"starting {placement.workers} worker{'' if placement.workers == 1 else 's'}")
        life = Life(lambda: self._group.train(placement))
        while life.lasts(LOOK_S):
            try:
                self._check()
            except DcganDistError as found:
                error = error or found
            if not self._again and self._signal is None and error is None:
                self._again = self._look_at_nodes(placement, known)
            self._given_up = self._given_up or self._look_at_ranks()
            self._wish("signal" if self._signal is not None else str(error) if error is not None else self._again)
        if error is not None:
            raise error
        if isinstance(life.outcome, Outcome):
            if self._signal is not None:
                self._again = ""
            return life.outcome
        assert life.outcome is not None
        self._judge(life.outcome, known)
        return None

    def _facts(self) -> ClusterFacts:
        """What the cluster has for workers."""
        return without(gather_facts(), self._held())

    def _wish(self, stop: str | None) -> None:
        """Let the workers know what is wanted of them, where that has changed."""
        wish: Wish = {"stop": stop or None, "abandon": self._given_up[0] if self._given_up else None}
        if wish != self._wished:
            self._wished = wish
            self._receiver.wish(wish)

    def _look_at_nodes(self, placement: Placement, known: frozenset[str]) -> str:
        """Why the group is to end with a checkpoint: a node of its own is about to go, or new ones have come."""
        going = leaving_nodes() & self._monitor.nodes
        if going:
            self._monitor.say(
                f"notice: {_nodes(len(going))} of this run will be taken away; a checkpoint is written first"
            )
            return "notice"
        facts = self._facts()
        new = facts.hosts.keys() - known
        # What is free says little: read tasks hold a CPU also while they wait to hand on what they have read.
        if new and _fitting(self._settings, facts) > placement.workers:
            self._monitor.say(
                f"{_nodes(len(new))} more: a checkpoint is written, and training continues from it with more workers"
            )
            return "resize"
        return ""

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

    def _heard(self) -> list[Heard]:
        """The ranks' signs of life. Those of a group that has ended stay in the mailbox until the next one's come: by
        them it would be given up again, and the next one would not be watched."""
        return [rank for rank in self._receiver.beats(LOOK_S) if rank.beat["attempt"] > self._ended]

    def _judge(self, error: BaseException, nodes: frozenset[str]) -> None:
        """Go on after a loss, or raise what the run ends with. `nodes`: those that were there when the group began."""
        known = explain(error, self._settings)
        if known is not None:
            raise known from error
        lost = self._given_up[1] if self._given_up else loss(error, self._monitor.hosts)
        if lost is None:
            raise error
        if self._signal is not None:
            raise ClusterError(f"the workers were lost while they were stopping ({lost}): resume the run") from error
        gone = any_gone(self._monitor.nodes & nodes)
        newest = newest_manifest(self._group.run)
        over = self._budgets.take(
            "hang" if self._given_up else "node" if gone else "process", newest["step"] if newest else 0
        )
        if over is not None:
            raise ClusterError(f"{over}; the last loss: {lost}") from error
        self._monitor.say(f"lost: {lost}")

    def _wait_for_room(self, wait_s: float) -> Placement:
        """As many workers as the nodes have room for, once they are free; after some seconds as many as are.

        Raises:
            ClusterError: too few fit, all the time.
        """
        patience, told = Patience(wait_s), False
        with ExitStack() as asked:
            while True:
                waited_s = patience.waited_s
                facts = self._facts()
                if _fitting(self._settings, facts):
                    asked.close()  # or what has come would not be free
                try:
                    placement = place_workers(self._settings, gather_facts(free=True))
                    if placement.workers >= _fitting(self._settings, facts) or waited_s > SETTLE_S:
                        return placement
                except ClusterError as error:
                    if patience.is_over() or self._signal is not None:
                        raise ClusterError(f"{error} (waited {waited_s:.0f} s)") from error
                    if waited_s > SETTLE_S and not told:
                        told = True
                        self._monitor.say(f"waiting for machines, {patience}: {error}")
                        if not _fitting(self._settings, facts):
                            asked.enter_context(asking(worker_bundles(self._settings, facts)))
                time.sleep(LOOK_S)

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
