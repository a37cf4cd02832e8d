"""z whose images are nearest to given pictures, found by optimization, for each picture by itself; no Ray."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.encoders.maps import to_float
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.generate import FrozenGenerator
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings

Floats = NDArray[np.float64]

POOL: Final = 1_024
"""Random z, from the nearest of which to a picture the search starts."""
ROWS: Final = 64
"""z that are optimized together."""
RATE: Final = 0.2
"""Of Adam, in the beginning; it falls to 0 along half a cosine."""
LONGER: Final = 2.0
"""z that are normal may be so much longer than the square root of their size: three in a thousand are drawn longer."""


@dataclass(frozen=True, eq=False)
class Inverted:
    """What was found for pictures.

    Attributes:
        images: uint8 [n, S, S, 3]: what the generator draws from the z that were found.
        errors: float64 [n]: root mean squares over the pixels of what these differ by, in levels.
    """

    images: Pixels
    errors: Floats


def search_latents(
    generator: FrozenGenerator,
    images: Pixels,
    steps: int,
    starts: int,
    seed: int,
    tell: Callable[[int], None] = lambda done: None,
) -> Inverted:
    """For each picture, the z whose image is nearest by root mean squares of pixels, as Adam finds it.

    The search starts at those of `POOL` random z whose images are nearest to the picture. After each step z is brought
    back to where it is drawn from: each component to [-1, 1], or, where z is normal, its length to the square root of
    its size and `LONGER` at most. Without that, the generator would be asked for images that it never draws.

    What is found for a picture does not depend on the others: z are optimized in groups of one size, the last of which
    is filled up, since kernels round differently for another.

    Args:
        generator: that draws.
        images: uint8 [n, S, S, 3].
        steps: of Adam.
        starts: for each picture, at most `ROWS`.
        seed: of the random z.
        tell: is told how many pictures are done, now and then.
    """
    networks = generator.about.networks
    pool = latents(networks, POOL, seed, "invert")
    with torch.no_grad():
        drawn = torch.cat([generator(part) for part in torch.split(pool, ROWS)]).flatten(1)
    at_once = ROWS // starts
    found: list[Pixels] = []
    errors: list[Floats] = []
    for first in range(0, len(images), at_once):
        tell(first)
        part = images[first : first + at_once]
        filled = np.concatenate([part, part[:1].repeat(at_once - len(part), 0)])
        wanted = to_float(filled, torch.device("cpu"), networks.channels)
        nearest = torch.cdist(wanted.flatten(1), drawn, compute_mode="donot_use_mm_for_euclid_dist")
        z = pool[nearest.topk(starts, largest=False).indices.flatten()]
        made, error = _descend(generator, wanted.repeat_interleave(starts, 0), z, steps, networks)
        best = error.view(at_once, starts).argmin(1) + torch.arange(at_once) * starts
        found.append(to_uint8(made[best])[: len(part)])
        errors.append(error[best].double().numpy()[: len(part)])
    return Inverted(np.concatenate(found), np.concatenate(errors))


def _descend(
    generator: FrozenGenerator, wanted: Tensor, z: Tensor, steps: int, networks: NetworkSettings
) -> tuple[Tensor, Tensor]:
    """Images at the end of the search from each z, and how far each is from what is wanted, in levels."""
    z = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        # A sum: the gradient of each z is that of its own error, however many there are.
        (generator(z) - wanted).square().mean(dim=(1, 2, 3)).sum().backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            z.copy_(_within(z, networks))
    with torch.no_grad():
        made = generator(z)
        return made, ((made - wanted) * 127.5).square().mean(dim=(1, 2, 3)).sqrt()


def _within(z: Tensor, networks: NetworkSettings) -> Tensor:
    if networks.latent == "normal":
        shorter: Tensor = z * ((networks.latent_size**0.5 + LONGER) / z.norm(dim=1, keepdim=True)).clamp(max=1)
        return shorter
    return z.clamp(-1, 1)
