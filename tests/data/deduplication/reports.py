"""A report to show, of the built-in scenes."""

from dataclasses import replace
from typing import Any

import numpy as np

from dcgan_dist.data.deduplication.histogram import Histogram
from dcgan_dist.data.deduplication.page import Group, Leaks, Pair, Picture, Report
from dcgan_dist.data.scenes import draw

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">&\"'"


def picture(number: int, name: str = "", size: int = 32) -> Picture:
    return Picture(draw("rooms", size, 5, number).image, name or f"train-00003.tar: {number:06d}", f"{number} x 300")


def pair(number: int, difference: float, first: str = "", second: str = "") -> Pair:
    return Pair(picture(number, first), picture(number, second or f"copy of {number}"), difference)


def report(**changed: Any) -> Report:
    """Seven random pairs, two groups, two pairs below the threshold and one above."""
    whole = Report(
        data="rooms of ours",
        images=20_000,
        left_out=1_300,
        recipe=[("method", "default"), ("radius", "9 bits")],
        counts=[("candidate pairs", 41_234), ("duplicate pairs", 1_500)],
        threshold=0.25,
        measure="difference of thumbnails",
        duplicate_pairs=1_500,
        random_pairs=[pair(number, 0.01 * number) for number in range(1, 8)],
        groups=[
            Group([picture(20), picture(21), picture(22)], 1_000),
            Group([picture(30), picture(31)], 2),
        ],
        below=[pair(40, 0.249), pair(41, 0.2)],
        above=[pair(50, 0.251)],
        histogram=Histogram(np.array([0, 0.25, 0.5]), np.array([1_500, 39_734]), np.array([0, 10_000])),
        leaks=Leaks("their test images", 37, 9_000, [pair(60, 0.03, second="test-00000.tar: 000060")]),
    )
    return replace(whole, **changed)
