"""The lives of a run's worker groups: started, watched, ended in order when machines come or go, started again.

Ray's own retries are not used. They know neither whether there was progress since the last loss nor how many workers
fit by now, and they resize a group without letting it write a checkpoint.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dcgan_dist.checkpoint import newest_manifest
from dcgan_dist.errors import ClusterError, DcganDistError
from dcgan_dist.failures import explain, loss
from dcgan_dist.group import Group, Life
from dcgan_dist.monitoring.mailbox import Receiver
from dcgan_dist.monitoring.monitor import Monitor
from dcgan_dist.monitoring.watchdog import describe, stuck
from dcgan_dist.preflight import ClusterFacts, Placement, gather_facts, leaving_nodes, place_workers
from dcgan_dist.settings import Settings
from dcgan_dist.worker import Outcome

LOOK_S = 0.5
"""Between two looks at the group and at the cluster."""
SETTLE_S = 5.0
"""How long after a group's end the machines that it held may take to be free again."""


class Supervisor:
    """Trains a run to its end, over as many worker groups as it takes."""

    def __init__(self, group: Group, receiver: Receiver, monitor: Monitor, check: Callable[[], None]) -> None:
        """`check` is called at every look; a `DcganDistError` that it raises ends the run with a checkpoint."""
        self._group, self._receiver, self._monitor, self._check = group, receiver, monitor, check
        self._settings: Settings = group.settings
        self._signal: int | None = None
        self._failures = Failures(self._settings.workers.max_failures)

    @property
    def signal(self) -> int | None:
        """That the run was ended by, if it was."""
        return self._signal

    def run(self) -> Outcome:
        """Until the run is done, out of time, or stopped by a signal.

        Raises:
            DcganDistError: it cannot go on, for a reason that a user can mend.
        """
        with self._on_signals():
            placement = self._wait_for_room(self._settings.workers.wait_s)
            while True:
                outcome = self._live(placement)
                if isinstance(outcome, Outcome) and (outcome.step == self._group.total_steps or not self._again):
                    return outcome
                placement = self._wait_for_room(self._settings.workers.return_s)

    def _live(self, placement: Placement) -> Outcome | None:
        """One life of the worker group; None where it was lost and the run goes on."""
        self._again, error, given_up = False, None, None
        self._ask(None if self._signal is None else "signal")
        known = frozenset(gather_facts().hosts)
        life = Life(lambda: self._group.train(placement))
        while life.lasts(LOOK_S):
            try:
                self._check()
            except DcganDistError as found:
                error = error or found
                self._ask(str(found))
            if not self._again and self._signal is None and error is None:
                self._look_at_nodes(placement, known)
            given_up = given_up or self._look_at_ranks()
        if error is not None:
            raise error
        if isinstance(life.outcome, Outcome):
            self._again = self._again and self._signal is None
            return life.outcome
        assert life.outcome is not None
        self._judge(life.outcome, given_up)
        return None

    def _look_at_nodes(self, placement: Placement, known: frozenset[str]) -> None:
        """Ask the group to end with a checkpoint where a node of its own is about to go, or new ones have come."""
        going = leaving_nodes() & self._monitor.nodes
        if going:
            self._again = True
            self._monitor.say(f"notice: {_nodes(len(going))} of this run will go; a checkpoint is written first")
            self._ask("notice")
            return
        facts = gather_facts()
        new = facts.hosts.keys() - known
        # What is free says little: read tasks hold a CPU also while they wait to hand on what they have read.
        if new and _fitting(self._settings, facts) > placement.workers:
            self._again = True
            self._monitor.say(f"{_nodes(len(new))} more: a checkpoint is written, and more workers start from it")
            self._ask("resize")

    def _look_at_ranks(self) -> str | None:
        """End the processes of a group that does not get on; why, if that is so."""
        limit_s = self._settings.workers.hang_s
        rank = stuck(self._receiver.beats(LOOK_S), limit_s)
        if rank is None:
            return None
        reason = f"{describe(rank)}; nobody got on for {limit_s:g} s, which is workers.hang_s"
        self._monitor.say(f"stuck: {reason}")
        self._ask(None, abandon=rank.beat["attempt"])
        return reason

    def _judge(self, error: BaseException, given_up: str | None) -> None:
        """Go on after a loss, or raise what the run ends with."""
        known = explain(error, self._settings)
        if known is not None:
            raise known from error
        lost = given_up or loss(error)
        if lost is None:
            raise error
        if self._signal is not None:
            raise ClusterError(f"the workers were lost while they stopped ({lost}): resume the run") from error
        newest = newest_manifest(self._group.run)
        if not self._failures.survives(newest["step"] if newest else 0):
            raise ClusterError(
                f"workers were lost {self._failures.in_a_row} times in a row without a new checkpoint between, more "
                f"than workers.max_failures {self._settings.workers.max_failures} allows; the last time: {lost}"
            ) from error
        self._monitor.say(f"lost: {lost}")

    def _wait_for_room(self, patience_s: float) -> Placement:
        """As many workers as the nodes have room for, once they are free; after some seconds as many as are.

        Raises:
            ClusterError: too few fit, all the time.
        """
        start, told = time.monotonic(), False
        while True:
            waited_s = time.monotonic() - start
            try:
                placement = place_workers(self._settings, gather_facts(free=True))
                if placement.workers >= _fitting(self._settings, gather_facts()) or waited_s > SETTLE_S:
                    return placement
            except ClusterError as error:
                if waited_s > patience_s or self._signal is not None:
                    raise ClusterError(f"{error} (waited {waited_s:.0f} s)") from error
                if waited_s > SETTLE_S and not told:
                    told = True
                    self._monitor.say(f"waiting for machines, at most {patience_s:.0f} s: {error}")
            time.sleep(LOOK_S)

    @contextmanager
    def _on_signals(self) -> Iterator[None]:
        """Answer SIGINT and SIGTERM within the block: the first asks for a checkpoint, the second ends the process."""
        before = {number: signal.signal(number, self._answer) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number
        # A signal comes in the middle of anything, also of the monitor's lock: the line is said by another thread.
        threading.Thread(target=self._leave, name="stop").start()

    def _leave(self) -> None:
        self._monitor.say("stopping: a checkpoint is written first; once more to leave at once")
        self._ask("signal")

    def _ask(self, stop: str | None, abandon: int | None = None) -> None:
        self._receiver.wish({"stop": stop, "abandon": abandon})


class Failures:
    """Losses in a row without progress between them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._step = 0
        self.in_a_row = 0

    def survives(self, step: int) -> bool:
        """Count a loss, with the newest checkpoint at `step`; whether the run goes on."""
        if step > self._step:
            self._step, self.in_a_row = step, 0
        self.in_a_row += 1
        return self.in_a_row <= self._most


def _fitting(settings: Settings, facts: ClusterFacts) -> int:
    try:
        return place_workers(settings, facts).workers
    except ClusterError:
        return 0


def _nodes(number: int) -> str:
    return f"{number} node{'' if number == 1 else 's'}"
