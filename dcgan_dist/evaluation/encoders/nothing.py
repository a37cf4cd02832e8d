"""No features: of networks that learn from the images themselves (`classifiers/networks.py`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels


@dataclass(frozen=True, eq=False)
class NoFeatures:
    """Features of no numbers.

    Attributes:
        recipe: how the network learns that takes the images instead.
    """

    recipe: dict[str, Any]

    standardized = False
    fitted = True

    def to(self, device: torch.device) -> Self:
        """See `Encoder`."""
        return self

    def gather(self, batches: Iterable[Pixels]) -> None:
        """See `Encoder`."""

    def combine(self, parts: Sequence[None]) -> Self:
        """See `Encoder`."""
        return self

    def features(self, images: Pixels) -> Tensor:
        """See `Encoder`."""
        return torch.empty(len(images), 0)
