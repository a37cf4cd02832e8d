"""The task `fidelity`: the held-out images that samples are compared with, as sets of features."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.image_decoding import gray
from dcgan_dist.data.scenes import Kind, draw
from dcgan_dist.data.scenes.builtin import EMBEDDED, SEED, VERSION
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.fidelity.features import ComparedBy
from dcgan_dist.evaluation.task import ImageSource, Labeled, order
from dcgan_dist.evaluation.tasks.labeled import digest, find_split, has_shards, open_index, pictures, require_size
from dcgan_dist.evaluation.tasks.neighbours import require_unseen
from dcgan_dist.evaluation.tasks.rooms import FIRST
from dcgan_dist.run_folder.trained_on import TrainedOn
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place

NAME: Final = "fidelity"
"""Name of the task."""
FEWEST = 100
"""Fewest images, and samples, that are compared."""
ORDER_SEED = 0
"""Of held-out images: always the same, so that results can be compared."""
STABLE = 5_000
"""Where there are fewer images, and more samples are asked for, a note says what that does to the Fréchet distance."""


@dataclass(frozen=True, eq=False)
class FidelityTask:
    """What samples are compared with, and how.

    Attributes:
        images: held-out images; their classes are not used.
        about: what they are, for the record.
        data: digest of the data set.
        samples: how many samples are drawn.
        by: the features.
        notes: lines about what is doubtful, and what was passed over in their shards.
    """

    images: Labeled
    about: str
    data: str
    samples: int
    by: ComparedBy
    notes: tuple[str, ...] = ()
    name: ClassVar[str] = NAME


@dataclass(frozen=True)
class DrawnScenes:
    """Scenes of the built-in data set, drawn when they are read: an `ImageSource` that is small to send.

    Attributes:
        kind: of scenes.
        image_size: height and width, in pixels.
        channels: 1: in shades of gray.
    """

    kind: Kind
    image_size: int
    channels: int = 3

    def read(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
        """Draw them; none is bad."""
        for sample, row in zip(samples.tolist(), rows.tolist(), strict=True):
            image = draw(self.kind, self.image_size, SEED, sample).image
            out[row] = image if self.channels == 3 else gray(image)
        return np.zeros(len(samples), np.bool_)

    def names(self, sample: int) -> str:
        """Name of a sample, for messages."""
        return f"scene {sample}"


def open_fidelity(
    folder: Place | None,
    settings: Settings,
    trained_on: TrainedOn | None,
    by: ComparedBy,
    samples: int,
    *,
    resize: bool,
) -> FidelityTask:
    """Find the images: as many as there are samples, drawn at random, or fewer where there are fewer.

    Args:
        folder: folder with held-out images, `test-*.tar`; None: scenes that no run is trained on.
        settings: settings of the run.
        trained_on: what it was trained on; None: nobody asks.
        by: the features.
        samples: how many samples are drawn.
        resize: whether images of other sizes are resized; otherwise they are refused.

    Raises:
        DataError: images are missing, too few, of another size, or among those that the run was trained on.
        SettingsError: there is no folder, and the run is not trained on scenes.
    """
    size, channels = settings.networks.image_size, settings.networks.channels
    source: ImageSource
    if folder is None:
        if settings.data.path != EMBEDDED:
            raise SettingsError(
                f"task {NAME} compares samples with held-out images: give {NAME}=FOLDER with test-*.tar in it"
            )
        kind = settings.data.scenes
        source, places = DrawnScenes(kind, size, channels), FIRST + np.arange(samples)
        about, data = f"{kind} that no run is trained on", f"{kind} v{VERSION} from {FIRST} on"
        notes: tuple[str, ...] = ()
    else:
        test = find_split(folder, "test")
        where = test if has_shards(test) else find_split(folder, "val")
        index = open_index(where if has_shards(where) else test)
        if not resize:
            require_size(index, size, where)
        unseen = require_unseen(index, settings, trained_on) if trained_on is not None else []
        if len(index) < FEWEST:
            raise DataError(
                f"there are only {len(index):,} images in {where}, but samples are compared with at least {FEWEST}: "
                "hold out more"
            )
        source = replace(pictures(index, size), fit=settings.data.fit, channels=channels)
        # Shards of others may be sorted by class: the first images would be of some classes only.
        places = order(len(index), ORDER_SEED)[:samples]
        about, data = "images held out, in a random order", digest([index])
        instead = ["there is no test-*.tar: compared with val-*.tar"] if where != test else []
        notes = (*unseen, *instead, *index.notes)
        if len(places) < STABLE <= samples:
            notes = (
                *notes,
                f"there are only {len(places):,} held-out images: the Fréchet distance is larger than with more of "
                f"them; compare it only with others of as many, or use the kernel distance",
            )
    images = Labeled(source, places, np.zeros(len(places), np.int64))
    return FidelityTask(images, about, data, samples, by, (*notes, *by.notes))
