"""What is asked of the face detector, and of the crop around a face."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from dcgan_dist.bounds import AtLeast, From, check_bounds, shows_bounds

arg = tyro.conf.arg

Cascade = Literal["alt2", "alt", "default"]


@shows_bounds
@dataclass(frozen=True)
class FaceOptions:
    """Which faces are found in photographs, and how much around each is cut out.

    With the defaults and images of 64 x 64 pixels, 674 of 700 photographs of Labeled Faces in the Wild have one face, 8
    none and 18 two (OpenCV 4.14); the second one is another person in half of them, and no face in the others.
    """

    cascade: Annotated[Cascade, arg(metavar="NAME")] = "alt2"
    """Which cascade of OpenCV finds faces: `frontalface_NAME`."""
    scale: Annotated[float, From(1.01, 2), arg(metavar="FACTOR")] = 1.1
    """Ratio of one face size that the cascade looks for to the next: smaller values find more faces but take longer."""
    neighbors: Annotated[int, AtLeast(1), arg(metavar="N")] = 5
    """A face counts if the cascade has found it at so many neighboring places and sizes."""
    model: Annotated[str, arg(metavar="FILE")] = ""
    """ONNX file of a YuNet network, which then finds faces in place of the cascade; it lies at this path on every
    machine that works. It also finds faces that are turned or partly hidden."""
    confidence: Annotated[float, AtLeast(0), arg(metavar="NUMBER")] = 0.0
    """Least confidence in a face, in units of the detector. That of YuNet is at most 1; on photographs, that of `alt2`
    is from 54 to 59, of `alt` from 106 to 111, of `default` from 0 to 14. 0: 0.9 for YuNet, and any for a cascade."""
    margin: Annotated[float, From(0, 2), arg(metavar="SHARE")] = 0.25
    """How much is cut out beyond the box of a face on each side, as a fraction of its longer side: at 0.25, the crop is
    1.5 times as large as that side."""
    least: Annotated[int, AtLeast(0), arg(metavar="PIXELS")] = 0
    """Smallest box that is kept, by its longer side. 0: large enough that no crop has to be scaled up to `size`."""

    def __post_init__(self) -> None:
        check_bounds(self, "faces.")

    def least_side(self, size: int) -> int:
        """Least side of a box, in pixels, where crops become images of `size` x `size` pixels."""
        return self.least or math.ceil(size / (1 + 2 * self.margin))
