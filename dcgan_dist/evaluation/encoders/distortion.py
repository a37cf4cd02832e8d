"""Random views of patches of images: moved, turned, scaled, in other colors (Dosovitskiy et al., 2014, Exemplar CNN).

What a view may differ in is that of the paper as two detailed reviews of it tell it; where these say "by a factor up to
4" and "to a power up to 4" of saturation and value, powers are taken. Factors are as probable as their inverse.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

SHIFT = 0.2
"""Most that a patch moves, as a share of its side."""
SCALE = 0.7, 1.4
TURN_DEGREES = 20.0
CONTRAST = 0.5, 2.0
"""Of the principal components of the colors."""
POWER, FACTOR, OFFSET = (0.25, 4.0), (0.7, 1.4), 0.1
"""Of saturation and value: first the power, then the factor, then the offset to either side."""
HUE = 0.1
"""Most that the hue moves, of which 1 is the whole circle."""


def views(
    images: Tensor, centers: Tensor, share: float, size: int, colors: Tensor, random: np.random.Generator
) -> Tensor:
    """One random view of a patch of each image.

    Args:
        images: float32 [n, 3, S, S] in [0, 1].
        centers: float32 [n, 2], of the patches: x and y from -1 to 1 over the image.
        share: side of a patch as a share of the side of the image.
        size: height and width of a view, in pixels.
        colors: float32 [3, 3], directions of the principal components of the colors, as columns.
        random: is used up by this call.

    Returns:
        float32 [n, 3, size, size] in [0, 1].
    """
    number = len(images)

    def uniform(low: float, high: float, columns: int) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, (number, columns)).astype(np.float32))

    def factor(bounds: tuple[float, float], columns: int) -> Tensor:
        return uniform(math.log(bounds[0]), math.log(bounds[1]), columns).exp()

    turn = uniform(-math.radians(TURN_DEGREES), math.radians(TURN_DEGREES), 1)[:, 0]
    scale = share * factor(SCALE, 1)
    matrix = torch.stack([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], 1).reshape(-1, 2, 2) * scale[:, :, None]
    center = centers + 2 * share * uniform(-SHIFT, SHIFT, 2)
    grid = F.affine_grid(torch.cat([matrix, center[:, :, None]], 2), [number, 3, size, size], align_corners=False)
    patches = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    mean = patches.mean((2, 3), keepdim=True)
    turned = torch.einsum("ci,nchw->nihw", colors, patches - mean) * factor(CONTRAST, 3)[:, :, None, None]
    patches = (torch.einsum("ci,nihw->nchw", colors, turned) + mean).clamp(0, 1)

    hue, saturation, value = to_hsv(patches).unbind(1)
    for channel in (saturation, value):
        power, times, plus = factor(POWER, 1), factor(FACTOR, 1), uniform(-OFFSET, OFFSET, 1)
        channel.pow_(power[:, :, None]).mul_(times[:, :, None]).add_(plus[:, :, None]).clamp_(0, 1)
    hue = (hue + uniform(-HUE, HUE, 1)[:, :, None]) % 1
    return from_hsv(torch.stack([hue, saturation, value], 1))


def principal_colors(images: Tensor) -> Tensor:
    """Directions of the principal components of all pixels of images [n, 3, S, S], as columns: float32 [3, 3]."""
    pixels = images.transpose(0, 1).flatten(1).double()
    directions: Tensor = torch.linalg.eigh(torch.cov(pixels)).eigenvectors
    return directions.float()


def to_hsv(images: Tensor) -> Tensor:
    """RGB [n, 3, H, W] in [0, 1] to hue, saturation and value in [0, 1]."""
    value, largest = images.max(1)
    spread = value - images.amin(1)
    red, green, blue = images.unbind(1)
    apart = spread.clamp(min=1e-12)
    sectors = torch.stack([(green - blue) / apart % 6, (blue - red) / apart + 2, (red - green) / apart + 4], 1)
    hue = sectors.gather(1, largest[:, None])[:, 0] / 6
    return torch.stack([torch.where(spread > 0, hue, 0), spread / value.clamp(min=1e-12), value], 1)


def from_hsv(images: Tensor) -> Tensor:
    """The inverse of `to_hsv`."""
    hue, saturation, value = images.unbind(1)
    channels = []
    for number in (5, 3, 1):
        place = (number + 6 * hue) % 6
        channels.append(value * (1 - saturation * torch.minimum(place, 4 - place).clamp(0, 1)))
    return torch.stack(channels, 1)


def gradient_energy(images: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Mean squared gradient of each patch of `side` x `side` pixels: uint8 [n, S, S, 3] -> [n, S - side + 1, the same].

    Over both directions and all colors; at the lower and the right edge there is none.
    """
    levels = images.astype(np.float64)
    energy = np.zeros(levels.shape[:3])
    energy[:, :-1] += (np.diff(levels, axis=1) ** 2).sum(3)
    energy[:, :, :-1] += (np.diff(levels, axis=2) ** 2).sum(3)
    sums = np.pad(energy, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    whole = sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]
    found: NDArray[np.float64] = whole / side**2
    return found
