"""Which boxes of a detector become faces, and where the square around each lies."""

import numpy as np
import pytest

from dcgan_dist.data.faces.crops import Box, Face, keep, square


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        (Box(40, 30, 20, 20), 0.0, Box(40, 30, 20, 20)),
        (Box(40, 30, 20, 20), 0.25, Box(35, 25, 30, 30)),
        (Box(40, 30, 20, 20), 1.0, Box(20, 10, 60, 60)),
        (Box(40, 30, 10, 20), 0.25, Box(30, 25, 30, 30)),
        (Box(40, 30, 20, 10), 0.25, Box(35, 20, 30, 30)),
        (Box(2, 30, 20, 20), 0.25, Box(0, 25, 30, 30)),
        (Box(80, 30, 20, 20), 0.25, Box(70, 25, 30, 30)),
        (Box(40, 1, 20, 20), 0.25, Box(35, 0, 30, 30)),
        (Box(40, 60, 20, 20), 0.25, Box(35, 50, 30, 30)),
        (Box(10, 5, 70, 70), 0.05, Box(6, 1, 77, 77)),
        (Box(10, 0, 80, 80), 0.0, Box(10, 0, 80, 80)),
        (Box(10, 5, 70, 70), 0.1, None),
    ],
)
def test_the_square_is_around_the_box_or_moved_into_the_picture(box: Box, margin: float, expected: Box | None) -> None:
    assert square(box, margin, 100, 80) == expected


def test_a_square_lies_within_the_picture_and_has_all_of_the_box() -> None:
    random = np.random.default_rng(7)
    there = 0
    for _ in range(2_000):
        width, height, margin = int(random.integers(1, 60)), int(random.integers(1, 60)), float(random.uniform(0, 1))
        side = int(random.integers(1, min(width, height) + 1))
        box = Box(int(random.integers(0, width - side + 1)), int(random.integers(0, height - side + 1)), side, side)
        found = square(box, margin, width, height)
        if found is not None:
            there += 1
            assert found.width == found.height >= side
            assert 0 <= found.x <= box.x
            assert 0 <= found.y <= box.y
            assert box.x + side <= found.x + found.width <= width
            assert box.y + side <= found.y + found.height <= height
    assert 200 < there < 1_800


def boxes(*found: Box, least: int = 10, margin: float = 0.25) -> list[Box]:
    given = [(box, float(number)) for number, box in enumerate(found)]
    return [face.box for face in keep(given, 200, 100, margin=margin, least=least).faces]


def test_the_largest_face_comes_first_then_the_upper_then_the_left_one() -> None:
    large, upper, left, right = Box(120, 40, 30, 30), Box(70, 5, 20, 20), Box(5, 60, 20, 20), Box(50, 60, 20, 20)
    assert boxes(right, left, upper, large) == boxes(large, upper, left, right) == [large, upper, left, right]


@pytest.mark.parametrize(("side", "kept"), [(19, False), (20, True)])
def test_a_box_that_is_too_small_is_left_out(side: int, kept: bool) -> None:
    assert bool(boxes(Box(50, 40, side, side), least=20)) == kept
    assert bool(boxes(Box(50, 40, side, 12), least=20)) == kept


@pytest.mark.parametrize(
    ("small", "kept"),
    [
        (Box(60, 50, 12, 12), False),  # a mouth
        (Box(34, 50, 12, 12), False),  # center on the edge
        (Box(33, 50, 12, 12), True),
        (Box(74, 50, 12, 12), False),
        (Box(75, 50, 12, 12), True),
        (Box(60, 24, 12, 12), False),
        (Box(60, 23, 12, 12), True),
        (Box(60, 64, 12, 12), False),
        (Box(60, 65, 12, 12), True),
    ],
)
def test_a_box_with_its_center_in_a_larger_one_is_left_out(small: Box, kept: bool) -> None:
    assert boxes(small, Box(40, 30, 40, 40)) == [Box(40, 30, 40, 40), small][: 1 + kept]


def test_a_face_that_is_left_out_hides_no_other() -> None:
    too_large_with_its_margin, inside = Box(40, 2, 90, 90), Box(60, 30, 20, 20)
    assert boxes(too_large_with_its_margin, inside) == [inside]


@pytest.mark.parametrize(
    ("found", "without_room"),
    [
        ([], False),
        ([Box(40, 2, 90, 90)], True),
        ([Box(60, 30, 20, 20), Box(40, 2, 90, 90)], True),
        ([Box(60, 30, 20, 20)], False),
        ([Box(60, 30, 9, 9)], False),
        ([Box(250, 2, 90, 90)], False),
    ],
)
def test_a_face_whose_square_is_larger_than_the_picture_is_told(found: list[Box], without_room: bool) -> None:
    given = [(box, 1.0) for box in found]
    assert keep(given, 200, 100, margin=0.25, least=10).without_room == without_room


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        (Box(-6, 20, 30, 30), Box(0, 20, 24, 30)),
        (Box(190, 20, 30, 30), Box(190, 20, 10, 30)),
        (Box(20, -4, 30, 30), Box(20, 0, 30, 26)),
        (Box(20, 85, 30, 30), Box(20, 85, 30, 15)),
        (Box(-50, 20, 30, 30), None),
        (Box(250, 20, 30, 30), None),
        (Box(20, -50, 30, 30), None),
    ],
)
def test_a_box_ends_where_the_picture_does(box: Box, clipped: Box | None) -> None:
    found = boxes(box, least=30 if clipped else 1)
    assert found == ([] if clipped is None else [clipped])


def test_a_crop_is_cut_from_its_rows_and_columns() -> None:
    picture = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)
    cut = Face(Box(3, 2, 4, 4), 1.0, Box(2, 1, 6, 6)).cut(picture)
    np.testing.assert_array_equal(cut, picture[1:7, 2:8])


def test_each_face_keeps_its_own_confidence() -> None:
    found = keep([(Box(5, 5, 10, 10), 0.5), (Box(60, 5, 30, 30), 7.0)], 200, 100, margin=0.5, least=1).faces
    assert [(face.confidence, face.crop) for face in found] == [(7.0, Box(45, 0, 60, 60)), (0.5, Box(0, 0, 20, 20))]
