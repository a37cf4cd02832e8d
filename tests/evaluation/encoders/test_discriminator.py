"""Features of a discriminator of a user's own: those of an image do not depend on the images beside it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.encoders import maps
from dcgan_dist.evaluation.encoders.discriminator import (
    DiscriminatorFeatures,
    OwnFeatures,
    features_of,
    of_discriminator,
    of_random,
)
from dcgan_dist.model.batchnorm import BatchNorm, average
from dcgan_dist.model.dcgan import Discriminator as OurDiscriminator
from dcgan_dist.model.dcgan import initialize
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.settings import PRESETS, NetworkSettings, Settings

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


def pictures(number: int, size: int = 16) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (number, size, size, 3), np.uint8)


def test_features_of_an_image_depend_on_it_alone_and_survive_a_journey() -> None:
    images = pictures(50)
    encoder = of_random(SETTINGS, 3, CODE)
    assert isinstance(encoder, OwnFeatures)
    assert (encoder.recipe["factory"], encoder.recipe["maps"]) == ("tests:build", [[5, 6, 6], [2, 3, 3]])
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


def test_features_of_the_convolutional_original_gan_are_pooled_maps_and_units() -> None:
    settings = replace(
        PRESETS["original32conv"]().networks, generator_maps=1, discriminator_maps=2, maxout_pieces=3, dense_units=7
    )
    encoder = of_random(settings, 3)
    assert isinstance(encoder, OwnFeatures)
    assert encoder.recipe["structure"] == "maxout-conv"
    assert encoder.recipe["maps"] == [[2, 16, 16], [2, 7, 7], [12, 5, 5], [7, 1, 1]]
    images = pictures(9, 32)
    found = encoder.combine([encoder.gather([images])]).features(images)
    first, *_, units = encoder.discriminator.maps(torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1)
    assert found.shape == (9, 16 * (2 + 2 + 12) + 7)
    torch.testing.assert_close(found[:, :32], first.unflatten(3, (4, 4)).unflatten(2, (4, 4)).amax((3, 5)).flatten(1))
    torch.testing.assert_close(found[:, -7:], units.flatten(1))


def test_features_of_the_original_gan_are_its_hidden_units() -> None:
    settings = replace(PRESETS["original32"]().networks, image_size=16, generator_maps=3, discriminator_maps=5)
    encoder = of_random(settings, 3)
    assert isinstance(encoder, OwnFeatures)
    assert (encoder.recipe["structure"], encoder.recipe["maps"]) == ("maxout", [[5, 1, 1], [5, 1, 1]])
    assert "factory" not in encoder.recipe
    images = pictures(40)
    fitted = pickle.loads(pickle.dumps(encoder.combine([encoder.gather([images])])))
    found = fitted.features(images)
    units = encoder.discriminator.maps(torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1)
    torch.testing.assert_close(found, torch.cat(units, 1).flatten(1))
    assert found.shape == (40, 10)
    # Without its settings, as from Python.
    again = features_of(encoder.discriminator)
    assert again.recipe == encoder.recipe


def test_statistics_of_whatever_batch_are_told() -> None:
    def build_without(settings: NetworkSettings) -> tuple[nn.Module, nn.Module]:
        discriminator = Discriminator()
        discriminator.norm, discriminator.other = nn.Identity(), nn.BatchNorm2d(2, track_running_stats=False)
        return nn.Linear(1, 1), discriminator

    recipe = of_random(SETTINGS, 0, {"tests:build": build_without}).recipe
    assert recipe["statistics"] == "of whatever images are computed together"


def test_a_discriminator_without_maps_is_told() -> None:
    with pytest.raises(SettingsError, match=r"networks\.factory tests:build has no method maps"):
        of_random(SETTINGS, 3, {"tests:build": lambda settings: (nn.Linear(1, 1), nn.Linear(1, 1))})


OURS = NetworkSettings(image_size=16, discriminator_maps=3)


def checkpoint_of(networks: NetworkSettings, weights: dict[str, Tensor], **more: object) -> Checkpoint:
    settings = Settings(networks=networks, images=1)
    return Checkpoint("000000000006", 3, 6, settings, {"discriminator": weights}, **more)  # type: ignore[arg-type]


def test_features_of_ours_are_those_of_the_weights_and_of_the_statistics_of_all_parts() -> None:
    network = OurDiscriminator(OURS)
    initialize(network, 7)
    images = pictures(40)
    x = maps.to_float(images, torch.device("cpu"))
    statistics = average([maps.batch_statistics(network, part) for part in (x[:10], x[10:30], x[30:])])
    for encoder in (of_discriminator(checkpoint_of(OURS, network.state_dict())), features_of(network)):
        assert isinstance(encoder, DiscriminatorFeatures)
        assert encoder.recipe["maps"] == [3, 6]
        ready = encoder.combine([encoder.gather([images[:10], images[10:30]]), encoder.gather([images[30:]]), None])
        torch.testing.assert_close(ready.features(images), maps.features(network, statistics, x))


def test_features_of_a_users_own_are_those_of_the_checkpoints_weights() -> None:
    network = Discriminator()
    images = pictures(20)
    found = []
    for encoder in (of_discriminator(checkpoint_of(SETTINGS, network.state_dict(), code=CODE)), features_of(network)):
        assert isinstance(encoder, OwnFeatures)
        found.append(encoder.combine([encoder.gather([images])]).features(images))
    torch.testing.assert_close(*found)


def test_random_features_are_those_of_their_seed() -> None:
    images = pictures(6)

    def found(seed: int) -> Tensor:
        encoder = of_random(OURS, seed)
        return encoder.combine([encoder.gather([images])]).features(images)

    assert torch.equal(found(3), found(3))
    assert not torch.allclose(found(3), found(4))


def test_weights_of_other_networks_are_refused_by_name() -> None:
    weights = OurDiscriminator(NetworkSettings(image_size=16, discriminator_maps=4)).state_dict()
    with pytest.raises(CheckpointError, match="the checkpoint's discriminator does not fit"):
        of_discriminator(checkpoint_of(OURS, weights))


@pytest.mark.parametrize("networks", [OURS, SETTINGS])
def test_features_need_the_statistics_of_training_images(networks: NetworkSettings) -> None:
    encoder = of_random(networks, 3, CODE)
    with pytest.raises(RuntimeError, match="features need statistics: fit the encoder first"):
        encoder.features(pictures(2))


@pytest.mark.parametrize("networks", [OURS, SETTINGS])
def test_an_encoder_goes_to_a_device(networks: NetworkSettings) -> None:
    moved = of_random(networks, 3, CODE).to(torch.device("meta"))
    assert {weight.device.type for weight in moved.discriminator.parameters()} == {"meta"}


def test_the_same_weights_in_other_layers_have_another_recipe() -> None:
    networks = NetworkSettings(image_size=16, discriminator_maps=3)
    recipes = [
        of_random(replace(networks, **chosen), 0).recipe
        for chosen in ({}, {"discriminator_activations": "tanh"}, {"resampling": "pooling"})
    ]
    assert recipes[1] == recipes[0] | {"discriminator_activations": "tanh"}
    assert recipes[2] == recipes[0] | {"resampling": "pooling"}
    assert recipes[0].keys() == {"maps", "statistics", "pooling"}, "results of before keep their names"
