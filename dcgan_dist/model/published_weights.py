"""The authors' published weights: SVHN generator and discriminator, and the first four layers of the ImageNet one.

The files are NumPy archives of the arrays in the published order (Newmu/dcgan_code, MIT license, copyright 2015 Alec
Radford): `svhn/G.npz`, `svhn/D.npz`, `imagenet/D_partial.npz`. The published operators are true convolutions, so on
loading kernels are flipped; matrices are transposed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_dist.errors import CheckpointError
from dcgan_dist.model.dcgan import Discriminator, Generator
from dcgan_dist.settings import NetworkSettings

SVHN = NetworkSettings(image_size=32, generator_maps=64, discriminator_maps=64, latent="normal")
"""100 normal latent numbers (name and arrays of the published model)."""
IMAGENET = NetworkSettings(structure="3x3", image_size=32, latent_size=256)
"""128 base maps, seven layers (published code, load_pretrained)."""


class FirstLayers(Discriminator):
    """A discriminator of which only the first layers are at hand: it has maps but no logits."""

    def __init__(self, settings: NetworkSettings, layers: int) -> None:
        super().__init__(settings)
        del self.layers[layers:], self.head

    def forward(self, x: Tensor, groups: int = 1, labels: Tensor | None = None) -> NoReturn:
        """Raises `CheckpointError`."""
        raise CheckpointError(
            f"this discriminator has its first {len(self.layers)} layers only, and so no logits: use its maps"
        )


@dataclass(frozen=True)
class Published:
    """The published networks, float32 on the CPU."""

    svhn_generator: Generator
    svhn_discriminator: Discriminator
    imagenet_discriminator: FirstLayers
    """Layers 1 to 4 (128, 128, 256, 256 maps): the arrays of layers 5 and 6 are in no public copy known to us."""


def load_published(folder: Path) -> Published:
    """Read the networks below `folder`; `CheckpointError` where a file or an array is missing or does not fit."""
    networks = Published(Generator(SVHN), Discriminator(SVHN), FirstLayers(IMAGENET, 4))
    _load(networks.svhn_generator, folder / "svhn" / "G.npz", "g")
    _load(networks.svhn_discriminator, folder / "svhn" / "D.npz", "d")
    _load(networks.imagenet_discriminator, folder / "imagenet" / "D_partial.npz", "d")
    return networks


def _load(network: nn.Module, file: Path, letter: str) -> None:
    """Set the parameters from arrays `letter`00, `letter`01, ...: the published order is that of our parameters."""
    parameters = {f"{letter}{number:02d}": parameter for number, parameter in enumerate(network.parameters())}
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in parameters if name in archive}
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing: give the folder that holds svhn/ and imagenet/") from None
    except (BadZipFile, EOFError, OSError, ValueError) as error:
        raise CheckpointError(f"{file} is not a readable NumPy archive ({error}): copy it again") from error
    for name, parameter in parameters.items():
        if name not in arrays:
            raise CheckpointError(f"{file} has no array {name}: copy the file again")
        array, shape = arrays[name], tuple(parameter.shape)
        needed = shape[::-1] if len(shape) == 2 else shape
        if array.shape != needed or array.dtype != np.float32:
            raise CheckpointError(
                f"array {name} of {file} is {array.dtype} {array.shape} but needs to be float32 {needed}: copy it again"
            )
        with torch.no_grad():
            parameter.copy_(_converted(torch.from_numpy(array)))


def _converted(array: Tensor) -> Tensor:
    """From the published layout: kernels flipped, matrices (inputs, outputs)."""
    if array.dim() == 4:
        return array.flip(2, 3)
    return array.T if array.dim() == 2 else array
