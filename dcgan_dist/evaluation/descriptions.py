"""How images become features: by a discriminator, or by none at all.

A description is asked in two rounds, so that the images may lie in several parts: each part gathers what the features
depend on, the sums come together, and then each part makes its features.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from dcgan_dist.batchnorm import Statistics, average, average_of_batches
from dcgan_dist.checkpoint import Checkpoint
from dcgan_dist.evaluation.features import batch_statistics, features, to_float, widths
from dcgan_dist.networks import Discriminator, initialize
from dcgan_dist.pictures import Pixels
from dcgan_dist.settings import NetworkSettings


class Description(Protocol):
    """Makes features of images."""

    @property
    def recipe(self) -> dict[str, Any]:
        """How, for the record: what distinguishes these features from others of the same name."""
        ...

    @property
    def standardised(self) -> bool:
        """Whether each feature is brought to mean 0 and deviation 1 over the training images."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same, computing there."""
        ...

    def gather(self, batches: Iterable[Pixels]) -> Any:
        """What a part of the training images says, in batches of `STATISTICS_BATCH`; None where there are none."""
        ...

    def combine(self, parts: Sequence[Any]) -> Self:
        """The description that knows what all parts have gathered."""
        ...

    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, F] on the CPU."""
        ...


@dataclass(frozen=True, eq=False)
class DiscriminatorFeatures:
    """Those of a discriminator (`features.py`). `statistics` is None until `combine`."""

    discriminator: Discriminator
    statistics: Statistics | None = None

    standardised = False

    @property
    def recipe(self) -> dict[str, Any]:
        return {
            "maps": widths(self.discriminator),
            "statistics": "means and biased variances of batches of 128 training images, averaged",
            "pooling": "largest of each cell of a grid of 4 x 4",
        }

    def to(self, device: torch.device) -> Self:
        return replace(self, discriminator=self.discriminator.to(device))

    def gather(self, batches: Iterable[Pixels]) -> Statistics | None:
        return average_of_batches(batch_statistics(self.discriminator, self._input(batch)) for batch in batches)

    def combine(self, parts: Sequence[Statistics | None]) -> Self:
        return replace(self, statistics=average([part for part in parts if part is not None]))

    def features(self, images: Pixels) -> Tensor:
        if self.statistics is None:
            raise RuntimeError("features were asked for before the statistics were combined")
        return features(self.discriminator, self.statistics, self._input(images)).cpu()

    def _input(self, images: Pixels) -> Tensor:
        return to_float(images, next(self.discriminator.parameters()).device)


def of_discriminator(checkpoint: Checkpoint) -> DiscriminatorFeatures:
    """Those of a checkpoint's discriminator."""
    discriminator = Discriminator(checkpoint.settings.networks)
    discriminator.load_state_dict(checkpoint.state["discriminator"])
    return DiscriminatorFeatures(discriminator.to(memory_format=torch.channels_last))


def of_random(settings: NetworkSettings, seed: int) -> DiscriminatorFeatures:
    """Those of a discriminator with initial weights."""
    discriminator = Discriminator(settings)
    initialize(discriminator, seed)
    return DiscriminatorFeatures(discriminator.to(memory_format=torch.channels_last))


@dataclass(frozen=True)
class PixelFeatures:
    """The pixels themselves, in [-1, 1]."""

    standardised = False

    @property
    def recipe(self) -> dict[str, Any]:
        return {"pixels": "scaled to [-1, 1]"}

    def to(self, device: torch.device) -> Self:
        return self

    def gather(self, batches: Iterable[Pixels]) -> None:
        """Nothing."""

    def combine(self, parts: Sequence[None]) -> Self:
        return self

    def features(self, images: Pixels) -> Tensor:
        return to_float(images, torch.device("cpu")).flatten(1)
