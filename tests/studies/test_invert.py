"""z of given pictures: a generator's own samples are found again, other pictures are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import NetworkSettings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.invert import InvertOptions, invert, lines_of, numbers_of, study_inversion
from dcgan_dist.studies.subject import Subject, open_subject

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
    own, other = (invert(one, images, 80, 3, seed=1) for images in (samples, rooms(12)))
    assert own.errors.max() < 5
    assert other.errors.min() > 3 * own.errors.max()
    # Errors are of the images that are shown beside the pictures, each beside its own.
    shown = np.sqrt(((own.images.astype(float) - samples) ** 2).mean(axis=(1, 2, 3)))
    assert np.abs(shown - own.errors).max() < 0.5


def test_what_is_found_for_a_picture_does_not_depend_on_the_others() -> None:
    one, images = generator(), rooms(30)
    together = invert(one, images, 20, 3, seed=1)
    for rows in ([25], [29, 3, 22]):
        alone = invert(one, images[rows], 20, 3, seed=1)
        assert np.array_equal(alone.images, together.images[rows])
        assert np.array_equal(alone.errors, together.errors[rows])


def test_more_steps_and_more_starts_come_nearer() -> None:
    one, images = generator(), rooms(12)
    few, more, longer = (
        invert(one, images, steps, starts, seed=2).errors for steps, starts in ((15, 1), (15, 4), (90, 1))
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
    found = invert(one, np.full((1, 16, 16, 3), 255, np.uint8), 100, 1, seed=0)
    # All components are alike: 1, or those of the longest normal z.
    most = 10 if latent == "uniform" else 10**0.5 * (10**0.5 + 2)
    assert found.errors[0] == pytest.approx((1 - most / 100) * 127.5, rel=1e-3)


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
    found = study_inversion(subject, options, lambda text: None)
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
        study_inversion(alone, InvertOptions(run="run"), print)
    with pytest.raises((DataError, SettingsError), match="nowhere"):
        study_inversion(subject, InvertOptions(run="run", data="nowhere"), print)
    for name, value in (("number", 5), ("steps", 0), ("starts", 65)):
        with pytest.raises(SettingsError, match=f"{name} is {value} but needs"):
            InvertOptions(run="run", **{name: value})  # type: ignore[arg-type]
