"""Sums of concepts, of z and of pixels: A - B + C (paper, section 6.3.2, figure 7); no Ray."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.randomness import stream
from dcgan_dist.studies.subject import Subject

NOISE: Final = 0.25
"""Of the neighbors: uniform, at most so much each way (paper)."""
NEIGHBORS: Final = 8

_AT_ONCE: Final = 256
"""Images that are drawn together: more only take memory."""


def combine(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """A - B + C, all of one shape."""
    return a - b + c


def around(z: Tensor, seed: int) -> Tensor:
    """[nz] -> [9, nz]: z in the middle, and neighbors that differ by uniform noise."""
    noise = stream(seed, "neighbors").random((NEIGHBORS + 1, len(z)), np.float32) * 2 * NOISE - NOISE
    noise[NEIGHBORS // 2] = 0
    return z + torch.from_numpy(noise)


@torch.no_grad()
def draw(subject: Subject, z: Tensor) -> Pixels:
    """[n, nz] -> uint8 [n, S, S, 3]."""
    return np.concatenate([to_uint8(subject.generator(part)) for part in torch.split(z, _AT_ONCE)])


def of_pixels(shown: Sequence[Pixels]) -> Pixels:
    """The same sum of pixels: three of uint8 [n, S, S, 3], of whose means it is made -> uint8 [S, S, 3]."""
    a, b, c = (images.astype(np.float32).mean(axis=0) for images in shown)
    found: Pixels = (a - b + c).round().clip(0, 255).astype(np.uint8)
    return found
