"""A generator that replays its training images comes nearer to them than to images held out; others do not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data import keep_list
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.model.generate import FrozenGenerator
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import NetworkSettings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.invert import InvertOptions, invert, lines_of, numbers_of
from dcgan_dist.studies.subject import Subject, open_subject
from tests.studies.replay import Replay

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


def made(folder: Path, train: Sequence[int], test: Sequence[int]) -> Subject:
    """A run that has learned nothing; beside it `shards` of these rooms, and of those that are held out."""
    settings = scenes32()
    settings = replace(settings, networks=NETWORKS, data=replace(settings.data, scenes_images=40))
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(NETWORKS)
        initialize(network, 0)
        state[name] = network.state_dict()
    for split, rooms in (("train", train), ("test", test)):
        with ShardWriter(Place(str(folder / "shards")), split, 50) as shards:
            for index in rooms:
                shards.add(embedded_image("rooms", 16, index)[0])
    write_checkpoint(Place(str(folder / "run")), state, settings, step=10, attempt=1, kept=True)
    return open_subject(InvertOptions(run=str(folder / "run")))


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """Such a run, of 40 rooms, and of 20 held out."""
    return made(tmp_path, range(40), range(40, 60))


def shards_of(subject: Subject) -> str:
    return str(Path(str(subject.run)).parent / "shards")


def replaying(subject: Subject, rooms: Sequence[int]) -> Subject:
    images = np.stack([simplejpeg.decode_jpeg(embedded_image("rooms", 16, index)[0]) for index in rooms])
    generator = FrozenGenerator(Replay(images, NETWORKS, sharpness=3), subject.about)
    return replace(subject, generator=generator)


@pytest.mark.parametrize("known", [range(40), range(100, 140), None], ids=["training images", "others", "none"])
def test_a_generator_that_replays_training_images_is_told_from_others(subject: Subject, known: range | None) -> None:
    shown = subject if known is None else replaying(subject, known)
    options = InvertOptions(run="run", data=shards_of(subject), number=30, steps=60, seed=3)
    found = invert(shown, options, lambda text: None)
    numbers, replays = found.numbers, known == range(40)
    assert (numbers["training_against_held_out"]["p_value"] < 1e-6) == replays
    assert found.lines[3].startswith("the generator comes nearer" if replays else "no sign that the generator comes")
    levels = numbers["levels"]
    assert [levels[name]["number"] for name in levels] == [30, 20, 30]
    if replays:
        assert levels["training images"]["median"] < 2 < 20 < levels["held-out images"]["median"]


def test_near_duplicates_of_other_training_images_are_left_out_of_both_kinds(tmp_path: Path) -> None:
    # Rooms 0 to 4 are there twice, and 10 to 12 were held out though they had been trained on.
    one = made(tmp_path, [*range(30), *range(5)], [*range(30, 40), 10, 11, 12])
    told: list[str] = []
    options = InvertOptions(run="run", data=shards_of(one), number=50, steps=2, starts=1)
    found = invert(one, options, told.append)
    levels = found.numbers["levels"]
    assert [levels[name]["number"] for name in levels] == [25, 10, 50]
    assert sorted(found.numbers["training_images"]) == list(range(5, 30))
    assert found.numbers["notes"][1:] == [
        "10 of 35 training images are near duplicates of other training images: left out",
        "3 of 13 held-out images are near duplicates of other training images: left out",
    ]
    assert "looking for near duplicates among training images: 0 of 35" in told
    # With a keep-list, one of each two is left to be looked at.
    index = concatenate([index_shard(shard) for shard in expand(f"{shards_of(one)}/train-*.tar")])
    instead, file = np.arange(35), Place(str(tmp_path / "keep.parquet"))
    instead[30:] = np.arange(5)
    keep_list.write(file, index, instead)
    kept = invert(one, replace(options, keep=str(file)), lambda text: None)
    assert sorted(kept.numbers["training_images"]) == list(range(30))
    assert kept.depends_on != found.depends_on


def test_no_images_that_are_left_are_told(tmp_path: Path) -> None:
    one = made(tmp_path, [*range(8), *range(8)], range(20, 30))
    with pytest.raises(DataError, match="all 16 training images that were looked at are near duplicates of other"):
        invert(one, InvertOptions(run="run", data=shards_of(one), number=20), print)


def test_the_three_kinds_are_compared_and_shown_in_rows(subject: Subject) -> None:
    options = InvertOptions(run="run", data=shards_of(subject), number=7, steps=3, starts=1, seed=5)
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
