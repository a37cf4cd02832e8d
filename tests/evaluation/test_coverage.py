"""Distances of images to samples, against those of all samples at once."""

import numpy as np
import pytest
import torch
from ray import cloudpickle
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_dist.evaluation import coverage
from dcgan_dist.evaluation.coverage import Sampler, nearest_sample
from dcgan_dist.model import original_gan
from dcgan_dist.model.dcgan import Generator, build_networks, initialize
from dcgan_dist.model.original_gan import OriginalGenerator
from dcgan_dist.model.randomness import class_numbers, latents
from dcgan_dist.settings import NetworkSettings

NUMBERS, BATCH = (5, 40, 100), 16


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    settings = NetworkSettings(image_size=16, generator_maps=4)
    generator = Generator(settings)
    initialize(generator, 0)
    return Sampler(generator, "raw", settings, BATCH, seed=3)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(30, 3 * 16 * 16, generator=torch.Generator().manual_seed(0)) * 0.4 - 0.2


def test_the_first_so_many_samples_count(
    sampler: Sampler, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "TOGETHER", 2)
    found = nearest_sample(sampler, images, NUMBERS, 0, 1)
    samples = torch.cat([sampler.batch(number) for number in range(7)])
    for row, number in zip(found, NUMBERS, strict=True):
        every = torch.cdist(images.double(), samples[:number].double())
        torch.testing.assert_close(row.double(), every.amin(1), rtol=0, atol=1e-4)
    assert (found[0] > found[2]).any()


def test_parts_draw_each_batch_once_and_find_the_same_together(sampler: Sampler, images: torch.Tensor) -> None:
    drawn: list[int] = []

    class Counted(Sampler):
        def batch(self, number: int) -> torch.Tensor:
            drawn.append(number)
            return super().batch(number)

    counted = Counted(sampler.generator, sampler.kind, sampler.settings, BATCH, 3)
    parts = torch.stack([nearest_sample(counted, images, (48, 96), part, 3) for part in range(3)])
    torch.testing.assert_close(parts.amin(0), nearest_sample(sampler, images, (48, 96), 0, 1))
    assert sorted(drawn) == list(range(6))


def test_samples_of_networks_that_know_classes_are_of_random_ones_and_gray_ones_have_three_channels() -> None:
    settings = NetworkSettings(image_size=16, generator_maps=4, classes=7, channels=1)
    generator = Generator(settings)
    initialize(generator, 0)
    found = Sampler(generator, "raw", settings, BATCH, seed=3).batch(2)
    labels = class_numbers(settings, BATCH, 3, "sample", 2)
    with torch.no_grad():
        expected = generator(latents(settings, BATCH, 3, "sample", 2), labels)
    assert len(set(labels.tolist())) > 2
    assert torch.equal(found.reshape(BATCH, 3, 16, 16), expected.expand(-1, 3, -1, -1))


def test_a_part_without_samples_says_so(sampler: Sampler, images: torch.Tensor) -> None:
    assert nearest_sample(sampler, images, (BATCH,), 1, 2).isinf().all()


def test_samples_are_of_the_z_of_the_sample_command(sampler: Sampler) -> None:
    from dcgan_dist.model.randomness import latents

    z = latents(sampler.settings, BATCH, 3, "sample", 2)
    with torch.no_grad():
        expected = sampler.generator(z).flatten(1)
    assert np.array_equal(sampler.batch(2), expected)


def test_a_sampler_of_networks_that_cannot_be_pickled_survives_a_journey() -> None:
    def build(settings: NetworkSettings) -> tuple[nn.Module, nn.Module]:
        linear = spectral_norm(nn.Linear(settings.latent_size, 3 * settings.image_size**2))
        return nn.Sequential(linear, nn.BatchNorm1d(3 * settings.image_size**2)), nn.Linear(1, 1)

    settings = NetworkSettings(image_size=8, latent_size=9, factory="mine:build")
    code = {"mine:build": build}
    generator, _ = build_networks(settings, 3, torch.device("cpu"), torch.float32, False, code)
    sampler = Sampler(generator.eval(), "raw", settings, 6, seed=3, code=code)
    arrived: Sampler = cloudpickle.loads(cloudpickle.dumps(sampler))
    assert torch.equal(arrived.batch(2), sampler.batch(2))
    assert sampler.batch(2).std() > 0


def test_samples_of_a_linear_output_are_what_pixels_can_be() -> None:
    settings = NetworkSettings(
        structure="maxout", image_size=14, generator_maps=9, output="linear", batchnorm="nowhere", latent="normal"
    )
    generator = OriginalGenerator(settings)
    original_gan.initialize(generator, 1)
    with torch.no_grad():
        generator.output.bias.copy_(torch.linspace(-3, 3, 3 * 14**2))
        drawn = generator(latents(settings, BATCH, 3, "sample", 2)).flatten(1)
    assert drawn.abs().max() > 1.2
    assert torch.equal(Sampler(generator, "raw", settings, BATCH, seed=3).batch(2), drawn.clamp(-1, 1))
