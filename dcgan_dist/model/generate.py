"""How samples are drawn: which generator of a run draws, with fixed statistics of batch normalization; no Ray.

In training batch normalization uses the statistics of the batch, so what G draws for a z depends on the z beside it. A
sample must depend on its own z alone. So the statistics that each layer meets are averaged over `BATCHES` batches of z,
as those of D are for its features, and then fixed. What draws is made of PyTorch's stock layers, in eval mode: grids,
walks, samples and exported files are all of this one network.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.batchnorm import (
    EPS,
    NO_LAYERS,
    Statistics,
    average_of_batches,
    describe_statistics,
    input_statistics,
    with_statistics,
)
from dcgan_dist.model.dcgan import SMALLEST, Deconvolution, Generator, Layer, Projection
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.randomness import latents
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
    """

    run: str
    checkpoint: str
    images: int
    kind: Kind
    networks: NetworkSettings
    batch_size: int
    statistics: str

    @property
    def caption(self) -> str:
        """For people, in one line."""
        return f"{self.run} after {self.images:,} images, {self.kind} generator, {self.statistics}"


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

    def forward(self, z: Tensor) -> Tensor:
        """Latent vectors `[n, latent_size]` -> images `[n, 3, S, S]` in [-1, 1], in the dtype of z."""
        images: Tensor = self.network(z)
        return images

    def latents(self, number: int, seed: int = 0) -> Tensor:
        """The first z of a seed, those of `dcgan_dist.sample`: float32 [number, latent_size], where the weights are."""
        device = next(self.network.parameters()).device
        if number < 1:
            return torch.empty(0, self.about.networks.latent_size, device=device)
        return torch.cat(list(self.batches(number, seed)))[:number].to(device)

    @torch.no_grad()
    def draw(self, number: int, seed: int = 0) -> Iterator[Pixels]:
        """Samples in batches, uint8 [n, S, S, 3]; `number` in all.

        Whole batches of one size are drawn, since kernels round differently for another: the first samples are the same
        bytes, however many follow.
        """
        device = next(self.network.parameters()).device
        for batch, z in enumerate(self.batches(number, seed)):
            yield to_uint8(self(z.to(device)))[: number - batch * self.about.batch_size]

    def batches(self, number: int, seed: int = 0) -> Iterator[Tensor]:
        """The z of these samples in whole batches, float32 [batch_size, latent_size] on the CPU."""
        size = self.about.batch_size
        for batch in range(math.ceil(number / size)):
            yield latents(self.about.networks, size, seed, "sample", batch)


def describe_frozen(generator: nn.Module, batch_size: int) -> str:
    """By what statistics a generator draws once `freeze` has fixed those of our layers, in words."""
    statistics = describe_statistics(
        generator,
        ours=f"fixed statistics of {BATCHES} batches of {batch_size} z",
        of_batch=f"statistics of each batch of {batch_size} samples",
    )
    return statistics if statistics == NO_LAYERS else f"batch normalization by {statistics}"


def freeze(generator: nn.Module, settings: NetworkSettings, batch_size: int) -> nn.Module:
    """A copy of a generator with fixed statistics, in eval mode; of stock layers where the generator is ours."""
    weight = next(generator.parameters())

    def batches() -> Iterator[Statistics]:
        for batch in range(BATCHES):
            z = latents(settings, batch_size, SEED, "statistics", batch)
            yield input_statistics(generator, generator, z.to(weight.device, weight.dtype))

    statistics = average_of_batches(batches())
    assert statistics is not None
    fixed = with_statistics(generator, statistics).eval()
    return stock_layers(fixed) if isinstance(fixed, Generator) else fixed


def stock_layers(generator: Generator) -> nn.Sequential:
    """The same network, whose statistics are fixed, of layers that PyTorch brings along; they share no memory."""
    layers: list[nn.Module] = []
    # On no device: initial weights would cost time, and numbers of PyTorch's random state.
    with torch.device("meta"):
        for number, layer in enumerate([generator.first, *generator.layers]):
            assert isinstance(layer, Layer)
            layers.append(_filled(_stock_linear(layer.linear), layer.linear))
            if layer.norm is not None:
                norm = (nn.BatchNorm2d if number else nn.BatchNorm1d)(len(layer.norm.get_parameter("bias")), eps=EPS)
                layers.append(_filled(norm, layer.norm))
            layers.append(nn.Tanh() if layer.activation is torch.tanh else nn.ReLU())
            if number == 0:
                layers.append(nn.Unflatten(1, (-1, SMALLEST, SMALLEST)))
    return nn.Sequential(*layers).eval()


def _stock_linear(linear: nn.Module) -> nn.Module:
    inputs, outputs = linear.get_parameter("weight").shape[:2]
    if isinstance(linear, Projection):
        return nn.Linear(outputs, inputs, bias=False)
    assert isinstance(linear, Deconvolution)
    fill, kernel = linear.stride - 1, linear.weight.shape[2]
    return nn.ConvTranspose2d(inputs, outputs, kernel, linear.stride, linear.padding, fill, bias=False)


def _filled(layer: nn.Module, ours: nn.Module) -> nn.Module:
    values = {name: value.detach().clone() for name, value in ours.state_dict().items()}
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        values["num_batches_tracked"] = torch.tensor(BATCHES, device=values["bias"].device)
    layer.load_state_dict(values, assign=True)
    return layer
