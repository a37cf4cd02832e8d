"""Pictures of images: grids, and PNG. Without torch, which takes seconds to import."""

import io
import math

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dcgan_dist.arrays import Pixels

WIDTH = 900
"""Pixels that a grid should be wide, so that a person sees small images without a magnifier."""


def grid(images: Pixels, columns: int | None = None, padding: int = 2) -> Pixels:
    """uint8 [n, S, S, 3] -> one picture [H, W, 3] for people: `tiled`, and enlarged to a width near `WIDTH`."""
    return enlarged(tiled(images, columns, padding))


def enlarged(picture: Pixels) -> Pixels:
    """uint8 [H, W, 3], each pixel as a square, by the whole factor that brings the width nearest to `WIDTH`."""
    factor = max(1, round(WIDTH / picture.shape[1]))
    return picture.repeat(factor, 0).repeat(factor, 1)


def tiled(images: Pixels, columns: int | None = None, padding: int = 2) -> Pixels:
    """uint8 [n, S, S, 3] -> one picture [H, W, 3], filled row by row, with black lines of `padding` pixels between.

    `columns` is the smallest that gives at least as many columns as rows where it is None: 64 images make 8 by 8.
    Cells that are left over in the last row are black.
    """
    number, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(number))
    rows = math.ceil(number / columns)
    cells = np.zeros((rows * columns, height + padding, width + padding, channels), np.uint8)
    cells[:number, :height, :width] = images
    laid_out = cells.reshape(rows, columns, height + padding, width + padding, channels).swapaxes(1, 2)
    picture = laid_out.reshape(rows * (height + padding), columns * (width + padding), channels)
    return picture[: picture.shape[0] - padding, : picture.shape[1] - padding]


def png(picture: Pixels, caption: str = "") -> bytes:
    """uint8 [H, W, 3] -> a PNG file, with the caption in its text `Description`."""
    file, texts = io.BytesIO(), PngInfo()
    if caption:
        texts.add_text("Description", caption)
    Image.fromarray(picture).save(file, "png", pnginfo=texts)
    return file.getvalue()
