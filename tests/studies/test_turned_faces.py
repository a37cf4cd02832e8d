"""How faces turn, and what else changes, where that is known."""

import numpy as np
import pytest
import torch

from dcgan_dist.intervals import wilson
from dcgan_dist.studies.judges.faces import MOST_YAW_DEGREES, FaceJudge, FacesSeen
from dcgan_dist.studies.turned_faces import Rows, correlation, extreme, measure_turn
from tests.studies.linear_faces import LATENTS, SCALE, judged, subject


def rows_of(yaw: list[list[float]], **other: list[list[int]]) -> Rows:
    values = np.array(yaw)
    flat = {
        name: np.array(other.get(name, np.zeros(values.shape))).ravel() for name in ("smile", "bald", "skin", "hair")
    }
    no = np.zeros(values.size, bool)
    attributes = np.stack([flat["smile"] > 0, no, no, flat["bald"] > 0], axis=1)
    seen = FacesSeen(values.ravel(), attributes, flat["skin"].astype(int), flat["hair"].astype(int))
    return Rows(seen, values.shape[1])


@pytest.mark.parametrize(
    ("yaw", "wanted"),
    [
        ([[0, 1, 2], [5, 6, 7]], 4 / 166**0.5),
        ([[2, 1, 0]], -1.0),
        ([[3, 3, 3], [3, 3, 3]], 0.0),
        ([[0, 1, 2], [2, 1, 0]], 0.0),
    ],
)
def test_the_place_in_a_row_correlates_with_the_yaw(yaw: list[list[float]], wanted: float) -> None:
    assert correlation(np.array(yaw, float)) == pytest.approx(wanted, abs=1e-4)


def test_within_rows_faces_that_look_elsewhere_do_not_count() -> None:
    found = rows_of([[0, 1, 2], [5, 6, 7], [-30, -29, -28], [8, 7, 9]]).numbers(seed=2)
    within, all_ = found["correlation_within_rows"], found["correlation"]
    assert within["value"] == pytest.approx(3.5 * 2 / np.sqrt(4 * 2 * 8), abs=1e-3)
    assert 0 < all_["value"] < 0.2 < within["low"] <= within["value"] <= within["high"] <= 1
    assert found["degrees_per_step"] == pytest.approx((2 + 2 + 2 + 1) / 4 / 2)
    assert found["degrees_end_to_end"] == pytest.approx(7 / 4)
    assert found["monotone"]["share"] == 0.75
    assert (found["monotone"]["low"], found["monotone"]["high"]) == pytest.approx(wilson(0.75, 4))
    assert found["faces"] == 4


def test_what_stays_is_counted_from_end_to_end() -> None:
    found = rows_of(
        [[0, 1, 2]] * 4,
        smile=[[1, 0, 1], [1, 1, 0], [0, 0, 0], [0, 1, 1]],
        bald=[[0, 0, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0]],
        skin=[[4, 0, 4], [3, 3, 3], [2, 2, 2], [1, 0, 0]],
        hair=[[1, 2, 3], [5, 5, 5], [5, 5, 5], [2, 0, 2]],
    ).stays()
    shares = {name: one["share"] for name, one in found.items()}
    # Of the color of hair, the first and the last face count: the others are bald at an end.
    assert shares == {"smile": 0.5, "glasses": 1, "long_hair": 1, "bald": 0.75, "skin": 0.75, "hair": 0.5}
    assert found["hair"]["high"] == pytest.approx(wilson(0.5, 2)[1])
    assert "hair" not in rows_of([[0, 1, 2]], bald=[[1, 0, 0]]).stays()


def test_the_furthest_faces_are_exemplars() -> None:
    assert extreme(np.array([3.0, -8, 0, 9, -7, 4]), 2) == ([1, 4], [3, 5])


def test_a_vector_that_turns_does_so_and_random_ones_do_not() -> None:
    generator, judge = subject(), judged().judge
    assert isinstance(judge, FaceJudge)
    z, vector = generator.generator.latents(60, 3), torch.zeros(LATENTS)
    vector[0], vector[1] = 1.2, 0.5
    found = measure_turn(generator, judge, z, vector, steps=5, seed=8)
    turned, random = found["turned"], found["random"]
    assert turned["correlation_within_rows"]["value"] > 0.99
    assert turned["monotone"]["share"] == 1
    assert turned["degrees_end_to_end"] == pytest.approx(1.2 / SCALE * MOST_YAW_DEGREES, abs=0.2)
    assert turned["degrees_per_step"] == pytest.approx(turned["degrees_end_to_end"] / 4)
    # Green crosses 0 in those that begin within half a step of it; blue does not move.
    crossed = float((z[:, 1].abs() < 0.25).float().mean())
    for name in ("smile", "skin", "long_hair"):
        assert turned["stays"][name]["share"] == pytest.approx(1 - crossed, abs=0.04)
    assert turned["stays"]["glasses"]["share"] == 1
    assert turned["stays"]["hair"]["share"] == 1
    assert random["correlation_within_rows"]["low"] < 0 < random["correlation_within_rows"]["high"]
    assert random["stays"]["glasses"]["share"] < 1
    # As long: the mean square of one component is that of the vector over their number.
    assert abs(random["degrees_end_to_end"]) < 0.4 * turned["degrees_end_to_end"]
