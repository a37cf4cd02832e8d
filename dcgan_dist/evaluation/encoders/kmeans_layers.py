"""K-means in two or three layers with learned receptive fields (Coates and Ng, 2011; paper, table 1).

The first layer is that of `kmeans.py`. A layer above it has `FIELDS` receptive fields, each of which takes some of the
maps below, in windows of 2 x 2: a map drawn at random, and those most similar to it. The windows of a field are
whitened, and K-means finds directions in them. Features are the sums of all layers over the four quadrants, joined.

Published is, in what we could read, that fields are groups of the lower features that are most similar by a measure of
pairs, and the accuracy. From memory of the paper, which we could not check, are the measure (correlation of squares,
after the pair is whitened), K-means with directions of length 1 ("gain shape") and responses above a threshold, and the
sizes with 1,600 centroids: 16 fields of 200 maps with 200 directions each. Our own reading, or choice, are all else:
the first layer's triangle responses, how maps are pooled, windows of 2 x 2, the constants below, sizes in proportion to
the centroids, and that the features of all layers are joined.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.encoders.kmeans import PATCH, TOGETHER, KMeansFeatures, in_order, quadrants, whiten
from dcgan_dist.model.randomness import stream

FIELDS = 16
"""Receptive fields of a layer."""
SHARE = 8
"""A field has one of so many of the first layer's centroids as maps below, and as many directions."""
POOLS = 3, 2
"""Height and width over which the maps below the second and the third layer are averaged."""
WINDOWS = 20_000
"""Windows of 2 x 2 that a layer learns from: with all maps below the third layer of 1,600 centroids, 1 GB."""
ITERATIONS = 15
THRESHOLD = 0.5
LEAST_EIGENVALUE = 0.1
"""Added to the eigenvalues of a field's windows, whose maps have a variance of 1."""
LEAST_DEVIATION = 1e-6
"""Maps that vary less than this are taken for constant."""
MOST_CORRELATED = 1 - 1e-6
"""A pair that is more so cannot be whitened in float64 without loss."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer above the first, with G fields of T maps and E directions each.

    Attributes:
        fields: int64 [G, T], numbers of maps below.
        filters: float32 [G, 4 T, E], standardization, whitening and directions in one.
        offsets: float32 [G, E], what filters make of the mean window.
    """

    fields: Tensor
    filters: Tensor
    offsets: Tensor

    def maps(self, below: Tensor) -> Tensor:
        """How far responses of either sign are above the threshold.

        Args:
            below: float32 [n, side, side, K].

        Returns:
            [n, side - 1, side - 1, G E].
        """
        out = []
        for field, filters, offset in zip(self.fields, self.filters, self.offsets, strict=True):
            x = below[..., field]
            windows = torch.cat([x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]], -1)
            out.append((windows @ filters - offset).abs_().sub_(THRESHOLD).clamp_(min=0))
        return torch.cat(out, -1)


@dataclass(frozen=True, eq=False)
class LayeredKMeans:
    """Features of two or three layers.

    Attributes:
        first: the first layer.
        layers: how many there are in all, 2 or 3.
        upper: those above the first that are fitted.
    """

    first: KMeansFeatures
    layers: int
    upper: tuple[Layer, ...] = ()

    standardized = True

    @property
    def fitted(self) -> bool:
        return len(self.upper) == self.layers - 1

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Encoder`."""
        size = self.first.centroids_number // SHARE
        return {
            "first": self.first.recipe,
            "layers": self.layers,
            "fields": FIELDS,
            "maps_of_a_field": size,
            "directions_of_a_field": size,
            "pools": list(POOLS[: self.layers - 1]),
            "windows": WINDOWS,
            "iterations": ITERATIONS,
            "threshold": THRESHOLD,
            "least_eigenvalue": LEAST_EIGENVALUE,
        }

    def to(self, device: torch.device) -> Self:
        """The same: it computes on the CPU."""
        return self

    def gather(self, batches: Iterable[Pixels]) -> list[Tensor]:
        """Of each batch of a part what the next layer learns from: patches, or windows float32 [n, 2, 2, K]."""
        if not self.first.fitted:
            return self.first.gather(batches)
        return [self._draw_windows(batch) for batch in batches]

    def combine(self, parts: Sequence[list[Tensor]]) -> Self:
        """With one more layer, from what all parts have gathered."""
        if not self.first.fitted:
            return replace(self, first=self.first.combine(parts))
        size = self.first.centroids_number // SHARE
        return replace(self, upper=(*self.upper, learn(in_order(parts), size, len(self.upper))))

    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, 4 (K + 2 K (layers - 1))], layer after layer, not standardized yet."""
        if not self.fitted:
            raise RuntimeError("features need all layers: fit the encoder first")
        return torch.cat([self._of_few(images[i : i + TOGETHER]) for i in range(0, len(images), TOGETHER)])

    def _of_few(self, images: Pixels) -> Tensor:
        maps = self.first.maps(images)
        out = [quadrants(maps)]
        for layer, pool in zip(self.upper, POOLS, strict=False):
            maps = layer.maps(_pooled(maps, pool))
            out.append(quadrants(maps))
        return torch.cat(out, 1)

    def _below(self, images: Pixels) -> Tensor:
        """What the layer that is fitted next sees of images: [n, side, side, K]."""
        maps = self.first.maps(images)
        for layer, pool in zip(self.upper, POOLS, strict=False):
            maps = layer.maps(_pooled(maps, pool))
        return _pooled(maps, POOLS[len(self.upper)])

    def _draw_windows(self, images: Pixels) -> Tensor:
        """This batch's share of the windows; which ones depends on the images alone, not on what part they are in."""
        number = -(-len(images) * WINDOWS // self.first.images)
        random = stream(zlib.crc32(images.tobytes()), "windows", len(self.upper))
        # Images of which none is drawn are spared.
        used, rows = np.unique(random.integers(0, len(images), number), return_inverse=True)
        below = torch.cat([self._below(images[used[i : i + TOGETHER]]) for i in range(0, len(used), TOGETHER)])
        down, right = random.integers(0, below.shape[1] - 1, (2, number))
        step = np.arange(2)
        return below[
            rows[:, None, None], down[:, None, None] + step[None, :, None], right[:, None, None] + step[None, None, :]
        ]


def least_side(layers: int) -> int:
    """Height and width of the smallest images whose highest maps, of 2 x 2, still have four quadrants."""
    side = 2
    for pool in reversed(POOLS[: layers - 1]):
        side = (side + 1) * pool
    return side + PATCH - 1


def similarity(maps: Tensor) -> Tensor:
    """How much the squares of each two maps depend on each other, beyond what their correlation explains.

    Each pair is whitened, by the symmetric matrix, and its similarity is the correlation of the squares: 0 for maps
    that are independent.

    Args:
        maps: float32 [n, K], means 0 and variances 1, or constant 0.

    Returns:
        float64 [K, K]; 0 for maps whose squares are constant, and infinite on the diagonal.
    """
    x = maps.double()
    number = len(x)
    correlation = (x.T @ x / number).clamp(-MOST_CORRELATED, MOST_CORRELATED).fill_diagonal_(0)
    fourth = x.pow(4).mean(0)
    squares, cubes = x.square().T @ x.square() / number, x.pow(3).T @ x / number
    # Of a pair (a, b) whiten to (p a + q b, q a + p b).
    plus, minus = (1 + correlation).rsqrt(), (1 - correlation).rsqrt()
    p, q = (plus + minus) / 2, (plus - minus) / 2
    of_a, of_b, inner, outer = fourth[:, None], fourth[None, :], 6 * p**2 * q**2 * squares, 4 * p * q
    a = p**4 * of_a + outer * (p**2 * cubes + q**2 * cubes.T) + inner + q**4 * of_b
    b = q**4 * of_a + outer * (q**2 * cubes + p**2 * cubes.T) + inner + p**4 * of_b
    both = (
        p**2 * q**2 * (of_a + of_b)
        + ((p**2 + q**2) ** 2 + 2 * p**2 * q**2) * squares
        + 2 * p * q * (p**2 + q**2) * (cubes + cubes.T)
    )
    # Those of a map that is constant, or has but two values, do not vary.
    varies = fourth > 1 + LEAST_DEVIATION
    found = torch.where(varies[:, None] & varies, (both - 1) / ((a - 1) * (b - 1)).sqrt(), 0.0)
    return found.fill_diagonal_(torch.inf)


def learn(windows: Tensor, size: int, depth: int) -> Layer:
    """A layer from windows of the maps below it, float32 [n, 2, 2, K].

    Args:
        size: maps of a field, and directions.
        depth: 0 for the second layer, 1 for the third.
    """
    deviation, mean = torch.std_mean(windows, (0, 1, 2))
    scale = torch.where(deviation > LEAST_DEVIATION, 1 / deviation, 0.0)
    windows = (windows - mean) * scale
    alike = similarity(windows.flatten(0, 2))
    random = stream(0, "fields", depth)
    seeds = random.choice(alike.shape[0], FIELDS, replace=False)
    fields, filters, offsets = [], [], []
    for seed in seeds:
        field = alike[int(seed)].topk(size).indices
        rows = windows[..., field].flatten(1)
        center, whitening = whiten(rows.double(), LEAST_EIGENVALUE)
        start = random.standard_normal((rows.shape[1], size), np.float32)
        found = directions(((rows - center) @ whitening).float(), torch.from_numpy(start))
        turned = whitening.float() @ found
        filters.append(scale[field].repeat(4)[:, None] * turned)
        offsets.append((mean[field] * scale[field]).repeat(4) @ turned + center.float() @ turned)
        fields.append(field)
    return Layer(torch.stack(fields), torch.stack(filters), torch.stack(offsets))


def directions(points: Tensor, start: Tensor) -> Tensor:
    """K-means whose centroids are directions: a point belongs to the one along which it lies farthest, either way.

    Args:
        points: float32 [n, F].
        start: float32 [F, E], of any length.

    Returns:
        [F, E], of length 1; one to which no point belongs stays as it is.
    """
    found = F.normalize(start, dim=0)
    for _ in range(ITERATIONS):
        along = points @ found
        nearest = along.abs().argmax(1)
        sums = torch.zeros_like(found.T).index_add_(0, nearest, points * along.gather(1, nearest[:, None]))
        length = sums.norm(dim=1, keepdim=True)
        found = torch.where(length > 0, sums / length, found.T).T.contiguous()
    return found


def _pooled(maps: Tensor, size: int) -> Tensor:
    """Means of squares of maps [n, side, side, K]; what is left at the end is not used."""
    return F.avg_pool2d(maps.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
