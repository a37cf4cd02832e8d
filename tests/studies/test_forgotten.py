"""What is lost without some maps, by made-up sights."""

import numpy as np
import pytest

from dcgan_dist.studies.forgotten import changed, compare
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomsSeen

WINDOW, BED, DOOR = (OBJECTS.index(name) for name in ("window", "bed", "door"))


def sights(*samples: dict[int, tuple[int, int, int, int]]) -> RoomsSeen:
    """Of each sample, rows and columns of each kind of object: first, last, first, last."""
    masks = np.zeros((len(samples), len(OBJECTS), 32, 32), bool)
    for number, objects in enumerate(samples):
        for kind, (top, bottom, left, right) in objects.items():
            masks[number, kind, top:bottom, left:right] = True
    return RoomsSeen(masks, np.zeros((len(samples), 2), bool))


PLACE = (4, 12, 4, 12)
BEFORE = sights(
    {WINDOW: PLACE, BED: (20, 30, 0, 30)},
    {WINDOW: PLACE},
    {WINDOW: PLACE},
    {WINDOW: PLACE, DOOR: (0, 20, 20, 28)},
    {BED: (20, 30, 0, 30)},
)
AFTER = sights(
    {WINDOW: (4, 12, 4, 8)},  # half of it stays, the bed is lost
    {DOOR: PLACE},  # a door stands there
    {BED: (4, 6, 4, 11)},  # a bed takes less than a fourth of it
    {DOOR: (0, 20, 4, 28)},  # the door that was there has grown over it
    {BED: (20, 30, 0, 30), WINDOW: PLACE},  # a new one
)


def test_what_is_lost_is_counted() -> None:
    images = np.zeros((5, 32, 32, 3), np.uint8)
    numbers = compare(images, images, BEFORE, AFTER, "window").numbers()
    assert (numbers["before"], numbers["after"], numbers["left"]) == (4, 2, 0.5)
    assert numbers["area_left"] == (32 + 64) / (4 * 64)
    assert numbers["kept"] == {"bed": 0.5, "door": 1.0, "lamp": None, "picture": None}
    assert numbers["samples"]["door"] == [1, 2]
    assert numbers["instead"] == {"bed": 0, "door": 2, "lamp": 0, "picture": 0, "nothing": 1}
    assert set(numbers["still_interval"]) == {"window", "bed", "door"}
    low, high = numbers["still_interval"]["window"]
    assert low < 0.25 < high  # one of four shows it still


def test_what_was_in_the_place_before_does_not_stand_there_instead_and_a_fourth_of_it_is_enough() -> None:
    images = np.zeros((2, 32, 32, 3), np.uint8)
    before = sights({WINDOW: PLACE, BED: (4, 30, 0, 30)}, {WINDOW: PLACE})
    after = sights({BED: (4, 30, 0, 30)}, {DOOR: (4, 6, 4, 12)})
    instead = compare(images, images, before, after, "window").instead
    assert (instead["bed"], instead["door"], instead["nothing"]) == (0, 1, 1)


def test_nothing_is_divided_by_nothing() -> None:
    images = np.zeros((1, 32, 32, 3), np.uint8)
    numbers = compare(images, images, sights({}), sights({WINDOW: PLACE}), "window").numbers()
    assert (numbers["before"], numbers["after"], numbers["left"], numbers["area_left"]) == (0, 1, None, None)
    assert numbers["changed"] == {"inside": 0, "outside": 0}


@pytest.mark.parametrize("side", [32, 64])
def test_changes_are_told_inside_and_outside_of_where_the_object_was(side: int) -> None:
    before, after = np.full((5, side, side, 3), 100, np.uint8), np.full((5, side, side, 3), 103, np.uint8)
    part = slice(4 * side // 32, 12 * side // 32)
    after[:4, part, part] = 110
    after[4] = 0  # showed no window
    assert compare(before, after, BEFORE, AFTER, "window").changes == {"inside": 10, "outside": 3}
    boxes = [[(0.125, 0.125, 0.375, 0.375)]] * 4
    assert changed(before[:4], after[:4], boxes) == {"inside": 10, "outside": 3}
