"""Features of a discriminator of a user's own: those of an image do not depend on the images beside it."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.discriminator import OwnFeatures, of_random
from dcgan_dist.model.batchnorm import BatchNorm
from dcgan_dist.settings import NetworkSettings

SETTINGS = NetworkSettings(image_size=16, factory="tests:build")


class Discriminator(nn.Module):
    """Two layers, one with our batch normalization, one with PyTorch's, and maps of 6 x 6 and 3 x 3."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = spectral_norm(nn.Conv2d(3, 5, 5, stride=3)), nn.Conv2d(5, 2, 2, stride=2)
        self.norm, self.other = BatchNorm(5), nn.BatchNorm2d(2)
        nn.init.constant_(self.norm.weight, 1.5)
        nn.init.constant_(self.norm.bias, 0.5)

    def maps(self, images: Tensor) -> list[Tensor]:
        first = F.relu(self.norm(self.one(F.pad(images, (2, 2, 2, 2)))))
        return [first, self.other(self.two(first))]


def build(settings: NetworkSettings) -> tuple[nn.Module, nn.Module]:
    return nn.Linear(1, 1), Discriminator()


CODE = {"tests:build": build}


def pictures(number: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (number, 16, 16, 3), np.uint8)


def test_features_of_an_image_depend_on_it_alone_and_survive_a_journey() -> None:
    images = pictures(50)
    encoder = of_random(SETTINGS, 3, CODE)
    assert isinstance(encoder, OwnFeatures)
    assert encoder.recipe["maps"] == [[5, 6, 6], [2, 3, 3]]
    assert encoder.recipe["statistics"] == (
        "means and biased variances of batches of 128 training images, averaged and running statistics of the training "
        "batches"
    )
    parts = [encoder.gather([images[:20]]), pickle.loads(pickle.dumps(encoder)).gather([images[20:40]])]
    ready = encoder.combine(parts)
    found = ready.features(images)
    assert found.shape == (50, 5 * 4 * 4 + 2 * 3 * 3)
    torch.testing.assert_close(ready.features(images[7:8]), found[7:8], rtol=0, atol=1e-6)
    torch.testing.assert_close(pickle.loads(pickle.dumps(ready)).features(images), found, rtol=0, atol=0)
    assert found.std(0).min() > 0


def test_a_discriminator_without_batch_normalization_is_not_said_to_have_statistics() -> None:
    networks = NetworkSettings(image_size=16, discriminator_maps=3, batchnorm="nowhere")
    assert of_random(networks, 0).recipe["statistics"] == "no layers of batch normalization"


def test_a_discriminator_without_maps_is_told() -> None:
    with pytest.raises(SettingsError, match=r"networks\.factory tests:build has no method maps"):
        of_random(SETTINGS, 3, {"tests:build": lambda settings: (nn.Linear(1, 1), nn.Linear(1, 1))})
