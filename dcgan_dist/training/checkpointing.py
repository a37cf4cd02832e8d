"""When a rank writes checkpoints, and what it reports of them."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from dcgan_dist.errors import DcganDistError
from dcgan_dist.run_folder.attempts import Attempt
from dcgan_dist.run_folder.checkpoint import checkpoint_name, manifests
from dcgan_dist.run_folder.saver import Saver
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place
from dcgan_dist.training.reporter import Reporter
from dcgan_dist.training.schedule import checkpoint_is_due, ends_a_quarter

RESCUE_S, YIELD_S, POLL_S = 30.0, 5.0, 0.5
"""Where data ends too early: how long a last checkpoint may take; how long a rank leaves it to the one before it, and
the time between two looks whether that one has written it."""
REPORT_S = 1.0
"""Between two reports while the last checkpoint is being written."""


class Checkpointing:
    """Writes the checkpoints of a group when they are due, in the background, and reports them."""

    def __init__(
        self,
        run: Place,
        settings: Settings,
        attempt: Attempt,
        total_steps: int,
        state: Callable[[], Mapping[str, Any]],
        reporter: Reporter,
    ) -> None:
        """`state`: all that a run resumes from, as it is now."""
        self._run, self._settings, self._attempt, self._total = run, settings, attempt, total_steps
        self._state, self._reporter = state, reporter
        self._saver = Saver(run, settings, attempt.number)
        self._saved_at = time.monotonic()
        self._asked = attempt.step
        self._refused: str | None = None

    def save_if_due(self, step: int, *, leaving: bool, whole: bool = True) -> None:
        """Write a checkpoint at intervals, at each quarter of the run, at its end, and when the group leaves.

        Args:
            step: that has ended.
            leaving: the group ends here.
            whole: whether the state is that of all workers; else nothing is written, and what was due in between is at
                the next step that has it.
        """
        if whole:
            self._save_if_due(step, leaving)
        self._report(step)

    def _save_if_due(self, step: int, leaving: bool) -> None:
        checkpoints, batch_size = self._settings.checkpoints, self._settings.optimization.batch_size
        free = not self._saver.busy or self._saver.refused is not None
        timely = free and time.monotonic() - self._saved_at > checkpoints.minutes * 60
        asked, self._asked = self._asked, step
        by_images = checkpoints.images
        if checkpoint_is_due(step, self._total, batch_size, by_images, leaving=leaving, timely=timely, asked=asked):
            self._saver.save(self._state(), step, kept=ends_a_quarter(step, self._total))
            self._saved_at = time.monotonic()

    def finish(self, step: int) -> None:
        """Wait until the last checkpoint is written; raises what the storage says where it is not."""
        while not self._saver.wait(REPORT_S):
            self._report(step)
        self._report(step)

    def rescue(self, step: int, rank: int) -> None:
        """Write a checkpoint before this group ends for want of data: between two steps the state is whole.

        It is the same on every rank, and rank 0 may be in a step for which this rank has no data any more. So a rank
        writes it if those before it do not. Ranks that step on their own between two exchanges each have their own
        state: that of one of them is lost progress of a few steps, and no checkpoint would be that of many more.
        """
        if step == self._attempt.step:
            return
        name, deadline = checkpoint_name(self._settings, step), time.monotonic() + rank * YIELD_S
        # The error that is raised is why the data ended, not that the storage refuses this checkpoint too.
        with suppress(DcganDistError):
            while time.monotonic() < deadline:
                if manifests(self._run).get(name, {}).get("attempt") == self._attempt.number:
                    return
                time.sleep(POLL_S)
            self._saver.save(self._state(), step, kept=False)
            self._saver.wait(RESCUE_S)
            self._report(step)
            self._reporter.flush()

    def _report(self, now: int) -> None:
        """Report what was written, and once what is refused."""
        refused, before = self._saver.refused, self._refused
        self._refused = refused
        if refused is not None and before is None:
            self._reporter.event(
                now, f"no checkpoint can be written; training continues, and writing is retried: {refused}"
            )
        for name, step, seconds in self._saver.take_written():
            self._reporter.checkpoint(step, name, seconds)
