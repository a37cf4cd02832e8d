"""Networks that somebody else trained: encoders that learn nothing from the images, and their weights in a file."""

import hashlib
import io
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError


@dataclass(frozen=True, eq=False)
class ReadyMade:
    """What encoders of such a network have in common; `recipe` and `features` are each one's own."""

    network: nn.Module

    standardized = False
    fitted = True

    def to(self, device: torch.device) -> Self:
        return replace(self, network=self.network.to(device))

    def gather(self, batches: Iterable[Pixels]) -> None:
        return None

    def combine(self, parts: Sequence[None]) -> Self:
        return self


def read_weights(file: Path, sha256: str, most_bytes: int, features: str, instead: str) -> dict[str, Tensor]:
    """The weights in a file of PyTorch's; reading it runs no code.

    Args:
        sha256: hexadecimal digits that the SHA-256 of the file begins with.
        most_bytes: a larger file is refused unread.
        features: what the weights are for, for the message.
        instead: what to do, for the message.

    Raises:
        SettingsError: it is not there, or not that file.
    """
    try:
        size = file.stat().st_size
        if size > most_bytes:
            raise SettingsError(
                f"{file} has {size:,} bytes, too many for the weights of features {features}: {instead}"
            )
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"features {features} need their weights but {file} cannot be read ({error.strerror}): {instead}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        raise SettingsError(
            f"{file} does not hold the weights of features {features} (its SHA-256 begins with {found[:16]}, not with "
            f"{sha256[:16]}): {instead}"
        )
    try:
        weights: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SettingsError(f"{file} holds more than weights, which is not read: {instead}") from error
    return weights
