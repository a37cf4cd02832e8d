"""A generator that replays training images is found out, one that draws new ones is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw
from dcgan_dist.evaluation.encoders.discriminator import of_random
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.results import recipe_sha256
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.model.generate import About
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.studies.memorisation import PAIRS, MemorisationResult, _each_once, doubts, lines, look, recipe, record

SIZE, TRAIN, OTHERS = 16, 1_500, 200
SHEET = 6 * (8 * (SIZE + 2) - 2)
"""Pixels of the sheet of pairs each way: 8 by 8 images, enlarged until a person sees them."""


def scenes(first: int, number: int) -> Pixels:
    return np.stack([draw("rooms", SIZE, 0, index).image for index in range(first, first + number)])


@pytest.fixture(scope="module")
def train() -> Labeled:
    return Labeled(ArrayPictures(scenes(0, TRAIN), "rooms"), np.arange(TRAIN), np.zeros(TRAIN, np.int64))


@pytest.fixture(scope="module")
def held_out() -> Pixels:
    return scenes(TRAIN, OTHERS)


def looked(here: Callable[..., Any], train: Labeled, held_out: Pixels, samples: Pixels, parts: int = 1) -> Any:
    networks = NetworkSettings(image_size=SIZE, discriminator_maps=8)
    encoders = {"pixels": PixelFeatures(), "features": of_random(networks, 0)}
    return look(here(parts), train, held_out, samples, encoders)


def test_new_scenes_are_no_copies(here: Callable[..., Any], train: Labeled, held_out: Pixels) -> None:
    found = looked(here, train, held_out, scenes(TRAIN + OTHERS, OTHERS))
    assert [one["copies"] for one in found.result["by"].values()] == [False, False]


def test_blurred_new_scenes_are_no_copies_though_they_are_nearer(
    here: Callable[..., Any], train: Labeled, held_out: Pixels
) -> None:
    new = scenes(TRAIN + OTHERS, OTHERS).astype(float)
    blurred = sum(np.roll(new, (down, right), (1, 2)) for down in (-1, 0, 1) for right in (-1, 0, 1)) / 9
    found = looked(here, train, held_out, np.asarray(blurred).astype(np.uint8))
    assert not found.result["by"]["pixels"]["copies"]


@pytest.mark.parametrize("noise", [0, 6])
def test_training_images_that_are_replayed_are_copies(
    noise: int, here: Callable[..., Any], train: Labeled, held_out: Pixels
) -> None:
    random = np.random.default_rng(0)
    rows = random.choice(TRAIN, OTHERS)
    replayed = train.read(rows).astype(int) + random.integers(-noise, noise + 1, (OTHERS, SIZE, SIZE, 3))
    found = looked(here, train, held_out, replayed.clip(0, 255).astype(np.uint8))
    for name in ("pixels", "features"):
        one = found.result["by"][name]
        assert one["copies"]
        assert one["sample_median"] < 0.5 < one["held_out_median"]
        assert all(rows[pair["sample"]] == pair["training_image"] for pair in one["closest"])
    assert found.sheet.shape == (SHEET, SHEET, 3)
    assert "copies of training images" in lines(found.result)[1]


def test_copies_of_near_duplicates_are_said_to_be_missed(here: Callable[..., Any], held_out: Pixels) -> None:
    rooms = scenes(0, 300)
    # Each of the first 100 is there twice, the second time a little darker.
    repeated = np.concatenate([rooms, (rooms[:100] * 0.97).astype(np.uint8)])
    count = len(repeated)
    train = Labeled(ArrayPictures(repeated, "rooms"), np.arange(count), np.zeros(count, np.int64))
    of_repeated, of_others = (looked(here, train, held_out, rooms[rows]) for rows in (slice(100), slice(100, 200)))
    assert [one["between_duplicates"] for one in of_repeated.result["by"].values()] == [1, 1]
    (said,) = doubts(of_repeated.result)
    assert said.startswith("the two training images nearest to 100 % of the samples are near duplicates")
    assert doubts(of_others.result) == []


def test_held_out_images_that_are_copies_of_training_images_are_told(
    here: Callable[..., Any], train: Labeled, held_out: Pixels
) -> None:
    copies = (train.read(np.arange(30)) * 0.97).astype(np.uint8)
    mixed = np.concatenate([held_out[:170], copies])
    found = looked(here, train, mixed, scenes(TRAIN + OTHERS, 50))
    assert all(0.15 <= one["held_out_duplicates"] <= 0.17 for one in found.result["by"].values())
    (said,) = doubts(found.result)
    assert " % of the images held out are near duplicates of training images" in said


def test_the_sheet_shows_each_training_image_once() -> None:
    order, nearest = np.array([4, 1, 0, 3, 2]), np.array([9, 7, 7, 7, 9])
    # Sample 4 is nearest to 9, then 1 to 7; 0, 3 and 2 repeat these.
    assert _each_once(order, nearest).tolist() == [4, 1]
    many = np.arange(100)
    assert _each_once(many, many).tolist() == list(range(PAIRS))


def test_other_questions_have_results_of_their_own() -> None:
    about = About("run", "000000000640", 640, "raw", NetworkSettings(), 64, "fixed statistics")
    asked = [
        recipe(about, 500, 3, "these"),
        recipe(replace(about, kind="averaged"), 500, 3, "these"),
        recipe(replace(about, statistics="others"), 500, 3, "these"),
        recipe(about, 400, 3, "these"),
        recipe(about, 500, 4, "these"),
        recipe(about, 500, 3, "those"),
    ]
    assert len({recipe_sha256(one) for one in asked}) == len(asked)
    found = MemorisationResult({"samples": 500}, np.zeros((1, 1, 3), np.uint8))
    result = json.loads(record(found, about, asked[0], ["torn"]))
    assert {name: result[name] for name in asked[0]} == asked[0]
    assert (result["recipe_sha256"], result["notes"]) == (recipe_sha256(asked[0]), ["torn"])


def test_the_number_of_parts_changes_nothing(here: Callable[..., Any], train: Labeled, held_out: Pixels) -> None:
    one, three = (looked(here, train, held_out, held_out[:50], parts) for parts in (1, 3))
    assert one.result["by"]["pixels"]["closest"] == three.result["by"]["pixels"]["closest"]
