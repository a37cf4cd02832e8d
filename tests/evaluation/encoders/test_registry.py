"""Which encoder a name of features stands for."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dcgan_dist.cli.arguments import read
from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures, of_random
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.encoders.exemplar import CLASSES, PASSES, ExemplarFeatures
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from dcgan_dist.evaluation.encoders.kmeans_layers import FIELDS, SHARE, LayeredKMeans
from dcgan_dist.evaluation.encoders.nothing import NoFeatures
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.encoders.registry import FEATURES, Sources, make_encoder, require_known
from dcgan_dist.evaluation.service.comparison import EvaluateOptions
from dcgan_dist.evaluation.task import ArrayPictures, Task
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.run_folder.checkpoint import Checkpoint, write_checkpoint
from dcgan_dist.settings import NetworkSettings, OptimizationSettings, Settings, SupervisedSettings, to_yaml
from dcgan_dist.storage import place


def test_a_number_in_a_name_is_handed_to_the_encoder(bands: Task) -> None:
    pytest.importorskip("faiss")
    encoder = make_encoder("kmeans205", Sources(bands, None, "", 0))
    assert isinstance(encoder, KMeansFeatures)
    assert (encoder.centroids_number, encoder.images) == (205, 900)


def test_classes_and_passes_of_exemplars_are_in_their_name(bands: Task) -> None:
    encoder = make_encoder("exemplar12-passes3", Sources(bands, None, "", 0))
    assert isinstance(encoder, ExemplarFeatures)
    assert (encoder.classes, encoder.passes, encoder.fitted) == (12, 3, False)
    with pytest.raises(SettingsError, match="features exemplar8000-passes10 have 8000 classes"):
        make_encoder("exemplar", Sources(bands, None, "", 0))


def test_layers_have_two_numbers_in_their_name(bands: Task) -> None:
    pytest.importorskip("faiss")
    encoder = make_encoder("kmeans208-layers2", Sources(bands, None, "", 0))
    assert isinstance(encoder, LayeredKMeans)
    assert (encoder.first.centroids_number, encoder.first.images, encoder.layers) == (208, 900, 2)
    recipe = encoder.recipe
    assert (recipe["layers"], recipe["maps_of_a_field"], recipe["pools"]) == (2, 26, [3])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("exemplar1-passes3", "have 1 classes, each of a patch of another image, but need 2 to "),
        (
            "exemplar901-passes3",
            "have 901 classes, each of a patch of another image, but need 2 to 900, as many as task",
        ),
        ("kmeans208-layers1", "have 1 layers but K-means has 2 to 3 with fields"),
        ("kmeans208-layers4", "have 4 layers but K-means has 2 to 3"),
        ("kmeans209-layers2", "have 209 centroids but need a multiple of 8, at least 16"),
        ("kmeans8-layers2", "have 8 centroids but need a multiple of 8, at least 16"),
        ("kmeans208-layers3", "need images of 26 x 26 pixels but those of task bands have 16: take fewer layers"),
    ],
)
def test_layers_that_cannot_be_made_are_refused(bands: Task, name: str, message: str) -> None:
    pytest.importorskip("faiss")
    with pytest.raises(SettingsError, match=f"features {name} {message}"):
        make_encoder(name, Sources(bands, None, "", 0))


@pytest.mark.parametrize("name", ["pixels", "knn"])
def test_names_without_a_number(bands: Task, name: str) -> None:
    require_known(name)
    assert make_encoder(name, Sources(bands, None, "", 0)) == PixelFeatures()


@pytest.mark.parametrize(
    "name",
    ["", "kmeans", "kmeans0", "kmeansNUMBER", "kmeans12x", "kmeans-layers2", "kmeans8-layers", "pixels3", "Pixels"],
)
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
    with pytest.raises(CheckpointError, match=r"holds no averaged discriminator: .*average-discriminator-images"):
        weights("averaged", 3)
    state["averaged_discriminator"] = {name: value + 0.5 for name, value in network.state_dict().items()}
    assert torch.equal(weights("averaged", 3), next(network.parameters()) + 0.5)
    assert torch.equal(weights("random", 3), next(of_random(networks, 3).discriminator.parameters()))
    assert torch.equal(weights("random", 4), next(of_random(networks, 4).discriminator.parameters()))


def test_networks_that_learn_from_labels_take_the_settings_of_a_run_that_did(bands: Task, tmp_path: Path) -> None:
    networks = NetworkSettings(image_size=16, discriminator_maps=3)
    plain = Settings(networks=networks, images=1)
    weights = Discriminator(networks)
    initialize(weights, 4)
    state = {"discriminator": weights.state_dict()}
    gan = place(str(tmp_path / "gan"))
    (gan / "settings.yaml").write_bytes(to_yaml(plain).encode())
    write_checkpoint(gan, state, plain, step=2, attempt=1, kept=True)

    def encoder(name: str, **supervised: object) -> Encoder:
        settings = replace(
            plain,
            optimization=OptimizationSettings(batch_size=12, lr=3e-3),
            supervised=SupervisedSettings(**supervised),  # type: ignore[arg-type]
        )
        checkpoint = Checkpoint("000000000024", 2, 24, settings, {"total_steps": 40})
        return make_encoder(name, Sources(bands, checkpoint, "", 0))

    made = encoder("supervised", task="bands", dropout=0.25)
    assert isinstance(made, NoFeatures)
    assert (made.recipe["dropout"], made.recipe["optimization"]["lr"], made.recipe["total_images"]) == (0.25, 3e-3, 480)
    assert made.recipe["begins_with_sha256"] == ""
    tuned = encoder("finetuned", task="bands", begin_with=str(gan))
    assert re.fullmatch("[0-9a-f]{64}", tuned.recipe["begins_with_sha256"])
    for name, supervised, told in (
        ("supervised", {}, "this one was trained without: train one with --supervised bands first"),
        ("finetuned", {}, "train one with --supervised bands --supervised.begin-with RUN first"),
        ("finetuned", {"task": "bands"}, "this one began with initial weights: give supervised"),
        (
            "supervised",
            {"task": "bands", "begin_with": str(gan)},
            "this one began with a trained discriminator: give fine",
        ),
        ("discriminator", {"task": "bands"}, "this run was trained on labels: leave them out"),
        ("averaged", {"task": "bands"}, "this run was trained on labels: leave them out"),
    ):
        with pytest.raises(SettingsError, match=told):
            encoder(name, **supervised)


def test_help_names_all_features_and_what_their_numbers_need(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(EvaluateOptions, ["--help"], prog="evaluate")
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    (told,) = re.findall(r"--features NAME,\.\.\. .*?--published FOLDER", told)
    for name in FEATURES:
        assert re.search(f"`{name.replace('NUMBER', '[0-9]+')}`", told), name
    assert f"a multiple of {SHARE} centroids, at least {FIELDS}" in told
    assert f"of {CLASSES:,} classes after {PASSES} passes" in told
