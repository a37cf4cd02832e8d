import io

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.model.pixels import enlarged, grid, png, tiled


def test_a_grid_is_filled_row_by_row() -> None:
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((5, 2, 2, 3), np.uint8)
    picture = tiled(images, columns=3, padding=1)
    assert picture.shape == (2 * 2 + 1, 3 * 2 + 2, 3)
    assert picture[0, ::3, 0].tolist() == [1, 2, 3]
    assert picture[3, ::3, 0].tolist() == [4, 5, 0]
    assert not picture[2].any()
    assert not picture[:, 2].any()


def test_a_grid_is_square_unless_told_otherwise() -> None:
    images = np.zeros((64, 8, 8, 3), np.uint8)
    assert tiled(images).shape == (8 * 10 - 2, 8 * 10 - 2, 3)
    assert tiled(images[:10], columns=10, padding=0).shape == (8, 80, 3)


@pytest.mark.parametrize(
    ("side", "columns", "width"),
    # 64 rooms of 32 pixels are 270 wide; those of 64 are 526, and of 256 wide enough.
    [(32, 8, 3 * 270), (64, 8, 2 * 526), (128, 8, 1038), (256, 8, 2062), (8, 2, 50 * 18)],
)
def test_a_grid_of_small_images_is_enlarged_so_that_a_person_sees_them(side: int, columns: int, width: int) -> None:
    picture = grid(np.zeros((columns**2, side, side, 3), np.uint8))
    assert picture.shape == (width, width, 3)


def test_a_pixel_becomes_a_square_of_one_color() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 300, 3), dtype=np.uint8)
    large = enlarged(picture)
    assert large.shape == (9, 900, 3)
    for row in range(3):
        for column in range(3):
            assert np.array_equal(large[row::3, column::3], picture)


def test_a_picture_says_what_it_shows() -> None:
    with Image.open(io.BytesIO(png(np.zeros((2, 2, 3), np.uint8), "by whom"))) as image:
        assert image.text == {"Description": "by whom"}  # type: ignore[attr-defined]


def test_png_keeps_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(png(picture))) as image:
        assert np.array_equal(np.asarray(image), picture)
