"""How samples are drawn: which generator of a run draws, with fixed statistics of batch normalization; no Ray.

In training batch normalization uses the statistics of the batch, so what G draws for a z depends on the z beside it. A
sample must depend on its own z alone. So the statistics that each layer meets are averaged over `BATCHES` batches of z,
as those of D are for its features, and then fixed. What draws is made of PyTorch's stock layers, in eval mode: grids,
walks, samples and exported files are all of this one network.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.model import original_gan
from dcgan_dist.model.activations import HIDDEN
from dcgan_dist.model.batchnorm import (
    EPS,
    NO_LAYERS,
    Statistics,
    average_of_batches,
    describe_statistics,
    input_statistics,
    with_statistics,
)
from dcgan_dist.model.dcgan import Deconvolution, Generator, Layer, Projection, UpsampledConvolution, smallest
from dcgan_dist.model.drawing import grid_inputs, to_uint8
from dcgan_dist.model.original_gan import OriginalGenerator
from dcgan_dist.model.randomness import class_numbers, latents
from dcgan_dist.settings import NetworkSettings

BATCHES = 32
"""Batches of z whose statistics are averaged: a forward pass each, together some five training steps. With 32 batches
of 64, samples of scenes32 lie within 3 % of those with 400 batches, by the distance of unrelated ones; in training
another batch of z moves them by 16 to 25 %."""
SEED = 0
"""Of these z: always the same, so that a checkpoint's samples depend on nothing else."""

Which = Literal["auto", "averaged", "raw"]
Kind = Literal["averaged", "raw"]
"""G as it is trained, or the average of its weights over the run's last images (`optimization.average_images`)."""
_STOCK_OUTPUT: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": nn.Tanh, "linear": nn.Hardtanh}
SETTLED = 4
"""Half-lives after which the averaged G holds only a sixteenth of what it began with."""


def choose_kind(images: int, average_images: int, wanted: Which = "auto") -> Kind:
    """Which generator of a run draws: the averaged one where there is one and it has settled, else the raw one.

    Args:
        images: that the run has seen.
        average_images: half-life of the average; 0: there is none.
        wanted: `auto`, or which it is to be.
    """
    if wanted != "auto":
        return wanted
    return "averaged" if average_images and images >= SETTLED * average_images else "raw"


@dataclass(frozen=True)
class About:
    """What draws, for file names, records and captions.

    Attributes:
        run: its name.
        checkpoint: its name.
        images: that the run had seen.
        kind: which of the run's generators.
        networks: its settings.
        batch_size: of training: of the batches whose statistics are used, and of those that are drawn.
        statistics: of batch normalization, in words.
        label: the class of all samples; None: of any class, or the networks know none.
    """

    run: str
    checkpoint: str
    images: int
    kind: Kind
    networks: NetworkSettings
    batch_size: int
    statistics: str
    label: int | None = None

    @property
    def caption(self) -> str:
        """For people, in one line."""
        of_class = "" if self.label is None else f", class {self.label}"
        return f"{self.run} after {self.images:,} images, {self.kind} generator{of_class}, {self.statistics}"


class FrozenGenerator(nn.Module):
    """A generator with fixed statistics: what it draws for a z depends on nothing else. Always in eval mode."""

    def __init__(self, network: nn.Module, about: About) -> None:
        """`network` as `freeze` makes it."""
        super().__init__()
        self.network, self.about = network, about
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Nothing but eval mode: in training mode the layers would use and change the statistics of the batch."""
        return super().train(False)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latent vectors `[n, latent_size]` -> images `[n, channels, S, S]` in [-1, 1], in the dtype of z.

        Args:
            labels: int64 `[n]`, the class of each, where the networks know classes; None: the class of `of_class`.
        """
        if labels is None and self.about.label is not None:
            labels = torch.full((len(z),), self.about.label, device=z.device)
        images: Tensor = self.network(z) if labels is None else self.network(z, labels)
        return images

    def of_class(self, label: int | None) -> "FrozenGenerator":
        """The same, drawing samples of one class alone; None: as it is.

        Raises:
            SettingsError: the networks know no classes, or not that one.
        """
        require_class(label, self.about.networks, self.about.run)
        return self if label is None else FrozenGenerator(self.network, replace(self.about, label=label))

    def latents(self, number: int, seed: int = 0) -> Tensor:
        """The first z of a seed, those of `dcgan_dist.sample`: float32 [number, latent_size], where the weights are."""
        device = next(self.network.parameters()).device
        if number < 1:
            return torch.empty(0, self.about.networks.latent_size, device=device)
        return torch.cat(list(self.batches(number, seed)))[:number].to(device)

    @torch.no_grad()
    def draw(self, number: int, seed: int = 0, part: int = 0, parts: int = 1) -> Iterator[Pixels]:
        """Samples in batches, uint8 [n, S, S, 3]; `number` in all, of which every `parts`-th batch is drawn here.

        Whole batches of one size are drawn, since kernels round differently for another: the first samples are the same
        bytes, however many follow.
        """
        device = next(self.network.parameters()).device
        labels, size = self.labels(number, seed), self.about.batch_size
        for batch, z in enumerate(self.batches(number, seed)):
            if batch % parts == part:
                known = [] if labels is None else [labels[batch * size : (batch + 1) * size].to(device)]
                yield to_uint8(self(z.to(device), *known))[: number - batch * size]

    @torch.no_grad()
    def draw_grid(self, number: int, seed: int = 0) -> tuple[Pixels, int | None]:
        """Samples for a grid, uint8 [n, S, S, 3], and its columns; None: as many as rows.

        Networks that know classes draw a class a row, at most `number` samples in all (`drawing.grid_inputs`), unless
        they are those `of_class`.
        """
        if self.about.label is not None or self.about.networks.classes == 0:
            return np.concatenate(list(self.draw(number, seed))), None
        z, labels, columns = grid_inputs(self.about.networks, number, seed, "sample")
        assert labels is not None
        device, size = next(self.network.parameters()).device, self.about.batch_size
        images = []
        for part, classes in zip(torch.split(z, size), torch.split(labels, size), strict=True):
            fill = (torch.cat([one, one[:1].expand(size - len(one), *one.shape[1:])]) for one in (part, classes))
            images.append(to_uint8(self(*(one.to(device) for one in fill)))[: len(part)])
        return np.concatenate(images), columns

    def batches(self, number: int, seed: int = 0) -> Iterator[Tensor]:
        """The z of these samples in whole batches, float32 [batch_size, latent_size] on the CPU."""
        size = self.about.batch_size
        for batch in range(math.ceil(number / size)):
            yield latents(self.about.networks, size, seed, "sample", batch)

    def labels(self, number: int, seed: int = 0) -> Tensor | None:
        """The classes of these samples, int64 on the CPU, for the whole of each batch; None without classes."""
        return sample_labels(self.about.networks, number, self.about.batch_size, seed, self.about.label)


def sample_labels(
    settings: NetworkSettings, number: int, batch_size: int, seed: int, label: int | None
) -> Tensor | None:
    """The classes of the first samples of a seed, int64 on the CPU, for the whole of each batch.

    Args:
        label: the class of all of them; None: drawn at random.

    Returns:
        None where the networks know no classes.
    """
    batches = range(math.ceil(number / batch_size))
    if settings.classes == 0:
        return None
    if label is not None or not batches:
        return torch.full((len(batches) * batch_size,), label or 0)
    return torch.cat([class_numbers(settings, batch_size, seed, "sample", batch) for batch in batches])


def require_class(label: int | None, settings: NetworkSettings, run: str) -> None:
    """See that networks know a class, where one is wanted.

    Raises:
        SettingsError: they know none, or not that one.
    """
    if label is None:
        return
    if settings.classes == 0:
        way = (
            ", as no network of the original GAN knows any"
            if settings.is_original
            else ", or train with --networks.classes"
        )
        raise SettingsError(f"class is {label} but the networks of {run} know no classes: leave --class out{way}")
    if not 0 <= label < settings.classes:
        raise SettingsError(f"class is {label} but the networks of {run} know classes 0 to {settings.classes - 1}")


def describe_frozen(generator: nn.Module, batch_size: int) -> str:
    """By what statistics a generator draws once `freeze` has fixed those of our layers, in words."""
    statistics = describe_statistics(
        generator,
        ours=f"fixed statistics of {BATCHES} batches of {batch_size} z",
        of_batch=f"statistics of each batch of {batch_size} samples",
    )
    return statistics if statistics == NO_LAYERS else f"batch normalization by {statistics}"


def freeze(generator: nn.Module, settings: NetworkSettings, batch_size: int) -> nn.Module:
    """A copy of a generator with fixed statistics, in eval mode; of stock layers where the generator is ours and knows
    no classes, whose codes are no layer's only input."""
    weight = next(generator.parameters())

    def batches() -> Iterator[Statistics]:
        for batch in range(BATCHES):
            z = latents(settings, batch_size, SEED, "statistics", batch)
            known: dict[str, Tensor] = {}
            if settings.classes:
                known["labels"] = class_numbers(settings, batch_size, SEED, "statistics", batch).to(weight.device)
            yield input_statistics(generator, partial(generator, **known), z.to(weight.device, weight.dtype))

    statistics = average_of_batches(batches())
    assert statistics is not None
    fixed = with_statistics(generator, statistics).eval()
    if isinstance(fixed, OriginalGenerator):
        return original_gan.stock_layers(fixed)
    return stock_layers(fixed) if isinstance(fixed, Generator) and not settings.classes else fixed


def stock_layers(generator: Generator) -> nn.Sequential:
    """The same network, whose statistics are fixed, of layers that PyTorch brings along, whose images are within
    [-1, 1]; they share no memory."""
    layers, settings = list[nn.Module](), generator.settings
    hidden = HIDDEN[settings.generator_activations]
    # On no device: initial weights would cost time, and numbers of PyTorch's random state.
    with torch.device("meta"):
        dense = [] if generator.dense is None else [generator.dense]
        ours = [*dense, generator.first, *generator.layers]
        for layer in ours:
            assert isinstance(layer, Layer)
            if isinstance(layer.linear, UpsampledConvolution) and layer.linear.factor > 1:
                layers.append(nn.Upsample(scale_factor=float(layer.linear.factor)))
            layers.append(_filled(_stock_linear(layer.linear), layer.linear))
            if layer.norm is not None:
                norm = nn.BatchNorm1d if isinstance(layer.linear, Projection) else nn.BatchNorm2d
                mean = layer.norm.get_buffer("running_mean")
                gain = layer.norm.weight is not None
                layers.append(_filled(norm(len(mean), eps=EPS, affine=gain), layer.norm))
            of_vectors = isinstance(layer.linear, Projection)
            layers += [_STOCK_OUTPUT[settings.output]()] if layer is ours[-1] else hidden.stock(of_vectors)
            if layer is generator.first:
                side = smallest(settings.image_size)
                layers.append(nn.Unflatten(1, (-1, side, side)))
    if settings.output == "sigmoid":
        # On the scale from -1 to 1 that is the tanh of half of what comes in.
        layers[-2] = _halved(layers[-2])
    return nn.Sequential(*layers).eval()


def _halved(layer: nn.Module) -> nn.Module:
    """A layer that makes half of what this one makes, which is not used any more."""
    if isinstance(layer, nn.BatchNorm2d) and not layer.affine:
        mean = layer.get_buffer("running_mean")
        with torch.device("meta"):
            halving = nn.BatchNorm2d(len(mean), eps=EPS)
        gain = {"weight": torch.full_like(mean, 0.5), "bias": torch.zeros_like(mean)}
        halving.load_state_dict(layer.state_dict() | gain, assign=True)
        return halving
    for parameter in layer.parameters():
        parameter.data.mul_(0.5)
    return layer


def _stock_linear(linear: nn.Module) -> nn.Module:
    inputs, outputs = linear.get_parameter("weight").shape[:2]
    if isinstance(linear, Projection):
        return nn.Linear(outputs, inputs, bias=False)
    if isinstance(linear, UpsampledConvolution):
        return nn.Conv2d(outputs, inputs, linear.weight.shape[2], padding=linear.padding, bias=False)
    assert isinstance(linear, Deconvolution)
    fill, kernel = linear.stride - 1, linear.weight.shape[2]
    return nn.ConvTranspose2d(inputs, outputs, kernel, linear.stride, linear.padding, fill, bias=False)


def _filled(layer: nn.Module, ours: nn.Module) -> nn.Module:
    values = {name: value.detach().clone() for name, value in ours.state_dict().items()}
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        values["num_batches_tracked"] = torch.tensor(BATCHES, device=values["running_mean"].device)
    layer.load_state_dict(values, assign=True)
    return layer
