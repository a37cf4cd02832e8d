"""Features of a discriminator, each map averaged over its places: few enough numbers for covariances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures, OwnFeatures
from dcgan_dist.evaluation.encoders.maps import GRID, widths


@dataclass(frozen=True, eq=False)
class PooledFeatures:
    """The features that a probe takes from a discriminator, averaged over the places of each map.

    Attributes:
        encoder: of the probe.
        maps: of each layer how many maps, and how many places of each.
    """

    encoder: DiscriminatorFeatures | OwnFeatures
    maps: Sequence[tuple[int, int]]

    standardized = False

    @property
    def fitted(self) -> bool:
        return self.encoder.fitted

    @property
    def recipe(self) -> dict[str, Any]:
        return {**self.encoder.recipe, "places": "averaged"}

    def to(self, device: torch.device) -> Self:
        return replace(self, encoder=self.encoder.to(device))

    def gather(self, batches: Iterable[Pixels]) -> Any:
        return self.encoder.gather(batches)

    def combine(self, parts: Sequence[Any]) -> Self:
        return replace(self, encoder=self.encoder.combine(parts))

    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, maps of all layers]."""
        layers = torch.split(self.encoder.features(images), [maps * places for maps, places in self.maps], 1)
        each = zip(layers, self.maps, strict=True)
        return torch.cat([layer.reshape(-1, maps, places).mean(2) for layer, (maps, places) in each], 1)


def pooled(encoder: DiscriminatorFeatures | OwnFeatures) -> PooledFeatures:
    """Those features, with the places of each map averaged."""
    if isinstance(encoder, DiscriminatorFeatures):
        return PooledFeatures(encoder, [(maps, GRID**2) for maps in widths(encoder.discriminator)])
    shapes: list[list[int]] = encoder.recipe["maps"]
    return PooledFeatures(encoder, [(maps, min(GRID, high) * min(GRID, wide)) for maps, high, wide in shapes])
