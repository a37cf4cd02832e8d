"""How much of a picture's energy lies on the objects that it shows, against how much of its area they take; no Ray."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.scenes import SceneObject
from dcgan_dist.intervals import CONFIDENCE
from dcgan_dist.model.randomness import stream

Floats = NDArray[np.float64]

RESAMPLES: Final = 2_000
LEAST: Final = 10
"""Images that show an object, without which nothing is said of it: an interval from fewer is no interval."""


def covered(objects: Sequence[SceneObject], side: int) -> dict[str, NDArray[np.bool_]]:
    """By name, the pixels [side, side] whose centers lie in the box of an object of that name; boxes may overlap."""
    centers = (np.arange(side) + 0.5) / side
    found: dict[str, NDArray[np.bool_]] = {}
    for one in objects:
        left, top, right, bottom = one["box"]
        rows, columns = (centers >= top) & (centers < bottom), (centers >= left) & (centers < right)
        found[one["name"]] = found.get(one["name"], False) | (rows[:, None] & columns)
    return found


def on_objects(energies: Floats, truths: Sequence[Sequence[SceneObject]], seed: int) -> dict[str, dict[str, Any]]:
    """By name of the object, over the images that show it, each with the same weight.

    `energy` is the mean share of an image's energy within the boxes, `area` that of the pixels; `excess` the
    difference, with a bootstrap interval over the images (`low`, `high`). Images without any energy, and boxes without
    the center of a pixel, are left out.

    Args:
        energies: float64 [n, S, S], at least 0.
        truths: the objects of each image.
        seed: of the bootstrap.
    """
    shares: dict[str, list[tuple[float, float]]] = {}
    for energy, objects in zip(energies, truths, strict=True):
        total = energy.sum()
        for name, where in covered(objects, len(energy)).items():
            if total > 0 and where.any():
                shares.setdefault(name, []).append((float(energy[where].sum() / total), float(where.mean())))
    return {name: _summary(np.array(found), seed) for name, found in sorted(shares.items()) if len(found) >= LEAST}


def _summary(shares: Floats, seed: int) -> dict[str, Any]:
    """Of the shares of energy and area, [n, 2], of one object."""
    excess = shares[:, 0] - shares[:, 1]
    drawn = stream(seed, "bootstrap").integers(len(excess), size=(RESAMPLES, len(excess)))
    low, high = np.quantile(excess[drawn].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    energy, area = shares.mean(axis=0).tolist()
    means = {"energy": energy, "area": area, "excess": float(excess.mean())}
    return {"images": len(shares), **means, "low": float(low), "high": float(high)}
