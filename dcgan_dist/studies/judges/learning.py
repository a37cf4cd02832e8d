"""How networks that judge samples of scenes are trained: on scenes drawn on the spot, made a little more like samples.

A sample is flatter, noisier and less sharp than a drawing. So drawings lose some contrast, get a tint, noise and blur,
each by another amount, before the network sees them; otherwise it would judge what no generator draws. No Ray.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.randomness import stream

SIZE = 32
"""Height and width of what judges see: larger pictures are scaled to it, a pixel is the mean of those it covers."""
SEED = 1_000
"""Of the scenes that judges learn from, whose data set is another one than the embedded one (seed 0)."""
HELD_OUT = 1_001
"""Of the scenes that they are tested on."""

_COLORS, _STAINS, _GRAINS = 0.12, 0.6, (1, 2, 4)
"""How far colors mix, the largest amount of stains, and their sizes in pixels."""
_BATCH = 64
_READ = 250

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""Of the network, images float32 [n, 3, SIZE, SIZE] and their numbers int64 [n]: a scalar."""


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3, with batch normalization and ReLU."""
    layer = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU())


def to_tensor(images: Pixels) -> Tensor:
    """uint8 [n, S, S, 3] -> float32 [n, 3, SIZE, SIZE] in [-1, 1].

    Raises:
        ValueError: the images are no squares of at least `SIZE` pixels.
    """
    _, height, width, _ = images.shape
    if height != width or height < SIZE:
        raise ValueError(f"images are {width} x {height} but need to be squares of at least {SIZE} pixels")
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()
    return pixels if height == SIZE else F.adaptive_avg_pool2d(pixels, SIZE)


def learn(network: nn.Module, images: Pixels, loss: Loss, *, epochs: int, lr: float, seed: int) -> nn.Module:
    """Train a network on drawings, uint8 [n, SIZE, SIZE, 3], with Adam and one cycle of the learning rate."""
    pixels, random = to_tensor(images), stream(seed, "judge")
    optimizer = torch.optim.Adam(network.parameters(), lr)
    batches = len(pixels) // _BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * batches)
    network.train()
    for _ in range(epochs):
        order = torch.from_numpy(random.permutation(len(pixels))[: batches * _BATCH])
        for rows in torch.split(order, _BATCH):
            cost = loss(network, worn(pixels[rows], random), rows)
            optimizer.zero_grad()
            torch.autograd.backward(cost)
            optimizer.step()
            schedule.step()
    return network.eval()


def new(network: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network with the initial weights of a seed; the caller's random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network()


@torch.no_grad()
def read(network: Callable[[Tensor], Any], images: Pixels) -> list[Tensor]:
    """What the network gives for all images, uint8 [n, S, S, 3]: its outputs, one or more, each [n, ...]."""
    parts = [network(to_tensor(images[i : i + _READ])) for i in range(0, len(images), _READ)]
    if isinstance(parts[0], Tensor):
        return [torch.cat(parts)]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


def worn(images: Tensor, random: np.random.Generator) -> Tensor:
    """float32 [n, 3, S, S] in [-1, 1], with other colors, less contrast, blur, patches of stains, and noise.

    Stains are what generators draw that have lost some of their maps: an object with stains is still there, and one
    that nobody would recognize below them is rare.
    """
    n, side = len(images), images.shape[-1]

    def uniform(low: float, high: float) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, (n, 1, 1, 1)).astype(np.float32))

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(random.standard_normal(shape, dtype=np.float32))

    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    softer = torch.lerp(images, blurred, uniform(0, 0.7))
    mixed = torch.einsum("nchw,ndc->ndhw", softer, torch.eye(3) + _COLORS * normal(n, 3, 3))
    stains = sum(F.interpolate(normal(n, 3, side // grain, side // grain), side) for grain in _GRAINS)
    stained = mixed + uniform(0, _STAINS) * _patches(n, side, random) * stains
    return (stained * uniform(0.6, 1.1) + 0.08 * normal(n, 3, 1, 1) + uniform(0, 0.15) * normal(*images.shape)).clamp(
        -1, 1
    )


def _patches(number: int, side: int, random: np.random.Generator) -> Tensor:
    """1 in a rectangle of each image that has any place and any size, else 0: float32 [n, 1, side, side]."""
    first, second = (np.sort(random.uniform(0, side, (2, number)), axis=0) for _ in range(2))
    at = np.arange(side) + 0.5
    rows, columns = ((low[:, None] <= at) & (at < high[:, None]) for low, high in (first, second))
    return torch.from_numpy((rows[:, None, :, None] & columns[:, None, None, :]).astype(np.float32))
