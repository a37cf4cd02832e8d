"""One picture of a source becomes one image of a shard."""

import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.encoding import ImageFormat, make_image

FORM = ImageFormat(16, "resize", 0, "", 90, max_bytes=100_000, max_pixels=10_000)


def smooth(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    down, across = np.mgrid[:height, :width]
    pixels = np.stack([across * 3, down * 5, (across + down) * 2], axis=-1).astype(np.uint8)
    return pixels if channels == 3 else pixels[:, :, 0]


def encoded(pixels: NDArray[np.uint8], kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def read(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize(("encode", "suffix"), [("", "jpg"), ("jpeg", "jpg"), ("png", "png"), ("keep", "jpg")])
def test_a_file_of_another_size_is_fitted_and_encoded(kind: str, encode: str, suffix: str) -> None:
    data = encoded(smooth(32, 48), kind, quality=100)
    image, its = make_image(data, replace(FORM, encode=encode))  # type: ignore[arg-type]
    assert its == suffix
    assert Image.open(io.BytesIO(image)).format == {"jpg": "JPEG", "png": "PNG"}[suffix]
    expected = np.asarray(Image.fromarray(smooth(32, 48)).resize((16, 16), Image.Resampling.BILINEAR, (8, 0, 40, 32)))
    assert np.abs(read(image).astype(int) - expected).max() <= 8


@pytest.mark.parametrize(
    ("kind", "encode", "kept"),
    [
        ("jpeg", "", True),
        ("jpeg", "jpeg", True),
        ("jpeg", "keep", True),
        ("jpeg", "png", False),
        ("png", "", False),
        ("png", "keep", True),
        ("webp", "keep", True),
        ("webp", "jpeg", False),
    ],
)
def test_a_file_that_needs_no_change_is_kept(kind: str, encode: str, kept: bool) -> None:
    data = encoded(smooth(16, 16), kind)
    image, suffix = make_image(data, replace(FORM, encode=encode))  # type: ignore[arg-type]
    assert (image == data) == kept
    assert suffix == (kind.replace("jpeg", "jpg") if kept else {"png": "png"}.get(encode, "jpg"))


@pytest.mark.parametrize(
    "data",
    [
        encoded(smooth(16, 16), "png", exif=bytes.fromhex("49492a00080000000100120103000100000006000000")),
        encoded(np.dstack([smooth(16, 16), np.full((16, 16), 9, np.uint8)]), "png"),
        encoded((smooth(16, 16, 1).astype(np.uint16) * 257), "png"),
        encoded(smooth(16, 17), "webp"),
    ],
    ids=["turned", "transparent", "16 bits", "size"],
)
def test_a_file_that_needs_a_change_is_not_kept(data: bytes) -> None:
    image, suffix = make_image(data, replace(FORM, encode="keep"))
    assert suffix == "jpg"
    assert read(image).shape == (16, 16, 3)


@pytest.mark.parametrize("encode", ["", "png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_of_the_size_are_kept_without_loss(encode: str, channels: int) -> None:
    pixels = smooth(16, 16, channels)
    image, suffix = make_image(pixels, replace(FORM, encode=encode))  # type: ignore[arg-type]
    assert suffix == "png"
    assert np.array_equal(read(image), pixels)


@pytest.mark.parametrize("encode", ["jpeg", "keep"])
def test_pixels_become_jpegs_where_that_is_asked_for(encode: str) -> None:
    image, suffix = make_image(smooth(16, 16, 1), replace(FORM, encode=encode))  # type: ignore[arg-type]
    assert suffix == "jpg"
    assert Image.open(io.BytesIO(image)).mode == "L"
    assert np.abs(read(image).astype(int) - smooth(16, 16, 1)).max() <= 8


@pytest.mark.parametrize("encode", ["", "jpeg", "png", "keep"])
def test_grey_is_made_and_unmade(encode: str) -> None:
    form = replace(FORM, encode=encode, quality=100)  # type: ignore[arg-type]
    color, grey = smooth(16, 16), smooth(16, 16, 1)
    weighted = color @ np.array([0.299, 0.587, 0.114])
    for picture in (color, encoded(color, "jpeg", quality=100), encoded(color, "png")):
        image, _ = make_image(picture, replace(form, channels=1))
        assert Image.open(io.BytesIO(image)).mode == "L"
        assert np.abs(read(image) - weighted).max() <= 5
    for picture in (grey, encoded(grey, "jpeg", quality=100), encoded(grey, "png")):
        image, _ = make_image(picture, replace(form, channels=3))
        assert Image.open(io.BytesIO(image)).mode == "RGB"
        assert np.abs(read(image).astype(int) - grey[:, :, None]).max() <= 5


def test_quality_is_that_of_jpegs() -> None:
    low, high = (len(make_image(smooth(32, 32), replace(FORM, encode="jpeg", quality=q))[0]) for q in (10, 99))
    assert low < high


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (b"", "is empty"),
        (b"\xff" * 100_001, "has 100,001 bytes, more than the 100,000 that are allowed"),
        (b"<html>", "HTML"),
        (encoded(smooth(101, 100), "png"), r"declares 100 x 101 pixels, more than the 10,000 that are allowed"),
        (smooth(101, 100), "has 100 x 101 pixels, from 1 to 10,000 are allowed"),
        (smooth(16, 16)[:0], "has 16 x 0 pixels"),
    ],
)
def test_what_is_no_picture_is_bad(picture: bytes | NDArray[np.uint8], reason: str) -> None:
    with pytest.raises(BadImage, match=reason):
        make_image(picture, FORM)
