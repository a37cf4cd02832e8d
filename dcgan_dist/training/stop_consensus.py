"""All ranks stop at the same step: about once a second they agree on whether any of them is to stop."""

import torch
import torch.distributed as dist

AGREE_S = 1.0
"""A request to stop reaches the loop about that often, whatever a step takes: a notice may leave only seconds."""

REASONS = ("", "asked to stop", "out of time")


class StopConsensus:
    """Lets all ranks stop at the same step, by a tiny all-reduce about once a second."""

    def __init__(self, batch_size: int, control: dist.ProcessGroup | None) -> None:
        self._batch_size, self._control = batch_size, control
        self._every = 1

    def pace(self, images_per_second: float) -> None:
        """Set how many steps a second takes. All ranks have to call this with the same number at the same step."""
        self._every = max(1, int(AGREE_S * images_per_second / self._batch_size))

    def reach(self, step: int, flag: int) -> int:
        """The largest flag of any rank, in steps in which they agree, else 0."""
        if step % self._every:
            return 0
        # Each flag has a place of its own, so that the sum tells which were raised.
        flags = torch.zeros(len(REASONS))
        flags[flag] = 1
        if self._control is not None:
            dist.all_reduce(flags, group=self._control)
        return int(flags.nonzero().max())
