"""Pictures side by side, as parts of a figure; no Ray."""

from collections.abc import Sequence

import numpy as np

from dcgan_dist.arrays import Pixels

GAP = 8
"""Pixels between the parts, black; before the figure is enlarged."""


def joined(parts: Sequence[Pixels], *, axis: int) -> Pixels:
    """Pictures uint8 [H, W, 3] in one, below each other (axis 0) or beside each other (axis 1).

    Where the other side is shorter than the longest, black fills it up.
    """
    across = 1 - axis
    longest = max(part.shape[across] for part in parts)
    padded = []
    for number, part in enumerate(parts):
        widths = [(0, 0)] * 3
        widths[axis] = (GAP if number else 0, 0)
        widths[across] = (0, longest - part.shape[across])
        padded.append(np.pad(part, widths))
    return np.concatenate(padded, axis=axis)
