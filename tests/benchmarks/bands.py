"""A small labeled data set for the benchmarks of K-means."""

import numpy as np

from benchmarks.kmeans_samples import Sample


def bands(number: int, side: int, seed: int) -> Sample:
    """Noise in which a band at a height of its class, of three, is brighter."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, number)
    images = random.integers(0, 160, (number, side, side, 3))
    for image, label in zip(images, labels, strict=True):
        image[side // 3 * label : side // 3 * (label + 1)] += random.integers(0, 60)
    return Sample(images.astype(np.uint8), labels)
