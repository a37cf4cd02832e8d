"""How much of a picture's energy lies on the objects that it shows, and whether that is more than by chance; no Ray.

What is led back to the pixels of a network that has learned nothing lies on edges too, and its features differ from
each other: one or another lies on windows by its initial weights alone. So an object is compared twice. First with the
edges of the same images: an object with many of them has more energy for that alone. Then with what features of other
networks with initial weights show, each on the images to which it responds most itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import SceneObject
from dcgan_dist.intervals import CONFIDENCE
from dcgan_dist.model.randomness import stream

Floats = NDArray[np.float64]

RESAMPLES: Final = 2_000
LEAST: Final = 10
"""Images that show an object, without which nothing is said of it: an interval from fewer is no interval."""
LEAST_FEATURES: Final = 30
"""Features with initial weights of which an object is measured, without which nobody knows what chance does with it."""


def covered(objects: Sequence[SceneObject], side: int) -> dict[str, NDArray[np.bool_]]:
    """By name, the pixels [side, side] whose centers lie in the box of an object of that name; boxes may overlap."""
    centers = (np.arange(side) + 0.5) / side
    found: dict[str, NDArray[np.bool_]] = {}
    for one in objects:
        left, top, right, bottom = one["box"]
        rows, columns = (centers >= top) & (centers < bottom), (centers >= left) & (centers < right)
        found[one["name"]] = found.get(one["name"], False) | (rows[:, None] & columns)
    return found


def edges(images: Pixels) -> Floats:
    """The energy of each image's own edges: squares of central differences along both axes, over the colors.

    Args:
        images: uint8 [n, S, S, 3].

    Returns:
        float64 [n, S, S].
    """
    down, across = np.gradient(images.astype(np.float64), axis=(1, 2))
    energies: Floats = (down**2 + across**2).sum(-1)
    return energies


def on_objects(
    energies: Floats, edges: Floats, truths: Sequence[Sequence[SceneObject]], seed: int
) -> dict[str, dict[str, Any]]:
    """By name of the object, over the images that show it, each with the same weight.

    `energy` is the mean share of an image's energy within the boxes, `edges` that of its edges, `area` that of its
    pixels. `over_edges` and `over_area` are the mean differences (`mean`), with bootstrap intervals over the images
    (`low`, `high`) that hold for all objects at once (Bonferroni). Images without any energy or edges, and boxes
    without the center of a pixel, are left out.

    Args:
        energies: float64 [n, S, S], at least 0.
        edges: likewise, of the same images.
        truths: the objects of each image.
        seed: of the bootstrap.
    """
    shares: dict[str, list[tuple[float, float, float]]] = {}
    for energy, edge, objects in zip(energies, edges, truths, strict=True):
        if not (energy.sum() > 0 and edge.sum() > 0):
            continue
        for name, where in covered(objects, len(energy)).items():
            if where.any():
                of_both = [float(one[where].sum() / one.sum()) for one in (energy, edge)]
                shares.setdefault(name, []).append((of_both[0], of_both[1], float(where.mean())))
    tested = {name: np.array(found) for name, found in sorted(shares.items()) if len(found) >= LEAST}
    return {name: _summary(found, len(tested), seed) for name, found in tested.items()}


def _summary(shares: Floats, objects: int, seed: int) -> dict[str, Any]:
    """Of the shares of energy, edges and area, [n, 3], of one of so many objects."""
    drawn = stream(seed, "bootstrap").integers(len(shares), size=(RESAMPLES, len(shares)))
    energy, edge, area = shares.mean(axis=0).tolist()
    found: dict[str, Any] = {"images": len(shares), "energy": energy, "edges": edge, "area": area}
    for name, column in (("over_edges", 1), ("over_area", 2)):
        over = shares[:, 0] - shares[:, column]
        tail = (1 - CONFIDENCE) / 2 / objects
        low, high = np.quantile(over[drawn].mean(axis=1), [tail, 1 - tail])
        found[name] = {"mean": float(over.mean()), "low": float(low), "high": float(high)}
    return found


@dataclass(frozen=True, eq=False)
class Chance:
    """What features with initial weights lie on.

    Attributes:
        means: by object, the mean over features of `over_edges`.
        deviations: likewise, the standard deviation.
        largest: float64 [features], sorted: of each the largest standardized `over_edges`.
    """

    means: Mapping[str, float]
    deviations: Mapping[str, float]
    largest: Floats


def chance(found: Sequence[Mapping[str, dict[str, Any]]]) -> Chance:
    """From what `on_objects` gives of each of many features with initial weights, by networks of their own."""
    values: dict[str, list[float]] = {}
    for one in found:
        for name, measured in one.items():
            values.setdefault(name, []).append(measured["over_edges"]["mean"])
    known = {name: np.array(some) for name, some in sorted(values.items()) if len(some) >= LEAST_FEATURES}
    of = Chance(
        {name: float(some.mean()) for name, some in known.items()},
        {name: float(some.std(ddof=1)) for name, some in known.items()},
        np.empty(0),
    )
    largest = [max(scores.values()) for one in found if (scores := _scores(one, of, "mean"))]
    return Chance(of.means, of.deviations, np.sort(np.array(largest, np.float64)))


def what_it_is(found: Mapping[str, dict[str, Any]], by_chance: Chance) -> dict[str, Any]:
    """The object on which a feature lies more than features with initial weights do, if there is one.

    Of each object the lower end of `over_edges` is put in standard deviations of features with initial weights, from
    their mean. The largest of them names the object (`nearest`, `score`). It counts as one (`is`, else `nothing`) where
    no more than 5 % of the features with initial weights have as large a one, each by its own best object and without
    an interval: `p` is that share, by Monte Carlo (Davison and Hinkley, 1997, section 4.2).

    Args:
        found: what `on_objects` gives.
        by_chance: what it is compared with.
    """
    scores = _scores(found, by_chance, "low")
    if not scores:
        return {"is": "nothing"}
    nearest, score = max(scores.items(), key=lambda item: item[1])
    p = (1 + int((by_chance.largest >= score).sum())) / (1 + len(by_chance.largest))
    return {"is": nearest if p <= 1 - CONFIDENCE else "nothing", "nearest": nearest, "score": score, "p": p}


def _scores(found: Mapping[str, dict[str, Any]], by_chance: Chance, end: str) -> dict[str, float]:
    """By object of which chance is known: `over_edges`, or an end of its interval, in standard deviations."""
    return {
        name: (one["over_edges"][end] - by_chance.means[name]) / by_chance.deviations[name]
        for name, one in found.items()
        if by_chance.deviations.get(name, 0) > 0
    }
