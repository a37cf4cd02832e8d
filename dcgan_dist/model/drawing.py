"""What goes into G and comes out of it: the path of a walk through z, and pixel values."""

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings

CLASS_COLUMNS = 4
"""Samples of each class that a grid has at least, if it has room for as many."""


def to_uint8(images: Tensor) -> Pixels:
    """[n, 3 or 1, S, S] in [-1, 1] (G's output) -> uint8 [n, S, S, 3]; each value to the nearest of 256 levels. Shades
    of gray are the same in all three channels."""
    levels = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def class_rows(classes: int, number: int) -> tuple[Tensor, int]:
    """Classes of a grid of at most `number` samples, a class a row, and its columns.

    Returns:
        int64 [rows * columns], row by row; where there is no room for all classes, some at even distances.
    """
    rows = min(classes, max(1, number // CLASS_COLUMNS))
    columns = max(1, number // rows)
    shown = torch.linspace(0, classes - 1, rows, dtype=torch.float64).round().long()
    return shown.repeat_interleave(columns), columns


def grid_inputs(
    settings: NetworkSettings, number: int, seed: int, purpose: str
) -> tuple[Tensor, Tensor | None, int | None]:
    """What the samples of a grid are drawn from: z, classes, and the columns of the grid.

    Without classes these are `number` z, in about as many columns as rows. With classes each row shows one of them, and
    each column one z: int64 classes `[rows * columns]`, at most `number` (`class_rows`).
    """
    if settings.classes == 0:
        return latents(settings, number, seed, purpose), None, None
    labels, columns = class_rows(settings.classes, number)
    return latents(settings, columns, seed, purpose).repeat(len(labels) // columns, 1), labels, columns


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
