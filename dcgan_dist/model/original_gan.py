"""The networks of the original GAN (Goodfellow et al. 2014, arXiv 1406.2661v1).

"Published" here is goodfeli/adversarial, and Pylearn2, which it uses. With structure `maxout` layers are fully
connected: in G of rectifiers or sigmoids, in D two of maxout units, which learn under dropout. With `maxout-conv`, of
cifar10_convolutional.yaml, G's last hidden layer is made into maps, from which a transposed convolution draws, and D
begins with three convolutions of maxout units, each with max pooling; dropout is of each unit, not of whole maps.
Limits of norms, and rates of single layers, stand in that file as comments only, so there are none here. Initial
weights are uniform around 0, and biases are 0, but for a sigmoid output: that begins with the mean image of the data.

Which inputs of D's layers are kept is no state of the network: masks are made by `dropout_masks` and given to it, so
that D and G can learn from the same ones, and any number of workers and a resumed run get the same.
"""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan_dist.model.randomness import EVERY_ROW, stream
from dcgan_dist.settings import NetworkSettings

GENERATOR_RANGE, DISCRIMINATOR_RANGE = 0.05, 0.005
"""Largest initial weight of either network (published)."""
LINEAR_RANGE = 0.5
"""The same of G's output where that is linear and fully connected (published, CIFAR-10)."""
LINEAR_UNIT = 0.5
"""One unit of a linear output, and of D's input beside it, in pixels from -1 to 1: the standard deviation of those of
CIFAR-10. The published contrast normalization brings the pixels of each image to one of 55 / sqrt(3072) = 0.99 units.
It is left out: it takes the brightness and contrast of an image away, so no sample could be brought back to pixels."""
KEPT_INPUT, KEPT_HIDDEN = 0.8, 0.5
"""Part of the inputs of D's first layer, and of the others, that dropout keeps, scaled by 1.25 and 2 (published)."""
DISCRIMINATOR_LAYERS = 2
"""Of fully connected maxout units, where there are no convolutions."""
LEAST_PROBABILITY = 1e-7
"""Of a pixel in the mean image, for a finite bias (Pylearn2)."""

DRAWING_KERNEL, DRAWING_STRIDE = 5, 3
"""Of G's transposed convolution (published)."""
POOL_STRIDE = 2
CONVOLUTION_PIECES = 2
"""Linear maps of each maxout unit of a convolution (published)."""


class Pooled(NamedTuple):
    """A convolution of D: its width in D's maps, and the sides of its kernel, its border of zeros and its pools."""

    width: int
    kernel: int
    padding: int
    pool: int


CONVOLUTIONS = (Pooled(1, 8, 4, 4), Pooled(1, 8, 3, 4), Pooled(6, 5, 3, 2))
"""First one first (published)."""

_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "sigmoid": torch.sigmoid}
_STOCK: Mapping[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


class Dense(nn.Module):
    """A fully connected layer, `[n, inputs]` -> `[n, outputs]`. Its weights are NaN until they are drawn or loaded."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((outputs, inputs), torch.nan))
        self.bias = nn.Parameter(torch.full((outputs,), torch.nan))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class MaxoutConvolution(nn.Module):
    """A convolution of maxout units with max pooling, `[n, inputs, s, s]` -> `[n, outputs, t, t]`.

    Each unit has a bias, the same at all places. Pools reach over the last row and column where they do not fit, so
    that all places belong to one (cuda-convnet). Weights are NaN until they are drawn or loaded.
    """

    def __init__(self, inputs: int, outputs: int, form: Pooled) -> None:
        super().__init__()
        self.form = form
        self.weight = nn.Parameter(
            torch.full((CONVOLUTION_PIECES * outputs, inputs, form.kernel, form.kernel), torch.nan)
        )
        self.bias = nn.Parameter(torch.full((CONVOLUTION_PIECES * outputs,), torch.nan))

    def forward(self, x: Tensor) -> Tensor:
        pieces = F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype), padding=self.form.padding)
        units = _largest(pieces, CONVOLUTION_PIECES)
        pooled: Tensor = F.max_pool2d(units, self.form.pool, POOL_STRIDE, ceil_mode=True)
        return pooled


class Deconvolution(nn.Module):
    """What G draws with: a transposed convolution of maps in rows, `[n, maps * s * s]` -> `[n, channels, S, S]`.

    Each number of an image has a bias of its own (published). Weights are NaN until they are drawn or loaded.
    """

    def __init__(self, maps: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.side = _drawn_from(shape[1])
        self.weight = nn.Parameter(torch.full((maps, shape[0], DRAWING_KERNEL, DRAWING_KERNEL), torch.nan))
        self.bias = nn.Parameter(torch.full(shape, torch.nan))

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = x.unflatten(1, (-1, self.side, self.side))  # type: ignore[no-untyped-call]
        return F.conv_transpose2d(maps, self.weight.to(x.dtype), stride=DRAWING_STRIDE) + self.bias.to(x.dtype)


class OriginalGenerator(nn.Module):
    """Draws images from latent vectors. Its weights are NaN until `initialize` or `load_state_dict`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.activations = settings.generator_activations.split(",")
        maps, convolutional = settings.generator_maps, settings.structure == "maxout-conv"
        units = maps * _drawn_from(settings.image_size) ** 2 if convolutional else maps
        widths = [settings.latent_size, *[units] * len(self.activations)]
        self.layers = nn.ModuleList(Dense(*pair) for pair in pairwise(widths))
        shape = _shape(settings)
        self.output: Dense | Deconvolution = (
            Deconvolution(maps, shape) if convolutional else Dense(units, math.prod(shape))
        )

    def forward(self, z: Tensor) -> Tensor:
        """Latent vectors `[n, latent_size]` -> images `[n, channels, S, S]` in [-1, 1], in the dtype of z; some values
        of a linear output are beyond."""
        x = z
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = _ACTIVATIONS[activation](layer(x))
        images: Tensor = _output_scale(self.settings) * self.output(x)
        if self.settings.output != "linear":
            images = torch.tanh(images)
        return images.reshape(-1, *_shape(self.settings))


class OriginalDiscriminator(nn.Module):
    """Tells real images from generated ones. Its weights are NaN until `initialize` or `load_state_dict`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        shapes = _input_shapes(settings)
        self.layers = nn.ModuleList(
            MaxoutConvolution(given[0], made[0], CONVOLUTIONS[number])
            if len(made) == 3
            else Dense(math.prod(given), settings.maxout_pieces * made[0])
            for number, (given, made) in enumerate(pairwise(shapes))
        )
        self.head = Dense(shapes[-1][0], 1)

    def forward(self, images: Tensor, groups: int = 1, kept: Tensor | None = None) -> Tensor:
        """Images `[n, channels, S, S]` on the scale from -1 to 1 -> logits `[n]` (above 0: taken for real), in the
        dtype of the weights.

        Args:
            groups: of no meaning here: no layer looks at the whole batch.
            kept: bool `[n, inputs of all layers]`, as `dropout_masks` makes it; None: no dropout.
        """
        x, masks = self._inputs(images), self._masks(kept)
        for layer, mask in zip(self.layers, masks, strict=False):
            x = self._maxout(layer, x, mask)
        # One logit in bfloat16 has three digits; the last product is so small that it costs nothing in full.
        logits: Tensor = self.head(_drop(x.to(self.head.weight.dtype), masks[-1], KEPT_HIDDEN))
        return logits.squeeze(1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The units of each hidden layer, without dropout, first one first: the pooled maps of a convolution
        `[n, maps, s, s]`, and of a fully connected layer maps of one pixel `[n, units, 1, 1]`."""
        x, maps = self._inputs(images), []
        for layer in self.layers:
            x = self._maxout(layer, x, None)
            maps.append(x if x.ndim == 4 else x[:, :, None, None])
        return maps

    def _inputs(self, images: Tensor) -> Tensor:
        """Images on the scale of the last activation of G."""
        if self.settings.output == "sigmoid":
            return (images + 1) / 2
        return images if self.settings.output == "tanh" else images / LINEAR_UNIT

    def _masks(self, kept: Tensor | None) -> list[Tensor] | list[None]:
        inputs = dropout_inputs(self.settings)
        return [None] * len(inputs) if kept is None else list(torch.split(kept, inputs, 1))

    def _maxout(self, layer: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
        x = _drop(x, mask, KEPT_INPUT if layer is self.layers[0] else KEPT_HIDDEN)
        if isinstance(layer, MaxoutConvolution):
            units: Tensor = layer(x)
            return units
        return _largest(layer(x.flatten(1)), self.settings.maxout_pieces)


def dropout_inputs(settings: NetworkSettings) -> list[int]:
    """Inputs of each of D's layers, all of which are under dropout; none where the structure has no dropout."""
    return [math.prod(shape) for shape in _input_shapes(settings)] if settings.is_original else []


def dropout_masks(
    settings: NetworkSettings, n_total: int, seed: int, step: int, rows: slice = EVERY_ROW
) -> Tensor | None:
    """Which inputs of D's layers a step keeps: bool `[2 * n, inputs of all layers]` on the CPU, for the real images and
    then the generated ones; None where the structure has no dropout.

    `n_total` is the size of the batch over all workers and `rows` a worker's part of it: put together, the parts are
    the same for any number of workers.
    """
    inputs = dropout_inputs(settings)
    if not inputs:
        return None
    kept = np.repeat(np.array([KEPT_INPUT, *[KEPT_HIDDEN] * (len(inputs) - 1)], np.float32), inputs)
    numbers = stream(seed, "dropout", step).random((2, n_total, sum(inputs)), dtype=np.float32)
    return torch.from_numpy((numbers[:, rows] < kept).reshape(-1, sum(inputs)))


def initialize(network: nn.Module, seed: int) -> None:
    """Draw all weights: uniform from -range to range, biases 0 (published).

    As those of `dcgan.initialize`, the numbers depend on the seed, the kind of network and the parameter's name only.
    """
    for name, parameter in network.named_parameters():
        with torch.no_grad():
            if name.endswith("bias"):
                parameter.zero_()
                continue
            numbers = stream(seed, f"weights of {type(network).__name__}: {name}")
            values = numbers.random(tuple(parameter.shape), dtype=np.float32) * np.float32(2) - np.float32(1)
            parameter.copy_(torch.from_numpy(values).mul_(_range(network, name)))


def begin_with_mean(generator: nn.Module, mean: NDArray[np.float32]) -> None:
    """Set the biases of a sigmoid output to those that would draw the mean image of the data without any weights.

    Args:
        mean: [channels, S, S] from 0 to 1.
    """
    assert isinstance(generator, OriginalGenerator)
    probability = torch.from_numpy(mean).double().clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    with torch.no_grad():
        generator.output.bias.copy_(probability.logit().reshape(generator.output.bias.shape))


def stock_layers(generator: OriginalGenerator) -> nn.Sequential:
    """The same network of layers that PyTorch brings along, whose images are within [-1, 1]; they share no memory."""
    settings, layers = generator.settings, list[nn.Module]()
    for dense, activation in zip(generator.layers, generator.activations, strict=True):
        layers += [_stock(dense, 1), _STOCK[activation]()]
    if isinstance(generator.output, Deconvolution):
        layers += _stock_drawing(generator.output, _output_scale(settings))
    else:
        layers += [_stock(generator.output, _output_scale(settings))]
    layers += [nn.Hardtanh() if settings.output == "linear" else nn.Tanh(), nn.Unflatten(1, _shape(settings))]
    return nn.Sequential(*layers).eval()


def _stock(dense: nn.Module, factor: float) -> nn.Linear:
    values = {name: value.detach() * factor for name, value in dense.state_dict().items()}
    with torch.device("meta"):  # initial weights would cost time, and numbers of PyTorch's random state
        linear = nn.Linear(*reversed(values["weight"].shape))
    linear.load_state_dict(values, assign=True)
    return linear


def _stock_drawing(drawing: Deconvolution, factor: float) -> list[nn.Module]:
    """Stock transposed convolutions have one bias a channel. What adds a number of its own to each of their outputs is
    batch normalization by fixed statistics: a mean of minus that number, and a variance of 1."""
    weight, bias = (value.detach() * factor for value in (drawing.weight, drawing.bias))
    inputs, outputs = weight.shape[:2]
    with torch.device("meta"):
        drawn = nn.ConvTranspose2d(inputs, outputs, DRAWING_KERNEL, DRAWING_STRIDE, bias=False)
        shift = nn.BatchNorm1d(bias.numel(), eps=0.0, affine=False)
    drawn.load_state_dict({"weight": weight}, assign=True)
    mean = -bias.flatten()
    counted = torch.zeros((), dtype=torch.long, device=mean.device)
    shift.load_state_dict(
        {"running_mean": mean, "running_var": torch.ones_like(mean), "num_batches_tracked": counted}, assign=True
    )
    return [nn.Unflatten(1, (inputs, drawing.side, drawing.side)), drawn, nn.Flatten(), shift]


def _output_scale(settings: NetworkSettings) -> float:
    """By which G's last products become what is drawn, on the scale from -1 to 1: sigmoid(x) is tanh(x / 2) there."""
    return {"tanh": 1, "sigmoid": 0.5, "linear": LINEAR_UNIT}[settings.output]


def _range(network: nn.Module, name: str) -> float:
    if isinstance(network, OriginalDiscriminator):
        return DISCRIMINATOR_RANGE
    assert isinstance(network, OriginalGenerator)
    wide = network.settings.output == "linear" and isinstance(network.output, Dense) and name.startswith("output.")
    return LINEAR_RANGE if wide else GENERATOR_RANGE


def _drop(x: Tensor, mask: Tensor | None, kept: float) -> Tensor:
    return x if mask is None else x * mask.reshape(x.shape).to(x.dtype) / kept


def _largest(pieces: Tensor, number: int) -> Tensor:
    """Maxout units `[n, units, ...]` of their linear maps, which lie side by side (Pylearn2)."""
    units: Tensor = pieces.unflatten(1, (-1, number)).amax(2)  # type: ignore[no-untyped-call]
    return units


def _drawn_from(image_size: int) -> int:
    """Side of the maps that images are drawn from."""
    return (image_size - DRAWING_KERNEL) // DRAWING_STRIDE + 1


def _input_shapes(settings: NetworkSettings) -> list[tuple[int, ...]]:
    """Shape of what each of D's layers is given, in the order of the layers; the last one makes the logit."""
    shapes: list[tuple[int, ...]] = [_shape(settings)]
    if settings.structure == "maxout":
        return shapes + [(settings.discriminator_maps,)] * DISCRIMINATOR_LAYERS
    for form in CONVOLUTIONS:
        side = shapes[-1][1] + 2 * form.padding - form.kernel + 1
        pooled = math.ceil((side - form.pool) / POOL_STRIDE) + 1
        shapes.append((form.width * settings.discriminator_maps, pooled, pooled))
    return [*shapes, (settings.dense_units,)]


def _shape(settings: NetworkSettings) -> tuple[int, int, int]:
    return settings.channels, settings.image_size, settings.image_size
