"""The Fréchet distance between two sets of features, each taken for a normal distribution (Dowson and Landau, 1982).

Only sums over the features are needed, so that they may lie in any number of parts. No Ray.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

LEAST_SHARE = 1e-12
"""Directions whose variance is a smaller share of the largest one carry rounding errors alone."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over features.

    Attributes:
        count: how many there are.
        total: their sum, float64 [F].
        outer: the sum of their outer products, float64 [F, F].
    """

    count: int
    total: Tensor
    outer: Tensor

    @classmethod
    def zero(cls, width: int) -> Self:
        """Those of no features of `width` numbers."""
        return cls(0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64))

    def add(self, features: Tensor) -> Self:
        """These sums with those over features [n, F], in the same memory."""
        rows = features.double()
        return replace(
            self,
            count=self.count + len(rows),
            total=self.total.add_(rows.sum(0)),
            outer=self.outer.addmm_(rows.T, rows),
        )

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.count + other.count, self.total + other.total, self.outer + other.outer)

    @property
    def mean(self) -> Tensor:
        """float64 [F]."""
        return self.total / self.count

    @property
    def covariance(self) -> Tensor:
        """Unbiased, float64 [F, F]."""
        mean = self.mean
        return (self.outer - self.count * torch.outer(mean, mean)) / (self.count - 1)

    @cached_property
    def root(self) -> Tensor:
        """The root of the covariance, float64 [F, F]."""
        values, vectors = torch.linalg.eigh(self.covariance)
        root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
        return root


@dataclass(frozen=True)
class Frechet:
    """A Fréchet distance.

    Attributes:
        value: squared, as it is always given; biased upward, the more the fewer features there are of either set.
        error: standard error over draws of the samples, the images being what they are.
    """

    value: float
    error: float


def frechet(samples: Moments, images: Moments, some: Tensor) -> Frechet:
    """The distance |m - w|^2 + tr(C + S - 2 (S^1/2 C S^1/2)^1/2) of means m, w and covariances C, S.

    The standard error is by the influence of each sample on the distance (infinitesimal jackknife, Efron 1982).

    Args:
        some: features of samples [n, F], of which the influence is computed: all that `samples` sums up, or the first.
    """
    shift = samples.mean - images.mean
    ours, theirs = samples.covariance, images.covariance
    root = images.root
    values, vectors = torch.linalg.eigh(root @ ours @ root)
    values = values.clamp(min=0)
    roots = values.sqrt()
    value = float(shift @ shift + ours.trace() + theirs.trace() - 2 * roots.sum())
    # d tr (S^1/2 C S^1/2)^1/2 = 1/2 tr (S^1/2 C S^1/2)^-1/2 S^1/2 dC S^1/2, with dC = yy' - C for a sample at m + y.
    kept = values > LEAST_SHARE * values.max()
    onto = root @ (vectors[:, kept] / roots[kept].sqrt())
    squares = []
    for block in torch.split(some, 1_024):
        off = block.double() - samples.mean
        squares.append(off.square().sum(1) + 2 * off @ shift - (off @ onto).square().sum(1))
    influence = torch.cat(squares)
    return Frechet(value, float(influence.std()) / samples.count**0.5)
