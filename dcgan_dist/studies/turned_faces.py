"""What a turn does to faces, as a judge sees it: how far they turn, and what else changes; no Ray.

The control is as long a step in a random direction, another one for each face.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.intervals import wilson
from dcgan_dist.model.randomness import stream
from dcgan_dist.studies.exemplars import strip
from dcgan_dist.studies.judges.faces import ATTRIBUTES, FaceJudge, FacesSeen
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.sums import draw

RESAMPLES: Final = 1_000


@dataclass(frozen=True, eq=False)
class Rows:
    """Faces on the way from one end of a vector to the other.

    Attributes:
        seen: of all images, row by row.
        steps: images of a row.
    """

    seen: FacesSeen
    steps: int

    @property
    def yaw(self) -> NDArray[np.float64]:
        """Degrees, [rows, steps]."""
        return self.seen.yaw.reshape(-1, self.steps)

    def numbers(self, seed: int) -> dict[str, Any]:
        """How the yaw follows the coefficient, and of how many faces what stays from end to end."""
        yaw, rows = self.yaw, len(self.yaw)
        drawn = stream(seed, "bootstrap").integers(rows, size=(RESAMPLES, rows))
        found: dict[str, Any] = {"faces": rows}
        for name, values in (("correlation_within_rows", yaw - yaw.mean(1, keepdims=True)), ("correlation", yaw)):
            low, high = np.quantile([correlation(values[one]) for one in drawn], (0.025, 0.975))
            found[name] = {"value": correlation(values), "low": float(low), "high": float(high)}
        monotone = float((np.diff(yaw, axis=1) > 0).all(1).mean())
        return found | {
            "degrees_per_step": float((yaw[:, -1] - yaw[:, 0]).mean() / (self.steps - 1)),
            "degrees_end_to_end": float((yaw[:, -1] - yaw[:, 0]).mean()),
            "monotone": _share(monotone, rows),
            "stays": self.stays(),
        }

    def stays(self) -> dict[str, dict[str, float]]:
        """Share of the faces on which each attribute is the same at both ends, of the color of hair where there is
        some at both."""

        def ends(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
            of_rows = values.reshape(-1, self.steps)
            return of_rows[:, 0], of_rows[:, -1]

        same = {name: np.equal(*ends(self.seen.has(name))) for name in ATTRIBUTES}
        same["skin"] = np.equal(*ends(self.seen.skin))
        hairy = ~np.logical_or(*ends(self.seen.has("bald")))
        found = {name: _share(float(one.mean()), len(one)) for name, one in same.items()}
        if hairy.any():
            found["hair"] = _share(float(np.equal(*ends(self.seen.hair))[hairy].mean()), int(hairy.sum()))
        return found


def measure_turn(
    subject: Subject, judge: FaceJudge, z: Tensor, vector: Tensor, steps: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Of the vector, and of random ones.

    Args:
        subject: that draws.
        judge: of what it draws.
        z: faces that are turned, [n, latent_size].
        vector: added from minus half of it to plus half of it, [latent_size].
        steps: images of each.
        seed: of the random vectors.
    """
    directions = stream(seed, "random turns").standard_normal(tuple(z.shape), np.float32)
    random = torch.from_numpy(directions / np.linalg.norm(directions, axis=1, keepdims=True)) * vector.norm()
    return {
        "turned": rows(subject, judge, z, vector.expand_as(z), steps).numbers(seed),
        "random": rows(subject, judge, z, random, steps).numbers(seed),
    }


def rows(subject: Subject, judge: FaceJudge, z: Tensor, vectors: Tensor, steps: int) -> Rows:
    """Draw faces on the way along vectors, [n, latent_size], and see them."""
    ways = [strip(steps, one - along / 2, one + along / 2) for one, along in zip(z, vectors, strict=True)]
    return Rows(judge.see(draw(subject, torch.cat(ways))), steps)


def extreme(yaw: NDArray[np.float64], number: int) -> tuple[list[int], list[int]]:
    """Which faces look furthest to the left, and to the right: so many of each, the furthest first."""
    order = np.argsort(yaw, kind="stable").tolist()
    return order[:number], order[: -number - 1 : -1]


def correlation(yaw: NDArray[np.float64]) -> float:
    """Of the place in a row with the yaw, over all of [rows, steps]; 0 where no face turns at all."""
    rows, steps = yaw.shape
    if yaw.std() == 0:
        return 0.0
    return float(np.corrcoef(np.tile(np.arange(steps), rows), yaw.ravel())[0, 1])


def _share(rate: float, number: int) -> dict[str, float]:
    low, high = wilson(rate, number)
    return {"share": rate, "low": low, "high": high}
