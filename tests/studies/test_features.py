"""What features respond to, from a run on the embedded scenes or on shards, by the command."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dcgan_dist.data.scenes.builtin import embedded_folder, embedded_image
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.discriminator import features_of
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.model.batchnorm import with_statistics
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.model.generate import About, FrozenGenerator
from dcgan_dist.model.published_weights import SVHN, load_published
from dcgan_dist.run_folder.checkpoint import Checkpoint, write_checkpoint
from dcgan_dist.sample import main as sample
from dcgan_dist.settings import Settings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.features import FeaturesOptions, features, shown
from dcgan_dist.studies.guided_backprop import back_to_pixels
from dcgan_dist.studies.object_energy import edges, on_objects
from dcgan_dist.studies.subject import Subject
from dcgan_dist.study import main

SIZE, SCENES = 16, 150
SETTINGS = replace(
    scenes32(),
    networks=replace(scenes32().networks, image_size=SIZE, generator_maps=4, discriminator_maps=4),
    data=replace(scenes32().data, scenes_images=SCENES),
)


def write_shards(folder: Place, name: str, kind: str = "rooms", bad: int = -1, size: int = SIZE) -> Any:
    with ShardWriter(folder, name, 80) as writer:
        for index in range(SCENES):
            jpeg = embedded_image(kind, size, index)[0]  # type: ignore[arg-type]
            writer.add(jpeg if index != bad else jpeg[: len(jpeg) // 2])
    return concatenate([index_shard(Place(str(one.shard))) for one in writer.written])


def write_run(folder: Path, settings: Settings) -> Path:
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(settings.networks)
        initialize(network, 8)
        state[name] = network.state_dict()
    write_checkpoint(Place(str(folder)), state, settings, step=10, attempt=1, kept=True)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on the embedded scenes that has learned nothing, in `runs/mine` of the working folder."""
    monkeypatch.chdir(tmp_path)
    scenes = embedded_folder(replace(SETTINGS, storage=str(tmp_path / "runs")))
    write_shards(scenes, "rooms").save(scenes)
    return write_run(tmp_path / "runs" / "mine", SETTINGS)


def order_of(responses: Any) -> Any:
    """Places of the largest responses first, the lower place among equals."""
    return np.argsort(-responses, kind="stable")


def record(run: Path) -> dict[str, Any]:
    (file,) = (run / "studies").glob("*.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_the_numbers_are_those_of_the_discriminator_on_all_scenes(run: Path) -> None:
    assert main(["features", "mine", "--seed", "3", "--rule", "clamped"]) == 0
    found = record(run)
    assert (found["rule"], found["numbers"]["images"], found["numbers"]["bad_images"]) == ("clamped", SCENES, 0)
    pictures = [Image.open(io.BytesIO(embedded_image("rooms", SIZE, index)[0])) for index in range(SCENES)]
    images = np.stack([np.asarray(picture) for picture in pictures])
    discriminator = Discriminator(SETTINGS.networks)
    for name, seed in (("trained", 8), ("initial weights", 3)):
        initialize(discriminator, seed)
        parts = [images[:128], images[128:]]
        encoder: Any = fit(features_of(discriminator), lambda one, parts=parts: [one.gather(parts)])  # type: ignore[misc]
        fixed: Any = with_statistics(discriminator, encoder.statistics)
        with torch.no_grad():
            x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
            responses = fixed.maps(x)[-1].amax((2, 3)).numpy()
        order = np.argsort(-responses.max(0))
        numbers = found["numbers"][name]
        assert numbers["first"] == list(range(6))
        assert numbers["strongest"] == order[:6].tolist()
        for feature, one in numbers["features"].items():
            of_it = responses[:, int(feature)]
            assert one["responses"] == pytest.approx(np.sort(of_it)[::-1][:5].tolist(), abs=1e-4)
            assert of_it[one["images"]].tolist() == pytest.approx(one["responses"], abs=1e-4)
        bed = numbers["features"]["0"]["on_objects"]["bed"]
        assert 10 <= bed["images"] <= 100
        places = order_of(responses[:, 0])[:100]
        led = back_to_pixels(fixed.maps, x[places], 0, "guided", "clamped")
        shows = [embedded_image("rooms", SIZE, place)[1].truth["objects"] for place in places.tolist()]
        wanted = on_objects(led.double().square().sum(1).numpy(), edges(images[places]), shows, 3)["bed"]
        assert bed.keys() == wanted.keys()
        for share in ("energy", "edges", "area"):
            assert bed[share] == pytest.approx(wanted[share], abs=0.005)
        for over in ("over_edges", "over_area"):
            assert bed[over] == pytest.approx(wanted[over], abs=0.01)
        for one in numbers["features"].values():
            assert one["is"] == (one["nearest"] if one["p"] <= 0.05 else "nothing")
            assert one["nearest"] in {"bed", "window", "door", "lamp", "picture"}
        named = [numbers["features"][str(feature)]["is"] != "nothing" for feature in numbers["strongest"]]
        assert numbers["objects_among_strongest"] == sum(named)
    by_chance = found["numbers"]["initial weights"]["by_chance"]
    assert (by_chance["networks"], by_chance["features"]) == (10, 60)
    assert sorted(file.rsplit("-", 1)[1] for file in found["files"]) == ["deconvnet.png", "saliency.png"]
    with Image.open(run / "studies" / found["figure"]) as figure:
        # Twice 10 images wide beside labels, twice 6 high, with the gaps.
        assert figure.size == (2 * (60 + 5 * 178) + 12, 5 * (2 * 106 + 12))


@pytest.mark.ray
@pytest.mark.usefixtures("standing_cluster")
def test_actors_find_the_same_numbers(run: Path, tmp_path: Path) -> None:
    words = ["features", "mine", "--seed", "3"]
    done = subprocess.run(
        [sys.executable, "-m", "dcgan_dist.study", *words, "--actors", "2", "--cpus", "0.5", "--out", "two"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert "joining the Ray cluster" in done.stderr
    assert main([*words, "--out", "here"]) == 0
    (there,), (here,) = (list((tmp_path / folder).glob("*.json")) for folder in ("two", "here"))
    assert there.name == here.name
    assert json.loads(there.read_text())["numbers"] == json.loads(here.read_text())["numbers"]


def test_images_that_are_not_there_are_told_before_any_actor_starts(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["features", "mine", "--data", "nowhere", "--actors", "2"]) in (1, 2)
    told = capsys.readouterr().err
    assert "nowhere/train-*.tar" in told
    assert "starting Ray" not in told
    assert "joining" not in told


def test_shards_have_no_truth_and_a_bad_image_is_left_out_and_counted(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shards(Place(str(tmp_path / "shards")), "train", bad=7)
    assert main(["features", "mine", "--data", "shards"]) == 0
    said = capsys.readouterr().out
    assert "1 of 150 images cannot be decoded, and are left out" in said
    assert "was not trained on shards/train-*.tar" in said
    numbers = record(run)["numbers"]
    assert (numbers["images"], numbers["bad_images"]) == (149, 1)
    found = [one for name in ("trained", "initial weights") for one in numbers[name]["features"].values()]
    assert all("on_objects" not in one and "is" not in one and 7 not in one["images"] for one in found)


def test_scenes_that_are_not_those_that_would_be_drawn_have_no_truth(run: Path) -> None:
    scenes = embedded_folder(replace(SETTINGS, storage=str(run.parent)))
    for file in scenes.children():
        (Path(str(scenes)) / file).unlink()
    write_shards(scenes, "rooms", "faces").save(scenes)
    assert main(["features", "mine"]) == 0
    found = record(run)["numbers"]["trained"]["features"].values()
    assert all("on_objects" not in one for one in found)


def test_responses_that_are_not_finite_are_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    discriminator = Discriminator(SETTINGS.networks)  # its weights are NaN
    generator = Generator(SETTINGS.networks)
    initialize(generator, 8)
    state = {"generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    write_checkpoint(Place(str(run)), state, SETTINGS, step=20, attempt=1, kept=True)
    assert main(["features", "mine"]) in (1, 2)
    assert "the discriminator's responses are not finite: give an earlier checkpoint" in capsys.readouterr().err


def test_no_image_that_can_be_decoded_is_one_sentence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ShardWriter(Place(str(tmp_path / "bad")), "train", 80) as writer:
        for index in range(4):
            jpeg = embedded_image("rooms", SIZE, index)[0]
            writer.add(jpeg[: len(jpeg) // 2])
    assert main(["features", "mine", "--data", "bad"]) in (1, 2)
    assert "none of 4 images can be decoded, for example" in capsys.readouterr().err


def test_gray_is_nothing_and_each_picture_has_its_own_scale() -> None:
    led = torch.zeros(3, 3, 8, 8)
    led[0, 0, :4], led[0, 1, 4:] = 2e-6, -1e-6
    led[1, 2] = -40
    found = shown(led)
    assert found.shape == (3, 8, 8, 3)
    assert found[0, 0, 0].tolist() == [255, 128, 128]
    assert found[0, 7, 7].tolist() == [128, 64, 128]
    assert found[1, 3, 3].tolist() == [128, 128, 0]
    assert (found[2] == 128).all()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["mine.safetensors"],
            "study features looks at the discriminator too, but mine is an exported generator alone",
        ),
        (["mine", "--data", "nowhere"], "nowhere/train-*.tar"),
        (["mine", "--rule", "relu"], "rule"),
        (["mine", "--gpus", "0.5"], "gpus is 0.5 but actors is 0, and no actor is started: give --actors too"),
        (["mine", "--wait-s", "7"], "leave --wait-s out"),
        (["mine", "--actors", "-1"], "actors is -1 but needs at least 0"),
        (["elsewhere/own"], "there.tar"),
    ],
)
def test_wrong_input_is_one_sentence(
    words: list[str], sentence: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample(["mine", "-n", "0", "--export", "mine.safetensors"]) == 0
    write_run(tmp_path / "elsewhere" / "own", replace(SETTINGS, data=replace(SETTINGS.data, path="there.tar")))
    capsys.readouterr()
    assert main(["features", *words]) in (1, 2)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert not list(tmp_path.rglob("features-*"))


class OwnGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, z: Tensor) -> Tensor:
        return torch.zeros(len(z), 3, SIZE, SIZE) * self.weight


class OwnDiscriminator(nn.Module):
    """A user's, without maps."""

    def __init__(self) -> None:
        super().__init__()
        self.below = nn.Sequential(nn.Conv2d(3, 9, 4, 2), nn.BatchNorm2d(9), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.below(images)
        return features.mean((1, 2, 3))


class WithMaps(OwnDiscriminator):
    def maps(self, images: Tensor) -> list[Tensor]:
        return [self.below(images)]


class WithFewMaps(OwnDiscriminator):
    """Of fewer features than are shown."""

    def maps(self, images: Tensor) -> list[Tensor]:
        return [self.below(images)[:, :4]]


@pytest.mark.parametrize("kind", [OwnDiscriminator, WithMaps, WithFewMaps])
def test_a_network_of_ones_own_needs_maps(kind: type[OwnDiscriminator], run: Path) -> None:
    code = {"mine:build": lambda settings: (OwnGenerator(), kind())}
    settings = replace(SETTINGS, networks=replace(SETTINGS.networks, factory="mine:build"))
    checkpoint = Checkpoint("000000000640", 10, 640, settings, {}, code)
    about = About("mine", "000000000640", 640, "raw", settings.networks, 64, "fixed statistics")
    discriminator = kind().eval()
    generator = FrozenGenerator(OwnGenerator(), about)
    subject = Subject(generator, discriminator, Place("/nowhere"), Place(str(run)), checkpoint)
    if kind is OwnDiscriminator:
        with pytest.raises(SettingsError, match=r"networks\.factory mine:build has no method maps"):
            features(subject, FeaturesOptions(run="mine"), print)
    else:
        found = features(subject, FeaturesOptions(run="mine"), print)
        numbers, maps = found.numbers["trained"], 9 if kind is WithMaps else 4
        assert numbers["first"] == list(range(min(6, maps)))
        assert len(numbers["strongest"]) == min(6, maps)
        assert {int(feature) for feature in numbers["features"]} == {*numbers["first"], *numbers["strongest"]}
        assert max(numbers["strongest"]) < maps


@pytest.fixture
def svhn(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command for the authors' networks, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return ["features", "published-svhn", "--published", str(published)]


def test_the_authors_networks_come_without_images(svhn: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(svhn) == 2
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert "which published-svhn comes without: give --data FOLDER" in said


def test_the_authors_networks_look_at_images_of_their_size(svhn: list[str], published: Path, tmp_path: Path) -> None:
    write_shards(Place(str(tmp_path / "shards")), "train", size=32)
    assert main([*svhn, "--data", "shards", "--seed", "5"]) == 0
    found = record(tmp_path)
    assert found["numbers"]["images"] == SCENES
    assert "it is not known whether published-svhn was trained on shards" in found["numbers"]["notes"]
    initial = Discriminator(SVHN)
    initialize(initial, 5)
    images = np.stack([np.asarray(Image.open(io.BytesIO(embedded_image("rooms", 32, i)[0]))) for i in range(SCENES)])
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    for name, network in (("trained", load_published(published).svhn_discriminator), ("initial weights", initial)):
        parts = [images[:128], images[128:]]
        encoder: Any = fit(features_of(network), lambda one, parts=parts: [one.gather(parts)])  # type: ignore[misc]
        with torch.no_grad():
            responses = with_statistics(network, encoder.statistics).maps(x)[-1].amax((2, 3))  # type: ignore[operator]
        numbers = found["numbers"][name]
        assert numbers["strongest"] == responses.max(0).values.argsort(descending=True)[:6].tolist()
        for feature, one in numbers["features"].items():
            assert one["responses"][0] == pytest.approx(float(responses[:, int(feature)].max()), rel=1e-4)
            assert "is" not in one


def test_images_of_another_size_do_not_fit_the_authors_networks(
    svhn: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shards(Place(str(tmp_path / "small")), "train")
    assert main([*svhn, "--data", "small"]) in (1, 2)
    said = capsys.readouterr().err
    assert "has 16 x 16 pixels but the networks are made for 32 x 32: prepare them with --size 32" in said
    assert not (tmp_path / "studies").exists() or not list((tmp_path / "studies").iterdir())
