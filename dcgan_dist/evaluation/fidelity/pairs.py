"""What is found by looking at all pairs of features: the kernel distance, and who lies in whose neighborhood.

The rows of each matrix of pairs are shared among parts in blocks, and every row is computed in one block: what is found
does not depend on the number of parts. No Ray.

The kernel is the cubic one of the kernel inception distance (Bińkowski et al., 2018). Neighborhoods are balls around
features, through their k-th nearest neighbor in the same set: 3 for precision and recall (Kynkäänniemi et al., 2019), 5
for density and coverage (Naeem et al., 2020).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 512
"""Rows that are computed at once."""
NEAREST = (3, 5)
"""Neighbors that radii are distances to: of precision and recall, of density and coverage."""


@dataclass(frozen=True, eq=False)
class Within:
    """Pairs of a set of n features, for those rows that a part computes.

    Attributes:
        rows: int64 [r].
        kernel: sum over the other features, float64 [r].
        squares: sum of squares over them, float64 [r].
        radii: distances to the `NEAREST` neighbors, float32 [r, 2].
    """

    rows: Tensor
    kernel: Tensor
    squares: Tensor
    radii: Tensor


@dataclass(frozen=True, eq=False)
class Between:
    """Pairs of n samples and m images, for those samples that a part computes.

    Attributes:
        rows: int64 [r].
        kernel: sum over the images, float64 [r].
        realistic: whether the sample lies in the neighborhood of an image, bool [r].
        neighborhoods: in how many images' neighborhoods it lies, int64 [r].
        recalled: images that lie in the neighborhood of one of these samples, bool [m].
        covered: images in whose neighborhood one of these samples lies, bool [m].
    """

    rows: Tensor
    kernel: Tensor
    realistic: Tensor
    neighborhoods: Tensor
    recalled: Tensor
    covered: Tensor


def within(features: Tensor, part: int, parts: int) -> Within:
    """Pairs of features float32 [n, F] with each other; n larger than the last of `NEAREST`."""
    lengths = features.square().sum(1)
    found = []
    for rows in _blocks(len(features), part, parts):
        products = features[rows] @ features.T
        places = torch.arange(len(rows)), rows
        kernel = _kernel(products, features.shape[1])
        kernel[places] = 0
        squares = lengths[rows, None] + lengths - 2 * products
        squares[places] = torch.inf
        nearest = squares.topk(NEAREST[-1], 1, largest=False).values
        radii = nearest[:, [k - 1 for k in NEAREST]].clamp_(min=0).sqrt_()
        sums = kernel.sum(1, dtype=torch.float64), kernel.square_().sum(1, dtype=torch.float64)
        found.append((rows, *sums, radii))
    empty = torch.empty(0, dtype=torch.float64)
    return Within(*_joined(found, (torch.empty(0, dtype=torch.int64), empty, empty, torch.empty(0, len(NEAREST)))))


def between(
    samples: Tensor, images: Tensor, sample_radii: Tensor, image_radii: Tensor, part: int, parts: int
) -> Between:
    """Pairs of samples float32 [n, F] and images float32 [m, F].

    Args:
        sample_radii, image_radii: float32 [n, 2] and [m, 2], see `Within`.
    """
    lengths = images.square().sum(1)
    recalled, covered = torch.zeros(2, len(images), dtype=torch.bool)
    found = []
    for rows in _blocks(len(samples), part, parts):
        products = samples[rows] @ images.T
        distances = (samples[rows].square().sum(1, keepdim=True) + lengths - 2 * products).clamp_(min=0).sqrt_()
        near = distances <= image_radii[:, 1]
        covered |= near.any(0)
        recalled |= (distances <= sample_radii[rows, :1]).any(0)
        realistic = (distances <= image_radii[:, 0]).any(1)
        sums = _kernel(products, samples.shape[1]).sum(1, dtype=torch.float64)
        found.append((rows, sums, realistic, near.sum(1)))
    whole = torch.empty(0, dtype=torch.int64)
    empty = whole, torch.empty(0, dtype=torch.float64), torch.empty(0, dtype=torch.bool), whole
    rows, sums, realistic, neighborhoods = _joined(found, empty)
    return Between(rows, sums, realistic, neighborhoods, recalled, covered)


def join_within(parts: Sequence[Within]) -> Within:
    """All rows in order, of what all parts have found."""
    rows = torch.cat([part.rows for part in parts])
    order = rows.argsort()
    columns = ([getattr(part, name) for part in parts] for name in ("kernel", "squares", "radii"))
    return Within(rows[order], *(torch.cat(column)[order] for column in columns))


def join_between(parts: Sequence[Between]) -> Between:
    """All rows in order, of what all parts have found."""
    rows = torch.cat([part.rows for part in parts])
    order = rows.argsort()
    return Between(
        rows[order],
        torch.cat([part.kernel for part in parts])[order],
        torch.cat([part.realistic for part in parts])[order],
        torch.cat([part.neighborhoods for part in parts])[order],
        torch.stack([part.recalled for part in parts]).any(0),
        torch.stack([part.covered for part in parts]).any(0),
    )


@dataclass(frozen=True)
class KernelDistance:
    """A squared maximum mean discrepancy.

    Attributes:
        value: unbiased, so that it may be below 0 where the sets are alike.
        error: standard error over draws of the samples, the images being what they are.
    """

    value: float
    error: float


def kernel_distance(samples: Within, images: Within, both: Between) -> KernelDistance:
    """The unbiased estimate (Gretton et al., 2012, equation 3), from all rows.

    Its variance is that of a U-statistic, of first and second order (Hoeffding, 1948; compare Sutherland et al., 2017).
    """
    n, m = len(samples.rows), len(images.rows)
    own, across = samples.kernel / (n - 1), both.kernel / m
    value = float(own.mean() + images.kernel.sum() / (m * (m - 1)) - 2 * across.mean())
    # Of pairs, what is left when the means of both rows are taken away.
    rest = samples.squares.sum() - 2 * n * own.square().sum() + n * (n + 1) * own.mean().square()
    second = 2 * float(rest) / (n * (n - 1)) / n**2
    # Means of rows vary by more than what they estimate, by as much again as the second order.
    variance = float((2 * (own - across)).var()) / n - second
    return KernelDistance(value, max(variance, second, 0.0) ** 0.5)


@dataclass(frozen=True)
class Shares:
    """How far samples and images lie within each other.

    Attributes:
        precision: share of the samples that lie in the neighborhood of an image.
        recall: share of the images that lie in the neighborhood of a sample.
        density: neighborhoods of images that a sample lies in, over k; about 1 for images, may be larger.
        coverage: share of the images in whose neighborhood there is a sample.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def shares(both: Between) -> Shares:
    """From all rows."""
    return Shares(
        float(both.realistic.double().mean()),
        float(both.recalled.double().mean()),
        float(both.neighborhoods.double().mean()) / NEAREST[1],
        float(both.covered.double().mean()),
    )


def _kernel(products: Tensor, width: int) -> Tensor:
    values = products / width + 1
    return values * values * values


def _blocks(number: int, part: int, parts: int) -> Iterator[Tensor]:
    """Rows of each of this part's blocks."""
    for first in range(part * BLOCK, number, parts * BLOCK):
        yield torch.arange(first, min(first + BLOCK, number))


def _joined(found: Sequence[tuple[Tensor, ...]], empty: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(column) for column in zip(*found, strict=True)) if found else empty
