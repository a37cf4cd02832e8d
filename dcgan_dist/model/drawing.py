"""What goes into G and comes out of it: the path of a walk through z, and pixel values."""

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels


def to_uint8(images: Tensor) -> Pixels:
    """[n, 3, S, S] in [-1, 1] (G's output) -> uint8 [n, S, S, 3]; each value to the nearest of 256 levels."""
    levels = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


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
