"""The second look at two images that may be copies of one another: laid over each other, how much do they differ?

One is moved and scaled onto the other (Lucas and Kanade 1981, with shift and scale as the only parameters, and both
images warped halfway, so that neither is the reference). Brightness and contrast are then fitted, within bounds. What
is left is looked at in fine detail and in colors, where it is worst: a small thing that only one of them shows counts,
the noise of compression all over the image hardly does.

All filters have whole numbers as weights, and pixels are whole numbers, so that sums are exact in float32 in whichever
order a machine's BLAS adds: a pair has the same difference in any batch and on any machine.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

THRESHOLD: Final = 0.7
"""Pairs up to this difference are duplicates.

As many copies of 32-pixel images as a perceptual hash finds are below it, see docs/lab/data.md; a precision of 0.99
would allow twice as much. Copies of larger images are below 0.45, all but a few."""

LARGEST: Final = np.float32(6)
"""Of pairs whose brightness or contrast is too far apart; no other difference is larger."""

MOST_CONTRAST: Final = 1.5
"""Times that one image may have the contrast of the other."""

MOST_BRIGHTNESS: Final = (4.0, 2.0)
"""Levels that the means may be apart, and standard deviations of the flatter one: a picture without contrast has
nothing else to be known by."""

MOST_SHIFT, MOST_SCALE = 3.0, 0.1
"""Pixels of a thumbnail in each direction; part of its side."""

_BATCH = 32
"""Pairs at once: their arrays stay in the processor's cache."""

_COLOR_WEIGHT = np.float32(2)

# Variances, in squares of levels (0 to 255), of what is no picture: rounding and compression. A picture that has not
# much more than that is not blown up to full contrast, which would compare its noise.
_DETAIL_FLOOR, _COLOR_FLOOR, _MOTION_FLOOR = 0.5, 2.0, 4.0

# Part of the pixels' variance that slopes are taken to have at least, so that motion along an edge is not made up.
_DAMPING = 0.0006

_REFINEMENTS = 2
"""At full size, after a first estimate at half of it."""


def difference(first: Pixels, second: Pixels) -> Floats:
    """How different thumbnails are, pair by pair, whichever of the two comes first.

    Args:
        first, second: uint8 [n, 32, 32, 3], RGB.

    Returns:
        float32 [n], 0 for equal images, `LARGEST` at most. It is the root mean square of what differs in fine detail
        in the worst 8 by 8 pixels, relative to the detail of the whole, and twice the same of the colors of 8 by 8
        pixels.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), _BATCH):
        rows = slice(start, start + _BATCH)
        found[rows] = _difference(first[rows], second[rows])
    return found


def _difference(first: Pixels, second: Pixels) -> Floats:
    (gray, colors), (other_gray, other_colors) = _planes(first), _planes(second)
    motion = _align(gray, colors, other_gray, other_colors)
    halved = motion * np.array([0.5, 0.5, 1], np.float32)
    detail = _of_detail(_warp(gray, -motion, 32), _warp(other_gray, motion, 32))
    color = _of_colors(_warp(colors, -halved, 16), _warp(other_colors, halved, 16))
    found: Floats = np.minimum(detail + _COLOR_WEIGHT * color, LARGEST)
    return found


def _planes(pixels: Pixels) -> tuple[Floats, Floats]:
    """Gray, float32 [n, 32, 32] in quarters of a level, and RGB at half the size, [n, 3, 16, 16] in 64ths."""
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 1)).astype(np.float32)
    return _gray(planes), _filter(_HALF, planes)


def _gray(planes: Floats) -> Floats:
    """Four times the gray of planes, [n, 3, H, W] -> [n, H, W]."""
    return planes[:, 0] + 2 * planes[:, 1] + planes[:, 2]


# Alignment


def _align(gray: Floats, colors: Floats, other_gray: Floats, other_colors: Floats) -> Floats:
    """Half of the motion from the first images to the others, float32 [n, 3]: pixels down, pixels right, part of size.

    Sampled that far back, the first images come to lie on the others sampled that far ahead.
    """
    small, other_small = _filter(_BLUR_16, _gray(colors)), _filter(_BLUR_16, _gray(other_colors))
    motion = _step(small, other_small, unit=4 * 64 * 16)
    motion = _bounded(motion * np.array([2, 2, 1], np.float32))
    blurred, other_blurred = _filter(_BLUR, gray), _filter(_BLUR, other_gray)
    for _ in range(_REFINEMENTS):
        step = _step(_warp(blurred, -motion, 32), _warp(other_blurred, motion, 32), unit=4 * 16 * 32 * 32)
        motion = _bounded(motion + step)
    return motion


def _bounded(motion: Floats) -> Floats:
    most = np.array([MOST_SHIFT / 2, MOST_SHIFT / 2, MOST_SCALE / 2], np.float32)
    return np.clip(motion, -most, most)


def _step(gray: Floats, other: Floats, unit: float) -> Floats:
    """Half of the motion by which images [n, S, S] differ to first order; their values are multiples of a level."""
    side = gray.shape[-1]
    gray, other = (_normal(images, _MOTION_FLOOR * unit**2)[0] for images in (gray, other))
    inner = slice(2, side - 2)
    residual = (gray - other)[:, inner, inner]
    both = gray + other
    down = np.float32(0.25) * (both[:, 3 : side - 1, inner] - both[:, 1 : side - 3, inner])
    right = np.float32(0.25) * (both[:, inner, 3 : side - 1] - both[:, inner, 1 : side - 3])
    # In units of half the side, so that all three are of one size.
    from_center = (_from_center(side) / np.float32(side / 2))[inner]
    larger = down * from_center[:, None] + right * from_center
    slopes = down, right, larger
    products = [
        (_sum(one * two) + (_DAMPING * residual[0].size if one is two else 0)).astype(np.float64)
        for row, one in enumerate(slopes)
        for two in slopes[row:]
    ]
    solution = _solve(products, [_sum(slope * residual).astype(np.float64) for slope in slopes])
    step: Floats = (solution / np.array([2, 2, side])).astype(np.float32)
    return step


def _solve(matrix: Sequence[Doubles], right: Sequence[Doubles]) -> Doubles:
    """Solutions, float64 [n, 3], of symmetric systems given by the upper triangle.

    By Cramer's rule: LAPACK would give other last bits on other machines.
    """
    a, b, c, d, e, f = matrix
    adjoint = (
        (d * f - e * e, c * e - b * f, b * e - c * d),
        (c * e - b * f, a * f - c * c, b * c - a * e),
        (b * e - c * d, b * c - a * e, a * d - b * b),
    )
    determinant = a * adjoint[0][0] + b * adjoint[0][1] + c * adjoint[0][2]
    rows = [row[0] * right[0] + row[1] * right[1] + row[2] * right[2] for row in adjoint]
    return np.stack([row / determinant for row in rows], axis=1)


def _warp(images: Floats, motion: Floats, grid: int) -> Floats:
    """Images [n, S, S] or [n, 3, S, S] sampled elsewhere, linear between pixels; values are multiplied by grid**2."""
    down, right, scale = (motion[:, i, None] for i in range(3))
    center = _from_center(images.shape[-1])
    rows, columns = (_weights(center * (1 + scale) + shift, grid) for shift in (down, right))
    if images.ndim == 4:
        rows, columns = rows[:, None], columns[:, None]
    warped: Floats = np.matmul(np.matmul(rows, images), columns.swapaxes(-1, -2))
    return warped


def _weights(places: Floats, grid: int) -> Floats:
    """Weights of a line's pixels at each of some places, [n, S] -> [n, S, S]: whole, `grid` in all, edges repeated."""
    side = places.shape[-1]
    fine = np.rint(np.clip(places + np.float32((side - 1) / 2), 0, side - 1) * np.float32(grid))
    away = np.abs(fine[:, :, None] - np.float32(grid) * np.arange(side, dtype=np.float32))
    weights: Floats = np.maximum(np.float32(grid) - away, np.float32(0))
    return weights


def _from_center(side: int) -> Floats:
    return np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)


# What is left


def _of_detail(gray: Floats, other: Floats) -> Floats:
    """Root mean square, relative to contrast, of what differs between one blur and three, in the worst 8 by 8 pixels.

    Args:
        gray, other: [n, 32, 32], in 4096ths of a level.
    """
    inner = slice(3, 29)
    normal, other_normal = (_normal(_detail(images)[:, inner, inner], _DETAIL_FLOOR)[0] for images in (gray, other))
    found: Floats = np.sqrt(_windows((normal - other_normal) ** 2, doublings=3).max(axis=(1, 2)) / 2)
    return found


def _detail(gray: Floats) -> Floats:
    """What one blur leaves and three take away, in levels."""
    fine = _filter(_BLUR, gray)
    coarse = _filter(_BLUR, np.rint(_filter(_BLUR, np.rint(fine / 256)) / 16))
    detail: Floats = fine / np.float32(4 * 1024 * 16) - coarse / np.float32(4 * 1024)
    return detail


def _of_colors(colors: Floats, other: Floats) -> Floats:
    """The same of RGB at half the size, means of 4 by 4 pixels; `LARGEST` where no fit may explain the light.

    Args:
        colors, other: [n, 3, 16, 16], in 16384ths of a level.
    """
    inner, level = slice(2, 14), np.float32(64 * 16 * 16)
    (normal, mean, variance), (other_normal, other_mean, other_variance) = (
        _normal(images[..., inner, inner] / level, _COLOR_FLOOR) for images in (colors, other)
    )
    less, more = np.minimum(variance, other_variance), np.maximum(variance, other_variance)
    levels, deviations = MOST_BRIGHTNESS
    unlike = (more + _COLOR_FLOOR > MOST_CONTRAST**2 * (less + _COLOR_FLOOR)) | (
        np.abs(mean - other_mean) > levels + deviations * np.sqrt(less)
    )
    # Means of windows first, squares then: what compression does to colors is noise of mean 0.
    squares = (_windows(normal - other_normal, doublings=2) ** 2).sum(axis=1) / 3
    found: Floats = np.where(unlike, LARGEST, np.sqrt(squares.max(axis=(1, 2)) / 2))
    return found


def _windows(images: Floats, doublings: int) -> Floats:
    """Means of all windows of 2**doublings pixels a side, [..., H, W] -> [..., H', W']."""
    for times in range(doublings):
        images = images[..., : -(2**times), :] + images[..., 2**times :, :]
        images = images[..., : -(2**times)] + images[..., 2**times :]
    return images / np.float32(4**doublings)


def _normal(images: Floats, floor: float) -> tuple[Floats, Floats, Floats]:
    """Images [n, ...] with mean 0 and, where they have contrast, variance 1; and what both were, [n]."""
    size, axes = np.float32(images[0].size), (slice(None), *[None] * (images.ndim - 1))
    mean = _sum(images) / size
    centered = images - mean[axes]
    variance = _sum(centered**2) / size
    return centered / np.sqrt(variance + np.float32(floor))[axes], mean, variance


def _sum(images: Floats) -> Floats:
    """Of each image. NumPy adds a contiguous row in an order that depends on its length alone."""
    total: Floats = images.reshape(len(images), -1).sum(axis=1)
    return total


# Filters


def _filter(matrix: Floats, images: Floats) -> Floats:
    """The same along columns and rows."""
    filtered: Floats = np.matmul(np.matmul(matrix, images), matrix.T)
    return filtered


def _taps(side: int, out: int, weights: dict[int, int]) -> Floats:
    """A filter as a matrix [out, side]: weights by the distance from where a pixel begins, the edge repeated."""
    matrix = np.zeros((out, side), np.float32)
    for row in range(out):
        for away, weight in weights.items():
            matrix[row, min(side - 1, max(0, row * (side // out) + away))] += weight
    return matrix


_BLUR = _taps(32, 32, {-1: 1, 0: 2, 1: 1})
_BLUR_16 = _taps(16, 16, {-1: 1, 0: 2, 1: 1})
_HALF = _taps(32, 16, {-1: 1, 0: 3, 1: 3, 2: 1})
