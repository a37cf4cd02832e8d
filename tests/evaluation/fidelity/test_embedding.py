"""From images and samples to features, in parts."""

import numpy as np
import pytest
import torch

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.fidelity.embedding import drawn, embed, held_out, join
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.settings import NetworkSettings

SIDE = 16
IMAGES = np.random.default_rng(0).integers(0, 256, (300, SIDE, SIDE, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    settings = NetworkSettings(image_size=SIDE, generator_maps=4)
    generator = Generator(settings)
    initialize(generator, 0)
    return Sampler(generator, "raw", settings, 24, seed=3)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_all_images_count_and_the_first_are_kept(parts: int) -> None:
    order = np.random.default_rng(1).permutation(300)
    labeled = Labeled(ArrayPictures(IMAGES, "noise"), order, np.zeros(300, np.int64))
    each = [embed(held_out(labeled, part, parts), PixelFeatures(), 290) for part in range(parts)]
    features, moments, checksum = join(each)
    every = PixelFeatures().features(IMAGES[order])
    assert torch.equal(features, every[:290])
    assert moments.count == 300
    torch.testing.assert_close(moments.mean, every.double().mean(0), rtol=1e-12, atol=1e-12)
    assert checksum == join([embed(held_out(labeled, 0, 1), PixelFeatures(), 1)])[2]


@pytest.mark.parametrize("parts", [1, 3])
def test_samples_are_those_with_fixed_statistics_and_each_is_drawn_once(sampler: Sampler, parts: int) -> None:
    batches = sorted((first, images) for part in range(parts) for first, images in drawn(sampler, 100, part, parts))
    assert [first for first, _ in batches] == [0, 24, 48, 72, 96]
    samples = np.concatenate([images for _, images in batches])
    assert np.array_equal(samples, np.concatenate(list(sampler.frozen().draw(100, seed=3))))
    assert samples.shape == (100, SIDE, SIDE, 3)
    # Those with the statistics of each batch are others.
    of_batch = to_uint8(sampler.batch(0).reshape(24, 3, SIDE, SIDE))
    assert not np.array_equal(samples[:24], of_batch)


def test_a_part_without_anything_is_left_out() -> None:
    whole, nothing = embed([(0, IMAGES[:5])], PixelFeatures(), 9), embed([], PixelFeatures(), 9)
    assert nothing.moments is None
    features, moments, _ = join([nothing, whole])
    assert (len(features), moments.count) == (5, 5)


def test_features_that_are_not_finite_are_refused() -> None:
    class Diverged(PixelFeatures):
        def features(self, images: np.ndarray) -> torch.Tensor:
            return super().features(images).log()

    with pytest.raises(DataError, match="features of task fidelity are not finite: the network has diverged"):
        embed([(0, IMAGES[:5])], Diverged(), 9)
