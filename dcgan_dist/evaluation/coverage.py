"""How near samples of a generator come to images of the data (nnd in the published code, metrics); no Ray.

For each image the distance to the nearest of the first n samples is taken, in pixels from -1 to 1, and the mean over
the images says how well n samples cover the data: lower is better, for one set of images and one n.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from dcgan_dist.evaluation.classifiers.nearest import nearest
from dcgan_dist.extensions import Code
from dcgan_dist.model.adversarial_step import load_weights
from dcgan_dist.model.batchnorm import describe_statistics
from dcgan_dist.model.dcgan import new_networks
from dcgan_dist.model.generate import About, FrozenGenerator, Kind, Which, describe_frozen, freeze
from dcgan_dist.model.randomness import class_numbers, latents
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.run_folder.load_generator import load_training_generator
from dcgan_dist.settings import NetworkSettings

TOGETHER = 32
"""Batches of samples that are compared at once."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws samples in whole batches, whose statistics our batch normalization uses: the published measure did so.

    Attributes:
        generator: that draws; its statistics are not fixed.
        kind: which of the run's generators it is.
        settings: its own.
        batch_size: samples of a batch.
        seed: of z, the same z as `dcgan_dist.sample` takes.
        code: makes the generator, where it is a user's own.
    """

    generator: nn.Module
    kind: Kind
    settings: NetworkSettings
    batch_size: int
    seed: int
    code: Code = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        """As weights and the code that makes the network, see `encoders.discriminator.OwnFeatures`."""
        weights = {name: value.cpu() for name, value in self.generator.state_dict().items()}
        return _sampler, (weights, self.kind, self.settings, self.batch_size, self.seed, self.code)

    @property
    def statistics(self) -> str:
        """The statistics that the generator normalizes by, for the record."""
        each = f"of each batch of {self.batch_size} samples"
        return describe_statistics(self.generator, ours=f"{each}, as in the published code", of_batch=each)

    def to(self, device: torch.device) -> "Sampler":
        """The same, computing there."""
        return replace(self, generator=self.generator.to(device))

    def frozen(self) -> FrozenGenerator:
        """The generator with fixed statistics, as it draws samples for everything but the published measure."""
        about = About("", "", 0, self.kind, self.settings, self.batch_size, self.frozen_statistics)
        return FrozenGenerator(freeze(self.generator, self.settings, self.batch_size), about)

    @property
    def frozen_statistics(self) -> str:
        """The statistics that it normalizes by then, for the record."""
        return describe_frozen(self.generator, self.batch_size)

    @torch.no_grad()
    def batch(self, number: int) -> Tensor:
        """One batch of samples, float32 [n, 3 * S * S] in [-1, 1] on the CPU; shades of gray are in all three channels.

        Networks that know classes draw each sample of a random one, as the published code (mnist) does.
        """
        drawn = self._draw(number, self._labels(number))
        return (drawn.expand(-1, 3, -1, -1) if self.settings.channels == 1 else drawn).flatten(1).cpu()

    @torch.no_grad()
    def labeled(self, number: int) -> tuple[Tensor, Tensor]:
        """The same samples with their classes: float32 [n, channels * S * S] in [-1, 1] and int64 [n], on the CPU.

        Raises:
            ValueError: the networks know no classes.
        """
        labels = self._labels(number)
        if labels is None:
            raise ValueError("the networks know no classes")
        return self._draw(number, labels).flatten(1).cpu(), labels

    def _labels(self, number: int) -> Tensor | None:
        if not self.settings.classes:
            return None
        return class_numbers(self.settings, self.batch_size, self.seed, "sample", number)

    def _draw(self, number: int, labels: Tensor | None) -> Tensor:
        device = next(self.generator.parameters()).device
        z = latents(self.settings, self.batch_size, self.seed, "sample", number)
        known = {} if labels is None else {"labels": labels.to(device)}
        drawn: Tensor = self.generator(z.to(device), **known)
        return drawn.clamp(-1, 1)  # a linear output goes beyond what pixels can be


def _sampler(
    weights: Mapping[str, Tensor], kind: Kind, settings: NetworkSettings, batch_size: int, seed: int, code: Code
) -> Sampler:
    generator, _ = new_networks(settings, code)
    load_weights(generator, weights, "generator")
    return Sampler(generator.eval(), kind, settings, batch_size, seed, code)


def sampler_of(checkpoint: Checkpoint, wanted: Which, seed: int) -> Sampler:
    """Draws samples of a checkpoint's generator; raises as `load_training_generator`."""
    generator, kind = load_training_generator(checkpoint, wanted)
    settings = checkpoint.settings
    return Sampler(generator, kind, settings.networks, settings.optimization.batch_size, seed, checkpoint.code)


def nearest_sample(sampler: Sampler, images: Tensor, numbers: Sequence[int], part: int, parts: int) -> Tensor:
    """Distance of each image to the nearest of the first so many samples, for several such numbers.

    Args:
        images: float32 [n, 3 * S * S] in [-1, 1].
        numbers: how many samples count, rising.
        part, parts: only the batches that are this part's are drawn: the least over all parts is the result.

    Returns:
        float32 [len(numbers), n]; infinite where no sample is this part's.
    """
    least = torch.full((len(images),), torch.inf)
    found, size = [], sampler.batch_size
    for first, end in pairwise((0, *numbers)):
        batches = [number for number in range(first // size, -(-end // size)) if number % parts == part]
        for i in range(0, len(batches), TOGETHER):
            samples = torch.cat([_between(sampler, first, end, number) for number in batches[i : i + TOGETHER]])
            distances, _ = nearest(images, samples, torch.arange(len(samples)), kept=1)
            least = torch.minimum(least, distances[:, 0])
        found.append(least)
    return torch.stack(found)


def _between(sampler: Sampler, first: int, end: int, number: int) -> Tensor:
    """The samples of a batch that are among those from `first` to `end`."""
    before = number * sampler.batch_size
    return sampler.batch(number)[max(0, first - before) : end - before]
