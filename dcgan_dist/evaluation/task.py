"""What features are evaluated on: labeled images, split into training and test images; no Ray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.model.randomness import stream
from dcgan_dist.run_folder.trained_on import TrainedOn

PUBLISHED_COSTS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01)
"""Values of C that are tried (published code, svhn)."""
COSTS = (0.00001, 0.00002, 0.00005, *PUBLISHED_COSTS)
"""Values of C that are tried in other tasks: with 1,000 labels the smallest of the published values may be the best,
with tens of thousands smaller ones are."""
STATISTICS_BATCH = 128
"""Images of a batch over which statistics are taken (published code, svhn)."""


class ImageSource(Protocol):
    """Images by number, for example those in shards (`chunk_reader.ShardPictures`)."""

    @property
    def image_size(self) -> int:
        """Height and width, in pixels."""
        ...

    def read(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
        """Read samples [n] into `out` [m, S, S, 3] at `rows` [n]; bool [n]: which of them are bad."""
        ...

    def names(self, sample: int) -> str:
        """Name of a sample, for messages."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayPictures:
    """Pictures in memory.

    Attributes:
        images: uint8 [n, S, S, 3].
        source: where they come from, for a message.
    """

    images: Pixels
    source: str

    @property
    def image_size(self) -> int:
        """Height and width, in pixels."""
        return int(self.images.shape[1])

    def read(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
        """Copy them; none is bad."""
        out[rows] = self.images[samples]
        return np.zeros(len(samples), np.bool_)

    def names(self, sample: int) -> str:
        """Name of a sample, for messages."""
        return f"image {sample} of {self.source}"


@dataclass(frozen=True, eq=False)
class Labeled:
    """Images with their class numbers, in the order in which they are used.

    Attributes:
        pictures: where the images are.
        samples: int64 [n], their numbers there.
        labels: int64 [n], class numbers from 0.
    """

    pictures: ImageSource
    samples: Integers
    labels: Integers

    def __len__(self) -> int:
        return len(self.samples)

    def part(self, number: int, parts: int) -> Integers:
        """Places of the images that one of several parts holds, int64; batches for statistics stay whole."""
        places = np.arange(len(self.samples))
        mine: Integers = places[places // STATISTICS_BATCH % parts == number]
        return mine

    def read(self, places: Integers) -> Pixels:
        """Images uint8 [n, S, S, 3]; raises `DataError` where one cannot be decoded."""
        samples, size = self.samples[places], self.pictures.image_size
        images = np.empty((len(samples), size, size, 3), np.uint8)
        bad = self.pictures.read(samples, images, np.arange(len(samples)))
        if bad.any():
            name = self.pictures.names(int(samples[np.flatnonzero(bad)[0]]))
            raise DataError(
                f"{bad.sum():,} of {len(bad):,} images of a probe cannot be decoded, for example {name}: an accuracy "
                "on the rest could not be compared with others; replace or remove them"
            )
        return images


@dataclass(frozen=True)
class FewLabels:
    """Classifiers on few training images of each class.

    Attributes:
        per_class: images of each class in a draw.
        choosing: draws whose mean accuracy on the images held out chooses C.
        draws: draws that are tested on the test images.
    """

    per_class: int
    choosing: int
    draws: int


@dataclass(frozen=True, eq=False)
class Task:
    """A labeled data set.

    Attributes:
        name: name of the task.
        data: digest or description that differs for other data of the same name.
        train: training images, in the order in which they are used; the last `held_out` choose C.
        test: test images, used once, at the end.
        classes: number of classes.
        held_out: number of training images that are held out to choose C.
        seed: seed of the order, and of draws of few labels.
        costs: values of C that are tried for linear classifiers.
        all_labels: whether a classifier is trained on all training images.
        few: how classifiers are trained with few labels; None: they are not.
        notes: lines about what makes its results doubtful.
        test_shards: content of the shards of the test images, by address (`run_folder.trained_on.contents`); empty if
            they are not in shards.
    """

    name: str
    data: str
    train: Labeled
    test: Labeled
    classes: int
    held_out: int
    seed: int
    costs: Sequence[float] = COSTS
    all_labels: bool = True
    few: FewLabels | None = None
    notes: tuple[str, ...] = ()
    test_shards: Mapping[str, str] = field(default_factory=dict)

    def seen_by(self, trained_on: TrainedOn) -> "Task":
        """This task for networks trained on that: with a note where they have seen test images, or may have."""
        both = trained_on.seen(self.test_shards)
        if both:
            address, theirs = next(iter(both.items()))
            copy = "" if theirs == address else f", a copy of {theirs}"
            note = (
                f"the run was trained on {len(both):,} of the {len(self.test_shards):,} shards of test images, for "
                f"example {address}{copy}: its accuracy on them is not that on unseen images; "
                "train on train-*.tar alone"
            )
        elif self.test_shards and trained_on.unknown:
            note = f"it is not known whether the run was trained on these test images: {trained_on.unknown}"
        else:
            return self
        return replace(self, notes=(*self.notes, note))


def order(number: int, seed: int) -> Integers:
    """A random order of so many images, int64 [number], from the seed alone."""
    return stream(seed, "order of a probe's images").permutation(number)
