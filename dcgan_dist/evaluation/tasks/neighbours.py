"""The images of the task `neighbours`: those that samples are compared with (published code, metrics)."""

from dataclasses import dataclass, replace

import numpy as np

from dcgan_dist.data.embedded import EMBEDDED, embedded_folder
from dcgan_dist.data.shards import Index
from dcgan_dist.evaluation.task import Labelled
from dcgan_dist.evaluation.tasks.labelled import digest, open_index, pictures, require_size
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place

NAME = "neighbours"
SAMPLES = (1_000, 10_000, 100_000)
"""How many samples count (published code, metrics)."""
IMAGES = 10_000
"""How many images are asked at most (published code, metrics)."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The images.

    Attributes:
        images: at most `IMAGES`; classes do not matter.
        about: what they are, for the record.
        data: what tells them from other images.
    """

    images: Labelled
    about: str
    data: str


def open_neighbours(folder: Place | None, run: Place, settings: Settings, *, resize: bool) -> Asked:
    """Find the images.

    Args:
        folder: with `test-*.tar`, images that the run has not seen; None: the first images that it was trained on, as
            in the published loop for faces.
        run: its folder.
        settings: of the run.
        resize: images of another size are fitted, and not refused.

    Raises:
        DataError: images are not there, or of another size.
    """
    size = settings.networks.image_size
    if folder is None:
        index, about = training_index(run, settings), "the first images that the run was trained on"
    else:
        index, about = open_index(f"{folder}/test-*.tar"), "images held out, test-*.tar"
        if not resize:
            require_size(index, size, f"{folder}/test-*.tar")
    number = min(IMAGES, len(index))
    shown = replace(pictures(index, size), fit=settings.data.fit)
    return Asked(Labelled(shown, np.arange(number), np.zeros(number, np.int64)), about, digest([index]))


def training_index(run: Place, settings: Settings) -> Index:
    """The index of what a run was trained on; raises `DataError` where it is not there any more."""
    if settings.data.path != EMBEDDED:
        return open_index(settings.data.path)
    return Index.load(embedded_folder(replace(settings, storage=str(run.parent))))
