"""z of given pictures: a generator's own samples are found again, other pictures are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.data.image_decoding import gray
from dcgan_dist.data.scenes import draw
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.studies.latent_search import search_latents

NETWORKS = NetworkSettings(image_size=16, generator_maps=8, discriminator_maps=4, latent_size=10)


def generator(networks: NetworkSettings = NETWORKS) -> FrozenGenerator:
    """Its images differ much more than those of initial weights do."""
    network = Generator(networks)
    initialize(network, 3)
    with torch.no_grad():
        network.get_parameter("layers.1.linear.weight").mul_(8)
    about = About("mine", "000000000640", 640, "raw", networks, 32, "fixed statistics")
    return FrozenGenerator(freeze(network, networks, 32), about)


def rooms(number: int) -> np.ndarray:
    return np.stack([draw("rooms", 16, 5, index).image for index in range(number)])


@pytest.mark.parametrize("latent", ["uniform", "normal"])
def test_own_samples_are_found_and_other_pictures_are_not(latent: str) -> None:
    one = generator(replace(NETWORKS, latent=latent))  # type: ignore[arg-type]
    samples = np.concatenate(list(one.draw(12, seed=4)))
    own, other = (search_latents(one, images, 80, 3, seed=1) for images in (samples, rooms(12)))
    assert own.errors.max() < 5
    assert other.errors.min() > 3 * own.errors.max()
    # Errors are of the images that are shown beside the pictures, each beside its own.
    shown = np.sqrt(((own.images.astype(float) - samples) ** 2).mean(axis=(1, 2, 3)))
    assert np.abs(shown - own.errors).max() < 0.5


def test_what_is_found_for_a_picture_does_not_depend_on_the_others() -> None:
    one, images = generator(), rooms(30)
    together = search_latents(one, images, 20, 3, seed=1)
    for rows in ([25], [29, 3, 22]):
        alone = search_latents(one, images[rows], 20, 3, seed=1)
        assert np.array_equal(alone.images, together.images[rows])
        assert np.array_equal(alone.errors, together.errors[rows])


def test_more_steps_and_more_starts_come_nearer() -> None:
    one, images = generator(), rooms(12)
    few, more, longer = (
        search_latents(one, images, steps, starts, seed=2).errors for steps, starts in ((15, 1), (15, 4), (90, 1))
    )
    assert (more <= few + 1e-5).all()
    assert longer.mean() < few.mean()


@pytest.mark.parametrize("latent", ["uniform", "normal"])
def test_z_stay_where_they_are_drawn_from(latent: str) -> None:
    class Sum(nn.Module):
        """Gray, by the sum of the components of z: white is farther away than any z."""

        weight = nn.Parameter(torch.zeros(1))

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return (z.sum(1) / 100)[:, None, None, None].expand(-1, 3, 16, 16)

    networks = replace(NETWORKS, latent=latent)  # type: ignore[arg-type]
    one = FrozenGenerator(Sum(), replace(generator().about, networks=networks))
    found = search_latents(one, np.full((1, 16, 16, 3), 255, np.uint8), 100, 1, seed=0)
    # All components are alike: 1, or those of the longest normal z.
    most = 10 if latent == "uniform" else 10**0.5 * (10**0.5 + 2)
    assert found.errors[0] == pytest.approx((1 - most / 100) * 127.5, rel=1e-3)


def test_pictures_become_shades_of_gray_where_the_generator_draws_these() -> None:
    one, images = generator(replace(NETWORKS, channels=1)), rooms(4)
    grays = gray(images).repeat(3, 3)
    found, expected = (search_latents(one, some, 15, 2, seed=2) for some in (images, grays))
    assert np.array_equal(found.images, expected.images)
    assert np.array_equal(found.errors, expected.errors)
    shown = np.sqrt(((found.images.astype(float) - grays) ** 2).mean(axis=(1, 2, 3)))
    assert np.abs(shown - found.errors).max() < 0.5
