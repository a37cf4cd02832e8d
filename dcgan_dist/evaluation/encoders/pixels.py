"""The pixels themselves: the baseline of every encoder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.encoders.maps import to_float


@dataclass(frozen=True)
class PixelFeatures:
    """The pixels themselves, in [-1, 1]."""

    standardized = False
    fitted = True

    @property
    def recipe(self) -> dict[str, Any]:
        return {"pixels": "scaled to [-1, 1]"}

    def to(self, device: torch.device) -> Self:
        return self

    def gather(self, batches: Iterable[Pixels]) -> None:
        return None

    def combine(self, parts: Sequence[None]) -> Self:
        return self

    def features(self, images: Pixels) -> Tensor:
        return to_float(images, torch.device("cpu")).flatten(1)
