"""How near a generator comes to pictures of three kinds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import NetworkSettings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.invert import InvertOptions, invert, lines_of, numbers_of
from dcgan_dist.studies.subject import Subject, open_subject

NETWORKS = NetworkSettings(image_size=16, generator_maps=8, discriminator_maps=4, latent_size=10)


def test_the_test_tells_a_generator_that_knows_its_training_images() -> None:
    numbers = np.random.default_rng(3)
    alike = {"training images": numbers.normal(20, 2, 50), "held-out images": numbers.normal(20, 2, 50)}
    nearer = alike | {"training images": numbers.normal(10, 2, 50)}
    assert numbers_of(nearer)["training_against_held_out"]["p_value"] < 1e-6
    assert lines_of(nearer)[-1].startswith("the generator comes nearer to training images")
    assert lines_of(alike)[-1].startswith("no sign that")
    told = numbers_of(alike)["levels"]["held-out images"]
    assert told["interval"][0] < told["median"] < told["interval"][1]


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A run that has learned nothing; beside it `shards` of 40 rooms, and of 20 held out."""
    settings = scenes32()
    settings = replace(settings, networks=NETWORKS, data=replace(settings.data, scenes_images=40))
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(NETWORKS)
        initialize(network, 0)
        state[name] = network.state_dict()
    with ShardWriter(Place(str(tmp_path / "shards")), "train", 50) as train:
        for index in range(40):
            train.add(embedded_image("rooms", 16, index)[0])
    with ShardWriter(Place(str(tmp_path / "shards")), "test", 50) as test:
        for index in range(40, 60):
            test.add(embedded_image("rooms", 16, index)[0])
    write_checkpoint(Place(str(tmp_path / "run")), state, settings, step=10, attempt=1, kept=True)
    return open_subject(InvertOptions(run=str(tmp_path / "run")))


def test_the_three_kinds_are_compared_and_shown_in_rows(subject: Subject) -> None:
    shards = str(Path(str(subject.run)).parent / "shards")
    options = InvertOptions(run="run", data=shards, number=7, steps=3, starts=1, seed=5)
    found = invert(subject, options, lambda text: None)
    kinds = found.numbers["levels"]
    assert [(name, kinds[name]["number"], len(kinds[name]["errors"])) for name in kinds] == [
        ("training images", 7, 7), ("held-out images", 7, 7), ("own samples", 7, 7),
    ]  # fmt: skip
    rows = found.numbers["training_images"]
    assert len(set(rows)) == 7
    assert set(rows) <= set(range(40))
    factor = found.figure.shape[1] // (16 * 18 - 2)
    shown = found.figure[::factor, ::factor]
    row = 16 + 8
    for number, wanted in enumerate(
        [
            embedded_image("rooms", 16, rows[1])[1].image,
            embedded_image("rooms", 16, 41)[1].image,
            next(subject.generator.draw(7, 5))[1],
        ]
    ):
        # The second picture of each kind, two columns from the first.
        error = np.abs(shown[number * row :][:16, 36:52].astype(int) - np.asarray(wanted)).mean()
        assert error < 6
    assert found.lines[0].startswith("training images  7: median error ")
    assert found.lines[-1].startswith("note: it is not known whether ")


def test_wrong_input_is_one_sentence(subject: Subject) -> None:
    alone = replace(subject, run=None, checkpoint=None)
    with pytest.raises(SettingsError, match=r"study invert needs images that .* but run is no run: give the folder"):
        invert(alone, InvertOptions(run="run"), print)
    with pytest.raises((DataError, SettingsError), match="nowhere"):
        invert(subject, InvertOptions(run="run", data="nowhere"), print)
    for name, value in (("number", 5), ("steps", 0), ("starts", 65)):
        with pytest.raises(SettingsError, match=f"{name} is {value} but needs"):
            InvertOptions(run="run", **{name: value})  # type: ignore[arg-type]
