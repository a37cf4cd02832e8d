"""What a run that is trained on labels learns from, and how."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.labels import (
    BEGINNING,
    LATER,
    LAYERS,
    describe,
    learning_of,
    of_labels,
    open_task,
    pinned,
    read_labeled,
)
from dcgan_dist.evaluation.probe import draw_labels
from dcgan_dist.evaluation.task import FewLabels, Task
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import NetworkSettings, OptimizationSettings, Settings, SupervisedSettings, to_yaml
from dcgan_dist.storage import place

NETWORKS = NetworkSettings(image_size=16, discriminator_maps=3, generator_maps=2)
SETTINGS = Settings(
    images=900,
    seed=8,
    networks=NETWORKS,
    optimization=OptimizationSettings(batch_size=20, lr=3e-3),
    supervised=SupervisedSettings(task="rooms", dropout=0.3),
)


def with_run(folder: Path, settings: Settings, weights: Discriminator | None) -> str:
    """A run with two checkpoints, of which the newer one has other weights."""
    run = place(str(folder / "gan"))
    (run / "settings.yaml").write_bytes(to_yaml(settings).encode())
    for step, shift in ((3, 0.0), (6, 0.25)):
        state = (
            {}
            if weights is None
            else {"discriminator": {name: value.detach() + shift for name, value in weights.state_dict().items()}}
        )
        write_checkpoint(run, state, settings, step=step, attempt=1, kept=True)
    return str(run)


@pytest.fixture
def weights() -> Discriminator:
    network = Discriminator(NETWORKS)
    initialize(network, 21)
    return network


def test_images_held_out_are_none_that_are_learned_from(bands: Task) -> None:
    every = read_labeled(of_labels(bands, 0), 20)
    assert (len(every.images), len(every.held_out), every.classes) == (700, 200, 3)
    assert np.array_equal(every.images, bands.train.read(np.arange(700)))
    assert np.array_equal(every.held_out_labels, bands.train.labels[700:])
    few = read_labeled(of_labels(bands, 7), 20)
    places = draw_labels(bands.train.labels[:700], 7, bands.seed, 0)
    assert np.array_equal(few.images, bands.train.read(places))
    assert np.bincount(few.labels).tolist() == [7, 7, 7]
    assert np.array_equal(few.held_out, every.held_out)


def test_a_task_is_for_as_many_labels_as_the_run_learned_from(bands: Task) -> None:
    every = of_labels(bands, 0)
    assert (every.all_labels, every.few) == (True, None)
    few = of_labels(bands, 7)
    assert (few.all_labels, few.few) == (False, FewLabels(7, 2, 3))
    assert of_labels(replace(bands, few=None), 7).few == FewLabels(7, 10, 10)


def test_more_labels_than_there_are_are_refused(bands: Task) -> None:
    fewest = int(np.bincount(bands.train.labels[:700]).min())
    of_labels(bands, fewest)
    with pytest.raises(SettingsError, match=rf"per_class is {fewest + 1} but a class of task bands has only {fewest} "):
        of_labels(bands, fewest + 1)
    with pytest.raises(SettingsError, match=r"batch_size is 22 but there are only 21 labeled images .*--batch-size 2"):
        read_labeled(of_labels(bands, 7), 22)


def test_one_task_is_learned() -> None:
    assert open_task(SETTINGS).name == "rooms"
    two = replace(SETTINGS, supervised=SupervisedSettings(task="rooms,neighbours"))
    with pytest.raises(SettingsError, match="--supervised names 2 tasks but a network learns the classes of one"):
        open_task(two)


def test_fine_tuning_begins_with_the_checkpoint_that_was_the_newest(tmp_path: Path, weights: Discriminator) -> None:
    run_settings = replace(SETTINGS, supervised=SupervisedSettings())
    run = with_run(tmp_path, run_settings, weights)
    newest = pinned(replace(SETTINGS, supervised=SupervisedSettings(task="rooms", begin_with=run)))
    assert newest.supervised.begin_with == f"{run}/checkpoints/000000000120"
    learning = learning_of(newest, 45)
    assert learning.beginning is not None
    torch.testing.assert_close(learning.beginning["head.weight"], weights.head.weight + 0.25)
    older = replace(newest, supervised=SupervisedSettings(task="rooms", begin_with=f"{run}/checkpoints/000000000060"))
    assert pinned(older) == older
    first = learning_of(older, 45)
    assert describe(first)["begins_with_sha256"] != describe(learning)["begins_with_sha256"] != ""
    assert describe(learning)["total_images"] == 900
    assert (learning.dropout, learning_of(SETTINGS, 45).dropout, learning.seed) == (0.0, 0.3, 8)
    assert learning_of(SETTINGS, 45).beginning is None


def test_fine_tuning_of_what_is_no_discriminator_of_ours_is_refused(tmp_path: Path, weights: Discriminator) -> None:
    begun = replace(SETTINGS, supervised=SupervisedSettings(task="rooms", begin_with=str(tmp_path / "gan")))
    with pytest.raises(CheckpointError, match="is not the folder of a run"):
        pinned(begun)
    with_run(tmp_path, SETTINGS, None)
    with pytest.raises(SettingsError, match=r"begin_with is .*gan, which holds no discriminator, but a network for"):
        learning_of(begun, 45)
    own = replace(SETTINGS, networks=replace(NETWORKS, factory="mine:build"), supervised=SupervisedSettings())
    with_run(tmp_path, own, weights)
    with pytest.raises(SettingsError, match="which holds networks of your own: give a run with the paper's"):
        learning_of(begun, 45)


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        ({"output": "sigmoid"}, "networks.output is sigmoid there and tanh here; give the networks"),
        (
            {"batchnorm": "everywhere", "batchnorm_gain": False},
            "batchnorm is everywhere there and prescribed here, net",
        ),
        ({"discriminator_activations": "tanh"}, "discriminator_activations is tanh there and leaky_relu here"),
        ({"resampling": "pooling"}, "networks.resampling is pooling there and strided here"),
    ],
)
def test_fine_tuning_in_layers_that_compute_something_else_is_refused(
    tmp_path: Path, weights: Discriminator, networks: dict[str, Any], told: str
) -> None:
    with_run(
        tmp_path, replace(SETTINGS, networks=replace(NETWORKS, **networks), supervised=SupervisedSettings()), weights
    )
    begun = replace(SETTINGS, supervised=SupervisedSettings(task="rooms", begin_with=str(tmp_path / "gan")))
    with pytest.raises(SettingsError, match=told):
        learning_of(begun, 45)
    other_head = replace(NETWORKS, head="average", initial_sd=0.07, **networks)
    assert learning_of(replace(begun, networks=other_head), 45).beginning is not None


def test_every_setting_of_networks_counts_or_has_no_part_in_what_is_learned() -> None:
    """A new one that nobody put on either side would make different networks one, without a word."""
    none = {
        *("image_size", "classes", "factory", "maxout_pieces", "batchnorm_over"),
        *("generator_maps", "generator_activations", "latent_size", "latent"),
    }
    every = {item.name for item in fields(NetworkSettings)}
    assert {*LAYERS, *LATER, BEGINNING} | none == every
    assert not {*LAYERS, *LATER, BEGINNING} & none


@pytest.mark.parametrize(
    "networks",
    [{"discriminator_activations": "relu"}, {"resampling": "pooling"}, {"initial_sd": 0.3}, {"head": "average"}],
)
def test_networks_that_learn_otherwise_have_another_record(networks: dict[str, Any]) -> None:
    plain = describe(learning_of(SETTINGS, 45))
    other = describe(learning_of(replace(SETTINGS, networks=replace(NETWORKS, **networks)), 45))
    assert plain["networks"].keys() == set(LAYERS), "results of before keep their names"
    assert other["networks"] == plain["networks"] | networks
