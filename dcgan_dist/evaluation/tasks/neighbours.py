"""The task `neighbours`: the images that samples are compared with (published code, metrics)."""

from dataclasses import dataclass, replace

import numpy as np

from dcgan_dist.data.scenes.builtin import EMBEDDED, embedded_folder
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.evaluation.tasks.labeled import digest, find_split, open_index, pictures, require_size
from dcgan_dist.run_folder.trained_on import TrainedOn, contents, kept_index
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place

NAME = "neighbours"
SAMPLES = (1_000, 10_000, 100_000)
"""Numbers of samples for which distances are reported (published code, metrics)."""
FEWEST = 2
"""Fewest images for which there is a confidence interval."""
IMAGES = 10_000
"""Most images that samples are compared with (published code, metrics)."""


@dataclass(frozen=True, eq=False)
class NeighboursTask:
    """The images that samples are compared with.

    Attributes:
        images: at most `IMAGES` images; their classes are not used.
        about: what they are, for the record.
        data: digest of the data set.
        notes: lines about what is doubtful in them, and what was passed over in their shards.
    """

    images: Labeled
    about: str
    data: str
    notes: tuple[str, ...] = ()


def open_neighbours(
    folder: Place | None, run: Place, settings: Settings, trained_on: TrainedOn, *, resize: bool
) -> NeighboursTask:
    """Find the images.

    Args:
        folder: folder with held-out images, `test-*.tar`; None: the first images that the run was trained on, as in the
            published loop for faces.
        run: the run's folder.
        settings: settings of the run.
        trained_on: what the run was trained on.
        resize: whether images of other sizes are resized; otherwise they are refused.

    Raises:
        DataError: images are missing, too few, of another size, or among those that the run was trained on.
    """
    size = settings.networks.image_size
    if folder is None:
        about = "the first images that the run was trained on"
        index, notes = training_index(run, settings, trained_on)
    else:
        where = find_split(folder, "test")
        index, about = open_index(where), "images held out, test-*.tar"
        notes = require_unseen(index, settings, trained_on)
        if not resize:
            require_size(index, size, where)
    number = min(IMAGES, len(index))
    if number < FEWEST:
        raise DataError(f"{about}: there is only {number}, but the spread of distances needs at least {FEWEST} images")
    shown = replace(pictures(index, size), fit=settings.data.fit, channels=settings.networks.channels)
    images = Labeled(shown, np.arange(number), np.zeros(number, np.int64))
    return NeighboursTask(images, about, digest([index]), (*notes, *index.notes))


def training_index(
    run: Place,
    settings: Settings,
    trained_on: TrainedOn,
    otherwise: str = f", or give {NAME}=FOLDER with test-*.tar in it",
) -> tuple[Index, list[str]]:
    """The index of the data that a run was trained on, and lines about what is doubtful in it.

    The data is looked for where it was during training, else where the run's settings point to now.

    Args:
        otherwise: what else can be done where the data has changed than to put it back.

    Raises:
        DataError: the data is not there anymore, or has changed.
    """
    shards = [Place(address) for address in trained_on.shards]
    if shards and all(shard.is_file() for shard in shards):
        index = kept_index(shards, run.parent)
    elif settings.data.path == EMBEDDED:
        index = Index.load(embedded_folder(replace(settings, storage=str(run.parent))))
    else:
        index = kept_index(expand(settings.data.path), run.parent)
    is_own = trained_on.is_own(index)
    if is_own is False:
        raise DataError(
            f"{index.shards[0]} and the shards beside it are not the training images of {run}: put those back"
            f"{otherwise}"
        )
    told = [] if is_own else [f"it is not known whether {run} was trained on {index.shards[0]}"]
    return trained_on.kept(index, told.append), told


def require_unseen(held_out: Index, settings: Settings, trained_on: TrainedOn) -> list[str]:
    """Check that a run was not trained on images that are said to be held out.

    Returns:
        a line if that is not known.

    Raises:
        DataError: the run was trained on some of them.
    """
    both = trained_on.seen(contents(held_out.shards))
    if both:
        address, theirs = next(iter(both.items()))
        copy = "" if theirs == address else f" (here as its copy {address})"
        raise DataError(
            f"the run was trained on {theirs}{copy}, which is to be held out: its data is {settings.data.path}; train "
            "on train-*.tar alone, or give images that it was not trained on"
        )
    if trained_on.unknown:
        return [f"it is not known whether the run was trained on the held-out images: {trained_on.unknown}"]
    return []
