"""How much of a picture's energy lies on its objects."""

import numpy as np
import pytest

from dcgan_dist.data.scenes import SceneObject
from dcgan_dist.studies.object_energy import LEAST, covered, on_objects

BED: SceneObject = {"name": "bed", "box": [0.5, 0.0, 1.0, 0.5]}
LAMP: SceneObject = {"name": "lamp", "box": [0.0, 0.76, 0.24, 1.0]}


def test_pixels_are_rows_from_the_top_and_boxes_of_a_name_are_joined() -> None:
    other: SceneObject = {"name": "bed", "box": [0.25, 0.25, 0.75, 0.5]}
    found = covered([BED, LAMP, other], 4)
    assert found["bed"].astype(int).tolist() == [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert found["lamp"].astype(int).tolist() == [[0] * 4, [0] * 4, [0] * 4, [1, 0, 0, 0]]


def test_shares_of_energy_against_those_of_area() -> None:
    energies = np.ones((30, 8, 8))
    energies[:, :4, 4:] = 5  # the bed: 80 of 128
    found = on_objects(energies, [[BED]] * 30, 1)["bed"]
    assert (found["images"], found["area"]) == (30, 0.25)
    assert [found[name] for name in ("energy", "excess", "low", "high")] == pytest.approx([0.625, *[0.375] * 3])


def test_the_interval_holds_what_is_true_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(6)
    held = 0
    for seed in range(100):
        found = on_objects(rng.exponential(size=(40, 4, 4)), [[BED]] * 40, seed)["bed"]
        held += found["low"] < 0 < found["high"]
    assert 85 <= held < 100


def test_images_without_energy_and_boxes_without_pixels_say_nothing() -> None:
    energies = np.ones((2 * LEAST, 4, 4))
    energies[0] = 0
    thin: SceneObject = {"name": "thin", "box": [0.4, 0, 0.45, 1]}
    rare = [[BED, LAMP, thin] if i < LEAST else [BED, thin] for i in range(2 * LEAST)]
    found = on_objects(energies, rare, 1)
    assert list(found) == ["bed"]
    assert found["bed"]["images"] == 2 * LEAST - 1
    assert set(on_objects(energies[1:], [[BED, LAMP]] * (2 * LEAST - 1), 1)) == {"bed", "lamp"}
