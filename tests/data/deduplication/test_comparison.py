from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.dedup_changes import COPIES, mirrored, same
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication import comparison
from dcgan_dist.data.deduplication.comparison import LARGEST, THRESHOLD, difference
from dcgan_dist.data.image_decoding import fit_pixels
from dcgan_dist.data.scenes import draw

SIDE, MARGIN = 64, 8
PICTURES = [("rooms", index) for index in range(4)] + [("faces", index) for index in range(4)]


def picture(kind: str, index: int) -> Pixels:
    """With something around the square of 64 pixels, for shifts to bring in."""
    assert kind in ("rooms", "faces")
    return draw("rooms" if kind == "rooms" else "faces", SIDE + 2 * MARGIN, 17, index).image


def thumbnail(square: Pixels) -> Pixels:
    return fit_pixels(square, 32, "resize")


def pair(first: Pixels, second: Pixels) -> float:
    return float(difference(thumbnail(first)[None], thumbnail(second)[None])[0])


def noise(mean: float, deviation: float, seed: int) -> Pixels:
    values = np.random.default_rng(seed).normal(mean, deviation, (32, 32, 3))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def many() -> tuple[Pixels, Pixels]:
    """Pairs of all degrees of likeness, more than are compared at once."""
    thumbnails = np.stack([thumbnail(same(picture(*one), SIDE)) for one in PICTURES])
    first = np.repeat(thumbnails, 8, axis=0)
    second = np.tile(thumbnails, (8, 1, 1, 1))
    second[::9] = np.clip(second[::9].astype(int) + np.arange(32)[:, None] // 3, 0, 255)
    return np.concatenate([first, second[:9]]), np.concatenate([second, first[1:10]])


@pytest.mark.parametrize("scene", PICTURES)
@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_below_the_threshold(kind: str, scene: tuple[str, int]) -> None:
    whole = picture(*scene)
    for turn in (2, 4, 7):
        found = pair(same(whole, SIDE), COPIES[kind](whole, SIDE, turn))
        assert 0 < found < THRESHOLD


def with_a_speck(square: Pixels) -> Pixels:
    changed = square.copy()
    changed[40:48, 16:24] = 255 - changed[40:48, 16:24]
    return changed


OTHERS: dict[str, Callable[[Pixels], Pixels]] = {
    "mirrored": lambda whole: mirrored(whole, SIDE),
    "inverted": lambda whole: 255 - same(whole, SIDE),
    "upside down": lambda whole: same(whole, SIDE)[::-1],
    "red and blue exchanged": lambda whole: same(whole, SIDE)[..., ::-1],
    "a small thing more": lambda whole: with_a_speck(same(whole, SIDE)),
    "8 of 64 pixels aside": lambda whole: whole[MARGIN:-MARGIN, : -2 * MARGIN],
    "half the contrast": lambda whole: (same(whole, SIDE) // 2 + 64).astype(np.uint8),
    "half as bright": lambda whole: same(whole, SIDE) // 2,
}


@pytest.mark.parametrize("scene", PICTURES)
@pytest.mark.parametrize("kind", OTHERS)
def test_other_pictures_are_above_the_threshold(kind: str, scene: tuple[str, int]) -> None:
    whole = picture(*scene)
    assert pair(same(whole, SIDE), OTHERS[kind](whole)) > THRESHOLD


def test_other_scenes_are_far_above_it() -> None:
    squares = [same(picture(*scene), SIDE) for scene in PICTURES]
    for i, one in enumerate(squares):
        assert all(pair(one, other) > 1.5 * THRESHOLD for other in squares[:i])


def test_equal_images_do_not_differ() -> None:
    flat = np.full((32, 32, 3), 128, np.uint8)
    images = np.stack([thumbnail(picture("rooms", 1)), flat, 0 * flat, noise(90, 40, 1)])
    assert difference(images, images).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("first", "second", "duplicates"),
    [
        (noise(128, 0.4, 1), noise(128, 0.4, 2), True),  # the same blank page, with the dust of two scans
        (noise(128, 0.4, 1), noise(131, 0.4, 2), True),
        (noise(128, 6, 1), noise(128, 6, 2), False),  # two pictures of nothing but their own grain
        (noise(128, 0.4, 1), noise(150, 0.4, 2), False),  # two sheets of paper
        (noise(0, 0, 1), noise(255, 0, 2), False),
    ],
)
def test_flat_pictures_are_known_by_what_little_they_have(first: Pixels, second: Pixels, duplicates: bool) -> None:
    assert (float(difference(first[None], second[None])[0]) <= THRESHOLD) == duplicates


@pytest.mark.parametrize(("factor", "expected"), [(0.72, False), (0.6, True)])
def test_what_no_fit_may_explain_is_as_different_as_can_be(factor: float, expected: bool) -> None:
    square = thumbnail(same(picture("rooms", 2), SIDE))
    darker = np.rint(square * factor).astype(np.uint8)
    assert (difference(square[None], darker[None])[0] == LARGEST) == expected


def test_the_order_of_the_two_changes_no_bit() -> None:
    first, second = many()
    assert np.array_equal(difference(first, second), difference(second, first))


def test_the_company_of_a_pair_changes_no_bit() -> None:
    first, second = many()
    together = difference(first, second)
    alone = [difference(first[i : i + 1], second[i : i + 1])[0] for i in range(len(first))]
    assert len(first) > 2 * comparison._BATCH
    assert np.array_equal(together, np.array(alone))
    assert len(difference(first[:0], second[:0])) == 0


def test_filters_and_warps_are_exact() -> None:
    # Values as large as they get: then sums in float32 are those of float64, in whichever order they are made.
    rng = np.random.default_rng(5)
    white = rng.integers(254, 256, (3, 3, 32, 32)).astype(np.float32)
    gray, colors = white[:, 0] + 2 * white[:, 1] + white[:, 2], comparison._filter(comparison._HALF, white)
    motion = np.array([[0.3, -0.71, 0.02], [-1.49, 1.5, -0.05], [0.01, 0, 0.05]], np.float32)
    blurred = comparison._filter(comparison._BLUR, gray)
    for images, grid in ((gray, 32), (blurred, 32), (colors, 16)):
        warped = comparison._warp(images, motion, grid)
        assert np.array_equal(warped, comparison._warp(images.astype(np.float64), motion, grid))
    warped = comparison._warp(gray, motion, 32)
    precise = comparison._filter(comparison._BLUR.astype(np.float64), warped.astype(np.float64))
    assert np.array_equal(comparison._filter(comparison._BLUR, warped), precise)


def test_alignment_finds_the_motion() -> None:
    whole = picture("rooms", 3)
    middle, moved = whole[MARGIN:-MARGIN, MARGIN:-MARGIN], whole[MARGIN + 3 : 3 - MARGIN, MARGIN - 2 : -2 - MARGIN]
    (gray, colors), (other_gray, other_colors) = (comparison._planes(thumbnail(one)[None]) for one in (middle, moved))
    down, right, larger = 2 * comparison._align(gray, colors, other_gray, other_colors)[0]
    assert (down, right) == pytest.approx((-1.5, 1), abs=0.05)  # pixels of the thumbnail, to where a thing is now
    assert larger == pytest.approx(0, abs=0.004)
