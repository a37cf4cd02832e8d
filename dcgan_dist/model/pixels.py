"""Tensors to pictures: pixel values, grids, PNG, and the path of a walk through z."""

import io
import math

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from dcgan_dist.arrays import Pixels


def to_uint8(images: Tensor) -> Pixels:
    """[n, 3, S, S] in [-1, 1] (G's output) -> uint8 [n, S, S, 3]; each value to the nearest of 256 levels."""
    levels = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


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


def interpolate(points: Tensor, steps: int) -> Tensor:
    """[k, nz] -> [steps, nz]: an open path of straight lines through the points, walked in equal parts of its index.

    The first and the last row are the first and the last point. The paper's figure 4 walks through 9 random points in
    100 images (section 6.1). The published code has no walk: straight lines are read off the word "interpolation".
    Needs at least 2 points.
    """
    where = torch.linspace(0, len(points) - 1, steps, dtype=torch.float64)
    start = where.floor().clamp(max=len(points) - 2).long()
    part = (where - start).to(points)[:, None]
    start = start.to(points.device)
    return torch.lerp(points[start], points[start + 1], part)
