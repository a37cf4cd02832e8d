"""Which encoder a name of features stands for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures, of_random
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.encoders.registry import Sources, make_encoder, require_known
from dcgan_dist.evaluation.task import ArrayPictures, Task
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.run_folder.checkpoint import Checkpoint
from dcgan_dist.settings import NetworkSettings, Settings


def test_a_number_in_a_name_is_handed_to_the_encoder(bands: Task) -> None:
    pytest.importorskip("faiss")
    encoder = make_encoder("kmeans205", Sources(bands, None, "", 0))
    assert isinstance(encoder, KMeansFeatures)
    assert (encoder.centroids_number, encoder.images) == (205, 900)


@pytest.mark.parametrize("name", ["pixels", "knn"])
def test_names_without_a_number(bands: Task, name: str) -> None:
    require_known(name)
    assert make_encoder(name, Sources(bands, None, "", 0)) == PixelFeatures()


@pytest.mark.parametrize("name", ["", "kmeans", "kmeans0", "kmeansNUMBER", "kmeans12x", "pixels3", "Pixels"])
def test_names_that_stand_for_nothing_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"features is '{name}' but needs names of discriminator, .*, kmeansNUMBER"):
        require_known(name)


def test_published_features_are_of_images_of_their_size_alone(bands: Task) -> None:
    with pytest.raises(SettingsError, match=r"published-svhn are made for images of 32 x 32 pixels .* bands have 16"):
        make_encoder("published-svhn", Sources(bands, None, "", 0))


def test_centroids_are_no_more_than_patches_and_patches_no_larger_than_images(bands: Task) -> None:
    pytest.importorskip("faiss")
    assert make_encoder("kmeans400000", Sources(bands, None, "", 0)).recipe["centroids"] == 400_000
    with pytest.raises(
        SettingsError, match="features kmeans400001 have more centroids than patches, which are 400,000"
    ):
        make_encoder("kmeans400001", Sources(bands, None, "", 0))
    pixels = np.zeros((len(bands.train), 5, 5, 3), np.uint8)
    small = replace(bands, train=replace(bands.train, pictures=ArrayPictures(pixels, "small")))
    with pytest.raises(SettingsError, match="patches of 6 x 6 pixels but the images of task bands have 5"):
        make_encoder("kmeans9", Sources(small, None, "", 0))


def test_features_of_a_run_are_of_its_weights_and_random_ones_of_the_seed(bands: Task) -> None:
    networks = NetworkSettings(image_size=16, discriminator_maps=3)
    network = Discriminator(networks)
    initialize(network, 7)
    state = {"discriminator": network.state_dict()}
    checkpoint = Checkpoint("000000000006", 3, 6, Settings(networks=networks, images=1), state)

    def weights(name: str, seed: int) -> Tensor:
        encoder = make_encoder(name, Sources(bands, checkpoint, "", seed))
        assert isinstance(encoder, DiscriminatorFeatures)
        return next(encoder.discriminator.parameters())

    assert torch.equal(weights("discriminator", 3), next(network.parameters()))
    assert torch.equal(weights("random", 3), next(of_random(networks, 3).discriminator.parameters()))
    assert torch.equal(weights("random", 4), next(of_random(networks, 4).discriminator.parameters()))
