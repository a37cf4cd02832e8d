"""From what a detector found to the faces that are kept, and the square around each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dcgan_dist.arrays import Pixels


class Box(NamedTuple):
    """A rectangle in a picture, in whole pixels from its top left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def side(self) -> int:
        """The longer one."""
        return max(self.width, self.height)


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes:
        box: as the detector found it.
        confidence: of the detector in it, in units of its own.
        crop: the square around it, which lies within the picture.
    """

    box: Box
    confidence: float
    crop: Box

    def cut(self, picture: Pixels) -> Pixels:
        """The square, from the picture that the face was found in: uint8 [side, side, 3], not a copy."""
        x, y, width, height = self.crop
        return picture[y : y + height, x : x + width]


class Kept(NamedTuple):
    """What becomes of the boxes of a picture: the faces that are kept, and whether another one has no room for its
    square, which is larger than the picture."""

    faces: list[Face]
    without_room: bool


def keep(found: Sequence[tuple[Box, float]], width: int, height: int, *, margin: float, least: int) -> Kept:
    """The faces that are kept, the largest first, then from top to bottom and from left to right.

    Left out are a box that is too small, or has its center in a larger one, as an eye or a mouth may that was taken for
    a face; and a face whose square is larger than the picture.

    Args:
        found: box and confidence of each; boxes may lie partly outside of the picture.
        width, height: of the picture.
        margin: what the square has beyond the box on each side, as a share of its longer side.
        least: longer side of the smallest box that is kept, in pixels.
    """
    faces: list[Face] = []
    without_room = False
    clipped = [(_clip(box, width, height), confidence) for box, confidence in found]
    large = [(box, confidence) for box, confidence in clipped if box.width and box.height and box.side >= least]
    for box, confidence in sorted(large, key=lambda pair: (-pair[0].side, pair[0].y, pair[0].x)):
        crop = square(box, margin, width, height)
        without_room |= crop is None
        if crop is not None and not any(_has_center(face.box, box) for face in faces):
            faces.append(Face(box, confidence, crop))
    return Kept(faces, without_room)


def square(box: Box, margin: float, width: int, height: int) -> Box | None:
    """The square around a box, None where it is larger than the picture.

    At an edge of the picture it is moved inside, so that no pixel of it is made up and all of the box stays in it. (The
    paper's boxes lie within their pictures. Sets that align faces, such as CelebA, make up what lies outside, which a
    generator would learn as well.)
    """
    side = round(box.side * (1 + 2 * margin))
    if side > min(width, height):
        return None
    x = _moved_inside(box.x + (box.width - side) // 2, side, width)
    y = _moved_inside(box.y + (box.height - side) // 2, side, height)
    return Box(x, y, side, side)


def _moved_inside(start: int, side: int, length: int) -> int:
    return min(max(start, 0), length - side)


def _clip(box: Box, width: int, height: int) -> Box:
    left, top = min(max(box.x, 0), width), min(max(box.y, 0), height)
    right, bottom = min(max(box.x + box.width, left), width), min(max(box.y + box.height, top), height)
    return Box(left, top, right - left, bottom - top)


def _has_center(larger: Box, box: Box) -> bool:
    across, down = 2 * (box.x - larger.x) + box.width, 2 * (box.y - larger.y) + box.height
    return 0 <= across <= 2 * larger.width and 0 <= down <= 2 * larger.height
