"""The training images nearest to those of a path: a generator that repeats them jumps from one to the next; no Ray.

Distances are compared with those of images that were held out, which are as far from training images as new images are.
Those of a path that leads from one training image to the next are near 0. How often the nearest training image changes
tells nothing by itself: it does for new images too, since many training images are about as near to these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import DataError
from dcgan_dist.model.pixels import enlarged, tiled
from dcgan_dist.studies.copies import MANY, RARE
from dcgan_dist.studies.nearest_training import NearestTraining, near_duplicates, nearest_training
from dcgan_dist.studies.training_images import ComparedImages

HELD_OUT: Final = 256
"""Most images held out that distances are compared with."""
NEAR: Final = 0.25
"""An image is a copy where its distance is below this part of the median of images held out, and as small as that of
only the part `RARE` of these, among which there may be plain images. Blurred images are near to many, but not as near:
of CIFAR-10's test images, blurred over 7 pixels each way, none is below 0.29; of new scenes, which are plain, none is
below 0.42."""


@dataclass(frozen=True, eq=False)
class NearestAlong:
    """What training images a path leads along.

    Attributes:
        nearest: to each image of the path.
        held_out: float64 [m]: distances of images held out to the nearest training image, in levels.
        left_out: images held out that are near duplicates of training images.
    """

    nearest: NearestTraining
    held_out: NDArray[np.float64]
    left_out: int = 0

    @cached_property
    def relative(self) -> NDArray[np.float64]:
        """Distances of the images of the path over the median of images held out, float64 [n]."""
        relative: NDArray[np.float64] = self.nearest.levels / float(np.median(self.held_out))
        return relative

    @cached_property
    def near(self) -> NDArray[np.bool_]:
        """Which images of the path are copies, bool [n]."""
        limit = min(NEAR * float(np.median(self.held_out)), float(np.quantile(self.held_out, RARE)))
        near: NDArray[np.bool_] = self.nearest.levels < limit
        return near

    @property
    def copies(self) -> bool:
        """Whether the path leads along training images: more than the part `MANY` of its images are copies."""
        return bool(self.near.mean() > MANY)

    @cached_property
    def changes(self) -> NDArray[np.bool_]:
        """At which steps from one image to the next the nearest training image is another one, bool [n - 1]."""
        changes: NDArray[np.bool_] = self.nearest.places[1:] != self.nearest.places[:-1]
        return changes


def nearest_along(compared: ComparedImages, images: Pixels, say: Callable[[str], None]) -> NearestAlong:
    """Find the training images nearest to the images of a path, uint8 [n, S, S, 3], and to images held out.

    Raises:
        DataError: all images held out are near duplicates of training images, or no training image can be decoded.
    """

    def tell(done: int) -> None:
        say(f"looking for the nearest training images: {done:,} of {len(compared.train):,}")

    both = nearest_training(compared.train, np.concatenate([images, compared.held_out]), tell=tell)
    path, others = slice(len(images)), slice(len(images), None)
    # Nobody could tell a copy from images that are copies themselves.
    new = ~near_duplicates(compared.held_out, both.images[others])
    if not new.any():
        raise DataError(
            f"all {len(new):,} images held out are near duplicates of training images, so the walk cannot be compared "
            "with them: give --data FOLDER with other images as test-*.tar"
        )
    of_path = NearestTraining(both.places[path], both.images[path], both.levels[path])
    return NearestAlong(of_path, both.levels[others][new], int((~new).sum()))


def numbers_of(found: NearestAlong, compared: ComparedImages, sharp: NDArray[np.intp]) -> dict[str, Any]:
    """For the record; `sharp` are the numbers of the steps that are sharp transitions."""
    return {
        "training_images": len(compared.train),
        "nearest": compared.train.samples[found.nearest.places].tolist(),
        "levels": found.nearest.levels.tolist(),
        "held_out_images": len(found.held_out),
        "held_out_left_out": found.left_out,
        "held_out_median_levels": float(np.median(found.held_out)),
        "relative_median": float(np.median(found.relative)),
        "relative_least": float(found.relative.min()),
        "changes": int(found.changes.sum()),
        "changes_at_sharp_transitions": int(found.changes[sharp].sum()),
        "near": float(found.near.mean()),
        "copies": found.copies,
    }


def line_of(found: NearestAlong, sharp: NDArray[np.intp]) -> str:
    """For people."""
    at = f", {found.changes[sharp].sum()} of them sharp" if len(sharp) else ""
    copies = f"{found.near.sum()} of {len(found.near)} images are copies of training images"
    return (
        f"by nearest training images: their distance is {np.median(found.relative):.2f} times that of images held out "
        f"(median; least {found.relative.min():.2f}), another is nearest after {found.changes.sum()} of "
        f"{len(found.changes)} steps{at}; {copies if found.copies else 'no sign of copies'}"
    )


def figure_of(found: NearestAlong, images: Pixels, columns: int) -> Pixels:
    """The images of the path, row by row, and below each the training image nearest to it: uint8 [H, W, 3]."""
    return enlarged(tiled(np.concatenate([images, found.nearest.images], axis=1), columns, padding=4))
