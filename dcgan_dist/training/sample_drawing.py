"""Grids and walks of a run's samples, always of the same z, and how diverse these samples are. Rank 0 alone draws."""

import time
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dcgan_dist.extensions import Code
from dcgan_dist.model.adversarial_step import AdversarialStep, scale
from dcgan_dist.model.dcgan import new_networks
from dcgan_dist.model.drawing import grid_inputs, interpolate, to_uint8
from dcgan_dist.model.generate import Kind, choose_kind, freeze
from dcgan_dist.model.randomness import class_numbers, latents
from dcgan_dist.settings import Settings
from dcgan_dist.training.sample_diversity import drift, spread
from dcgan_dist.training.schedule import grid_is_due, passes

WALK_POINTS, WALK_IMAGES = 9, 100
"""Points of z that a walk leads through (paper, section 6.1: a series of 9), and its images (figure 4: 100)."""

Picture = tuple[Literal["samples", "walk"], Kind, npt.NDArray[np.uint8], int | None]
"""What is drawn, by which generator, the images, uint8 [n, S, S, 3], and the columns of their grid; None: as many as
rows."""


class SampleDrawing:
    """Draws the samples of a run when they are due, with a copy of G that shares its statistics with no other rank."""

    def __init__(
        self,
        settings: Settings,
        adversarial: AdversarialStep,
        total_steps: int,
        device: torch.device,
        code: Code,
        *,
        has_grid: bool,
    ) -> None:
        """`has_grid`: the run has its first grid already, as one that is resumed."""
        self._settings, self._adversarial, self._total = settings, adversarial, total_steps
        self._batch_size, self._device = settings.optimization.batch_size, device
        generator, _ = new_networks(settings.networks, code)
        self._generator = generator.to(device, adversarial.precision.weights).eval()
        self._has_grid, self._began = has_grid, time.monotonic()
        self._measured: Tensor | None = None

    def begin(self) -> None:
        """Training begins now: from here on the first grid is waited for."""
        self._began = time.monotonic()

    def diversity(self, step: int, real_images: Tensor) -> dict[str, float]:
        """`samples/spread` and `samples/drift`, where they are due after a step.

        The samples are drawn as training draws them, with the statistics of their batch, and compared with each other,
        with the real images of the step, uint8 [n, channels, S, S], and with those of the last time.
        """
        monitoring, networks = self._settings.monitoring, self._settings.networks
        if not passes(step, self._batch_size, monitoring.measure_images):
            return {}
        z = latents(networks, max(monitoring.samples, self._batch_size), self._settings.seed, "samples")
        # Not those of the averaged G, which hides what the trained one does from step to step.
        labels = class_numbers(networks, len(z), self._settings.seed, "samples") if networks.classes else None
        images = self._draw_in_batch(z, labels, self._adversarial.bare_generator.state_dict())
        images = images[: monitoring.samples].float().cpu()
        values = {}
        real = spread(scale(real_images, images)) if len(real_images) > 1 else 0.0
        if real:  # one picture many times says nothing of how far others should differ
            values["samples/spread"] = spread(images) / real
        if self._measured is not None:
            values["samples/drift"] = drift(images, self._measured)
        self._measured = images
        return values

    def pictures(self, step: int, *, leaving: bool) -> Iterator[Picture]:
        """Draw what is due after a step; `leaving`: a grid of the last moment, whatever is due."""
        networks, monitoring, seed = self._settings.networks, self._settings.monitoring, self._settings.seed
        waited_s = None if self._has_grid else time.monotonic() - self._began
        grid = leaving or grid_is_due(step, self._total, self._batch_size, monitoring.samples_images, waited_s)
        walk = step == self._total or passes(step, self._batch_size, monitoring.walk_images)
        if not (grid or walk):
            return
        kind, generator = self._frozen(step)
        if grid:
            self._has_grid = True
            z, labels, columns = grid_inputs(networks, monitoring.samples, seed, "samples")
            yield "samples", kind, self._draw(generator, z, labels), columns
        if walk:
            z = interpolate(latents(networks, WALK_POINTS, seed, "walk"), WALK_IMAGES)
            of_one = torch.zeros(len(z), dtype=torch.int64) if networks.classes else None  # the first class
            yield "walk", kind, self._draw(generator, z, of_one), None

    def _frozen(self, step: int) -> tuple[Kind, nn.Module]:
        """The generator that `dcgan_dist.sample` would use of a checkpoint of this step."""
        kind = choose_kind(step * self._batch_size, self._settings.optimization.average_images)
        averaged = self._adversarial.averaged if kind == "averaged" else None
        self._generator.load_state_dict(averaged or self._adversarial.bare_generator.state_dict())
        return kind, freeze(self._generator, self._settings.networks, self._batch_size)

    def _draw(self, generator: nn.Module, z: Tensor, labels: Tensor | None) -> npt.NDArray[np.uint8]:
        return to_uint8(self._images(generator, z, labels))

    def _draw_in_batch(self, z: Tensor, labels: Tensor | None, weights: Mapping[str, Tensor]) -> Tensor:
        self._generator.load_state_dict(weights)
        return self._images(self._generator, z, labels)

    @torch.no_grad()
    def _images(self, generator: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
        known = {} if labels is None else {"labels": labels.to(self._device)}
        images: Tensor = generator(z.to(self._device, self._adversarial.precision.weights), **known)
        return images
