"""The encoders, by the names of their features on the command line.

To add an encoder, write a file beside this one with a class that implements `Encoder`, and enter it in `FEATURES`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures, of_averaged, of_discriminator, of_random
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.encoders.exemplar import CLASSES, PASSES, ExemplarFeatures
from dcgan_dist.evaluation.encoders.kmeans import PATCH, PATCHES, KMeansFeatures, require_faiss
from dcgan_dist.evaluation.encoders.kmeans_layers import FIELDS, POOLS, SHARE, LayeredKMeans, least_side
from dcgan_dist.evaluation.encoders.nothing import NoFeatures
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.labels import describe, learning_of_checkpoint
from dcgan_dist.evaluation.task import Task
from dcgan_dist.model.dcgan import Discriminator
from dcgan_dist.model.published_weights import SVHN, load_published
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.storage import place


@dataclass(frozen=True)
class Sources:
    """What encoders are made from.

    Attributes:
        task: the labeled images that the features are for.
        checkpoint: a run's, or None.
        published: folder of the authors' weights.
        seed: of networks with initial weights.
    """

    task: Task
    checkpoint: Checkpoint | None
    published: str
    seed: int

    def of_run(self) -> Encoder:
        """The features of the run's discriminator."""
        assert self.checkpoint is not None, "options were checked"
        _require_discriminator(self.checkpoint)
        return of_discriminator(self.checkpoint)

    def of_average(self) -> Encoder:
        """The features of the moving average of the run's discriminator; raises `CheckpointError` without one."""
        assert self.checkpoint is not None, "options were checked"
        _require_discriminator(self.checkpoint)
        return of_averaged(self.checkpoint)

    def of_labels(self, *, tuned: bool) -> Encoder:
        """None: networks learn from the images themselves, as the run did, which was trained on labels.

        Args:
            tuned: whether that has to have begun with a trained discriminator.

        Raises:
            SettingsError: it was trained otherwise.
        """
        assert self.checkpoint is not None, "options were checked"
        supervised = self.checkpoint.settings.supervised
        name, other = ("finetuned", "supervised") if tuned else ("supervised", "finetuned")
        if not supervised.task:
            given = "--supervised.begin-with RUN " if tuned else ""
            raise SettingsError(
                f"features {name} need a run that was trained on labels, whose settings they take, but this one was "
                f"trained without: train one with --supervised {self.task.name} {given}first"
            )
        if bool(supervised.begin_with) != tuned:
            began = "a trained discriminator" if supervised.begin_with else "initial weights"
            raise SettingsError(
                f"features {name} are of another kind of run, this one began with {began}: give {other}"
            )
        return NoFeatures(describe(learning_of_checkpoint(self.checkpoint)))

    def of_random(self) -> Encoder:
        """The features of the run's discriminator with initial weights."""
        assert self.checkpoint is not None, "options were checked"
        return of_random(self.checkpoint.settings.networks, self.seed, self.checkpoint.code)

    def of_authors(self, which: str) -> Encoder:
        """The features of one of the authors' discriminators; raises `SettingsError` for images of another size."""
        size = self.task.train.pictures.image_size
        if size != SVHN.image_size:
            raise SettingsError(
                f"features published-{which} are made for images of {SVHN.image_size} x {SVHN.image_size} pixels but "
                f"those of task {self.task.name} have {size}: leave the run out, or take another one"
            )
        network: Discriminator = getattr(load_published(place(self.published).local_path), f"{which}_discriminator")
        return DiscriminatorFeatures(network.to(memory_format=torch.channels_last))

    def kmeans(self, number: int) -> KMeansFeatures:
        """K-means features of so many centroids.

        Raises `SettingsError` without faiss, for more centroids than patches, and for images smaller than a patch.
        """
        require_faiss()
        if number > PATCHES:
            raise SettingsError(f"features kmeans{number} have more centroids than patches, which are {PATCHES:,}")
        size = self.task.train.pictures.image_size
        if size < PATCH:
            raise SettingsError(
                f"features kmeans{number} are of patches of {PATCH} x {PATCH} pixels but the images of task "
                f"{self.task.name} have {size}: give larger images"
            )
        return KMeansFeatures(number, len(self.task.train))

    def kmeans_layers(self, number: int, layers: int) -> Encoder:
        """K-means features of 2 or 3 layers, the first of so many centroids; raises `SettingsError` as `kmeans`."""
        name, most = f"kmeans{number}-layers{layers}", 1 + len(POOLS)
        if not 2 <= layers <= most:
            raise SettingsError(f"features {name} have {layers} layers but K-means has 2 to {most} with fields")
        first = self.kmeans(number)
        if number % SHARE or number < FIELDS:
            raise SettingsError(
                f"features {name} have {number} centroids but need a multiple of {SHARE}, at least {FIELDS}, since a "
                f"field has one in {SHARE} of them, and a layer has {FIELDS} fields"
            )
        size, least = self.task.train.pictures.image_size, least_side(layers)
        if size < least:
            raise SettingsError(
                f"features {name} need images of {least} x {least} pixels but those of task {self.task.name} have "
                f"{size}: take fewer layers, or larger images"
            )
        return LayeredKMeans(first, layers)

    def exemplar(self, classes: int = CLASSES, passes: int = PASSES) -> Encoder:
        """Features of a network that tells patches of so many images from each other, after so many passes.

        Raises:
            SettingsError: there is one class, or fewer images than classes.
        """
        images = len(self.task.train)
        name = f"exemplar{classes}-passes{passes}"
        if not 2 <= classes <= images:
            raise SettingsError(
                f"features {name} have {classes} classes, each of a patch of another image, but need 2 to {images}, as "
                f"many as task {self.task.name} has training images: give exemplarNUMBER-passesNUMBER with fewer"
            )
        return ExemplarFeatures(classes, passes)


FEATURES: dict[str, Callable[..., Encoder]] = {
    "discriminator": Sources.of_run,
    "averaged": Sources.of_average,
    "supervised": lambda sources: sources.of_labels(tuned=False),
    "finetuned": lambda sources: sources.of_labels(tuned=True),
    "random": Sources.of_random,
    "pixels": lambda sources: PixelFeatures(),
    "knn": lambda sources: PixelFeatures(),
    "published-svhn": lambda sources: sources.of_authors("svhn"),
    "published-imagenet": lambda sources: sources.of_authors("imagenet"),
    "kmeansNUMBER": Sources.kmeans,
    "kmeansNUMBER-layersNUMBER": Sources.kmeans_layers,
    "exemplar": Sources.exemplar,
    "exemplarNUMBER-passesNUMBER": Sources.exemplar,
}
"""What makes the features of each name. It is given the sources, and each number, from 1, that stands for a `NUMBER` in
the name."""

OF_LABELS = ("supervised", "finetuned")
"""Of networks that learn from the images themselves, as a run did that was trained on labels."""
OF_A_RUN = ("discriminator", "averaged", "random", *OF_LABELS)


def require_known(name: str) -> None:
    """See that there are features of that name; raises `SettingsError`."""
    if _find(name) is None:
        raise SettingsError(f"features is {name!r} but needs names of {', '.join(FEATURES)}")


def make_encoder(name: str, sources: Sources) -> Encoder:
    """The encoder of a name that is known; raises `SettingsError` where it does not fit the sources."""
    found = _find(name)
    assert found is not None, "options were checked"
    key, numbers = found
    return FEATURES[key](sources, *numbers)


def _require_discriminator(checkpoint: Checkpoint) -> None:
    if checkpoint.settings.supervised.task:
        raise SettingsError(
            "features discriminator and averaged are of a DCGAN, but this run was trained on labels: leave them "
            "out, or give another run"
        )


def _find(name: str) -> tuple[str, list[int]] | None:
    """The key in `FEATURES` of that name, and its numbers."""
    for key in FEATURES:
        match = re.fullmatch(key.replace("NUMBER", r"([1-9]\d*)"), name)
        if match:
            return key, [int(number) for number in match.groups()]
    return None
