"""When a step ends with pictures, measurements or a checkpoint: pure decisions by the number of images."""

FIRST_GRID_S = 20.0
"""From a run's first step to its first grid of samples, so that one is there within the first minute."""

ALIGNED_EXCHANGES = 16
"""Exchanges of weights of which the last one also averages moments: these are twice as many bytes."""


def passes(step: int, batch_size: int, images: int) -> bool:
    """Whether the step, counted from 1, reaches another multiple of that many images."""
    return (step - 1) * batch_size // images != step * batch_size // images


def grid_is_due(step: int, total: int, batch_size: int, every: int, waited_s: float | None) -> bool:
    """Whether a step ends with a grid of samples.

    Args:
        step: counted from 1.
        total: steps of the run.
        every: images between two grids.
        waited_s: since the first step, while there is no grid yet.
    """
    return step == total or passes(step, batch_size, every) or (waited_s is not None and waited_s >= FIRST_GRID_S)


def ends_a_quarter(step: int, total: int) -> bool:
    """Whether a step, counted from 1, is the last of a quarter of the run: its checkpoint stays."""
    return (step - 1) * 4 // total != step * 4 // total


def checkpoint_is_due(
    step: int, total: int, batch_size: int, every: int, *, leaving: bool, timely: bool, asked: int | None = None
) -> bool:
    """Whether a step ends with a checkpoint.

    Args:
        step: counted from 1.
        total: steps of the run.
        every: images between two checkpoints; 0: only time counts.
        leaving: the group ends here.
        timely: the one before was long enough ago, and nothing is being written.
        asked: the last step of which this was asked; None: the one before.
    """
    before = step - 1 if asked is None else asked
    passed = every > 0 and before * batch_size // every != step * batch_size // every
    return leaving or timely or ends_a_quarter(step, total) or passed


def exchange_is_due(step: int, total: int, every: int, *, leaving: bool) -> bool:
    """Whether workers that step on their own average their weights after a step.

    Args:
        step: counted from 1.
        total: steps of the run.
        every: `workers.exchange_steps`.
        leaving: the group ends here.
    """
    return leaving or step % every == 0 or ends_a_quarter(step, total)


def alignment_is_due(step: int, total: int, every: int, *, leaving: bool) -> bool:
    """Whether they also average all else that a checkpoint holds, so that one may be written; arguments likewise.

    No setting of checkpoints has a part in it: numbers would depend on when they are written.
    """
    return leaving or step % (every * ALIGNED_EXCHANGES) == 0 or ends_a_quarter(step, total)
