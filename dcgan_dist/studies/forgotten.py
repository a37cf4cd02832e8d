"""What a generator has forgotten, and what with it: samples with all maps beside the same ones without some; no Ray."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.intervals import wilson
from dcgan_dist.studies.judges.boxes import Box
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomsSeen
from dcgan_dist.studies.position_regression import inside

FILLED: Final = 0.25
"""Share of the place of a lost object that another one has to take to stand there instead."""


@dataclass(frozen=True, eq=False)
class Forgotten:
    """What is lost.

    Attributes:
        object: name of what was to be forgotten.
        before: by name of an object, how many samples show it with all maps.
        after: without some.
        still: of those before, how many show it still.
        area_left: of the object's pixels, which share is left, counting all samples.
        changes: root mean squares of what changes, in levels, `inside` and `outside` the object's pixels, over the
            samples that showed it.
        instead: of the samples that lost it, how many show what in its place.
    """

    object: str
    before: dict[str, int]
    after: dict[str, int]
    still: dict[str, int]
    area_left: float | None
    changes: dict[str, float]
    instead: dict[str, int]

    @property
    def left(self) -> float | None:
        """Samples that show the object after, by those before."""
        before = self.before[self.object]
        return self.after[self.object] / before if before else None

    def brief(self) -> dict[str, Any]:
        """For a curve."""
        others = {name: _share(self.still[name], self.before[name]) for name in OBJECTS if name != self.object}
        return {"left": self.left, "area_left": self.area_left, "kept": others}

    def numbers(self) -> dict[str, Any]:
        """For a record; with each share, an interval (Wilson) of the share of those before that show it still."""
        intervals = {
            name: list(wilson(self.still[name] / self.before[name], self.before[name]))
            for name in OBJECTS
            if self.before[name]
        }
        return {
            "before": self.before[self.object],
            "after": self.after[self.object],
            **self.brief(),
            "still_interval": intervals,
            "samples": {name: [self.before[name], self.after[name]] for name in OBJECTS},
            "changed": self.changes,
            "instead": self.instead,
        }


def compare(before: Pixels, after: Pixels, seen: RoomsSeen, then: RoomsSeen, name: str) -> Forgotten:
    """Compare samples, uint8 [n, S, S, 3], and what was seen on them, without some maps with those before."""
    kind = OBJECTS.index(name)
    here, there = seen.present, then.present
    had = here[:, kind]
    total = seen.areas[:, kind].sum()
    place, side = seen.masks[had, kind], before.shape[1]
    large = place.repeat(side // place.shape[1], 1).repeat(side // place.shape[2], 2) if had.any() else place
    lost = had & ~there[:, kind]
    return Forgotten(
        name,
        _counts(here),
        _counts(there),
        _counts(here & there),
        float(then.areas[:, kind].sum() / total) if total else None,
        _changes(before[had], after[had], large),
        _instead(seen.masks[lost, kind], then.masks[lost] & ~seen.masks[lost], kind),
    )


def changed(before: Pixels, after: Pixels, boxes: Sequence[Sequence[Box]]) -> dict[str, float]:
    """Root mean squares of what changes, in levels, `inside` the boxes of each sample and `outside`."""
    return _changes(before, after, np.stack([inside(some, before.shape[1]) for some in boxes]))


def _changes(before: Pixels, after: Pixels, where: NDArray[np.bool_]) -> dict[str, float]:
    """`where`: bool [n, S, S]. 0 where there is nothing."""
    square = ((after.astype(np.float64) - before) ** 2).mean(-1)
    parts = {"inside": square[where], "outside": square[~where]}
    return {name: float(np.sqrt(part.mean())) if part.size else 0.0 for name, part in parts.items()}


def _instead(places: NDArray[np.bool_], new: NDArray[np.bool_], kind: int) -> dict[str, int]:
    """How often what is new, bool [n, OBJECTS, S, S], stands in places, bool [n, S, S]."""
    found = dict.fromkeys([name for name in OBJECTS if name != OBJECTS[kind]] + ["nothing"], 0)
    for place, objects in zip(places, new, strict=True):
        shares = (objects & place).sum((1, 2)) / place.sum()
        best = int(shares.argmax())
        found[OBJECTS[best] if shares[best] >= FILLED else "nothing"] += 1
    return found


def _counts(present: NDArray[np.bool_]) -> dict[str, int]:
    return dict(zip(OBJECTS, present.sum(0).tolist(), strict=True))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
