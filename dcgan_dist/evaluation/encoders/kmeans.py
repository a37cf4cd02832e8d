"""One layer of K-means features (Coates, Lee and Ng, 2011, and its public demo code; paper, table 1).

Patches of 6 x 6 pixels are normalized, whitened and compared with centroids that K-means found among 400,000 of them;
an image's features are the sums, over its four quadrants, of how much nearer than the mean each centroid is. They are
standardized by the training images afterwards. K-means is that of faiss, which splits a large cluster where one gets
empty; the demo code sets its centroid to 0.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import zip_longest
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.randomness import stream

PATCH = 6
PATCHES = 400_000
ITERATIONS = 50
INITIAL_SD = 0.1
LEAST_VARIANCE = 10.0
"""Added to the variance of a patch, whose pixels go from 0 to 255."""
LEAST_EIGENVALUE = 0.1
"""Added to the eigenvalues of the patches' covariance."""
TOGETHER = 8
"""Images whose patches are compared at once: what comes of it stays in the processor's cache."""


@dataclass(frozen=True, eq=False)
class KMeansFeatures:
    """Features of K centroids, which are unset until it is fitted.

    Attributes:
        centroids_number: K.
        images: training images, of which each gives as many patches as the others.
        mean: float32 [108], of the normalized patches.
        whitening: float32 [108, 108].
        centroids: float32 [K, 108].
    """

    centroids_number: int
    images: int
    mean: Tensor | None = None
    whitening: Tensor | None = None
    centroids: Tensor | None = None

    standardized = True

    @property
    def fitted(self) -> bool:
        return self.centroids is not None

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Encoder`."""
        return {
            "centroids": self.centroids_number,
            "patches": PATCHES,
            "patch": PATCH,
            "iterations": ITERATIONS,
            "standardised": "sqrt(variance + 0.01)",  # as results of earlier versions have it
        }

    def to(self, device: torch.device) -> Self:
        """The same: it computes on the CPU."""
        return self

    def gather(self, batches: Iterable[Pixels]) -> list[Tensor]:
        """Normalized patches of each batch of a part, float32 [n, 108]."""
        each = max(1, -(-PATCHES // self.images))
        return [_draw_patches(batch, each) for batch in batches]

    def combine(self, parts: Sequence[list[Tensor]]) -> Self:
        """Whitening and centroids, from the patches of all parts."""
        import faiss  # a second to import

        patches = in_order(parts).double()
        mean, whitening = whiten(patches, LEAST_EIGENVALUE)
        white = ((patches - mean) @ whitening).float().numpy()
        start = stream(0, "centroids").standard_normal((self.centroids_number, white.shape[1]), np.float32)
        means = faiss.Kmeans(
            white.shape[1], self.centroids_number, niter=ITERATIONS, max_points_per_centroid=len(white), seed=0
        )
        means.train(white, init_centroids=INITIAL_SD * start)
        return replace(
            self,
            mean=mean.float(),
            whitening=whitening.float(),
            centroids=torch.from_numpy(np.array(means.centroids)),
        )

    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, 4 K], before they are standardized."""
        return torch.cat([quadrants(self.maps(images[i : i + TOGETHER])) for i in range(0, len(images), TOGETHER)])

    def maps(self, images: Pixels) -> Tensor:
        """How much nearer than the mean each centroid is to each patch: uint8 [n, S, S, 3] -> [n, S - 5, S - 5, K]."""
        if self.mean is None or self.whitening is None or self.centroids is None:
            raise RuntimeError("features need centroids: fit the encoder first")
        patches = F.unfold(torch.from_numpy(images).permute(0, 3, 1, 2).float(), PATCH)
        number, places = len(images), patches.shape[2]
        white = (normalized(patches.transpose(1, 2).reshape(number * places, -1)) - self.mean) @ self.whitening
        distances = torch.cdist(white, self.centroids, compute_mode="use_mm_for_euclid_dist")
        nearer = (distances.mean(1, keepdim=True) - distances).clamp_(min=0)
        side = images.shape[1] - PATCH + 1
        return nearer.reshape(number, side, side, -1)


def require_faiss() -> None:
    """See that K-means can be computed; raises `SettingsError`."""
    if find_spec("faiss") is None:
        raise SettingsError("K-means features need faiss: pip install 'dcgan-dist[evaluate]'")


def normalized(patches: Tensor) -> Tensor:
    """Patches [n, 108] of values from 0 to 255, each with its own mean and (unbiased) variance taken away."""
    variance, mean = torch.var_mean(patches, 1, keepdim=True)
    return (patches - mean) / (variance + LEAST_VARIANCE).sqrt()


def quadrants(maps: Tensor) -> Tensor:
    """Sums over the quadrants of maps [n, side, side, K], of which the first are not the smaller ones: [n, 4 K]."""
    half = (maps.shape[1] + 1) // 2
    parts = [maps[:, :half, :half], maps[:, half:, :half], maps[:, :half, half:], maps[:, half:, half:]]
    return torch.cat([part.sum((1, 2)) for part in parts], 1)


def in_order(parts: Sequence[list[Tensor]]) -> Tensor:
    """What was drawn of all batches, in the order of the batches: it does not depend on the number of parts.

    Args:
        parts: of each part, a tensor for each of its batches. Parts take batches in turn.
    """
    rows = zip_longest(*parts)
    return torch.cat([batch for row in rows for batch in row if batch is not None])


def whiten(patches: Tensor, least_eigenvalue: float) -> tuple[Tensor, Tensor]:
    """Mean [F] of patches float64 [n, F], and the symmetric matrix [F, F] that takes their correlations away."""
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    return mean, (vectors / (values + least_eigenvalue).sqrt()) @ vectors.T


def _draw_patches(images: Pixels, each: int) -> Tensor:
    """So many patches of each image; which ones depends on the images alone, and not on what part they are in."""
    number, size = len(images), images.shape[1] - PATCH + 1
    random = stream(zlib.crc32(images.tobytes()), "patches")
    down, right = random.integers(0, size, (2, number * each))
    rows = np.repeat(np.arange(number), each)
    steps = np.arange(PATCH)
    found = images[
        rows[:, None, None], down[:, None, None] + steps[None, :, None], right[:, None, None] + steps[None, None, :]
    ]
    # Channel by channel, as `unfold` lays them out.
    return normalized(torch.from_numpy(found.transpose(0, 3, 1, 2).reshape(number * each, -1).astype(np.float32)))
