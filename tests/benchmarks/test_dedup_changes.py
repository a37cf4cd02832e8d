import numpy as np
import pytest

from benchmarks.dedup_changes import (
    COPIES,
    DIRECTIONS,
    NO_COPIES,
    brightness,
    contrast,
    cropped,
    mirrored,
    same,
    shifted,
)
from dcgan_dist.arrays import Pixels

SIDE = 64


def picture(height: int, width: int) -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height: int, width: int) -> Pixels:
    """Smooth, so that the values between two pixels are known: 2 a row, 1 a column."""
    rows, columns = np.mgrid[:height, :width]
    return np.repeat((2 * rows + columns)[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (73, 96)])
@pytest.mark.parametrize("kind", [*COPIES, *NO_COPIES])
def test_every_change_gives_a_square_that_differs_and_repeats(kind: str, shape: tuple[int, int]) -> None:
    change, whole = {**COPIES, **NO_COPIES}[kind], picture(*shape)
    before = whole.copy()
    changed = [change(whole, SIDE, turn) for turn in (0, 5, 5)]
    assert all(one.shape == (SIDE, SIDE, 3) and one.dtype == np.uint8 for one in changed)
    assert np.array_equal(changed[1], changed[2])
    assert not np.array_equal(changed[0], same(whole, SIDE))
    assert np.array_equal(whole, before)


@pytest.mark.parametrize("turn", range(len(DIRECTIONS)))
def test_a_shift_brings_in_what_the_larger_picture_has(turn: int) -> None:
    whole, (down, right) = picture(73, 96), DIRECTIONS[turn]
    top, left = 4 + 2 * down, 16 + 2 * right
    assert np.array_equal(shifted(2, whole, SIDE, turn), whole[top : top + SIDE, left : left + SIDE])


def test_a_shift_repeats_the_edge_where_there_is_no_more() -> None:
    whole = picture(SIDE, SIDE)
    moved = shifted(1, whole, SIDE, 0)
    assert np.array_equal(moved[:, :-1], whole[:, 1:])
    assert np.array_equal(moved[:, -1], whole[:, -1])


def test_a_64th_of_32_pixels_is_half_a_pixel() -> None:
    moved = shifted(1, np.tile(np.arange(32, dtype=np.uint8)[None, :, None] * 4, (32, 1, 3)), 32, 0)
    assert moved[7, 3:28, 1].tolist() == [4 * column + 2 for column in range(3, 28)]


def test_a_crop_magnifies_around_where_it_lies() -> None:
    whole = ramp(SIDE, SIDE)
    middle, lower_right = (cropped(12.5, whole, SIDE, turn)[..., 0].astype(int) for turn in (0, 5))
    # 64 pixels show 56: the middle stays, the corner moves by the 4 pixels that were cut off there in the one case
    assert abs(middle[32, 32] - whole[32, 32, 0]) <= 1
    assert (middle[0, 0], middle[63, 63]) == (whole[4, 4, 0], whole[59, 59, 0])
    assert (lower_right[0, 0], lower_right[63, 63]) == (whole[8, 8, 0], whole[63, 63, 0])


def test_light_and_contrast_by_percent() -> None:
    gray = np.full((4, 4, 3), 100, np.uint8)
    assert brightness(10, gray, 4).max() == 110
    assert brightness(-10, gray, 4).max() == 90
    assert brightness(10, np.full((4, 4, 3), 250, np.uint8), 4).min() == 255
    halves = np.repeat(np.repeat(np.array([[60, 160]], np.uint8), 2, axis=0)[..., None], 3, axis=2)
    assert contrast(10, halves, 2)[0, :, 0].tolist() == [55, 165]
    assert mirrored(halves, 2)[0, :, 0].tolist() == [160, 60]
