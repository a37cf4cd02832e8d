"""A small labeled data set, and the parts of a probe in this process."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.evaluation.actor_state import CLASSIFIER, effect_of
from dcgan_dist.evaluation.service.evaluator import Evaluator
from dcgan_dist.evaluation.task import ArrayPictures, FewLabels, Labeled, Task, order
from dcgan_dist.settings import NetworkSettings

CLASSES, SIZE = 3, 16


def stripes(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise in which a band at a height of its class is brighter: uint8 [n, 16, 16, 3], labels int64 [n]."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, number)
    images = random.integers(0, 160, (number, SIZE, SIZE, 3))
    for image, label in zip(images, labels, strict=True):
        image[5 * label : 5 * label + 5] += random.integers(0, 60)
    return images.astype(np.uint8), labels


class Blots(nn.Module):
    """A generator of gray images [n, 1, S, S] that show their class a little, and z more."""

    def __init__(self, settings: NetworkSettings, seed: int) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.size = settings.image_size
        self.of_z = nn.Parameter(torch.randn(settings.latent_size, self.size**2, generator=random))
        self.of_class = nn.Parameter(torch.randn(settings.classes, self.size**2, generator=random))

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        shown = z @ self.of_z / 2 + self.of_class[labels] / 4
        return shown.tanh().unflatten(1, (1, self.size, self.size))


@pytest.fixture(scope="session")
def blots() -> Callable[[NetworkSettings, int], nn.Module]:
    """`Blots`, by settings and seed of its weights."""
    return Blots


class Here:
    """Evaluators in this process, in the place of a pool."""

    def __init__(self, parts: int) -> None:
        self.evaluators = [Evaluator(number, parts, torch.get_num_threads()) for number in range(parts)]

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        if name != CLASSIFIER:
            effect_of(getattr(Evaluator, name))  # a pool refuses what declares none
        return [getattr(evaluator, name)(*arguments) for evaluator in self.evaluators]

    def svm(self, name: str, /, *arguments: Any) -> tuple[torch.Tensor, ...]:
        results = self.each("svm", name, *arguments)
        return tuple(sum(column[1:], column[0]) for column in zip(*results, strict=True))


@pytest.fixture
def here() -> Iterator[Callable[[int], Here]]:
    """`here(PARTS)` makes evaluators in this process."""
    threads = torch.get_num_threads()
    yield Here
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def bands() -> Task:
    """Three classes that a linear classifier on pixels can tell from each other, but not always."""
    (train, train_labels), (test, test_labels) = stripes(900, seed=1), stripes(400, seed=2)
    samples = order(len(train), seed=0)
    return Task(
        name="bands",
        data="drawn",
        train=Labeled(ArrayPictures(train, "bands"), samples, train_labels[samples]),
        test=Labeled(ArrayPictures(test, "bands"), np.arange(len(test)), test_labels),
        classes=CLASSES,
        held_out=200,
        seed=0,
        few=FewLabels(per_class=20, choosing=2, draws=3),
    )
