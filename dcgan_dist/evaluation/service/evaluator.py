"""What one evaluation actor holds and does: its part of the tasks' images, features, margins; no Ray."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.actor_state import Stage, makes, reads
from dcgan_dist.evaluation.classifiers.nearest import nearest
from dcgan_dist.evaluation.classifiers.svm import Part
from dcgan_dist.evaluation.coverage import Sampler, nearest_sample
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.encoders.maps import in_channels, to_float
from dcgan_dist.evaluation.fidelity.embedding import Embedded, drawn, embed, held_out
from dcgan_dist.evaluation.fidelity.frechet import Frechet, Moments, frechet
from dcgan_dist.evaluation.fidelity.pairs import Between, Within, between, within
from dcgan_dist.evaluation.nearest_label import Found, References, nearest_labels, pixels
from dcgan_dist.evaluation.task import STATISTICS_BATCH, Labeled, Task
from dcgan_dist.model.classification import Classifier, LabelLearner, Learning

CHECKSUMS = 1 << 128
"""Sums of checksums are meant modulo this."""


class Evaluators(Protocol):
    """All parts of a task: a pool of actors, or evaluators in this process."""

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        """Call a method of every `Evaluator`."""
        ...

    def svm(self, name: str, /, *arguments: Any) -> tuple[Tensor, ...]:
        """`svm.Reduce` over all parts."""
        ...


@dataclass(eq=False)
class _Split:
    """A part of a training or test set; labels int64 [n], features [n, F]."""

    places: Integers
    images: Pixels
    labels: Tensor
    features: Tensor | None = None


class Evaluator:
    """One of `parts` that share the images of all tasks. Features and a classifier are those of one task at a time."""

    def __init__(self, number: int, parts: int, threads: int) -> None:
        """`threads`: of tensor operations; 0: the cores of this host over the parts."""
        self._number, self._parts = number, parts
        self._embedded: tuple[str, Embedded] | None = None
        # An actor without a GPU of its own sees none.
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(threads or max(1, len(os.sched_getaffinity(0)) // parts))

    @makes(Stage.IMAGES)
    def load(self, tasks: Sequence[Task]) -> list[int]:
        """Decode this part of all images; of each task their checksum, to be added up over the parts."""
        self._splits = {task.name: (self._read(task.train), self._read(task.test), task.classes) for task in tasks}
        return [sum(map(_checksum, splits[:2])) % CHECKSUMS for splits in self._splits.values()]

    @reads
    def gather(self, task: str, encoder: Encoder) -> Any:
        """Gather from this part's training images what the encoder needs in this round, see `Encoder.gather`."""
        return encoder.to(self._device).gather(_batches(self._splits[task][0].images))

    @makes(Stage.FEATURES)
    def encode(self, task: str, encoder: Encoder, dtype: torch.dtype) -> tuple[int, int]:
        """Make the features of a task's images and keep them: numbers of an image, bytes in all.

        Raises `DataError` where they are not finite.
        """
        for *splits, _ in self._splits.values():  # the old ones go before the new ones come
            for split in splits:
                split.features = None
        self._train, self._test, self._classes = self._splits[task]
        self._encoder = encoder = encoder.to(self._device)
        made = [_features_of(encoder, split.images, dtype) for split in (self._train, self._test)]
        if not all(torch.isfinite(block).all() for part in made for block in torch.split(part, STATISTICS_BATCH)):
            half = "; or leave --half out, float16 ends at 65,504" if dtype == torch.float16 else ""
            raise DataError(
                f"features of task {task} are not finite: the network has diverged; take an earlier checkpoint{half}"
            )
        self._train.features, self._test.features = made
        return made[0].shape[1], sum(features.nbytes for features in made)

    @reads
    def nearest(self, images: Pixels, kept: int, among: Integers | None = None) -> tuple[Tensor, Tensor]:
        """By the features that are kept, the training images here that are nearest to other images, see `nearest`.

        Args:
            images: uint8 [n, S, S, 3].
            kept: how many of each are wanted.
            among: places of the training images that count; all of them.
        """
        queries = torch.cat([self._encoder.features(batch) for batch in _batches(images)])
        features, rows = self._rows(self._train, self._train.places if among is None else among)
        return nearest(queries, features, torch.from_numpy(self._train.places[rows]), kept)

    @reads
    def nearest_sample(self, sampler: Sampler, images: Pixels, numbers: Sequence[int]) -> Tensor:
        """Distances of images uint8 [n, S, S, 3] to samples that are this part's, see `coverage.nearest_sample`."""
        pixels = to_float(images, torch.device("cpu")).flatten(1)
        return nearest_sample(sampler.to(self._device), pixels, numbers, self._number, self._parts)

    @reads
    def gather_held_out(self, images: Labeled, encoder: Encoder) -> Any:
        """Gather from this part of held-out images what the encoder needs in this round, see `Encoder.gather`."""
        return encoder.to(self._device).gather(batch for _, batch in held_out(images, self._number, self._parts))

    @reads
    def embed_held_out(self, images: Labeled, encoder: Encoder, kept: int, key: str) -> Embedded:
        """Features of this part of held-out images, see `embed`.

        Args:
            key: by which they are found again when the same images and features are asked for; empty: they are not.
        """
        if key and self._embedded is not None and self._embedded[0] == key:
            return self._embedded[1]
        found = embed(held_out(images, self._number, self._parts), encoder.to(self._device), kept)
        self._embedded = key, found
        return found

    @reads
    def embed_samples(self, sampler: Sampler, number: int, encoder: Encoder, kept: int) -> Embedded:
        """Features of this part of so many samples, see `embed`."""
        batches = drawn(sampler.to(self._device), number, self._number, self._parts)
        return embed(batches, encoder.to(self._device), kept)

    @reads
    def within(self, features: Tensor) -> Within:
        """This part of the pairs of features with each other, see `pairs.within`."""
        return within(features, self._number, self._parts)

    @reads
    def between(self, samples: Tensor, images: Tensor, sample_radii: Tensor, image_radii: Tensor) -> Between:
        """This part of the pairs of samples and images, see `pairs.between`."""
        return between(samples, images, sample_radii, image_radii, self._number, self._parts)

    @reads
    def frechet(self, samples: Moments, images: Moments, some: Tensor) -> Frechet | None:
        """The Fréchet distance, see `frechet`: by the first of the parts alone."""
        return None if self._number else frechet(samples, images, some)

    @reads
    def nearest_labels(
        self, references: References, images: Pixels, numbers: Sequence[int], first: int, each: int, end: int
    ) -> Found:
        """What is nearest to images uint8 [n, S, S, 3] in this part's blocks, see `nearest_label.nearest_labels`.

        Args:
            first: the first block of all parts together.
            each: blocks of each part, in turn.
            end: the block before which they all end.
        """
        blocks = range(first + self._number, min(end, first + each * self._parts), self._parts)
        compared = references.to(self._device)
        return nearest_labels(compared, pixels(images, compared.channels), numbers, blocks)

    @reads
    def moments(self) -> tuple[int, Tensor, Tensor]:
        """Count of this part's training images, sum and sum of squares of their features, float64 [F]."""
        features = self._features(self._train)
        sums, squares = torch.zeros(2, features.shape[1], dtype=torch.float64)
        for block in torch.split(features, STATISTICS_BATCH):
            sums += block.sum(0, dtype=torch.float64)
            squares += block.double().square().sum(0)
        return len(features), sums, squares

    @makes(Stage.SCALED)
    def standardize(self, mean: Tensor, deviation: Tensor) -> None:
        """Take the mean from all features and divide by the deviation, both float32 [F]."""
        for split in (self._train, self._test):
            for block in torch.split(self._features(split), STATISTICS_BATCH):
                block.copy_((block.float() - mean) / deviation)

    @makes(Stage.SELECTION)
    def pose(self, places: Integers) -> int:
        """Begin a classifier on the training images at these places; how many of them are here."""
        self._part, rows = self._chosen(self._train, places)
        return len(rows)

    def svm(self, name: str, *arguments: Any) -> tuple[Tensor, ...]:
        """Call a method of this part of the classifier, see `svm.Part`."""
        result: tuple[Tensor, ...] = getattr(self._part, name)(*arguments)
        return result

    @reads
    def confusion(self, weights: Tensor, places: Integers | None = None) -> NDArray[np.int64]:
        """Confusion matrix int64 [true, predicted] on all test images, or on the training images at these places."""
        split = self._test if places is None else self._train
        part, rows = self._chosen(split, split.places if places is None else places)
        counts = torch.zeros(self._classes, self._classes, dtype=torch.int64)
        predicted = part.predict(weights)
        counts.index_put_((split.labels[rows], predicted), torch.ones_like(predicted), accumulate=True)
        return counts.numpy()

    @reads
    def learn_labels(
        self,
        learning: Learning,
        images: Pixels,
        labels: Integers,
        classes: int,
        state: Mapping[str, Any] | None,
        step: int,
    ) -> tuple[dict[str, Any], Classifier] | None:
        """Train a network on labeled images until so many steps are done: its state, and what it tells classes by then.

        One evaluator does so, since a step is one after the other; the others return None. See `LabelLearner`.
        """
        if self._number:
            return None
        learner = LabelLearner(learning, images, labels, classes, self._device, state)
        learner.train_to(step)
        return learner.state_dict(), learner.frozen(STATISTICS_BATCH).to(torch.device("cpu"))

    @reads
    def confusion_of_network(
        self, task: str, classifier: Classifier, places: Integers | None = None
    ) -> NDArray[np.int64]:
        """As `confusion`, of a network that takes images, on a task that is loaded."""
        channels = classifier.networks.channels
        train, test, classes = self._splits[task]
        split = test if places is None else train
        rows = slice(None) if places is None else np.flatnonzero(np.isin(split.places, places, assume_unique=True))
        return classifier.confusion(
            in_channels(split.images[rows], channels), split.labels.numpy()[rows], classes, self._device
        )

    def _read(self, labeled: Labeled) -> _Split:
        places = labeled.part(self._number, self._parts)
        return _Split(places, labeled.read(places), torch.from_numpy(labeled.labels[places]))

    @staticmethod
    def _features(split: _Split) -> Tensor:
        if split.features is None:
            raise RuntimeError("there are no features yet: call encode first")
        return split.features

    def _chosen(self, split: _Split, places: Integers) -> tuple[Part, Integers]:
        features, rows = self._rows(split, places)
        return Part(features, split.labels[rows], self._classes), rows

    def _rows(self, split: _Split, places: Integers) -> tuple[Tensor, Integers]:
        """Features of the images here that are at these places, and their rows in the split."""
        features = self._features(split)
        rows = np.flatnonzero(np.isin(split.places, places, assume_unique=True))
        # No copy where they lie together.
        together = len(rows) and rows[-1] - rows[0] + 1 == len(rows)
        return features[slice(int(rows[0]), int(rows[-1]) + 1) if together else torch.from_numpy(rows)], rows


class ThisProcess:
    """One evaluator in this process, whose part all images are; an `Evaluators` without Ray."""

    def __init__(self, kind: type[Evaluator]) -> None:
        self._evaluator = kind(0, 1, torch.get_num_threads())

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        """`Evaluators.each`."""
        return [getattr(self._evaluator, name)(*arguments)]

    def svm(self, name: str, /, *arguments: Any) -> tuple[Tensor, ...]:
        """`Evaluators.svm`."""
        return self._evaluator.svm(name, *arguments)


def _checksum(split: _Split) -> int:
    total = 0
    for image, label in zip(split.images, split.labels.tolist(), strict=True):
        digest = hashlib.sha256(image.tobytes() + label.to_bytes(8, "little")).digest()
        total += int.from_bytes(digest[:16], "little")
    return total


def _features_of(encoder: Encoder, images: Pixels, dtype: torch.dtype) -> Tensor:
    out: Tensor | None = None
    first = 0
    for batch in _batches(images):
        made = encoder.features(batch)
        if out is None:
            out = torch.empty(len(images), made.shape[1], dtype=dtype)
        out[first : first + len(made)] = made
        first += len(made)
    if out is None:
        return torch.empty(0, encoder.features(np.zeros((1, *images.shape[1:]), np.uint8)).shape[1], dtype=dtype)
    return out


def _batches(images: Pixels) -> Iterator[Pixels]:
    for first in range(0, len(images), STATISTICS_BATCH):
        yield images[first : first + STATISTICS_BATCH]
