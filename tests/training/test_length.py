"""How long a run is: tables."""

from dataclasses import replace
from typing import Any

import pytest

from dcgan_dist.settings import PRESET_IMAGES, PRESETS, DataSettings, OptimizationSettings
from dcgan_dist.training.length import (
    LEAST_UPDATES,
    TOO_FEW_UPDATES,
    describe_length,
    fit_length,
    generator_updates,
    images_for,
    run_length,
)

OWN = PRESETS["own64"]().optimization
ALTERNATE = OptimizationSettings(schedule="alternate", batch_size=50)


@pytest.mark.parametrize(
    ("optimization", "images", "updates"),
    [
        (OptimizationSettings(batch_size=50), 500, 10),
        (OptimizationSettings(batch_size=50), 501, 11),
        (OptimizationSettings(batch_size=50), 1, 1),
        # The published schedule updates G first, and then every second step.
        (ALTERNATE, 500, 5),
        (ALTERNATE, 501, 6),
        (ALTERNATE, 1, 1),
        (replace(OWN, schedule="simultaneous"), 501, -(-501 // OWN.batch_size)),
    ],
)
def test_updates_are_counted(optimization: OptimizationSettings, images: int, updates: int) -> None:
    assert generator_updates(optimization, images) == updates


@pytest.mark.parametrize("optimization", [OWN, ALTERNATE, replace(OWN, schedule="simultaneous")])
def test_so_many_images_make_so_many_updates(optimization: OptimizationSettings) -> None:
    for updates in (1, 2, 7, 6_250):
        assert generator_updates(optimization, images_for(optimization, updates)) == updates


@pytest.mark.parametrize("preset", PRESETS)
def test_the_set_that_a_preset_is_meant_for_gets_its_own_length(preset: str) -> None:
    settings = PRESETS[preset]()
    assert run_length(preset, settings.optimization, PRESET_IMAGES[preset]) == settings.images


@pytest.mark.parametrize(
    ("preset", "optimization", "data_images", "images"),
    [
        # Own pictures get the length of own64, until one pass takes longer.
        ("own64", OWN, 64, 400_000),
        ("own64", OWN, 5_000, 400_000),
        ("own64", OWN, 400_001, 400_001),
        # 2,000 pictures with the settings of a set of 3 million: 79 steps would be five passes.
        ("lsun64", PRESETS["lsun64"]().optimization, 2_000, 2 * LEAST_UPDATES * 128),
        ("lsun64", OptimizationSettings(batch_size=32), 2_000, LEAST_UPDATES * 32),
        ("lsun64", PRESETS["lsun64"]().optimization, 10_000_000, 50_000_000),
        # A part of the set gets as many passes as the whole, where they are enough.
        ("imagenet32", PRESETS["imagenet32"]().optimization, 100_000, 6_000_000),
        # Rooms are learned in fewer updates, so that other pictures get no more of them.
        ("scenes32", PRESETS["scenes32"]().optimization, 1_000, 240_000),
        ("scenes32", PRESETS["scenes32"]().optimization, 30_000, 360_000),
    ],
)
def test_a_length_follows_from_the_data(
    preset: str, optimization: OptimizationSettings, data_images: int, images: int
) -> None:
    assert run_length(preset, optimization, data_images) == images


@pytest.mark.parametrize(
    ("path", "given", "preset", "images"),
    [
        ("mine/*.tar", {"images": 700}, "own64", 400_000),
        ("mine/*.tar", {"images": None, "epochs": 3.0}, "own64", 400_000),
        # Somebody gave it.
        ("mine/*.tar", {"images": 700}, "", 700),
        ("mine/*.tar", {"images": None, "epochs": 1.5}, "", 3_002),
        # Rooms are drawn for their preset.
        ("scenes", {"images": 700}, "scenes32", 700),
    ],
)
def test_a_length_fits_the_data_where_nobody_gave_one(
    path: str, given: dict[str, Any], preset: str, images: int
) -> None:
    settings = replace(PRESETS["own64"](), data=DataSettings(path=path), **given)
    fitted, found = fit_length(settings, preset, 2_001)
    assert found == images
    if fitted != settings:
        assert (fitted.images, fitted.epochs) == (images, None)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_length_is_too_short_to_learn(preset: str) -> None:
    optimization = PRESETS[preset]().optimization
    for data_images in (1, 1_000, 1_000_000):
        images = run_length(preset, optimization, data_images)
        assert generator_updates(optimization, images) >= 2 * TOO_FEW_UPDATES


def test_a_length_is_one_line() -> None:
    told = describe_length(ALTERNATE, 30_000, 4_000)
    assert told == "length: 30,000 images, 7.5 passes over 4,000, 300 updates of G"
    assert "1 pass over 30,000," in describe_length(ALTERNATE, 30_000, 30_000)
