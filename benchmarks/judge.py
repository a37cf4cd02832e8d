"""Did the generator learn? Four measures that real images pass, and that what has learned nothing, or by heart, fails.

They compare samples with held-out real images, by features of a convolutional network with random weights: its lower
layers see edges and colors as a trained one's do, it needs no download, and it cannot have seen the data. Sample
quality proper (FID and the like) is another question: a poor generator passes here as soon as it has learned something.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.randomness import stream

Matrix = NDArray[np.float32]

IMAGES = 1_000
"""Most images of a set that are compared: coverage needs equal numbers, and their distances are all taken."""
FEWEST = 64
"""Fewest images of a set that say anything."""
NEIGHBOURS = 5
"""k of the coverage's neighbourhoods (Naeem et al., 2020): equal distributions cover 1 - 2^-k of the images, 97 %."""
DIRECTIONS = 64
"""Principal directions of the features that are kept."""
THUMBNAIL = 8
"""Height and width at which copies are looked for: what was blurred or touched up a little is still a copy."""
MUCH_CLOSER = 0.5
"""A sample is a copy if its nearest training image is closer than this part of the way to any held-out image."""


@dataclass(frozen=True)
class Rule:
    """What a measure has to be, and why."""

    name: str
    meaning: str
    reason: str
    at_least: float
    at_most: float

    def margin(self, value: float, resolution: float) -> float:
        """How many times inside its bounds a value is, below 1 outside; no value counts as less than `resolution`."""
        value = max(value, resolution)
        return min(value / self.at_least if self.at_least else np.inf, self.at_most / value)


# The bounds lie about halfway, by factors, between the nearest of what is to pass and of what is to fail: see the
# margins in benchmarks/results/learning.json.
RULES = (
    Rule(
        "coverage",
        f"share of held-out images with a sample closer than their {NEIGHBOURS}th real neighbour",
        "noise, the mean image, an untrained G and a collapsed one leave most of the data uncovered",
        at_least=0.45,
        at_most=np.inf,
    ),
    Rule(
        "spread",
        "mean distance between two samples, over that between two real images",
        "copies of one image have none; noise is everywhere alike",
        at_least=0.5,
        at_most=np.inf,
    ),
    Rule(
        "fineness",
        "energy of the finest detail for a given contrast, over that of real images",
        "blurred images have too little of it, noise too much",
        at_least=0.5,
        at_most=2.0,
    ),
    Rule(
        "copied",
        "share of samples that lie much closer to a training image than to any held-out one",
        "a G that learned images by heart draws them again",
        at_least=0.0,
        at_most=0.1,
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What the measures say of a set of samples."""

    measures: dict[str, float]
    margins: dict[str, float]
    """How many times inside its bounds each measure is; below 1: outside."""

    @property
    def margin(self) -> float:
        """That of the measure which is nearest to failing, or fails most clearly; below 1: rejected."""
        return min(self.margins.values())

    @property
    def accepted(self) -> bool:
        """Whether every measure is inside its bounds."""
        return self.margin >= 1

    @property
    def failed(self) -> list[str]:
        """Names of the measures that are outside."""
        return [name for name, margin in self.margins.items() if margin < 1]


def judge(samples: Pixels, real: Pixels, held_out: Pixels) -> Verdict:
    """Judge samples by the images that the generator was trained on and by others of the same kind.

    Args:
        samples: uint8 [n, S, S, 3], at least 64; the first 1,000 count.
        real: uint8 [m, S, S, 3], all training images, at least 64: copies can only be found of what is here.
        held_out: uint8 [k, S, S, 3], at least 64, none of them in `real`.

    Raises:
        ValueError: a set has too few images, or they are not of one size.
    """
    return Reference(real, held_out).judge(samples)


class Reference:
    """The real images that samples are compared with; made once where several sets are judged."""

    def __init__(self, real: Pixels, held_out: Pixels) -> None:
        """`real` and `held_out` as in `judge`."""
        self._shape = real.shape[1:]
        self._check(real, "real")
        self._check(held_out, "held_out")
        self._held_out = held_out
        # Which training images come first must not matter: a data set may be sorted.
        some = stream(0, "images of the principal directions").permutation(len(real))[:IMAGES]
        features = random_features(real[some])
        self._mean = features.mean(0)
        self._directions = np.linalg.svd(features - self._mean, full_matrices=False)[2][:DIRECTIONS].T
        self._held_out_features = self._project(held_out[:IMAGES])
        self._real_thumbnails, self._held_out_thumbnails = thumbnails(real), thumbnails(held_out)

    def judge(self, samples: Pixels) -> Verdict:
        """See the function `judge`."""
        self._check(samples, "samples")
        samples = samples[:IMAGES]
        features = self._project(samples)
        measures = {
            "coverage": coverage(features, self._held_out_features),
            "spread": mean_distance(features) / self._real_spread,
            "fineness": fineness(samples) / self._real_fineness,
            "copied": copied(thumbnails(samples), self._real_thumbnails, self._held_out_thumbnails),
        }
        resolution = 1 / IMAGES
        return Verdict(measures, {rule.name: rule.margin(measures[rule.name], resolution) for rule in RULES})

    @cached_property
    def _real_spread(self) -> float:
        return mean_distance(self._held_out_features)

    @cached_property
    def _real_fineness(self) -> float:
        return fineness(self._held_out[:IMAGES])

    def _project(self, images: Pixels) -> Matrix:
        projected: Matrix = (random_features(images) - self._mean) @ self._directions
        return projected

    def _check(self, images: Pixels, name: str) -> None:
        if images.dtype != np.uint8 or images.shape[1:] != self._shape or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(f"{name} is {images.dtype} {images.shape} but needs to be uint8 {('n', *self._shape)}")
        if len(images) < FEWEST:
            raise ValueError(f"{name} has {len(images)} images but needs at least {FEWEST}")


@torch.no_grad()
def random_features(images: Pixels) -> Matrix:
    """uint8 [n, S, S, 3] -> float32 [n, 256 * (S / 8)^2]: three convolutions 4x4 with stride 2, random weights, ReLU.

    The weights are always the same. Which they are matters little: with three others no verdict changed, and the
    coverage of trained generators moved by 0.05 at most.
    """
    random = stream(0, "random features")
    weights = []
    for inputs, outputs in ((3, 64), (64, 128), (128, 256)):
        values = random.standard_normal((outputs, inputs, 4, 4), dtype=np.float32)
        # He et al. (2015): keeps the size of the maps from layer to layer.
        weights.append(torch.from_numpy(values * np.float32(np.sqrt(2 / (inputs * 16)))))
    parts = []
    for part in torch.split(torch.from_numpy(images), 250):
        maps = part.permute(0, 3, 1, 2).float() / 127.5 - 1
        for weight in weights:
            # Reflected, since a border of zeros would be the strongest edge of all.
            maps = F.relu(F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="reflect"), weight, stride=2))
        parts.append(maps.flatten(1))
    return torch.cat(parts).numpy()


def thumbnails(images: Pixels) -> Matrix:
    """uint8 [n, S, S, 3] -> float32 [n, 192]: each scaled to 8x8 by averaging, in [-1, 1]."""
    return torch.cat([_thumbnails(part) for part in torch.split(torch.from_numpy(images), 2_000)]).numpy()


def _thumbnails(images: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(images.permute(0, 3, 1, 2).float() / 127.5 - 1, THUMBNAIL).flatten(1)


def coverage(samples: Matrix, real: Matrix) -> float:
    """Share of the real rows that have a sample closer than their k-th real neighbour (Naeem et al., 2020).

    As many rows of each count as there are of the smaller set.
    """
    number = min(len(samples), len(real))
    samples, real = samples[:number], real[:number]
    reach = np.partition(squared_distances(real, real), NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return float((squared_distances(real, samples).min(1) < reach).mean())


def mean_distance(rows: Matrix) -> float:
    """Mean Euclidean distance between two rows."""
    number = len(rows)
    return float(np.sqrt(squared_distances(rows, rows)).sum(dtype=np.float64) / (number * (number - 1)))


def fineness(images: Pixels) -> float:
    """Energy of the brightness's Laplacian, the finest detail there is, over the variance within the images.

    Over the variance, since a young generator draws everything with too little contrast, which is not blur.
    """
    grey = images.mean(3, dtype=np.float32)
    inner = grey[:, 1:-1, 1:-1]
    laplacian = 4 * inner - grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    variance = float(grey.var(axis=(1, 2)).mean())
    # Images of a single color have neither detail nor contrast.
    return float((laplacian**2).mean()) / variance if variance else 0.0


def copied(samples: Matrix, real: Matrix, held_out: Matrix) -> float:
    """Share of the samples whose nearest training image is closer than half of the way to any held-out one.

    The distance to a training image alone would call smooth or average pictures copies: they are close to everything.
    """
    to_real, to_held_out = (_nearest(samples, others) for others in (real, held_out))
    return float((to_real < MUCH_CLOSER**2 * to_held_out).mean())


def _nearest(rows: Matrix, others: Matrix) -> Matrix:
    """Squared distance from each row to the nearest of the others."""
    step = 10_000
    parts = [squared_distances(rows, others[first : first + step]).min(1) for first in range(0, len(others), step)]
    nearest: Matrix = np.min(parts, axis=0)
    return nearest


def squared_distances(a: Matrix, b: Matrix) -> Matrix:
    """Between the rows of a [n, d] and of b [m, d]: [n, m], never negative."""
    distances: Matrix = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    return np.maximum(distances, 0)
