"""Features of images from a discriminator, for a linear classifier on them (paper, section 5; published code, svhn).

The maps of every layer, after its activation, are max-pooled to 4 x 4, flattened and joined. Batch normalization uses
statistics that are fixed beforehand: mean and biased variance of each batch of the probe's training images, averaged
over the batches without weights, while the layers before are normalized by the statistics of the batch. No Ray here.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.image_decoding import gray
from dcgan_dist.model.activations import HIDDEN
from dcgan_dist.model.batchnorm import EPS, Statistics
from dcgan_dist.model.dcgan import Discriminator, Layer

GRID = 4
"""Height and width to which maps are pooled."""


@torch.no_grad()
def batch_statistics(discriminator: Discriminator, images: Tensor) -> Statistics:
    """Statistics of one batch, float [n, channels, S, S] in [-1, 1]."""
    means, variances = [], []
    x, code = discriminator.inputs(images), discriminator.no_class(images)
    for layer in _layers(discriminator):
        before = layer.before_norm(x, code)
        if layer.norm is not None:
            variance, mean = torch.var_mean(before.double(), (0, 2, 3), correction=0)
            means.append(mean.cpu())
            variances.append(variance.cpu())
            before = layer.norm(before)
        x = layer.activation(before)
    return Statistics(tuple(means), tuple(variances), 1)


@torch.no_grad()
def features(discriminator: Discriminator, statistics: Statistics, images: Tensor) -> Tensor:
    """Features of images.

    Args:
        images: float [n, channels, S, S] in [-1, 1].

    Returns:
        [n, 16 * sum of `widths`] in the dtype of the images: layer after layer, each by map, row, column.
    """
    fixed = iter(zip(statistics.means, statistics.variances, strict=True))
    pooled, x, code = [], discriminator.inputs(images), discriminator.no_class(images)
    for layer in _layers(discriminator):
        x = layer.before_norm(x, code)
        if layer.norm is not None:
            mean, variance = (values.to(x) for values in next(fixed))
            x = F.batch_norm(x, mean, variance, layer.norm.weight, layer.norm.bias, training=False, eps=EPS)
        x = layer.activation(x)
        side = x.shape[-1]
        # Cells of maps of 7 x 7 overlap; the other kernel takes longer.
        pool = F.adaptive_max_pool2d(x, GRID) if side % GRID else F.max_pool2d(x, side // GRID)
        pooled.append(pool.flatten(1))
    return torch.cat(pooled, 1)


def widths(discriminator: Discriminator) -> list[int]:
    """Maps of each layer."""
    pieces = HIDDEN[discriminator.settings.discriminator_activations].pieces
    return [layer.get_parameter("linear.weight").shape[0] // pieces for layer in discriminator.layers]


def to_float(images: Pixels, device: torch.device, channels: int = 3) -> Tensor:
    """uint8 [n, S, S, 3] -> float32 [n, channels, S, S] in [-1, 1], channels last in memory; 1: shades of gray."""
    return torch.from_numpy(in_channels(images, channels)).to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def in_channels(images: Pixels, channels: int) -> Pixels:
    """uint8 [n, S, S, 3] -> uint8 [n, S, S, channels]; 1: shades of gray."""
    return images if channels == 3 else gray(images)


def _layers(discriminator: Discriminator) -> list[Layer]:
    return [cast(Layer, layer) for layer in discriminator.layers]
