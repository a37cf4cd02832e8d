"""Generator and discriminator (paper, section 3 and figure 1; published code).

`5x5`: every convolution is 5x5 with stride 2 and doubles (D) or halves (G) the maps. `3x3`: two 3x3 convolutions a
size, one of them with stride 2, as in the authors' ImageNet networks. No layer has a bias but the shift of batch
normalization, and G's first layer is normalized by unit, not by channel, as in the published code. Networks that know
classes get the one-hot code of an image's class beside the input of every layer (published code, mnist). What the paper
argues against, other activations and pooling among it, is there to be compared with.

Layers compute in the dtype of what they are given and convert their weights to it on the way, so mixed precision is to
give the network bfloat16. The published code flips its kernels; that matters only to its arrays (see published.py).
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_dist.errors import SettingsError
from dcgan_dist.extensions import NO_CODE, Code
from dcgan_dist.model import original_gan
from dcgan_dist.model.activations import HIDDEN, OUTPUT
from dcgan_dist.model.batchnorm import BatchNorm
from dcgan_dist.model.original_gan import OriginalDiscriminator, OriginalGenerator
from dcgan_dist.model.randomness import stream
from dcgan_dist.settings import NetworkSettings

GAIN_SD = 0.02
"""Standard deviation of the initial gains of batch normalization around 1 (published code)."""
KERNELS = {"5x5": 5, "3x3": 3}


def smallest(image_size: int) -> int:
    """Height and width of the maps nearest to z, and of D's last ones."""
    return 7 if image_size % 7 == 0 else 4


def _unset(*shape: int) -> nn.Parameter:
    """Weights before `initialize` or `load_state_dict`: NaN, so that a forgotten network cannot pass for a new one."""
    return nn.Parameter(torch.full(shape, torch.nan))


class Projection(nn.Module):
    """A matrix product, `[n, inputs]` -> `[n, outputs]`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = _unset(outputs, inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype))


class Convolution(nn.Module):
    """`[n, inputs, H, W]` -> `[n, outputs, H / stride, W / stride]`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.weight = _unset(outputs, inputs, kernel, kernel)
        self.stride, self.padding = stride, kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight.to(x.dtype), stride=self.stride, padding=self.padding)


class Deconvolution(nn.Module):
    """`[n, inputs, H, W]` -> `[n, outputs, H * stride, W * stride]`: a fractionally strided convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.weight = _unset(inputs, outputs, kernel, kernel)
        self.stride, self.padding = stride, kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        weight, fill = self.weight.to(x.dtype), self.stride - 1
        return F.conv_transpose2d(x, weight, stride=self.stride, padding=self.padding, output_padding=fill)


class UpsampledConvolution(Convolution):
    """`[n, inputs, H, W]` -> `[n, outputs, H * factor, W * factor]`: each value as a square, then a convolution of
    stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int, factor: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=float(self.factor), mode="nearest"))


class Layer(nn.Module):
    """A linear map of `[x, code of the class]`, batch normalization where there is a `norm`, an activation."""

    def __init__(self, linear: nn.Module, norm: BatchNorm | None, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear, self.norm, self.activation = linear, norm, activation

    def forward(self, x: Tensor, groups: int = 1, code: Tensor | None = None) -> Tensor:
        maps = self.before_norm(x, code)
        return self.activation(maps if self.norm is None else self.norm(maps, groups))

    def before_norm(self, x: Tensor, code: Tensor | None) -> Tensor:
        """What the layer normalizes and activates."""
        maps: Tensor = self.linear(beside(x, code))
        return maps


def beside(x: Tensor, code: Tensor | None) -> Tensor:
    """`[n, C]` or `[n, C, H, W]` with the code of the class `[n, K]` after its channels, there as K constant planes
    (published code, mnist); as it is where there is no code."""
    if code is None:
        return x
    if x.dim() == 4:
        code = code[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, code.to(x.dtype)], 1)


def class_code(labels: Tensor | None, like: Tensor, settings: NetworkSettings) -> Tensor | None:
    """The one-hot code of class numbers int64 `[n]`, `[n, classes]` in the dtype of `like`; None without classes.

    Raises:
        ValueError: the networks know classes and none are given, or the other way round. A class number that is too
            large is PyTorch's own error.
    """
    if settings.classes == 0:
        if labels is not None:
            raise ValueError("class numbers are given to networks that know no classes (networks.classes is 0)")
        return None
    if labels is None:
        raise ValueError(f"networks of {settings.classes} classes need the class number of each image")
    return F.one_hot(labels.to(like.device), settings.classes).to(like.dtype)


class Generator(nn.Module):
    """Draws images from latent vectors. Its weights are NaN until `initialize` or `load_state_dict`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        known, dense = settings.classes, settings.dense_units
        hidden = HIDDEN[settings.generator_activations]
        draws = Deconvolution if settings.resampling == "strided" else UpsampledConvolution
        kernel = KERNELS[settings.structure]
        widths = _widths(settings.image_size, settings.generator_maps)
        inputs, units = settings.latent_size, widths[-1] * smallest(settings.image_size) ** 2
        self.dense = None
        if dense:
            pieces = hidden.pieces * dense
            self.dense = Layer(Projection(inputs + known, pieces), _norm(pieces, settings, "G"), hidden.function)
            inputs = dense
        pieces = hidden.pieces * units
        self.first = Layer(Projection(inputs + known, pieces), _norm(pieces, settings, "G"), hidden.function)
        self.layers = nn.ModuleList()
        convolutions = _generator_convolutions(settings, widths)
        for number, (inputs, outputs, stride) in enumerate(convolutions, start=1):
            last = number == len(convolutions)
            pieces = outputs if last else hidden.pieces * outputs
            norm = _norm(pieces, settings, "G", at_pixels=last)
            activation = OUTPUT[settings.output] if last else hidden.function
            self.layers.append(Layer(draws(inputs + known, pieces, kernel, stride), norm, activation))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent vectors `[n, latent_size]`, and int64 class numbers `[n]` where the networks know classes -> images
        `[n, channels, S, S]` in [-1, 1], in the dtype of z; some values of a linear output are beyond."""
        code, side = class_code(labels, z, self.settings), smallest(self.settings.image_size)
        x = z if self.dense is None else self.dense(z, code=code)
        x = self.first(x, code=code).unflatten(1, (-1, side, side))
        for layer in self.layers:
            x = layer(x, code=code)
        images: Tensor = x
        return images


class Discriminator(nn.Module):
    """Tells real images from generated ones. Its weights are NaN until `initialize` or `load_state_dict`."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        known, dense = settings.classes, settings.dense_units
        hidden, pools = HIDDEN[settings.discriminator_activations], settings.resampling == "pooling"
        kernel = KERNELS[settings.structure]
        widths = _widths(settings.image_size, settings.discriminator_maps)
        self.layers = nn.ModuleList()
        for number, (inputs, outputs, stride) in enumerate(_discriminator_convolutions(settings, widths)):
            pieces = hidden.pieces * outputs
            linear = Convolution(inputs + known, pieces, kernel, 1 if pools else stride)
            norm = _norm(pieces, settings, "D", at_pixels=number == 0)
            activation = _pooled(hidden.function, stride) if pools and stride > 1 else hidden.function
            self.layers.append(Layer(linear, norm, activation))
        self.averages = settings.head == "average"
        features = widths[-1] * (1 if self.averages else smallest(settings.image_size) ** 2)
        self.dense = None
        if dense:
            pieces = hidden.pieces * dense
            self.dense = Layer(Projection(features + known, pieces), _norm(pieces, settings, "D"), hidden.function)
            features = dense
        self.head = Projection(features + known, 1)

    def forward(self, x: Tensor, groups: int = 1, labels: Tensor | None = None) -> Tensor:
        """Images `[n, channels, S, S]` in [-1, 1], and int64 class numbers `[n]` where the networks know classes ->
        logits `[n]` (above 0: taken for real), in the dtype of the weights.

        With `groups` 2 the two halves of the batch (real and generated) are normalized separately, as by two calls.
        """
        code = class_code(labels, x, self.settings)
        x = self.inputs(x)
        for layer in self.layers:
            x = layer(x, groups, code)
        x = x.mean((2, 3)) if self.averages else x.flatten(1)
        if self.dense is not None:
            x = self.dense(x, groups, code)
        # One logit in bfloat16 has three digits; the last product is so small that it costs nothing in full.
        logits: Tensor = self.head(beside(x.to(self.head.weight.dtype), code))
        return logits.squeeze(1)

    def inputs(self, images: Tensor) -> Tensor:
        """Images in [-1, 1] on the scale that the first layer gets."""
        return (images + 1) / 2 if self.settings.output == "sigmoid" else images

    def maps(self, x: Tensor, groups: int = 1) -> list[Tensor]:
        """The maps `[n, C, H, W]` after each convolution, its activation and pooling, first layer first.

        Where the networks know classes, the code is 0 in all places: what an image shows is not told.
        """
        code, maps, x = self.no_class(x), [], self.inputs(x)
        for layer in self.layers:
            x = layer(x, groups, code)
            maps.append(x)
        return maps

    def no_class(self, x: Tensor) -> Tensor | None:
        """A code of zeros for each row of x: that of no class; None where the networks know none."""
        return x.new_zeros(len(x), self.settings.classes) if self.settings.classes else None


def _pooled(activation: Callable[[Tensor], Tensor], factor: int) -> Callable[[Tensor], Tensor]:
    """The activation, with the largest value of each square behind it."""
    return lambda x: F.max_pool2d(activation(x), factor)


def _norm(
    channels: int, settings: NetworkSettings, network: Literal["G", "D"], at_pixels: bool = False
) -> BatchNorm | None:
    """Batch normalization of a layer, where the settings want it; `at_pixels`: of G's output, or D's input."""
    wanted = {
        "prescribed": not at_pixels,
        "everywhere": True,
        "nowhere": False,
        "ends": at_pixels,
        "generator": network == "G" and not at_pixels,
    }
    return BatchNorm(channels, settings.batchnorm_gain) if wanted[settings.batchnorm] else None


def _widths(image_size: int, base_maps: int) -> list[int]:
    """Maps at each size from half the image down to the smallest: doubled each time."""
    return [base_maps << i for i in range((image_size // smallest(image_size)).bit_length() - 1)]


def _discriminator_convolutions(settings: NetworkSettings, widths: list[int]) -> list[tuple[int, int, int]]:
    """(inputs, outputs, stride) of D's convolutions, first to last, without the code of the class."""
    inputs = [settings.channels, *widths[:-1]]
    if settings.structure == "5x5":
        return [(narrow, wide, 2) for narrow, wide in zip(inputs, widths, strict=True)]
    pairs = [[(narrow, wide, 1), (wide, wide, 2)] for narrow, wide in zip(inputs, widths, strict=True)]
    return [convolution for pair in pairs for convolution in pair]


def _generator_convolutions(settings: NetworkSettings, widths: list[int]) -> list[tuple[int, int, int]]:
    """The same of G: D's in a mirror."""
    return [(wide, narrow, stride) for narrow, wide, stride in reversed(_discriminator_convolutions(settings, widths))]


def new_networks(settings: NetworkSettings, code: Code = NO_CODE) -> tuple[nn.Module, nn.Module]:
    """Both networks of these settings, for `load_state_dict`; ours have no weights yet.

    Raises:
        SettingsError: a user's own factory returns something else.
    """
    if not settings.factory:
        if settings.is_original:
            return OriginalGenerator(settings), OriginalDiscriminator(settings)
        return Generator(settings), Discriminator(settings)
    made = code[settings.factory](settings)
    if not isinstance(made, tuple) or len(made) != 2 or not all(isinstance(network, nn.Module) for network in made):
        kinds = ", ".join(type(part).__name__ for part in made) if isinstance(made, tuple) else type(made).__name__
        raise SettingsError(
            f"networks.factory is {settings.factory}, which returns {kinds} but needs to return a generator and a "
            "discriminator, both torch.nn.Module"
        )
    return made


def build_networks(
    settings: NetworkSettings,
    seed: int,
    device: torch.device,
    weights: torch.dtype,
    channels_last: bool,
    code: Code = NO_CODE,
) -> tuple[nn.Module, nn.Module]:
    """Both networks with initial weights, ready for DDP and `AdversarialStep`.

    A user's own factory draws its initial weights from PyTorch's random numbers, which are seeded for it: every worker
    gets the same ones, and the next run of that seed too.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream(seed, "weights of own networks").integers(1 << 63)))
        networks = new_networks(settings, code)
    draw = original_gan.initialize if settings.is_original else initialize
    for network in networks:
        if not settings.factory:
            draw(network, seed)
        # Convolutions take the layout of their weights.
        network.to(device=device, dtype=weights, memory_format=layout)  # type: ignore[call-overload]
    return networks


def initialize(network: nn.Module, seed: int) -> None:
    """Draw all weights: N(0, `networks.initial_sd`), gains of batch normalization N(1, 0.02), shifts 0 (paper, section
    4, and code).

    The numbers depend on the seed, the kind of network and the parameter's name only: not on dtype, memory layout,
    device, or a global random state.
    """
    assert isinstance(network, Generator | Discriminator)
    norms = [module for module in network.modules() if isinstance(module, BatchNorm) and module.weight is not None]
    gains, shifts = {id(norm.weight) for norm in norms}, {id(norm.bias) for norm in norms}
    for name, parameter in network.named_parameters():
        numbers = stream(seed, f"weights of {type(network).__name__}: {name}")
        values = torch.from_numpy(numbers.standard_normal(tuple(parameter.shape), dtype=np.float32))
        with torch.no_grad():
            if id(parameter) in shifts:
                parameter.zero_()
            else:
                is_gain = id(parameter) in gains
                parameter.copy_(values.mul_(GAIN_SD).add_(1) if is_gain else values.mul_(network.settings.initial_sd))


def count_parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())
