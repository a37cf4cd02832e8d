"""Pictures side by side, as parts of a figure; no Ray."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.pixels import tiled

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


SEEN_WELL = 96
"""Pixels of a side that a person sees well."""
LABEL = 14
"""Pixels above a row, for what it shows."""


def large(image: Pixels) -> Pixels:
    """uint8 [S, S, 3], each pixel as a square, so that a side has about `SEEN_WELL` pixels."""
    factor = max(1, round(SEEN_WELL / len(image)))
    return image.repeat(factor, 0).repeat(factor, 1)


def labeled_row(images: Pixels, label: str, columns: int | None = None) -> Pixels:
    """uint8 [n, S, S, 3] in a row, or in rows of so many `columns`, below a line of text."""
    row = tiled(images, columns=columns or len(images))
    band = Image.new("RGB", (row.shape[1], LABEL), "white")
    ImageDraw.Draw(band).text((2, 1), label, fill="black")
    return np.concatenate([np.asarray(band), row])
