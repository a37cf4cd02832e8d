"""Digits drawn by fonts, as MNIST is arranged: white on black, 20 pixels high, centered by their mass in 28 x 28.

They stand for MNIST where that is not at hand: ten classes, many shapes a class. The fonts are those that Matplotlib
brings along; each digit is turned, slanted, stretched and made bolder at random.

python -m benchmarks.digits FOLDER
"""

import argparse
import io
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import place

SIZE, BOX, CANVAS = 28, 20, 128
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralItalic",
    "cmr10",
    "cmss10",
    "cmtt10",
)
TURN_DEGREES, SLANT, STRETCH = 12.0, 0.25, 0.2
"""Most that a digit is turned, slanted (as a share of its height) and stretched (of its width)."""


def digit(label: int, seed: int, number: int) -> NDArray[np.uint8]:
    """Digit `number` of a seed's endless set, uint8 [28, 28]; its bytes depend on these arguments alone."""
    random = np.random.default_rng((seed, number))
    picture = Image.new("L", (CANVAS, CANVAS))
    font = _font(FONTS[random.integers(len(FONTS))])
    ImageDraw.Draw(picture).text((CANVAS / 2, CANVAS / 2), str(label), fill=255, font=font, anchor="mm")
    if kernel := (0, 3, 5)[random.integers(3)]:
        picture = picture.filter(ImageFilter.MaxFilter(kernel))
    turn, slant = np.deg2rad(random.uniform(-TURN_DEGREES, TURN_DEGREES)), random.uniform(-SLANT, SLANT)
    wide = random.uniform(1 - STRETCH, 1 + STRETCH)
    middle = np.full(2, CANVAS / 2)
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = turned @ np.array([[1 / wide, slant], [0, 1]])
    away = middle - matrix @ middle
    data = (*matrix[0], away[0], *matrix[1], away[1])
    picture = picture.transform(picture.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    box = picture.getbbox()
    assert box is not None
    picture = picture.crop(box)
    factor = BOX / max(picture.size)
    small = picture.resize([max(1, round(factor * side)) for side in picture.size], Image.Resampling.BOX)
    return _centered(np.asarray(small))


def _centered(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """By the center of mass, as in MNIST, as far as the picture has room."""
    mass = small.astype(float)
    out = np.zeros((SIZE, SIZE), np.uint8)
    start = []
    for axis, side in enumerate(small.shape):
        center = (mass.sum(1 - axis) * np.arange(side)).sum() / mass.sum()
        start.append(int(np.clip(round((SIZE - 1) / 2 - center), 0, SIZE - side)))
    out[start[0] : start[0] + small.shape[0], start[1] : start[1] + small.shape[1]] = small
    return out


@lru_cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf"), 84)


def digits(numbers: Sequence[int], seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Digits by their numbers: uint8 [n, 28, 28] and their classes, each number modulo 10."""
    labels = np.array(numbers, np.int64) % 10
    return np.stack([digit(int(label), seed, number) for label, number in zip(labels, numbers, strict=True)]), labels


def write_digits(folder: str, train: int, test: int, seed: int = 0) -> None:
    """Shards `train-*.tar` and `test-*.tar` of so many digits, as gray PNG, with an index."""
    written = []
    for split, first, number in (("train", 0, train), ("test", train, test)):
        order = np.random.default_rng(seed).permutation(number) + first
        with ShardWriter(place(folder), split, 5_000) as writer:
            for one in order.tolist():
                file = io.BytesIO()
                Image.fromarray(digit(one % 10, seed, one)).save(file, "png")
                writer.add(file.getvalue(), suffix="png", label=one % 10)
        written += writer.written
    concatenate(written, classes=tuple("0123456789"), image_size=SIZE).save(place(folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    options = argparse.ArgumentParser(description="Write shards of digits drawn by fonts.")
    options.add_argument("folder", metavar="FOLDER")
    options.add_argument("--train", type=int, default=50_000, metavar="IMAGES")
    options.add_argument("--test", type=int, default=10_000, metavar="IMAGES")
    given = options.parse_args(arguments)
    write_digits(given.folder, given.train, given.test)
    return 0


if __name__ == "__main__":
    sys.exit(main())
