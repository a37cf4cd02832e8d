"""The task `mnist-nn`: labeled test images, and the training images that samples stand for (paper, supplementary)."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from dcgan_dist.data.labels import Labels, class_labels, labels_of
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.task import Labeled, order
from dcgan_dist.evaluation.tasks.classes import compare_classes
from dcgan_dist.evaluation.tasks.labeled import (
    digest,
    find_split,
    known_classes,
    open_index,
    pictures,
    require_size,
)
from dcgan_dist.evaluation.tasks.neighbours import require_unseen, training_index
from dcgan_dist.run_folder.trained_on import TrainedOn
from dcgan_dist.settings import NetworkSettings, Settings
from dcgan_dist.storage import Place

NAME: Final = "mnist-nn"
"""Name of the task."""
FOLDER: Final = "mnist"
"""Folder of its data in $DCGAN_DIST_DATA."""
NUMBERS = (10_000, 50_000, 1_000_000, 10_000_000)
"""Numbers of labeled samples for which an error is told: 50,000 and 10 million are the paper's."""
REAL = 50_000
"""Most real training images that are compared with samples (paper, supplementary)."""


@dataclass(frozen=True, eq=False)
class MnistNNTask:
    """What samples are judged on.

    Attributes:
        test: images whose class the nearest sample tells.
        real: training images of the run, at most `REAL` in a random order, which are compared with the samples.
        classes: number of classes.
        data: digest of the test images' data set.
        real_data: digest of that of the training images.
        notes: lines about what is doubtful in them.
    """

    test: Labeled
    real: Labeled
    classes: int
    data: str
    real_data: str
    notes: tuple[str, ...] = ()


def require_classes(networks: NetworkSettings, run: str) -> None:
    """Raises `SettingsError` where the networks of a run know no classes."""
    if networks.classes == 0:
        never = (
            f"those of the original GAN (networks.structure {networks.structure}) never do, so " * networks.is_original
        )
        raise SettingsError(
            f"task {NAME} draws samples of known classes but the networks of {run} know no classes: {never}give a run "
            f"{'of a DCGAN ' * networks.is_original}that was trained with --networks.classes"
        )


def open_mnist_nn(
    folder: Place, run: Place, settings: Settings, trained_on: TrainedOn, *, resize: bool, seed: int
) -> MnistNNTask:
    """Find the images.

    Args:
        folder: folder with `test-*.tar`, labeled as the images that the run was trained on.
        run: the run's folder.
        settings: settings of the run, whose networks know classes.
        trained_on: what the run was trained on.
        resize: whether images of other sizes are resized; otherwise they are refused.
        seed: chooses the training images, where there are more than `REAL`.

    Raises:
        DataError: images are missing, of another size, have no class, or one that the networks do not know; the run
            was trained on the test images, or its training images are not there any more.
    """
    networks = settings.networks
    where = find_split(folder, "test")
    test = open_index(where)
    notes = require_unseen(test, settings, trained_on)
    if not resize:
        require_size(test, networks.image_size, where)
    # Attributes of the embedded scenes are drawn, those of other images lie beside them.
    labels = labels_of(test, replace(settings.data, path=where))
    _require_known(labels, test, where, networks.classes, run)
    train, doubts = training_index(run, settings, trained_on, otherwise="")
    train_labels = class_labels(train, settings.data, networks.classes)
    assert train_labels is not None
    if not settings.data.label:
        notes += compare_classes(known_classes(f"the training images of {run}", train), known_classes(where, test))
    chosen = order(len(train), seed)[:REAL]
    fitted_test, fitted_train = (
        replace(pictures(index, networks.image_size), fit=settings.data.fit, channels=networks.channels)
        for index in (test, train)
    )
    return MnistNNTask(
        Labeled(fitted_test, np.arange(len(test)), labels),
        Labeled(fitted_train, chosen, train_labels[chosen]),
        networks.classes,
        digest([test]),
        digest([train]),
        tuple(dict.fromkeys([*notes, *doubts, *test.notes, *train.notes])),
    )


def _require_known(labels: Labels, test: Index, where: str, classes: int, run: Place) -> None:
    """Check that each test image is of a class that the networks know."""
    if (missing := labels < 0).any():
        raise DataError(
            f"{missing.sum():,} of {len(labels):,} images of {where} have no class, for example "
            f"{test.names(int(np.flatnonzero(missing)[0]))}: task {NAME} needs a KEY.cls with a number beside each "
            "image"
        )
    if (largest := int(labels.max())) >= classes:
        raise DataError(
            f"{where} has class {largest}, for example {test.names(int(labels.argmax()))}, but the networks of {run} "
            f"know classes 0 to {classes - 1}: give test images of the classes that it was trained on"
        )
