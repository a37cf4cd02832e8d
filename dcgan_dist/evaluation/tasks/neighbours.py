"""The images of the task `neighbours`: those that samples are compared with (published code, metrics)."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from dcgan_dist.data.embedded import EMBEDDED, embedded_folder
from dcgan_dist.data.shards import Index
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.task import Labelled
from dcgan_dist.evaluation.tasks.labelled import digest, find_split, open_index, pictures, require_size
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, expand

NAME = "neighbours"
SAMPLES = (1_000, 10_000, 100_000)
"""How many samples count (published code, metrics)."""
FEWEST = 2
"""Images, without which no interval is known."""
IMAGES = 10_000
"""How many images are asked at most (published code, metrics)."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The images.

    Attributes:
        images: at most `IMAGES`; classes do not matter.
        about: what they are, for the record.
        data: what tells them from other images.
        notes: what was passed over where they were looked for.
    """

    images: Labelled
    about: str
    data: str
    notes: tuple[str, ...] = ()


def open_neighbours(folder: Place | None, run: Place, settings: Settings, *, resize: bool) -> Asked:
    """Find the images.

    Args:
        folder: with `test-*.tar`, images that the run has not seen; None: the first images that it was trained on, as
            in the published loop for faces.
        run: its folder.
        settings: of the run.
        resize: images of another size are fitted, and not refused.

    Raises:
        DataError: images are not there, too few, of another size, or among those that the run was trained on.
    """
    size = settings.networks.image_size
    if folder is None:
        index, about = training_index(run, settings), "the first images that the run was trained on"
    else:
        where = find_split(folder, "test")
        index, about = open_index(where), "images held out, test-*.tar"
        require_unseen(index, settings)
        if not resize:
            require_size(index, size, where)
    number = min(IMAGES, len(index))
    if number < FEWEST:
        raise DataError(f"{about}: there is only {number}, but the spread of distances needs at least {FEWEST} images")
    shown = replace(pictures(index, size), fit=settings.data.fit)
    return Asked(Labelled(shown, np.arange(number), np.zeros(number, np.int64)), about, digest([index]), index.told)


def training_index(run: Place, settings: Settings) -> Index:
    """The index of what a run was trained on; raises `DataError` where it is not there any more."""
    if settings.data.path != EMBEDDED:
        return open_index(settings.data.path)
    return Index.load(embedded_folder(replace(settings, storage=str(run.parent))))


def training_shards(settings: Settings) -> Collection[str]:
    """Addresses of the shards that a run was trained on, as far as they are still there; none where it drew its own."""
    if settings.data.path == EMBEDDED:
        return ()
    try:
        return {shard.address for shard in expand(settings.data.path)}
    except DataError:  # what is gone cannot be what is judged on now
        return ()


def require_unseen(held_out: Index, settings: Settings) -> None:
    """See that a run was not trained on images that are said to be held out; raises `DataError`."""
    both = sorted(set(held_out.shards) & set(training_shards(settings)))
    if both:
        raise DataError(
            f"the run was trained on {both[0]}, which is to be held out: its data is {settings.data.path}; train on "
            "train-*.tar alone, or give images that it has not seen"
        )
