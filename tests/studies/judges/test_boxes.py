"""Boxes around the parts of masks."""

import numpy as np
import pytest

from dcgan_dist.studies.judges.boxes import LEAST_PIXELS, Box, boxes_of, overlap

PICTURES = {
    "nothing": ("........", []),
    "one part": ("..###...\n..###...\n..###...", [(2, 0, 5, 3)]),
    "two parts": ("###..###\n###..###\n###..###", [(0, 0, 3, 3), (5, 0, 8, 3)]),
    "joined by a corner": ("##......\n##......\n##......\n..##....\n..##....\n..##....", [(0, 0, 4, 6)]),
    "too few": ("##......\n##......\n#.......", []),
    "just enough": ("##......\n##......\n##......", [(0, 0, 2, 3)]),
    "at the edges": ("......##\n......##\n......##\n......##\n......##\n......##\n......##\n......##", [(6, 0, 8, 8)]),
    "a ring": ("####....\n#..#....\n#..#....\n####....", [(0, 0, 4, 4)]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_boxes_are_those_of_connected_parts(name: str) -> None:
    text, expected = PICTURES[name]
    rows = text.split("\n") + ["........"] * 8
    mask = np.array([[letter == "#" for letter in row] for row in rows[:8]])
    before = mask.copy()
    assert boxes_of(mask) == [tuple(edge / 8 for edge in box) for box in expected]
    assert np.array_equal(mask, before)
    assert LEAST_PIXELS == 6


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1),
        ((0, 0, 0.5, 1), (0.5, 0, 1, 1), 0),
        ((0, 0, 0.5, 1), (0.75, 0.5, 1, 1), 0),
        ((0, 0, 0.5, 0.5), (0.25, 0, 0.75, 0.5), 1 / 3),
        ((0, 0, 1, 1), (0.25, 0.25, 0.75, 0.75), 1 / 4),
        ((0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5), 0),
    ],
)
def test_overlap_is_intersection_over_union(one: Box, other: Box, expected: float) -> None:
    assert overlap(one, other) == pytest.approx(expected)
    assert overlap(other, one) == pytest.approx(expected)
