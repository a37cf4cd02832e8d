"""Pictures inside of a page: brought back to their own pixels, and made small enough for all of them to fit. Pure."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.image_decoding import BadImage, decode_whole
from dcgan_dist.storage import MissingFile, Place

MOST_PIXELS = 64_000_000
"""A picture that declares more is not decoded."""
LARGEST_FILE = 64 << 20
"""Bytes."""
LEVELS = ((1_000, 86), (800, 80), (600, 74), (420, 66), (300, 60), (200, 50))
"""Pixels of the longer side at most, and quality: the first of these with which all pictures fit is taken."""
AROUND = 4_096
"""Bytes of a page around a picture, at most: its tag, and what it shows."""
EXACT_SIDE = 420
"""Up to here a picture is stored without loss, at the first level: it is mostly a grid of small images."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture of a report.

    Attributes:
        file: that it is from, below the folder of the run.
        about: what it shows.
        pixels: uint8 [H, W, 3], `native`.
        rank: those of the lowest ranks are left out last.
    """

    file: str
    about: str
    pixels: Pixels
    rank: int


@dataclass(frozen=True)
class Embedded:
    """A picture as it is in the page.

    Attributes:
        address: `data:image/...`.
        width, height: in pixels.
        smaller: whether it has fewer pixels than its file.
        enlarge: whether its pixels are to be seen as squares.
    """

    address: str
    width: int
    height: int
    smaller: bool
    enlarge: bool


def read_shot(place: Place, file: str, about: str, rank: int) -> Shot | str:
    """A picture of a file, or a sentence that says why it cannot be shown."""
    try:
        if place.info().size > LARGEST_FILE:
            return f"{file} is larger than {LARGEST_FILE >> 20} MiB: it is left out"
        pixels = decode_whole(place.read_bytes(), max_pixels=MOST_PIXELS)
    except MissingFile:
        return f"{file} is missing: it is left out"
    except BadImage as error:
        return f"{file} cannot be shown ({error}): it is left out"
    return Shot(file, about, native(pixels), rank)


def native(picture: Pixels) -> Pixels:
    """A picture without the enlarging of `model.pixels.enlarged`: uint8 [H, W, 3], each square as one pixel again."""
    height, width = picture.shape[:2]
    for factor in range(min(height, width), 1, -1):
        if height % factor == width % factor == 0:
            small = picture[::factor, ::factor]
            if np.array_equal(small.repeat(factor, 0).repeat(factor, 1), picture):
                return small
    return picture


def embed(shots: Sequence[Shot], room: int) -> tuple[Mapping[Shot, Embedded], Sequence[str]]:
    """Pictures for a page, which together take at most `room` bytes; and names of the files that are left out."""
    order = sorted(shots, key=lambda shot: shot.rank)
    made: dict[Shot, Embedded] = {}
    for number, (side, quality) in enumerate(LEVELS):
        made = {shot: _embedded(shot.pixels, side, quality, exact=number == 0) for shot in order}
        if sum(map(_bytes, made.values())) <= room:
            return made, []
    left_out = []
    while order and sum(_bytes(made[shot]) for shot in order) > room:
        left_out.append(order.pop().file)
    return {shot: made[shot] for shot in order}, left_out


def _bytes(one: Embedded) -> int:
    return len(one.address) + AROUND


def _embedded(pixels: Pixels, side: int, quality: int, *, exact: bool) -> Embedded:
    image = Image.fromarray(pixels)
    smaller = max(image.size) > side
    if smaller:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    lossless = exact and max(image.size) <= EXACT_SIDE
    file = io.BytesIO()
    image.save(file, "webp", lossless=lossless, quality=quality, method=4)
    address = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Embedded(address, image.width, image.height, smaller, enlarge=not smaller and max(image.size) <= EXACT_SIDE)
