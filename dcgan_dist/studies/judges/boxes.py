"""Boxes around the parts of a mask; no Ray."""

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in fractions of the side, (0, 0) at the top left."""

LEAST_PIXELS = 6
"""Of a part: fewer are no object, at 32 pixels a side."""


def boxes_of(mask: NDArray[np.bool_]) -> list[Box]:
    """The bounding boxes of the connected parts (also by corners) of a mask, bool [S, S], the first row first."""
    side, left = len(mask), mask.copy()
    found: list[Box] = []
    for start in np.argwhere(mask):
        if not left[tuple(start)]:
            continue
        stack, part = [tuple(start.tolist())], []
        left[tuple(start)] = False
        while stack:
            row, column = stack.pop()
            part.append((row, column))
            for y in range(max(0, row - 1), min(side, row + 2)):
                for x in range(max(0, column - 1), min(side, column + 2)):
                    if left[y, x]:
                        left[y, x] = False
                        stack.append((y, x))
        if len(part) >= LEAST_PIXELS:
            rows, columns = zip(*part, strict=True)
            edges = (min(columns), min(rows), max(columns) + 1, max(rows) + 1)
            x0, y0, x1, y1 = (edge / side for edge in edges)
            found.append((x0, y0, x1, y1))
    return found


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(width, 0.0) * max(height, 0.0)
    either = _area(one) + _area(other) - both
    return both / either if either else 0.0


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
