"""Which features can be asked for by name, and what makes them."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures, of_discriminator, of_random
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures, require_faiss
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.task import Task
from dcgan_dist.model.dcgan import Discriminator
from dcgan_dist.model.published_weights import SVHN, load_published
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.storage import place


@dataclass(frozen=True)
class Sources:
    """What encoders are made from."""

    checkpoint: Checkpoint | None
    published: str
    seed: int

    def of_run(self) -> Encoder:
        """The features of the run's discriminator."""
        assert self.checkpoint is not None, "options were checked"
        return of_discriminator(self.checkpoint)

    def of_random(self) -> Encoder:
        """The features of the run's discriminator with initial weights."""
        assert self.checkpoint is not None, "options were checked"
        return of_random(self.checkpoint.settings.networks, self.seed, self.checkpoint.code)

    def of_authors(self, which: str) -> Encoder:
        """The features of one of the authors' discriminators."""
        network: Discriminator = getattr(load_published(place(self.published).local_path), which)
        return DiscriminatorFeatures(network.to(memory_format=torch.channels_last))


FEATURES: dict[str, Callable[[Sources], Encoder]] = {
    "discriminator": Sources.of_run,
    "random": Sources.of_random,
    "pixels": lambda sources: PixelFeatures(),
    "knn": lambda sources: PixelFeatures(),
    "published-svhn": lambda sources: sources.of_authors("svhn_discriminator"),
    "published-imagenet": lambda sources: sources.of_authors("imagenet_discriminator"),
}
"""What can be asked for, and what makes it."""

OF_A_RUN = ("discriminator", "random")

KMEANS = re.compile(r"kmeans([1-9]\d*)")


def make_encoder(name: str, sources: Sources, task: Task) -> Encoder:
    """The encoder of that name, for a task; raises `SettingsError` where they do not fit."""
    if name.startswith("published-") and task.train.pictures.image_size != SVHN.image_size:
        raise SettingsError(
            f"features {name} are made for images of {SVHN.image_size} x {SVHN.image_size} pixels but those of task "
            f"{task.name} have {task.train.pictures.image_size}: leave the run out, or take another one"
        )
    match = KMEANS.fullmatch(name)
    if match is None:
        return FEATURES[name](sources)
    require_faiss()
    return KMeansFeatures(int(match[1]), len(task.train))
