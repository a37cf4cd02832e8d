"""What happens to a picture before it turns up again: the kinds of copies that de-duplication is measured on.

All take the square at the center of a picture. Where the picture is larger than that, what a shift brings in at the
edge is the picture's own; where it is not, the edge is repeated.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.arrays import Pixels

Change = Callable[[Pixels, int, int], Pixels]
"""From a picture, uint8 [H, W, 3] with H, W >= side, the side, and a turn to uint8 [side, side, 3].

The turn, any number from 0, chooses the direction of a change that has one."""

DIRECTIONS: Final = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
"""Down and right; a diagonal shift goes as far in both."""


def same(picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """The square itself."""
    top, left = _corner(picture, side)
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def jpeg(quality: int, picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """Through a JPEG with colors at half resolution, as most encoders do it."""
    data = simplejpeg.encode_jpeg(same(picture, side), quality=quality, colorsubsampling="420")
    pixels: Pixels = simplejpeg.decode_jpeg(data)
    return pixels


def brightness(percent: float, picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """All values brighter by so many percent, cut off at 255."""
    return _to_bytes(same(picture, side) * (1 + percent / 100))


def contrast(percent: float, picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """All values so many percent farther from the mean of the picture."""
    pixels = same(picture, side)
    mean = pixels.mean()
    return _to_bytes(mean + (pixels - mean) * (1 + percent / 100))


def resampled(scale: float, picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """Scaled down, and up again; both bilinear, antialiased as Pillow does it."""
    small = round(side * scale)
    image = Image.fromarray(same(picture, side)).resize((small, small), Image.Resampling.BILINEAR)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def shifted(sixty_fourths: float, picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """Another square of the picture, so many 64ths of its side away; bilinear between pixels."""
    down, right = DIRECTIONS[turn % len(DIRECTIONS)]
    far = sixty_fourths * side / 64
    return _box(picture, side, far * down, far * right, side)


def cropped(percent: float, picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """So many percent of the side cut off, equally or at one side or corner, and the rest scaled back."""
    cut = side * percent / 100
    down, right = ((0, 0), *DIRECTIONS)[turn % (1 + len(DIRECTIONS))]
    return _box(picture, side, cut / 2 * down, cut / 2 * right, side - cut)


def mirrored(picture: Pixels, side: int, turn: int = 0) -> Pixels:
    """Left and right exchanged."""
    return np.ascontiguousarray(same(picture, side)[:, ::-1])


COPIES: Final[dict[str, Change]] = {
    "JPEG 75": partial(jpeg, 75),
    "JPEG 50": partial(jpeg, 50),
    "brightness +5 %": partial(brightness, 5),
    "brightness -5 %": partial(brightness, -5),
    "brightness +10 %": partial(brightness, 10),
    "brightness -10 %": partial(brightness, -10),
    "contrast +10 %": partial(contrast, 10),
    "contrast -10 %": partial(contrast, -10),
    "resampled through 0.75": partial(resampled, 0.75),
    "shifted 1 px of 64": partial(shifted, 1),
    "shifted 2 px of 64": partial(shifted, 2),
    "cropped 5 %": partial(cropped, 5),
}
"""Kinds of copies that are to be found, by name."""

NO_COPIES: Final[dict[str, Change]] = {"mirrored": mirrored}
"""What is another picture for a network that learns from it."""


def _corner(picture: Pixels, side: int) -> tuple[int, int]:
    """Top and left of the square at the center."""
    return (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2


def _box(picture: Pixels, side: int, down: float, right: float, part: float) -> Pixels:
    """A square of `part` pixels, whose center is so far from that of the picture's square, scaled to the side."""
    margin = 4 + int(max(abs(down), abs(right)))
    # The center square's center, not the picture's: they differ by half a pixel where the margin is odd.
    top, left = _corner(picture, side)
    y, x = (margin + at + side / 2 + away - part / 2 for at, away in ((top, down), (left, right)))
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    box = (x, y, x + part, y + part)
    return np.asarray(Image.fromarray(padded).resize((side, side), Image.Resampling.BILINEAR, box=box))


def _to_bytes(values: NDArray[np.floating]) -> Pixels:
    pixels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels
