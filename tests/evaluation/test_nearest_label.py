"""The nearest labeled references, against all distances at once."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation import nearest_label
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.nearest_label import Found, LabeledSamples, RealImages, nearest_labels, pixels
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.model.dcgan import Generator
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings

NUMBERS, BATCH = (5, 40, 100), 8


@pytest.fixture(scope="module")
def sampler(blots: Callable[[NetworkSettings, int], nn.Module]) -> Sampler:
    settings = NetworkSettings(image_size=16, latent_size=5, channels=1, classes=7)
    return Sampler(blots(settings, 0), "raw", settings, BATCH, seed=3)


@pytest.fixture
def samples(sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> LabeledSamples:
    """In blocks of 16."""
    monkeypatch.setattr(nearest_label, "TOGETHER", 2)
    monkeypatch.setattr(nearest_label, "QUERIES", 9)
    return LabeledSamples(sampler, "run")


@pytest.fixture(scope="module")
def images(sampler: Sampler) -> torch.Tensor:
    return torch.cat([(replace(sampler, seed=9).labeled(i)[0] + 1) / 2 for i in range(4)])


def test_the_nearest_of_the_first_so_many_samples_tells_the_class(
    samples: LabeledSamples, images: torch.Tensor
) -> None:
    found = nearest_labels(samples, images, NUMBERS, range(7))
    drawn, labels = (torch.cat(c) for c in zip(*(samples.sampler.labeled(i) for i in range(13)), strict=True))
    for row, number in enumerate(NUMBERS):
        every = torch.cdist(images.double(), (drawn[:number].double() + 1) / 2)
        assert torch.equal(found.places[row], every.argmin(1))
        assert torch.equal(found.labels[row], labels[every.argmin(1)])
        torch.testing.assert_close(found.distances[row].double(), every.amin(1), rtol=0, atol=1e-4)
    assert len(found.labels[2].unique()) > 1
    assert not torch.equal(found.places[0], found.places[2])


def test_samples_are_those_that_the_sampler_draws_and_of_the_classes_that_it_gave_them(sampler: Sampler) -> None:
    images, labels = sampler.labeled(2)
    assert torch.equal(images.unflatten(1, (1, 16, 16)).expand(-1, 3, -1, -1).flatten(1), sampler.batch(2))
    z = latents(sampler.settings, BATCH, 3, "sample", 2)
    with torch.no_grad():
        assert torch.equal(sampler.generator(z, labels=labels).flatten(1), images)
        assert not torch.equal(sampler.generator(z, labels=(labels + 1) % 7).flatten(1), images)


def test_networks_without_classes_have_no_labeled_samples() -> None:
    settings = NetworkSettings(image_size=16, generator_maps=4)
    with pytest.raises(ValueError, match="know no classes"):
        Sampler(Generator(settings).eval(), "raw", settings, BATCH, seed=3).labeled(0)


def test_blocks_in_any_order_and_any_parts_find_the_same_bits(samples: LabeledSamples, images: torch.Tensor) -> None:
    whole = nearest_labels(samples, images, NUMBERS, range(7))
    parts = [nearest_labels(samples, images, NUMBERS, blocks) for blocks in ([6, 1], [5], [], [0, 4, 2, 3])]
    found = parts[0]
    for part in parts[1:]:
        found = found.merge(part)
    for name in ("distances", "places", "labels"):
        assert torch.equal(getattr(found, name), getattr(whole, name))


def test_of_equally_near_references_the_first_counts() -> None:
    def one(distance: float, place: int, label: int) -> Found:
        return Found(torch.tensor([[distance]]), torch.tensor([[place]]), torch.tensor([[label]]))

    for pair in ((one(2.5, 9, 1), one(2.5, 4, 6)), (one(2.5, 4, 6), one(2.5, 9, 1))):
        assert pair[0].merge(pair[1]).labels.item() == 6
    assert one(2.5, 9, 1).merge(Found.none(1, 1)).labels.item() == 1
    assert Found.none(1, 1).merge(one(2.5, 9, 1)).places.item() == 9


def test_real_images_are_compared_by_their_raw_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest_label, "BLOCK", 8)
    random = np.random.default_rng(1)
    pictures = np.repeat(random.integers(0, 256, (20, 4, 4, 1), dtype=np.uint8), 3, 3)
    order = random.permutation(20)
    real = RealImages(Labeled(ArrayPictures(pictures, "random"), order, np.arange(20) % 3), channels=1)
    asked = pixels(pictures[order[[11, 2, 19]]], 1)
    assert torch.equal(asked[0], pixels(pictures[order], 1)[11])
    np.testing.assert_allclose(asked[0], pictures[order[11], ..., 0].reshape(-1) / 255, atol=1e-6)
    found = nearest_labels(real, asked, (20,), range(3))
    assert found.places.tolist() == [[11, 2, 19]]
    assert found.labels.tolist() == [[2, 2, 1]]
    colored = random.integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    expected = colored.transpose(0, 3, 1, 2).reshape(2, -1) / 255
    np.testing.assert_allclose(pixels(colored, 3), expected, atol=1e-6)


def test_samples_that_are_not_finite_are_refused(samples: LabeledSamples) -> None:
    broken = Generator(samples.sampler.settings).eval()
    nn.init.constant_(next(broken.parameters()), torch.nan)
    with pytest.raises(DataError, match="samples of run are not finite: the generator has diverged; take an earlier"):
        LabeledSamples(replace(samples.sampler, generator=broken), "run").block(0)
