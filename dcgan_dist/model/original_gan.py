"""The networks of the original GAN (Goodfellow et al. 2014, arXiv 1406.2661v1).

"Published" here is goodfeli/adversarial, and Pylearn2, which it uses. Layers are fully connected: in G of rectifiers or
sigmoids, in D two of maxout units, which learn under dropout. Initial weights are uniform around 0, and biases are 0,
but for a sigmoid output: that begins with the mean image of the data.

Which inputs of D's layers are kept is no state of the network: masks are made by `dropout_masks` and given to it, so
that D and G can learn from the same ones, and any number of workers and a resumed run get the same.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

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
"""The same of G's output where that is linear (published, CIFAR-10)."""
LINEAR_UNIT = 0.5
"""One unit of a linear output, and of D's input beside it, in pixels from -1 to 1: the standard deviation of those of
CIFAR-10. The published contrast normalization brings the pixels of each image to one of 55 / sqrt(3072) = 0.99 units.
It is left out: it takes the brightness and contrast of an image away, so no sample could be brought back to pixels."""
KEPT_INPUT, KEPT_HIDDEN = 0.8, 0.5
"""Part of the inputs of D's first layer, and of the others, that dropout keeps, scaled by 1.25 and 2 (published)."""
DISCRIMINATOR_LAYERS = 2
LEAST_PROBABILITY = 1e-7
"""Of a pixel in the mean image, for a finite bias (Pylearn2)."""

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


class OriginalGenerator(nn.Module):
    """Draws images from latent vectors. Its weights are NaN until `initialize` or `load_state_dict`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.activations = settings.generator_activations.split(",")
        widths = [settings.latent_size, *[settings.generator_maps] * len(self.activations)]
        self.layers = nn.ModuleList(Dense(*pair) for pair in pairwise(widths))
        self.output = Dense(widths[-1], _pixels(settings))

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
        inputs = dropout_inputs(settings)
        units = settings.maxout_pieces * settings.discriminator_maps
        self.layers = nn.ModuleList(Dense(one, units) for one in inputs[:-1])
        self.head = Dense(inputs[-1], 1)

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
        """The units of each hidden layer, without dropout, as maps of one pixel `[n, units, 1, 1]`, first one first."""
        x, maps = self._inputs(images), []
        for layer in self.layers:
            x = self._maxout(layer, x, None)
            maps.append(x[:, :, None, None])
        return maps

    def _inputs(self, images: Tensor) -> Tensor:
        """Images `[n, channels, S, S]` in rows, on the scale of the last activation of G."""
        x = images.flatten(1)
        if self.settings.output == "sigmoid":
            return (x + 1) / 2
        return x if self.settings.output == "tanh" else x / LINEAR_UNIT

    def _masks(self, kept: Tensor | None) -> list[Tensor] | list[None]:
        inputs = dropout_inputs(self.settings)
        return [None] * len(inputs) if kept is None else list(torch.split(kept, inputs, 1))

    def _maxout(self, layer: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
        pieces = layer(_drop(x, mask, KEPT_INPUT if layer is self.layers[0] else KEPT_HIDDEN))
        # Pieces of a unit lie side by side (Pylearn2).
        return pieces.unflatten(1, (-1, self.settings.maxout_pieces)).amax(2)  # type: ignore[no-any-return]


def dropout_inputs(settings: NetworkSettings) -> list[int]:
    """Inputs of each of D's layers, all of which are under dropout; none where the structure has no dropout."""
    if settings.factory or settings.structure != "maxout":
        return []
    return [_pixels(settings), *[settings.discriminator_maps] * DISCRIMINATOR_LAYERS]


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


def begins_with_mean(settings: NetworkSettings) -> bool:
    """Whether G begins with the mean image of the data (published, MNIST: where its output is a sigmoid)."""
    return not settings.factory and settings.structure == "maxout" and settings.output == "sigmoid"


def begin_with_mean(generator: nn.Module, mean: NDArray[np.float32]) -> None:
    """Set the biases of a sigmoid output to those that would draw the mean image of the data without any weights.

    Args:
        mean: [channels, S, S] from 0 to 1.
    """
    assert isinstance(generator, OriginalGenerator)
    probability = torch.from_numpy(mean).double().flatten().clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    with torch.no_grad():
        generator.output.bias.copy_(probability.logit())


def stock_layers(generator: OriginalGenerator) -> nn.Sequential:
    """The same network of layers that PyTorch brings along, whose images are within [-1, 1]; they share no memory."""
    settings, layers = generator.settings, list[nn.Module]()
    for dense, activation in zip(generator.layers, generator.activations, strict=True):
        layers += [_stock(dense, 1), _STOCK[activation]()]
    layers += [_stock(generator.output, _output_scale(settings))]
    layers += [nn.Hardtanh() if settings.output == "linear" else nn.Tanh(), nn.Unflatten(1, _shape(settings))]
    return nn.Sequential(*layers).eval()


def _stock(dense: nn.Module, factor: float) -> nn.Linear:
    values = {name: value.detach() * factor for name, value in dense.state_dict().items()}
    with torch.device("meta"):  # initial weights would cost time, and numbers of PyTorch's random state
        linear = nn.Linear(*reversed(values["weight"].shape))
    linear.load_state_dict(values, assign=True)
    return linear


def _output_scale(settings: NetworkSettings) -> float:
    """By which G's last products become what is drawn, on the scale from -1 to 1: sigmoid(x) is tanh(x / 2) there."""
    return {"tanh": 1, "sigmoid": 0.5, "linear": LINEAR_UNIT}[settings.output]


def _range(network: nn.Module, name: str) -> float:
    if isinstance(network, OriginalDiscriminator):
        return DISCRIMINATOR_RANGE
    assert isinstance(network, OriginalGenerator)
    return LINEAR_RANGE if network.settings.output == "linear" and name.startswith("output.") else GENERATOR_RANGE


def _drop(x: Tensor, mask: Tensor | None, kept: float) -> Tensor:
    return x if mask is None else x * mask.to(x.dtype) / kept


def _shape(settings: NetworkSettings) -> tuple[int, int, int]:
    return settings.channels, settings.image_size, settings.image_size


def _pixels(settings: NetworkSettings) -> int:
    return settings.channels * settings.image_size**2
