"""Features of a discriminator, averaged over the places of each map."""

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_dist.evaluation.encoders.discriminator import features_of
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.encoders.pooled import pooled
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.settings import NetworkSettings

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)


def test_of_ours_there_is_one_number_of_each_map() -> None:
    discriminator = Discriminator(NetworkSettings(image_size=16, discriminator_maps=6))
    initialize(discriminator, 3)
    encoder = pooled(features_of(discriminator))
    assert not encoder.fitted
    fitted = fit(encoder, lambda one: [one.gather([IMAGES[:25]]), one.gather([IMAGES[25:]])])
    whole = fitted.encoder.features(IMAGES)
    maps = [count for count, _ in encoder.maps]
    assert maps == [6, 12]
    found = fitted.features(IMAGES)
    assert found.shape == (40, 18)
    for column, first in ((0, 0), (5, 80), (6, 96), (17, 272)):
        torch.testing.assert_close(found[:, column], whole[:, first : first + 16].mean(1))


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 5, 5, stride=5), nn.Conv2d(5, 2, 2)

    def maps(self, images: Tensor) -> list[Tensor]:
        first = self.one(images)
        return [first, self.two(first)]


def test_of_a_users_own_whatever_size_its_maps_have() -> None:
    encoder = pooled(features_of(Own(), NetworkSettings(image_size=16, factory="mine:build")))
    assert list(encoder.maps) == [(5, 9), (2, 4)]
    fitted = fit(encoder, lambda one: [one.gather([IMAGES])])
    whole = fitted.encoder.features(IMAGES)
    torch.testing.assert_close(fitted.features(IMAGES)[:, 4], whole[:, 36:45].mean(1))
    torch.testing.assert_close(fitted.features(IMAGES)[:, 6], whole[:, 49:53].mean(1))
