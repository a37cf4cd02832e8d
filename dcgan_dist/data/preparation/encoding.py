"""From one picture of a source to one image of a shard: decode, fit to the size, encode; or leave it as it is."""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.image_decoding import BadImage, Fit, decode, fit_pixels, kind_if_ready
from dcgan_dist.data.readers.source import Picture


@dataclass(frozen=True)
class ImageFormat:
    """What images of the shards are like.

    Attributes:
        size: height and width.
        fit: see `decode`.
        channels: 1 (grey), 3 (RGB), or 0: as many as the source has.
        encode: `jpeg`, `png`, `keep`, or "": see `PrepareOptions`.
        quality: of JPEGs, from 1 to 100.
        max_bytes, max_pixels: a picture that has more is bad.
    """

    size: int
    fit: Fit
    channels: Literal[0, 1, 3]
    encode: Literal["", "jpeg", "png", "keep"]
    quality: int
    max_bytes: int
    max_pixels: int


def make_image(picture: Picture, form: ImageFormat) -> tuple[bytes, str]:
    """The file of an image of a shard, and its suffix.

    Args:
        picture: a file, or pixels: uint8 [H, W, 3] or [H, W].
        form: of the image.

    Raises:
        BadImage: it is empty, too large, or no picture that can be decoded.
    """
    if isinstance(picture, bytes):
        pixels = decode_picture(picture, form)
        if kept := _kept(picture, form):
            return picture, kept
        return encode_pixels(pixels, form, lossless=form.encode == "png")
    return encode_pixels(fit_array(picture, form), form, lossless=form.encode in ("", "png"))


def decode_picture(data: bytes, form: ImageFormat) -> Pixels:
    """A file as uint8 [size, size, 3]; raises `BadImage`."""
    check_bytes(data, form)
    pixels = np.empty((form.size, form.size, 3), np.uint8)
    decode(data, pixels, fit=form.fit, max_pixels=form.max_pixels)
    return pixels


def check_bytes(data: bytes, form: ImageFormat) -> None:
    """Raise `BadImage` where a file is empty or too large."""
    if not data:
        raise BadImage("is empty")
    if len(data) > form.max_bytes:
        raise BadImage(f"has {len(data):,} bytes, more than the {form.max_bytes:,} that are allowed")


def fit_array(pixels: NDArray[np.uint8], form: ImageFormat) -> NDArray[np.uint8]:
    """Pixels of any size as uint8 [size, size, 3], or [size, size] if they were grey; raises `BadImage`."""
    height, width = pixels.shape[:2]
    if not height or not width or height * width > form.max_pixels:
        raise BadImage(f"has {width} x {height} pixels, from 1 to {form.max_pixels:,} are allowed")
    return fit_pixels(pixels, form.size, form.fit)


def encode_pixels(pixels: NDArray[np.uint8], form: ImageFormat, *, lossless: bool) -> tuple[bytes, str]:
    """A PNG or JPEG of pixels, uint8 [S, S, 3] or [S, S], and its suffix; grey where `channels` is 1.

    JPEGs have no chroma subsampling. Grey is that of ITU-R 601, as Pillow and libjpeg have it.
    """
    if form.channels == 1 and pixels.ndim == 3:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    elif form.channels == 3 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if lossless:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        return file.getvalue(), "png"
    if pixels.ndim == 2:
        grey = np.ascontiguousarray(pixels[:, :, None])
        return simplejpeg.encode_jpeg(grey, quality=form.quality, colorspace="GRAY", colorsubsampling="Gray"), "jpg"
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(pixels), quality=form.quality, colorspace="RGB", colorsubsampling="444"
    )
    return data, "jpg"


def _kept(data: bytes, form: ImageFormat) -> str:
    """Suffix of a file that needs no change; "" where it does."""
    kind = None if form.encode == "png" else kind_if_ready(data, form.size)
    if kind is None:
        return ""
    suffix, channels = kind
    return suffix if form.channels in (0, channels) and (suffix == "jpg" or form.encode == "keep") else ""
