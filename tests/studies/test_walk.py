"""A walk through z: smooth networks have no sharp transition, one that replays images has."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from PIL import Image
from torch import nn

from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.model.drawing import interpolate
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.model.randomness import latents
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import NetworkSettings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.result import recipe
from dcgan_dist.studies.subject import Subject, open_subject
from dcgan_dist.studies.walk import PARTS, WalkOptions, spherical, steps_of, walk
from tests.studies.replay import Replay

NETWORKS = NetworkSettings(image_size=16, generator_maps=8, discriminator_maps=8, latent_size=12)


def subject(network: nn.Module) -> Subject:
    about = About("mine", "000000000640", 640, "raw", NETWORKS, 32, "fixed statistics")
    return Subject(FrozenGenerator(network, about), None, Place("/nowhere"))


def smooth() -> nn.Module:
    generator = Generator(NETWORKS)
    initialize(generator, 3)
    return freeze(generator, NETWORKS, 32)


def rooms(first: int, number: int) -> np.ndarray:
    return np.stack([simplejpeg.decode_jpeg(embedded_image("rooms", 16, first + i)[0]) for i in range(number)])


def replay(images: np.ndarray) -> nn.Module:
    return Replay(images, NETWORKS, sharpness=1e6)


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_a_smooth_generator_has_no_sharp_transition_and_one_that_replays_images_has(path: str) -> None:
    options = WalkOptions(run="mine", points=4, number=31, path=path, seed=6)  # type: ignore[arg-type]
    found = {
        name: walk(subject(one), options, print) for name, one in (("new", smooth()), ("old", replay(rooms(0, 1_000))))
    }
    new, old = (found[name].numbers["pixels"] for name in ("new", "old"))
    assert new["sharp"] == []
    assert new["largest_share_of_a_part"] < 0.3
    assert new["largest_over_median"] < 4
    assert len(old["sharp"]) > 5
    assert old["largest_share_of_a_part"] == 1
    assert "no sharp transition" in found["new"].lines[0]
    assert f"{len(old['sharp'])} sharp transitions: images " in found["old"].lines[0]
    for one in found.values():
        assert one.lines[-1] == "note: not compared with training images: mine comes without them"
        assert set(one.files) == {".webp"}


@pytest.fixture
def run(tmp_path: Path) -> Subject:
    """A run that has learned nothing; beside it `shards` of 1,000 rooms, and of 60 held out."""
    settings = replace(scenes32(), networks=NETWORKS)
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(NETWORKS)
        initialize(network, 3)
        state[name] = network.state_dict()
    for split, first, number in (("train", 0, 1_000), ("test", 1_000, 60)):
        with ShardWriter(Place(str(tmp_path / "shards")), split, 600) as shards:
            for index in range(first, first + number):
                shards.add(embedded_image("rooms", 16, index)[0])
    write_checkpoint(Place(str(tmp_path / "run")), state, settings, step=10, attempt=1, kept=True)
    return open_subject(WalkOptions(run=str(tmp_path / "run")))


def test_a_walk_of_networks_that_know_classes_is_within_one(tmp_path: Path) -> None:
    networks = replace(NETWORKS, classes=3)
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(networks)
        initialize(network, 3)
        state[name] = network.state_dict()
    settings = replace(scenes32(), networks=networks)
    write_checkpoint(Place(str(tmp_path / "run")), state, settings, step=10, attempt=1, kept=True)
    options = WalkOptions(run=str(tmp_path / "run"), label=2, points=3, number=20)
    subject = open_subject(options)
    found = walk(subject, options, print)
    assert subject.about.label == 2
    assert recipe("walk", subject, options)["label"] == 2
    assert "label" not in recipe("walk", subject, replace(options, label=None))
    assert found.lines
    with pytest.raises(SettingsError, match=r"know classes 0 to 2, and a study is of one class: give it"):
        open_subject(replace(options, label=None))


@pytest.mark.parametrize("known", ["training images", "others", "nothing"])
def test_a_walk_along_training_images_is_told_from_others(known: str, run: Subject) -> None:
    if known != "nothing":
        network = replay(rooms(0 if known == "training images" else 3_000, 1_000))
        run = replace(run, generator=FrozenGenerator(network, run.about))
    data = str(Path(str(run.run)).parent / "shards")
    found = walk(run, WalkOptions(run="mine", points=4, number=31, seed=6, data=data), print)
    one, sharp = found.numbers["nearest training images"], found.numbers["pixels"]["sharp"]
    assert (one["training_images"], one["held_out_images"], len(one["nearest"])) == (1_000, 60, 31)
    copies = known == "training images"
    assert (one["copies"], one["near"]) == (copies, 1 if copies else 0)
    line = next(line for line in found.lines if line.startswith("by nearest training images"))
    assert line.endswith("31 of 31 images are copies of training images" if copies else "no sign of copies")
    assert (len(sharp) > 5) == (known != "nothing")
    if copies:
        # Each transition leads from one training image to another, and nothing else does.
        assert one["relative_median"] == one["relative_least"] == 0
        assert one["changes_at_sharp_transitions"] == len(sharp) <= one["changes"]
    else:
        assert one["relative_least"] > 0.4
    assert found.depends_on["data_checksum"]
    with Image.open(io.BytesIO(found.files["-nearest.png"])) as figure:
        factor = figure.size[0] // (10 * 20 - 4)
        shown = np.asarray(figure)[::factor, ::factor]
    # The 13th image is the 3rd of the second row, and stands above the training image nearest to it.
    wanted = rooms(one["nearest"][12], 1)[0].astype(float)
    assert np.array_equal(shown[36 + 16 : 36 + 32, 40:56], wanted)
    above = shown[36 : 36 + 16, 40:56].astype(float)
    assert np.sqrt(((above - wanted) ** 2).mean()) == pytest.approx(one["levels"][12], abs=1e-9)
    grid = found.figure[:: found.figure.shape[1] // (10 * 18 - 2), :: found.figure.shape[1] // (10 * 18 - 2)]
    assert np.array_equal(above, grid[18:34, 36:52])


def test_a_walk_goes_without_training_images_that_are_not_at_hand_unless_they_are_asked_for(run: Subject) -> None:
    asked = WalkOptions(run="mine", points=2, number=5, data="nowhere")
    found = walk(run, replace(asked, data=""), print)
    assert found.lines[-1].startswith("note: not compared with training images: ")
    assert "dataset.json" in found.lines[-1]
    assert found.numbers["notes"] == [found.lines[-1].removeprefix("note: ")]
    assert not found.depends_on
    with pytest.raises(DataError, match="nowhere"):
        walk(run, asked, print)
    with pytest.raises(SettingsError, match=r"compares a run's walk with .* in nowhere, but mine is no run: give the"):
        walk(subject(smooth()), asked, print)


def test_a_walk_cannot_be_compared_with_held_out_images_that_are_copies(run: Subject) -> None:
    shards = Path(str(run.run)).parent / "shards"
    with ShardWriter(Place(str(shards)), "test", 600) as test:
        for index in range(50, 60):
            test.add(embedded_image("rooms", 16, index)[0])
    with pytest.raises(DataError, match="all 10 images held out are near duplicates of training images, so the walk"):
        walk(run, WalkOptions(run="mine", points=2, number=5, data=str(shards)), print)


def test_the_figure_shows_the_path_row_by_row() -> None:
    network = smooth()
    found = walk(subject(network), WalkOptions(run="mine", points=3, number=25, seed=9), print)
    z = interpolate(latents(NETWORKS, 3, 9, "walk"), 24 * PARTS + 1)[::PARTS]
    wanted = network(z)[13].detach().add(1).mul(127.5).round().permute(1, 2, 0).numpy()
    factor = found.figure.shape[1] // (10 * 18 - 2)
    shown = found.figure[::factor, ::factor]
    # The 14th image is the 4th of the second row.
    assert np.abs(shown[18:34, 54:70].astype(float) - wanted).max() <= 1
    with Image.open(io.BytesIO(found.files[".webp"])) as frames:
        # Images that do not differ share a frame.
        assert 1 < frames.n_frames <= 49
        assert frames.size == (192, 192)


def test_steps_are_sums_of_their_parts() -> None:
    even, sudden = np.full(PARTS, 0.2), np.r_[np.zeros(PARTS - 1), 3.0]
    steps = steps_of(np.concatenate([even, sudden, even, np.zeros(PARTS), sudden * 0.01]))
    assert steps.length == pytest.approx([2, 3, 2, 0, 0.03])
    assert steps.share == pytest.approx([0.1, 1, 0.1, 0, 1])
    # The last is sudden too, but next to nothing changes in it.
    assert steps.sharp.tolist() == [1]
    assert steps.largest_over_median == pytest.approx(1.5)
    assert steps_of(np.concatenate([sudden, np.zeros(2 * PARTS)])).largest_over_median is None


def test_arcs_lead_through_the_points_at_lengths_between_theirs() -> None:
    points = torch.tensor([[2.0, 0, 0], [0, 4, 0], [0, 0, 4]])
    path = spherical(points, 5)
    assert torch.allclose(path[::2], points, atol=1e-6)
    assert torch.allclose(path.norm(dim=1), torch.tensor([2.0, 3, 4, 4, 4]), atol=1e-6)
    assert torch.allclose(path[1], torch.tensor([3.0, 3, 0]) / 2**0.5, atol=1e-6)
    same = spherical(torch.tensor([[1.0, 1], [1, 1]]), 3)
    assert torch.allclose(same, torch.ones(3, 2), atol=1e-5)
