"""Is this run going wrong? A pure rule over the points of its curves, in the order in which they come.

What it looks for: numbers that are none; a D that G can no longer learn from; a G that makes the same image of every z
(paper, section 3: "collapsing all samples to a single point"); samples that jump between looks of the same z
(sections 3 and 4: "sample oscillation").
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Reason = Literal["not a number", "D wins", "G repeats itself", "samples oscillate"]

WINDOW_IMAGES = 30_000
"""How long something has to be wrong: every healthy run has bad moments, most of them at its beginning."""
OSCILLATING_DRIFT, DRIFTS = 0.8, 3
"""Samples oscillate where those of the same z move this far, of what unrelated ones are apart, at each look of so many
or more. A run that learns soon moves them half as far (`benchmarks/results/health.json`, for all numbers here)."""
WON: Mapping[str, tuple[float, float]] = {"bce": (5.0, 0.93)}
"""By loss: D has won where G's mean loss is above the one while D's mean probability for real images is above the
other. Other losses have other scales; of one that is not here nothing is known, so D is not said to win."""
REPEATING_SPREAD = 0.4
"""G repeats itself where its samples differ by less than this share of what real images differ by, at each look."""


@dataclass(frozen=True)
class Finding:
    """A fault of training.

    Attributes:
        onset: images after which it began.
        images: at which it was sure.
        words: a sentence for people, with the numbers that it rests on.
    """

    reason: Reason
    onset: int
    images: int
    words: str

    def __str__(self) -> str:
        return f"{self.reason} since {self.onset:,} images: {self.words}"


class Health:
    """Watches the points of the curves and reports each reason once. Points of a lost attempt are dropped."""

    def __init__(self, loss: str = "bce") -> None:
        """`loss` of the run, as `optimization.loss` names it."""
        self._won = WON.get(loss)
        self._points: deque[tuple[int, Mapping[str, float]]] = deque()
        self._reported: set[Reason] = set()

    def add(self, images: int, values: Mapping[str, float]) -> Finding | None:
        """Take a point of the curves; returns a finding if this point confirms a new one."""
        while self._points and self._points[-1][0] >= images:
            self._points.pop()
        self._points.append((images, values))
        # The window's first point may lie before it, so that the points after it span the whole of it.
        while len(self._points) > 2 and self._points[1][0] <= images - WINDOW_IMAGES:
            self._points.popleft()
        # One reason must not hide another that lasts as long: each is reported once.
        finding = next((found for found in self._faults(images) if found.reason not in self._reported), None)
        if finding is not None:
            self._reported.add(finding.reason)
        return finding

    def _faults(self, images: int) -> Iterator[Finding]:
        """All that is wrong at the newest point, what is worse first: a G that repeats itself also seems to oscillate,
        since its samples are hardly apart."""
        onset, newest = self._points[0][0], self._points[-1][1]
        for name, value in newest.items():
            if not math.isfinite(value):
                before = self._points[-2][0] if len(self._points) > 1 else 0
                yield Finding("not a number", before, images, f"{name} is {value}")
                return
        if images - onset < WINDOW_IMAGES:
            return
        losses, scores = self._series("loss/generator"), self._series("score/real")
        if self._won and losses and scores and _mean(losses) > self._won[0] and _mean(scores) > self._won[1]:
            words = (
                f"G's loss is {_mean(losses):.1f} while D is {_mean(scores):.0%} sure of real images: G learns little"
            )
            yield Finding("D wins", onset, images, words)
        spreads = self._series("samples/spread")
        if spreads and max(spreads) < REPEATING_SPREAD:
            words = f"samples differ by {max(spreads):.0%} of what real images differ by"
            yield Finding("G repeats itself", onset, images, words)
        drifts = self._series("samples/drift")
        if len(drifts) >= DRIFTS and min(drifts) > OSCILLATING_DRIFT:
            words = (
                f"samples of the same z move by {min(drifts):.0%} of the distance between unrelated ones from "
                "one measurement to the next"
            )
            yield Finding("samples oscillate", onset, images, words)

    def _series(self, name: str) -> list[float]:
        """Values within the window, without those of its first point."""
        found = [values[name] for _, values in list(self._points)[1:] if name in values]
        return [value for value in found if math.isfinite(value)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
