"""Does a generator repeat training images? A test of its samples against held-out images; no Ray.

For each image the distance to the nearest training image is divided by that to the second nearest. A copy has one
training image much nearer than any other, whatever it shows, while images that are smooth are near to many: the
quotient is not fooled by blur, as the distance is. Samples are compared with images that were held out by the rank test
of Mann and Whitney, as Meehan, Chaudhuri and Dasgupta (2020) do with distances.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHANCE = 1e-4
RARE, MANY = 0.01, 0.05
"""Samples are said to be copies where the p-value is below `CHANCE` and more than the part `MANY` of them have a
quotient that only the part `RARE` of the images held out has. The first alone is not enough: samples that are all alike
have all the same quotient, and be it only a little below the middle, no chance explains that."""


@dataclass(frozen=True)
class Comparison:
    """Samples against images held out.

    Attributes:
        z: of the rank test; below 0 where samples are nearer to single training images than images held out are.
        p_value: of so small a z, if samples were drawn as the images held out.
        sample_median, held_out_median: of the quotients.
        rare: part of the samples whose quotients only `RARE` of the images held out have.
    """

    z: float
    p_value: float
    sample_median: float
    held_out_median: float
    rare: float

    @property
    def copies(self) -> bool:
        """Whether samples repeat training images."""
        return self.p_value < CHANCE and self.rare > MANY


def compare(samples: Floats, held_out: Floats) -> Comparison:
    """Compare quotients of samples [n] with those of images held out [m]; each from 0 to 1."""
    both = np.concatenate([samples, held_out])
    order = np.argsort(both, kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    # Equal values share the mean of their ranks.
    _, inverse, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.bincount(inverse, ranks) / counts)[inverse]
    n, m = len(samples), len(held_out)
    wins = ranks[:n].sum() - n * (n + 1) / 2
    ties = float((counts**3 - counts).sum()) / ((n + m) * (n + m - 1))
    sd = math.sqrt(n * m / 12 * (n + m + 1 - ties))
    z = 0.0 if sd == 0 else (wins - n * m / 2) / sd
    rare = float((samples < np.quantile(held_out, RARE)).mean())
    return Comparison(z, math.erfc(-z / math.sqrt(2)) / 2, float(np.median(samples)), float(np.median(held_out)), rare)


def quotients(distances: Floats) -> Floats:
    """[n, 2], the two smallest distances of each image -> [n]; 1 where a training image is there twice."""
    nearer, farther = distances[:, 0], distances[:, 1]
    return np.divide(nearer, farther, out=np.ones(len(nearer)), where=farther > 0)
