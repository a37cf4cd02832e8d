"""What makes features of images: the interface of all encoders, and how one is fitted to training images.

An encoder is fitted in as many rounds as it needs, so that the training images may lie in several parts: in each round
every part gathers what the encoder asks for, and the encoder combines what all parts have gathered. To add an encoder,
write a file with one, and enter it in `registry.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels


class Encoder(Protocol):
    """Makes features of images. It is not changed: `to` and `combine` return another one."""

    @property
    def recipe(self) -> dict[str, Any]:
        """How, for the record: what distinguishes these features from others of the same name."""
        ...

    @property
    def standardized(self) -> bool:
        """Whether each feature is brought to mean 0 and deviation 1 over the training images."""
        ...

    @property
    def fitted(self) -> bool:
        """Whether it can make features; if not, it needs another round."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same encoder, computing on that device."""
        ...

    def gather(self, batches: Iterable[Pixels]) -> Any:
        """Gather what this round needs from one part of the training images; the part may have no images.

        Args:
            batches: uint8 [n, S, S, 3], n being `STATISTICS_BATCH` in all but the last one.
        """
        ...

    def combine(self, parts: Sequence[Any]) -> Self:
        """The encoder after this round, given what each part has gathered, in the order of the parts."""
        ...

    def features(self, images: Pixels) -> Tensor:
        """Features of images uint8 [n, S, S, 3], float32 [n, F] on the CPU; needs `fitted`."""
        ...


E = TypeVar("E", bound=Encoder)


def fit(encoder: E, gather: Callable[[E], Sequence[Any]]) -> E:
    """Fit an encoder to training images, in as many rounds as it needs.

    Args:
        gather: calls the method `gather` of an encoder on every part of the images, and returns the results in order.
    """
    while not encoder.fitted:
        encoder = encoder.combine(gather(encoder))
    return encoder
