"""What training images a path leads along, from distances that are given."""

import numpy as np
import pytest

from dcgan_dist.studies.nearest_along import NearestAlong, line_of
from dcgan_dist.studies.nearest_training import NearestTraining


def along(places: list[int], levels: list[float], held_out: np.ndarray) -> NearestAlong:
    images = np.zeros((len(places), 4, 4, 3), np.uint8)
    return NearestAlong(NearestTraining(np.array(places), images, np.array(levels)), held_out)


@pytest.mark.parametrize(
    ("levels", "copies", "near"),
    [
        ([1, 2, 3, 4], True, 4),
        ([4, 30, 30, 30], True, 1),
        ([6, 9, 12, 18], False, 0),
        ([20, 22, 25, 18], False, 0),
    ],
    ids=["all are copies", "one is", "all are blurred", "all are new"],
)
def test_images_are_copies_that_are_much_nearer_than_those_held_out(
    levels: list[float], copies: bool, near: int
) -> None:
    found = along([7, 7, 9, 9], levels, np.linspace(14, 26, 60))
    assert (found.copies, found.near.sum()) == (copies, near)
    assert found.relative.tolist() == [level / 20 for level in levels]
    ends = f"{near} of 4 images are copies of training images" if copies else "no sign of copies"
    assert line_of(found, np.array([1])).endswith(f"another is nearest after 1 of 3 steps, 1 of them sharp; {ends}")


def test_few_near_images_are_no_sign_where_there_are_many() -> None:
    found = [along([3] * 100, [1.0] * few + [20.0] * (100 - few), np.full(60, 20.0)) for few in (5, 6)]
    assert [one.copies for one in found] == [False, True]


def test_plain_images_are_no_copies_where_images_held_out_are_plain_too() -> None:
    held_out = np.concatenate([np.full(20, 3.0), np.full(40, 20.0)])
    assert not along([7, 7, 9], [3.5, 4, 3], held_out).copies
    assert along([7, 7, 9], [1, 2, 1], held_out).copies
