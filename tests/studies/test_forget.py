"""What is forgotten, by a generator that is built of one map for each thing, and a judge of their colors."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.generate import About, FrozenGenerator
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies import forget as module
from dcgan_dist.studies.forget import ForgetOptions, forget
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomJudge, RoomsSeen
from dcgan_dist.studies.judges.store import Judged
from dcgan_dist.studies.subject import Subject

SIDE, MAPS = 32, 16
THINGS = {"window": 5, "bed": 2}
"""The map that draws each."""
PLACES = {"window": (1, 3), "bed": (5, 7)}
"""Rows of the maps in which they are; windows in the left half, beds anywhere."""


class Head(nn.Module):
    """z, [n, 4] -> maps [n, MAPS, 8, 8]: a window where z[0] is above 0, a bed where z[1] is; all others are noise."""

    def forward(self, z: Tensor) -> Tensor:
        """The maps."""
        noise = torch.sin(z.sum(1)[:, None, None, None] * 50 + torch.arange(MAPS * 64).reshape(MAPS, 8, 8) ** 2)
        maps = 0.1 * noise.abs()
        for number, (name, (top, bottom)) in enumerate(PLACES.items()):
            shows = (z[:, number] > 0).float()[:, None, None]
            maps[:, THINGS[name]] = 0
            maps[:, THINGS[name], top:bottom, :4] = shows * 2
        return maps


class Tail(nn.Module):
    """Maps -> images: windows are red, beds green, all else leaves some blue."""

    def forward(self, maps: Tensor) -> Tensor:
        """[n, MAPS, 8, 8] -> [n, 3, SIDE, SIDE]."""
        others = maps[:, [m for m in range(MAPS) if m not in THINGS.values()]].mean(1)
        colors = torch.stack([maps[:, THINGS["window"]], maps[:, THINGS["bed"]], others], 1)
        return torch.tanh(nn.functional.interpolate(colors, scale_factor=4.0))


@dataclass(frozen=True, eq=False)
class Colors(RoomJudge):
    """Windows are red, beds green."""

    def see(self, images: Pixels) -> RoomsSeen:
        """By their colors."""
        masks = np.zeros((len(images), len(OBJECTS), SIDE, SIDE), bool)
        for channel, name in enumerate(("window", "bed")):
            masks[:, OBJECTS.index(name)] = images[..., channel] > 190
        return RoomsSeen(masks, np.zeros((len(images), 2), bool))


@pytest.fixture
def subject() -> Subject:
    networks = NetworkSettings(image_size=SIDE, latent_size=4)
    network = nn.Sequential(Head(), nn.ReLU(), Tail())
    network.register_parameter("nothing", nn.Parameter(torch.zeros(1)))
    about = About("mine", "000000000640", 640, "raw", networks, 16, "fixed statistics")
    return Subject(FrozenGenerator(network, about), None, Place("/nowhere"))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judged(Colors(nn.Linear(1, 1)), {"scenes": 3})

    def judge_of(subject: Subject, say: object, only: object, check: Callable[[type], None] = print) -> Judged:
        check(RoomJudge)
        return judge

    monkeypatch.setattr(module, "judge_of", judge_of)


def options(**change: Any) -> ForgetOptions:
    return replace(ForgetOptions(run="mine", samples=40, measured=80, layer=1, seed=3), **change)


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize(("name", "other"), [("window", "bed"), ("bed", "window")])
def test_the_map_that_draws_an_object_is_found_and_nothing_else_is_lost(
    name: str, other: str, subject: Subject
) -> None:
    result = forget(subject, options(object=name), lambda text: None)
    numbers = result.numbers
    found = numbers["by_weight"]
    assert found["maps"][0] == THINGS[name]
    assert found["before"] > 20
    assert (found["after"], found["left"], found["area_left"]) == (0, 0, 0)
    assert found["kept"][other] == 1 - (THINGS[other] in found["maps"])
    assert found["instead"]["nothing"] == found["before"]
    assert found["changed"]["inside"] > 50 > found["changed"]["outside"]
    others = subject.generator.latents(120, 3)[40:]
    assert found["before"] == int((others[:, list(PLACES).index(name)] > 0).sum())
    kept = [one["left"] for one in numbers["random"]]
    assert len(kept) == 10
    assert 0 < np.mean(kept) <= 1
    assert [one["maps"] for one in numbers["curve"]["by_weight"]] == [1, 2, 4, 8, 16]
    assert numbers["curve"]["by_weight"][0]["left"] == 0
    assert numbers["judge"] == {"scenes": 3}
    assert result.files["-curve.svg"].startswith(b"<?xml")


@pytest.mark.usefixtures("judged")
def test_so_many_maps_are_dropped_as_are_asked_for(subject: Subject) -> None:
    result = forget(subject, options(maps=3), lambda text: None)
    assert len(result.numbers["by_weight"]["maps"]) == 3
    assert result.numbers["by_weight"]["weights"] == sorted(result.numbers["by_weight"]["weights"], reverse=True)
    assert "without 3 of 16 maps: windows on 0 samples" in result.lines[0]
    assert set(result.depends_on) == {"judge_sha256"}


@pytest.fixture
def boxes(tmp_path: Path) -> Callable[[int], str]:
    """A file with a box on the window of the first samples, so many of them, in COCO's format."""

    def write(number: int) -> str:
        content = {
            "images": [{"id": i, "file_name": f"{i:06}.png", "width": 32, "height": 32} for i in range(number)],
            "annotations": [{"image_id": i, "category_id": 1, "bbox": [0, 4, 16, 8]} for i in range(number)],
            "categories": [{"id": 1, "name": "pane"}],
        }
        file = tmp_path / f"boxes-{number}.json"
        file.write_text(json.dumps(content))
        return str(file)

    return write


def test_boxes_of_a_person_do_where_no_judge_is(subject: Subject, boxes: Callable[[int], str]) -> None:
    result = forget(subject, options(boxes=boxes(30), object="pane"), lambda text: None)
    assert result.numbers["by_weight"]["maps"][0] == THINGS["window"]
    changed = result.numbers["changed"]
    assert changed["by weight"]["inside"] > 5 * changed["by weight"]["outside"]
    assert changed["by weight"]["inside"] > changed["random"]["inside"]
    assert "curve" not in result.numbers
    first, second = (
        forget(subject, options(boxes=boxes(number), object="pane"), lambda text: None).depends_on
        for number in (30, 31)
    )
    assert first == result.depends_on != second


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "has no boxes for mine, and finds some itself only on samples of a run that was trained on drawn rooms"),
        ({"boxes": "nowhere.json"}, "boxes is .*nowhere.json, which is not there"),
        ({"layer": 2}, "layer is 2, but the generator of mine has 1 hidden layers"),
        ({"maps": 17}, "maps is 17, but the layer has 16 maps"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(change: dict[str, Any], sentence: str, subject: Subject) -> None:
    with pytest.raises(SettingsError, match=sentence):
        forget(subject, options(**change), lambda text: None)


@pytest.mark.usefixtures("judged")
def test_objects_that_rooms_do_not_have_and_too_few_samples_are_refused(
    subject: Subject, boxes: Callable[[int], str], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="object is 'tree' but needs to be one of bed, window, door, lamp, picture"):
        forget(subject, options(object="tree"), lambda text: None)
    with pytest.raises(SettingsError, match="only 4 of 40 samples show a pane that takes at least one of the 8 x 8 "):
        forget(subject, options(object="pane", boxes=boxes(4)), lambda text: None)
    whole = json.loads(Path(boxes(7)).read_text())
    for one in whole["annotations"][4:]:
        one["bbox"] = [0, 0, 32, 32]
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    with pytest.raises(SettingsError, match=r"only 4 of 40 samples show a pane that takes .* and not all"):
        forget(subject, options(object="pane", boxes=str(tmp_path / "whole.json")), lambda text: None)
    with pytest.raises(SettingsError, match="only 0 of 40 samples show a lamp"):
        forget(subject, options(object="lamp"), lambda text: None)


@pytest.mark.usefixtures("judged")
def test_where_no_other_sample_shows_the_object_it_is_said(
    subject: Subject, boxes: Callable[[int], str], tmp_path: Path
) -> None:
    file = tmp_path / "lamps.json"
    file.write_text(Path(boxes(30)).read_text().replace("pane", "lamp"))
    with pytest.raises(SettingsError, match="the judge sees no lamp on any of the 80 other samples"):
        forget(subject, options(object="lamp", boxes=str(file)), lambda text: None)


@pytest.mark.usefixtures("judged")
def test_what_is_measured_on_boxes_of_a_person_depends_on_them_and_on_the_judge(
    subject: Subject, boxes: Callable[[int], str], tmp_path: Path
) -> None:
    file = tmp_path / "windows.json"
    file.write_text(Path(boxes(30)).read_text().replace("pane", "window"))
    result = forget(subject, options(boxes=str(file)), lambda text: None)
    assert result.numbers["by_weight"]["before"] > 20
    assert set(result.depends_on) == {"boxes_sha256", "judge_sha256"}
