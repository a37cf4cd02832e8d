"""A picture drawn in fractions of its side, so that the same calls show the same scene at every size."""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

# Shapes are drawn without antialiasing on a canvas of this many times the side, then averaged.
SUPERSAMPLING = 4


class Canvas:
    """Flat shapes first, then one smooth light over all of them.

    Points are (x, y) in fractions of the side, (0, 0) at the top left, and may lie outside; boxes are (x0, y0, x1, y1).
    """

    def __init__(self, size: int, background: Color) -> None:
        self.size = size
        self._scale = size * SUPERSAMPLING
        self._image = Image.new("RGB", (self._scale, self._scale), background)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Fill the polygon."""
        scale = self._scale
        self._draw.polygon([(x * scale, y * scale) for x, y in points], fill=color)

    def box(self, box: Box, color: Color) -> None:
        """Fill the rectangle."""
        self._draw.rectangle(self._scaled(box), fill=color)

    def ellipse(self, box: Box, color: Color) -> None:
        """Fill the ellipse that touches the sides of the box."""
        self._draw.ellipse(self._scaled(box), fill=color)

    def chord(self, box: Box, start_degrees: float, end_degrees: float, color: Color) -> None:
        """Fill what a straight cut leaves of an ellipse, clockwise from start to end, 0 degrees being on the right."""
        self._draw.chord(self._scaled(box), start_degrees, end_degrees, fill=color)

    def ring(self, box: Box, width: float, color: Color) -> None:
        """Outline of the ellipse, `width` (a fraction of the side) drawn inwards."""
        self._draw.ellipse(self._scaled(box), outline=color, width=max(1, round(width * self._scale)))

    def line(self, start: Point, end: Point, width: float, color: Color) -> None:
        """Straight line, `width` in fractions of the side."""
        scale = self._scale
        ends = [start[0] * scale, start[1] * scale, end[0] * scale, end[1] * scale]
        self._draw.line(ends, fill=color, width=max(1, round(width * scale)))

    def picture(self, light: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The scene under `light` (float32 [size, size, 3], 1 leaves a color as it is): uint8 [size, size, 3]."""
        flat = np.asarray(self._image.reduce(SUPERSAMPLING), dtype=np.float32)
        lit: NDArray[np.uint8] = np.minimum(flat * light, np.float32(255)).astype(np.uint8)
        return lit

    def _scaled(self, box: Box) -> tuple[float, float, float, float]:
        scale = self._scale
        return box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fractions at the centers of pixels: x [1, size, 1] and y [size, 1, 1], float32, to compute lights with."""
    centers = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return centers.reshape(1, size, 1), centers.reshape(size, 1, 1)


def around(x: float, y: float, half_width: float, half_height: float) -> Box:
    """The box with this center."""
    return x - half_width, y - half_height, x + half_width, y + half_height


def shade(color: Color, factor: float) -> Color:
    """The color made darker (below 1) or lighter (above 1)."""
    red, green, blue = color
    return min(255, int(red * factor)), min(255, int(green * factor)), min(255, int(blue * factor))


def mix(first: Color, second: Color, part: float) -> Color:
    """`part` (0 to 1) of the second color in the first."""
    red, green, blue = (int(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


def distance(first: Color, second: Color) -> float:
    """How unlike two colors look: 0 for equal ones, 765 for black and white; the eye's weights of red, green, blue."""
    red, green, blue = (a - b for a, b in zip(first, second, strict=True))
    return sqrt(2 * red * red + 4 * green * green + 3 * blue * blue)


def pick(rng: np.random.Generator, palette: Sequence[Color], unlike: Sequence[tuple[Color, float]] = ()) -> Color:
    """One color of the palette, varied a little, that keeps the given distance from each of the other colors.

    Where none keeps all of them, the one that comes closest to it.
    """
    margins = [min((distance(c, other) - least for other, least in unlike), default=0.0) for c in palette]
    needed = min(0.0, max(margins))
    fitting = [c for c, margin in zip(palette, margins, strict=True) if margin >= needed]
    red, green, blue = fitting[int(rng.integers(len(fitting)))]
    a, b, c = rng.integers(-6, 7, size=3).tolist()
    return _channel(red + a), _channel(green + b), _channel(blue + c)


def _channel(value: int) -> int:
    return max(0, min(255, value))
