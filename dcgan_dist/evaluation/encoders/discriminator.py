"""The features of a discriminator: of the paper's kind (`maps.py`), or a user's own network's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.encoders.maps import GRID, batch_statistics, features, to_float, widths
from dcgan_dist.evaluation.task import STATISTICS_BATCH
from dcgan_dist.extensions import NO_CODE, Code
from dcgan_dist.model.adversarial_step import load_weights
from dcgan_dist.model.batchnorm import (
    Statistics,
    average,
    average_of_batches,
    describe_statistics,
    input_statistics,
    with_statistics,
)
from dcgan_dist.model.dcgan import Discriminator, build_networks, new_networks
from dcgan_dist.model.original_gan import OriginalDiscriminator
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.settings import NetworkSettings

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class DiscriminatorFeatures:
    """Pooled maps of a DCGAN's discriminator (`maps.py`). `statistics` is None until it is fitted."""

    discriminator: Discriminator
    statistics: Statistics | None = None

    standardized = False

    @property
    def fitted(self) -> bool:
        return self.statistics is not None

    @property
    def recipe(self) -> dict[str, Any]:
        return {
            "maps": widths(self.discriminator),
            "statistics": _statistics(self.discriminator),
            "pooling": "largest of each cell of a grid of 4 x 4",
            **_of_no_class(self.discriminator.settings),
            **_unlike_the_papers(self.discriminator.settings),
        }

    def to(self, device: torch.device) -> Self:
        return replace(self, discriminator=self.discriminator.to(device))

    def gather(self, batches: Iterable[Pixels]) -> Statistics | None:
        return average_of_batches(batch_statistics(self.discriminator, self._input(batch)) for batch in batches)

    def combine(self, parts: Sequence[Statistics | None]) -> Self:
        return replace(self, statistics=average([part for part in parts if part is not None]))

    def features(self, images: Pixels) -> Tensor:
        if self.statistics is None:
            raise RuntimeError("features need statistics: fit the encoder first")
        return features(self.discriminator, self.statistics, self._input(images)).cpu()

    def _input(self, images: Pixels) -> Tensor:
        device = next(self.discriminator.parameters()).device
        return to_float(images, device, self.discriminator.settings.channels)


@dataclass(frozen=True, eq=False)
class OwnFeatures:
    """Features of another discriminator, such as a user's own, by its method `maps` (docs/extending.md), in eval mode.

    Where it has batch normalization of ours, that is given fixed statistics as in ours. `statistics` is None until
    it is fitted.
    """

    discriminator: nn.Module
    networks: NetworkSettings
    code: Code
    statistics: Statistics | None = None

    standardized = False

    @property
    def fitted(self) -> bool:
        return self.statistics is not None

    def __reduce__(self) -> tuple[Any, ...]:
        """As weights and the code that makes the network: PyTorch's parametrizations, spectral normalization among
        them, cannot be pickled."""
        weights = {name: value.cpu() for name, value in self.discriminator.state_dict().items()}
        return _own_features, (self.networks, self.code, weights, self.statistics)

    @property
    def recipe(self) -> dict[str, Any]:
        side, channels = self.networks.image_size, self.networks.channels
        images = next(self.discriminator.parameters()).new_zeros(2, channels, side, side)
        with torch.no_grad():
            shapes = [list(one.shape[1:]) for one in self._maps(self.discriminator, images)]
        factory = self.networks.factory
        return {
            **({"factory": factory} if factory else {"structure": self.networks.structure}),
            "maps": shapes,
            "statistics": _statistics(self.discriminator),
            "pooling": "largest of each cell of a grid of 4 x 4",
        }

    def to(self, device: torch.device) -> Self:
        return replace(self, discriminator=self.discriminator.to(device))

    def gather(self, batches: Iterable[Pixels]) -> Statistics | None:
        forward = partial(self._maps, self.discriminator)
        return average_of_batches(input_statistics(self.discriminator, forward, self._input(b)) for b in batches)

    def combine(self, parts: Sequence[Statistics | None]) -> Self:
        return replace(self, statistics=average([part for part in parts if part is not None]))

    @torch.no_grad()
    def features(self, images: Pixels) -> Tensor:
        maps = self._maps(self._fixed, self._input(images))
        pooled = [F.adaptive_max_pool2d(one, [min(GRID, side) for side in one.shape[2:]]) for one in maps]
        return torch.cat([one.flatten(1) for one in pooled], 1).cpu()

    @cached_property
    def _fixed(self) -> nn.Module:
        if self.statistics is None:
            raise RuntimeError("features need statistics: fit the encoder first")
        return with_statistics(self.discriminator, self.statistics)

    @staticmethod
    def _maps(discriminator: nn.Module, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = discriminator.maps(images)  # type: ignore[operator]
        return maps

    def _input(self, images: Pixels) -> Tensor:
        return to_float(images, next(self.discriminator.parameters()).device, self.networks.channels)


def _own_features(
    networks: NetworkSettings, code: Code, weights: Mapping[str, Tensor], statistics: Statistics | None
) -> OwnFeatures:
    _, discriminator = new_networks(networks, code)
    load_weights(discriminator, weights, "discriminator")
    return OwnFeatures(_laid_out(discriminator).eval(), networks, code, statistics)


def of_discriminator(checkpoint: Checkpoint) -> DiscriminatorFeatures | OwnFeatures:
    """Features of a checkpoint's discriminator; raises `SettingsError` where it is a user's own and has no maps."""
    return _of_weights(checkpoint, checkpoint.state["discriminator"])


def of_averaged(checkpoint: Checkpoint) -> DiscriminatorFeatures | OwnFeatures:
    """Features of the moving average of a checkpoint's discriminator; raises as `of_discriminator`, and
    `CheckpointError` where the run kept none."""
    weights = checkpoint.state.get("averaged_discriminator")
    if weights is None:
        raise CheckpointError(
            f"checkpoint {checkpoint.name} holds no averaged discriminator: give --features discriminator, or train "
            "with --optimization.average-discriminator-images"
        )
    return _of_weights(checkpoint, weights)


def _of_weights(checkpoint: Checkpoint, weights: Mapping[str, Tensor]) -> DiscriminatorFeatures | OwnFeatures:
    networks = checkpoint.settings.networks
    _, discriminator = new_networks(networks, checkpoint.code)
    load_weights(discriminator, weights, "discriminator")
    return features_of(discriminator, networks, checkpoint.code)


def features_of(
    discriminator: nn.Module, networks: NetworkSettings | None = None, code: Code = NO_CODE
) -> DiscriminatorFeatures | OwnFeatures:
    """Features of a discriminator that is in this process; raises as `of_discriminator`.

    Args:
        networks: the settings of a user's own; None: it stays in this process.
        code: the functions that these name.
    """
    if isinstance(discriminator, Discriminator):
        return DiscriminatorFeatures(_laid_out(discriminator))
    if isinstance(discriminator, OriginalDiscriminator):
        networks = discriminator.settings
    networks = networks or NetworkSettings()
    require_maps(discriminator, networks.factory)
    return OwnFeatures(_laid_out(discriminator).eval(), networks, code)


def of_random(settings: NetworkSettings, seed: int, code: Code = NO_CODE) -> DiscriminatorFeatures | OwnFeatures:
    """Features of a discriminator with initial weights; raises as `of_discriminator`."""
    _, discriminator = build_networks(settings, seed, torch.device("cpu"), torch.float32, True, code)
    return features_of(discriminator, settings, code)


def require_maps(discriminator: nn.Module, factory: str) -> None:
    """See that a discriminator of a user's own can be evaluated; raises `SettingsError`."""
    if not callable(getattr(discriminator, "maps", None)):
        raise SettingsError(
            f"the discriminator of networks.factory {factory} has no method maps, whose maps are the features that are "
            "evaluated: add maps(images), or leave the discriminator out (docs/extending.md)"
        )


def _of_no_class(networks: NetworkSettings) -> dict[str, str]:
    """For the record: a class would tell what the probe is to find out."""
    return {"classes": "the code of no class, all zeros"} if networks.classes else {}


def _unlike_the_papers(networks: NetworkSettings) -> dict[str, str]:
    """For the record: what maps are made by, where that is none of the paper's rules. The same initial weights give
    other features then."""
    paper = NetworkSettings()
    names = ("discriminator_activations", "resampling")
    return {name: getattr(networks, name) for name in names if getattr(networks, name) != getattr(paper, name)}


def _statistics(discriminator: nn.Module) -> str:
    return describe_statistics(
        discriminator,
        ours=f"means and biased variances of batches of {STATISTICS_BATCH} training images, averaged",
        of_batch="of whatever images are computed together",
    )


def _laid_out(network: Network) -> Network:
    return network.to(memory_format=torch.channels_last)
