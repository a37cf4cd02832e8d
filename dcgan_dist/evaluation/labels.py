"""What a network is trained on that learns from labels, and how, from the settings of its run; no Ray."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.maps import in_channels
from dcgan_dist.evaluation.probe import draw_labels
from dcgan_dist.evaluation.task import FewLabels, Task
from dcgan_dist.evaluation.tasks.registry import parse_tasks
from dcgan_dist.model.classification import Learning
from dcgan_dist.run_folder.checkpoint import Checkpoint, folder, load_checkpoint
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.settings import NetworkSettings, Settings

OPTION = "--supervised"
ORDER_SEED = 0
"""Of the order of a task's images: the default of `evaluate`, where the same images are held out then."""
DRAWS = 10
"""Draws of labels that choose the length of training, and that are tested, of tasks for which the paper has none."""
LAYERS = ("structure", "channels", "discriminator_maps", "dense_units", "output", "head", "batchnorm", "batchnorm_gain")
"""Settings of networks that D's layers depend on, beside the size of the images."""
LATER = ("discriminator_activations", "resampling")
"""The same of settings that came later: results say them where they are not the paper's, so that those of before keep
their names."""
BEGINNING = "initial_sd"
"""Setting of networks that counts where no trained discriminator begins."""
TOTAL_STEPS = "total_steps"
"""Key of a run's length in its checkpoints."""


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """Images to learn from, and those that judge the network; of no test images.

    Attributes:
        task: name of the task.
        images: uint8 [n, S, S, channels].
        labels: int64 [n].
        held_out: uint8 [m, S, S, channels].
        held_out_labels: int64 [m].
        classes: number of classes.
        notes: lines about what makes them doubtful.
    """

    task: str
    images: Pixels
    labels: Integers
    held_out: Pixels
    held_out_labels: Integers
    classes: int
    notes: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Changes with any image, its class, and which are held out."""
        digest = hashlib.sha256()
        for column in (self.images, self.labels, self.held_out, self.held_out_labels):
            digest.update(f"{column.dtype} {column.shape} ".encode() + np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()


def open_task(settings: Settings) -> Task:
    """The task whose labels a run learns from, with as many of a class as it is given.

    Raises:
        SettingsError: several tasks are given, or one without labels, or there are fewer labels of a class.
        DataError: its images are not there, or cannot be used for networks of this size.
    """
    named = parse_tasks(settings.supervised.task, OPTION)
    if len(named) > 1:
        raise SettingsError(f"{OPTION} names {len(named)} tasks but a network learns the classes of one: give one")
    task = named[0].open(settings.networks.image_size, resize=settings.probe.resize, seed=ORDER_SEED)
    return of_labels(task, settings.supervised.per_class)


def of_labels(task: Task, per_class: int) -> Task:
    """The part of a task's protocol for networks that learn from so many labels of a class; 0: from all.

    Raises:
        SettingsError: there are fewer of a class, beside the images held out.
    """
    if not per_class:
        return replace(task, all_labels=True, few=None)
    labels = task.train.labels[: len(task.train) - task.held_out]
    fewest = int(np.bincount(labels, minlength=task.classes).min())
    if fewest < per_class:
        raise SettingsError(
            f"supervised.per_class is {per_class} but a class of task {task.name} has only {fewest:,} labeled images "
            f"beside those held out: give --supervised.per-class {fewest}, or 0 for all"
        )
    few = task.few or FewLabels(per_class, DRAWS, DRAWS)
    return replace(task, all_labels=False, few=replace(few, per_class=per_class))


def read_labeled(task: Task, batch_size: int, channels: int = 3) -> LabeledImages:
    """Decode the images that a run learns from, the first draw where only some labels are used, and those held out.

    Args:
        batch_size: of the run; of a sweep, the largest.
        channels: of the networks' images.

    Raises:
        SettingsError: a batch is larger than all of them.
        DataError: one cannot be decoded.
    """
    training, held_out = np.split(np.arange(len(task.train)), [len(task.train) - task.held_out])
    labels = task.train.labels
    places = training if task.few is None else draw_labels(labels[training], task.few.per_class, task.seed, 0)
    if batch_size > len(places):
        raise SettingsError(
            f"optimization.batch_size is {batch_size} but there are only {len(places):,} labeled images to learn from: "
            f"give --batch-size {max(2, len(places) // 10)}"
        )
    return LabeledImages(
        task.name,
        in_channels(task.train.read(places), channels),
        labels[places],
        in_channels(task.train.read(held_out), channels),
        labels[held_out],
        task.classes,
        task.notes,
    )


def pinned(settings: Settings) -> Settings:
    """The settings, with the checkpoint that fine-tuning begins with named by its full address.

    Raises:
        CheckpointError: there is no such run or checkpoint.
    """
    if not settings.supervised.begin_with:
        return settings
    named = find_run(settings.supervised.begin_with, settings.storage)
    checkpoint = load_checkpoint(named.place, named.checkpoint)
    where = str(folder(named.place) / checkpoint.name)
    return replace(settings, supervised=replace(settings.supervised, begin_with=where))


def learning_of(settings: Settings, total_steps: int) -> Learning:
    """How the network of a run learns.

    Raises:
        SettingsError: the weights to begin with are those of a user's own network, of a run without a D, or of other
            layers.
        CheckpointError: they are not there any more.
    """
    begin_with = settings.supervised.begin_with
    beginning: Mapping[str, Tensor] | None = None
    if begin_with:
        named = find_run(begin_with, settings.storage)
        found = load_checkpoint(named.place, named.checkpoint)
        if found.settings.networks.factory or "discriminator" not in found.state:
            why = (
                "networks of your own"
                if found.settings.networks.factory
                else "no discriminator, but a network for labels"
            )
            raise SettingsError(
                f"supervised.begin_with is {begin_with}, which holds {why}: give a run with the paper's discriminator"
            )
        _require_same_layers(begin_with, found.settings.networks, settings.networks)
        beginning = found.state["discriminator"]
    return Learning(
        settings.networks, settings.optimization, settings.supervised.dropout, settings.seed, total_steps, beginning
    )


def _require_same_layers(begin_with: str, theirs: NetworkSettings, ours: NetworkSettings) -> None:
    """See that weights are put into the layers that they were trained in, but for the head, which is new.

    Weights fit into layers that compute something else: with `output`, the scale of the images changes.
    """
    layers = [name for name in (*LAYERS, *LATER) if name != "head"]
    differ = [name for name in layers if getattr(theirs, name) != getattr(ours, name)]
    if differ:
        listed = ", ".join(
            f"networks.{name} is {getattr(theirs, name)} there and {getattr(ours, name)} here" for name in differ
        )
        raise SettingsError(
            f"supervised.begin_with is {begin_with}, whose discriminator has other layers: {listed}; give the "
            "networks.* settings of that run"
        )


def learning_of_checkpoint(checkpoint: Checkpoint) -> Learning:
    """How the network learned that wrote a checkpoint; raises as `learning_of`."""
    return learning_of(checkpoint.settings, checkpoint.state[TOTAL_STEPS])


def describe(learning: Learning) -> dict[str, Any]:
    """A learning, for the record of a result: all that it depends on, weights by their SHA-256."""
    networks, optimization = learning.networks, learning.optimization
    named = ("batch_size", "lr", "beta1", "beta2", "eps", "weight_decay", "decay", "precision")
    paper = NetworkSettings()
    later = [name for name in (*LATER, BEGINNING) if getattr(networks, name) != getattr(paper, name)]
    return {
        "networks": {name: getattr(networks, name) for name in (*LAYERS, *later)},
        "optimization": {name: getattr(optimization, name) for name in named},
        "dropout": learning.dropout,
        "seed": learning.seed,
        "total_images": learning.total_steps * optimization.batch_size,
        "begins_with_sha256": "" if learning.beginning is None else _sha256(learning.beginning),
        "statistics": "of batches of the images learned from, averaged",
    }


def _sha256(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
