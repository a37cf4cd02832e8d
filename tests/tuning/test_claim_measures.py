"""What is measured of a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan_dist.arrays import Pixels
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.rooms import OBJECTS, STATES, RoomsSeen
from tuning.claim_measures import MEASURES, distance, measured, rates


class Seeing:
    """A judge that takes the first three pixels of a picture for whether there are a bed, a window and a door."""

    def see(self, images: Pixels) -> RoomsSeen:
        masks = np.zeros((len(images), len(OBJECTS), 32, 32), bool)
        for column, name in enumerate(("bed", "window", "door")):
            masks[:, OBJECTS.index(name)] = images[:, 0, column, 0, None, None] > 0
        return RoomsSeen(masks, np.zeros((len(images), len(STATES)), bool))


def pictures(*combinations: tuple[int, int, int]) -> Pixels:
    images = np.zeros((len(combinations), 32, 32, 3), np.uint8)
    for image, combination in zip(images, combinations, strict=True):
        image[0, :3] = np.array(combination)[:, None]
    return images


def test_each_combination_has_its_rate() -> None:
    found = rates(pictures((1, 0, 0), (1, 0, 1), (1, 0, 1), (0, 0, 0)), Seeing())  # type: ignore[arg-type]
    assert found.tolist() == [0.25, 0.25, 0, 0, 0, 0.5, 0, 0]


def test_the_distance_is_the_share_that_would_have_to_move() -> None:
    assert distance(np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.5, 0.3])) == pytest.approx(0.3)
    assert distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def run_with(folder: Path, points: list[dict[str, Any]]) -> Place:
    lines = [{"time": 1.0, "attempt": 1, "step": point["images"] // 10, **point} for point in points]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Place(str(folder))


def unneeded() -> Any:
    raise AssertionError("nothing is to be judged")


def test_curves_count_in_the_last_third(tmp_path: Path) -> None:
    points = [
        {"images": images, "values": {"loss/generator": 1.0, "samples/spread": spread, "samples/drift": spread / 2}}
        for images, spread in ((100, 9.0), (200, 7.0), (210, 0.4), (300, 0.8))
    ]
    points[1]["values"] = {"loss/generator": 1.0}
    points.append({"images": 310, "values": {"loss/generator": 1.0}, "health": "D wins since 10 images: words"})
    run = run_with(tmp_path, points)
    found = measured(run, ("spread", "drift", "condemned"), unneeded)
    assert found == {"spread": pytest.approx(0.6), "drift": pytest.approx(0.3), "condemned": 1.0}


@pytest.mark.parametrize("points", [[], [{"images": 100, "values": {"loss/generator": None, "samples/spread": 0.7}}]])
def test_a_run_without_numbers_has_failed(points: list[dict[str, Any]], tmp_path: Path) -> None:
    assert measured(run_with(tmp_path, points), MEASURES, unneeded) == dict.fromkeys(MEASURES)


def test_a_measure_that_was_not_logged_is_none(tmp_path: Path) -> None:
    run = run_with(tmp_path, [{"images": 100, "values": {"loss/generator": 1.0}}])
    assert measured(run, ("spread",), unneeded) == {"spread": None}
