"""The published demo code of K-means features (Coates, Lee and Ng, 2011) once more, in NumPy and scikit-learn.

It takes nothing from the package, so that it can stand beside it: patches are drawn at random from all images, K-means
is Lloyd's in blocks and sets an empty centroid to 0, and the classifier is `LinearSVC`, which minimizes the same
function as the demo's L-BFGS.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Images = NDArray[np.uint8]

PATCH, ITERATIONS = 6, 50


class Demo:
    """The whole protocol."""

    def __init__(self, centroids: int, random: np.random.Generator, patches: int) -> None:
        """`patches`: that K-means is given, 400,000 in the demo."""
        self._number, self._random, self._patches = centroids, random, patches

    def fit(self, images: Images) -> None:
        """Whitening and centroids, from images uint8 [n, S, S, 3]."""
        places = images.shape[1] - PATCH + 1
        which = self._random.integers(0, len(images), self._patches)
        down, right = self._random.integers(0, places, (2, self._patches))
        patches = _normalized(_windows(images)[which, down, right].reshape(self._patches, -1))
        self.mean: Array = patches.mean(0)
        values, vectors = np.linalg.eigh(np.cov(patches.T))
        self.whitening: Array = vectors @ np.diag(1 / np.sqrt(values + 0.1)) @ vectors.T
        self.centroids: Array = self._lloyd((patches - self.mean) @ self.whitening)

    def features(self, images: Images) -> Array:
        """Sums of triangle activations over quadrants, [n, 4 K]."""
        return np.stack([self._of_one(image) for image in images])

    def classify(self, images: Images, labels: NDArray[np.int64], asked: Images, cost: float) -> NDArray[np.int64]:
        """What asked images are taken for by a machine that learned from the others; `cost`: C of the mean loss."""
        from sklearn.svm import LinearSVC  # a second to import

        train, test = self.features(images), self.features(asked)
        mean, deviation = train.mean(0), np.sqrt(train.var(0, ddof=1) + 0.01)
        # An intercept that is regularized is a constant feature of 1.
        machine = LinearSVC(C=cost / len(labels), dual=True, tol=1e-3, max_iter=3_000, random_state=0)
        machine.fit((train - mean) / deviation, labels)
        predicted: NDArray[np.int64] = machine.predict((test - mean) / deviation)
        return predicted

    def _lloyd(self, points: Array) -> Array:
        centroids = 0.1 * self._random.standard_normal((self._number, points.shape[1]))
        for _ in range(ITERATIONS):
            sums, counts = np.zeros_like(centroids), np.zeros(self._number)
            half = 0.5 * (centroids**2).sum(1)
            for first in range(0, len(points), 1_000):
                block = points[first : first + 1_000]
                nearest = (block @ centroids.T - half).argmax(1)
                one_hot = np.zeros((len(block), self._number))
                one_hot[np.arange(len(block)), nearest] = 1
                sums += one_hot.T @ block
                counts += one_hot.sum(0)
            centroids = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], 0)
        return centroids

    def _of_one(self, image: Images) -> Array:
        windows = _windows(image[None])[0]
        side = len(windows)
        white = (_normalized(windows.reshape(side * side, -1)) - self.mean) @ self.whitening
        squares = (white**2).sum(1)[:, None] + (self.centroids**2).sum(1) - 2 * white @ self.centroids.T
        distances = np.sqrt(np.maximum(squares, 0))
        maps = np.maximum(0, distances.mean(1)[:, None] - distances).reshape(side, side, -1)
        half = -(-side // 2)
        parts = [maps[:half, :half], maps[half:, :half], maps[:half, half:], maps[half:, half:]]
        return np.concatenate([part.sum((0, 1)) for part in parts])


def _windows(images: Images) -> Images:
    """All patches, [n, places, places, 3, 6, 6]."""
    return sliding_window_view(images, (PATCH, PATCH), (1, 2))


def _normalized(patches: NDArray[np.generic]) -> Array:
    values = patches.astype(np.float64)
    found: Array = (values - values.mean(1)[:, None]) / np.sqrt(values.var(1, ddof=1)[:, None] + 10)
    return found
