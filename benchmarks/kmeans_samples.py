"""What the benchmarks of K-means share: images with classes, our features and classifier on them, differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.classifiers import svm
from dcgan_dist.evaluation.encoders.encoder import E, fit
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from dcgan_dist.evaluation.probe import LEAST_VARIANCE
from dcgan_dist.evaluation.task import STATISTICS_BATCH, Task
from dcgan_dist.evaluation.tasks.labeled import open_labeled
from dcgan_dist.storage import place

Labels = NDArray[np.int64]
Right = NDArray[np.bool_]
"""Which test images are taken for what they are."""

MEAN_COSTS = 10.0, 30.0, 100.0, 300.0
"""C of the mean loss, which is C times the number of images; 100 in the demo code."""
HELD_OUT = 10
"""One of so many training images chooses C."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Images uint8 [n, S, S, 3] with class numbers int64 [n]."""

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, places: NDArray[np.int64]) -> "Sample":
        return Sample(self.images[places], self.labels[places])


def read(name: str, folder: str, size: int) -> tuple[Sample, Sample]:
    """Training and test images of a folder with labeled shards, each in an order drawn once."""
    task: Task = open_labeled(name, place(folder), size, resize=False, seed=0)
    train, test = (
        Sample(split.read(np.arange(len(split))), split.labels.astype(np.int64)) for split in (task.train, task.test)
    )
    return train, test


def encoded(encoder: E, train: Sample, test: Sample) -> tuple[Tensor, Tensor]:
    """Features of training and test images, of an encoder fitted to the first; standardized."""
    batches = [train.images[first : first + STATISTICS_BATCH] for first in range(0, len(train), STATISTICS_BATCH)]
    encoder = fit(encoder, lambda encoder: [encoder.gather(batches)])
    made = encoder.features(train.images), encoder.features(test.images)
    mean, deviation = made[0].double().mean(0), (made[0].double().var(0) + LEAST_VARIANCE).sqrt()
    for part in made:
        part.sub_(mean.float()).div_(deviation.float())
    return made


def classified(
    features: Tensor, train: Labels, asked: Tensor, costs: Sequence[float] = MEAN_COSTS
) -> tuple[Labels, float]:
    """What images are taken for by a classifier that learned from others, int64 [n], and the C of its mean loss.

    Args:
        features: float32 [m, F], of those others; the last tenth chooses C where there are several, and is not learned
            from then.
        train: int64 [m], their classes.
        asked: float32 [n, F].
    """
    labels, classes = torch.from_numpy(train), int(train.max()) + 1
    learned = len(train) - (len(train) // HELD_OUT if len(costs) > 1 else 0)
    reduce = svm.together([svm.Part(features[:learned], labels[:learned], classes)])
    moments = svm.measure(reduce, features.shape[1])
    found: list[tuple[float, float, Tensor]] = []
    weights = None
    for cost in sorted(costs):
        weights = svm.train(reduce, moments, classes, cost / learned, weights).weights
        right = _predicted(features[learned:], weights) == labels[learned:]
        found.append((float(right.float().mean()) if len(right) else 0.0, cost, weights))
    _, cost, weights = max(found, key=lambda one: one[0])
    return _predicted(asked, weights).numpy(), cost


def ours(train: Sample, test: Sample, centroids: int, costs: Sequence[float] = MEAN_COSTS) -> tuple[Labels, float]:
    """`classified` on our features of one layer."""
    features, asked = encoded(KMeansFeatures(centroids, len(train)), train, test)
    return classified(features, train.labels, asked, costs)


def _predicted(features: Tensor, weights: Tensor) -> Tensor:
    return svm.Part(features, torch.zeros(len(features), dtype=torch.int64), len(weights)).predict(weights)


def percent(right: NDArray[np.bool_]) -> float:
    """Share in percent."""
    return 100 * float(right.mean())


def lost(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, float]:
    """Points of accuracy lost from one to the other on the same images, and 1.96 standard errors."""
    differences = before.astype(float) - after
    return 100 * float(differences.mean()), 196 * float(differences.std(ddof=1)) / len(differences) ** 0.5
