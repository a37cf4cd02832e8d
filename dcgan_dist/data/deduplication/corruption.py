"""The corruption that the default autoencoder learns to ignore: what happens to images that are copied."""

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.deduplication.encoder import SIDE

GAIN = 0.12
LEVEL = 10.0
JPEG_QUALITY = (30, 80)

_MARGIN = 4


def corrupted(thumbnails: Pixels, random: np.random.Generator, *, shift: float, zoom: float) -> Pixels:
    """Each image as a copy of it may come back: uint8 [n, 32, 32, 3].

    It is moved and scaled, its edge is repeated where that leaves a gap; brighter or darker by up to 12 % and 10 gray
    levels; and stored as a JPEG of quality 30 to 79, with colors at half resolution.

    Args:
        thumbnails: uint8 [n, 32, 32, 3].
        random: all is drawn from it, the same numbers for each image whatever becomes of it.
        shift: at most so many pixels, along each axis.
        zoom: scaled by at most this share, up or down.
    """
    drawn = random.random((len(thumbnails), 6))
    pairs = zip(thumbnails, drawn, strict=True)
    return np.stack([_corrupt(image, *row, shift=shift, zoom=zoom) for image, row in pairs])


def _corrupt(
    image: Pixels,
    down: float,
    right: float,
    scale: float,
    gain: float,
    level: float,
    quality: float,
    *,
    shift: float,
    zoom: float,
) -> Pixels:
    part = SIDE * (1 + zoom) ** _signed(scale)
    left, top = (_MARGIN + SIDE / 2 + shift * _signed(at) - part / 2 for at in (right, down))
    padded = np.pad(image, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
    moved = Image.fromarray(padded).resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + part, top + part)
    )
    lit = _to_bytes(np.asarray(moved) * (1 + GAIN) ** _signed(gain) + LEVEL * _signed(level))
    low, high = JPEG_QUALITY
    data = simplejpeg.encode_jpeg(lit, quality=low + int(quality * (high - low)), colorsubsampling="420")
    decoded: Pixels = simplejpeg.decode_jpeg(data)
    return decoded


def _signed(uniform: float) -> float:
    """From [0, 1) to [-1, 1)."""
    return 2 * uniform - 1


def _to_bytes(pixels: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return rounded
