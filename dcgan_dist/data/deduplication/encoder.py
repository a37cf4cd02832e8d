"""From thumbnails to codes, by whole numbers: the same bits on every machine, in any batch, with any BLAS.

Whoever compares codes needs them equal to the last bit, also if one machine coded half of the images and another the
rest. Floating-point sums differ between machines by the order of their terms; here weights and pixels are whole
numbers, and no sum of their products reaches 2^53, so that float64 holds each of them exactly in any order.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels

SIDE = 32
BITS = 128
BYTES = BITS // 8
LARGEST_WEIGHT = 32767

Codes = NDArray[np.uint8]
"""uint8 [n, 16]: 128 bits each, the first bit of a byte is its highest."""

_TOGETHER = 1024


@dataclass(frozen=True)
class Encoder:
    """Projections of a thumbnail, and the threshold of each.

    A bit is 1 where weights · x > slope · spread(x) + offset; spread is the standard deviation of x over all places
    and channels, times their number.

    Attributes:
        weights: int16 [1 + V, 128, d]: of the codes, and of V views of each image. x has d values: the 3072 of the
            thumbnail, or 768, each the sum of 2 x 2 pixels.
        slopes: float64 [128].
        offsets: float64 [128].
        flat_below: a thumbnail with a standard deviation of less (in gray levels) has no picture to project, only
            noise: its codes are a digest of its pixels, so that it is equal to the same pixels and far from all else.
            0 where it is projected like any other.
    """

    weights: NDArray[np.int16]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    flat_below: float

    def codes(self, thumbnails: Pixels) -> Codes:
        """uint8 [n, 32, 32, 3] -> uint8 [n, 16]."""
        return self._code(thumbnails, slice(0, 1))[:, 0]

    def views(self, thumbnails: Pixels) -> Codes:
        """uint8 [n, 32, 32, 3] -> uint8 [n, V, 16]: codes of the same images, slightly moved and enlarged."""
        return self._code(thumbnails, slice(1, None))

    def _code(self, thumbnails: Pixels, which: slice) -> Codes:
        number, size = len(self.weights[which]), self.weights.shape[2]
        flattened = self.weights[which].reshape(number * BITS, size).T.astype(np.float64)
        codes = np.empty((len(thumbnails), number, BYTES), np.uint8)
        for start in range(0, len(thumbnails) if number else 0, _TOGETHER):
            few = thumbnails[start : start + _TOGETHER]
            x = values(few, size)
            spread = spreads(x)
            thresholds = spread[:, None] * self.slopes + self.offsets
            projected = (x.astype(np.float64) @ flattened).reshape(len(few), number, BITS)
            found = np.packbits(projected > thresholds[:, None], axis=2)
            for row in np.flatnonzero(is_flat(x, self.flat_below)):
                found[row] = np.frombuffer(hashlib.blake2b(few[row].tobytes(), digest_size=BYTES).digest(), np.uint8)
            codes[start : start + len(few)] = found
        return codes


def values(thumbnails: Pixels, number: int) -> NDArray[np.int64]:
    """uint8 [n, 32, 32, 3] -> int64 [n, number]: for 3072 the values of all pixels, for 768 sums of 2 x 2 of them.

    They go from top to bottom, from left to right, and from red to blue.
    """
    wide = thumbnails.astype(np.int64)
    if number != SIDE * SIDE * 3:
        half = SIDE // 2
        wide = wide.reshape(-1, half, 2, half, 2, 3).sum((2, 4))
    return wide.reshape(len(thumbnails), number)


def spreads(x: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard deviation of each row of int64 [n, d], times d: float64 [n].

    Exact but for the square root, which IEEE 754 rounds in one way only.
    """
    number = x.shape[1]
    found: NDArray[np.float64] = np.sqrt((number * (x * x).sum(1) - x.sum(1) ** 2).astype(np.float64))
    return found


def is_flat(x: NDArray[np.int64], flat_below: float) -> NDArray[np.bool_]:
    """Whether rows of int64 [n, d] differ by less than `flat_below` gray levels (their standard deviation)."""
    pixels_each = SIDE * SIDE * 3 // x.shape[1]
    flat: NDArray[np.bool_] = spreads(x) < flat_below * pixels_each * x.shape[1]
    return flat
