"""Pictures inside of a page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.data.deduplication.page_pictures import SIDE, data_address


def decoded(address: str) -> Image.Image:
    kind, _, data = address.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert kind == f"data:image/{str(image.format).lower()}"
    return image


def test_a_small_picture_is_shown_as_it_was_compared() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (32, 32, 3), np.uint8)
    assert (np.asarray(decoded(data_address(pixels))) == pixels).all()


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(64, 64, (64, 64)), (512, 512, (SIDE, SIDE)), (300, 900, (SIDE, 43)), (900, 300, (43, SIDE))],
)
def test_a_large_one_is_made_smaller_and_keeps_its_proportions(height: int, width: int, size: tuple[int, int]) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = 200, 20, 60
    image = decoded(data_address(pixels))
    assert image.size == size
    upper = np.asarray(image).astype(int)[: size[1] // 2 - 8].mean((0, 1))
    assert np.abs(upper - (200, 20, 60)).max() < 3
