"""Faces that turn, smile and wear glasses: a face is first planned, and then drawn.

The features lie on an upright ellipsoid that turns about its vertical axis, so that pose is one continuous number.
"""

from dataclasses import dataclass
from math import cos, radians, sin, sqrt
from typing import Literal

import numpy as np

from dcgan_dist.data.scenes.canvas import Box, Color, around, distance, pick

SMILE_RATE = 0.5
GLASSES_RATE = 0.35
LONG_HAIR_RATE = 0.4
BALD_RATE = 0.08
MOST_YAW_DEGREES = 34.0
EYE_DEGREES = 25.0  # azimuth of the right eye; the left one mirrors it

Hair = Literal["bald", "short", "curly", "long"]

SKINS: tuple[Color, ...] = ((248, 214, 186), (232, 184, 148), (204, 148, 108), (150, 98, 66), (108, 70, 50))
HAIRS: tuple[Color, ...] = ((40, 30, 28), (88, 54, 34), (150, 88, 40), (224, 184, 96), (176, 70, 40), (190, 188, 186))
BACKGROUNDS: tuple[Color, ...] = (
    (120, 172, 206),
    (150, 190, 150),
    (226, 200, 140),
    (190, 170, 206),
    (90, 120, 150),
    (222, 222, 218),
)
SHIRTS: tuple[Color, ...] = (
    (176, 52, 56),
    (44, 84, 150),
    (56, 124, 84),
    (240, 238, 232),
    (60, 60, 70),
    (220, 160, 50),
)
EYES: tuple[Color, ...] = ((60, 40, 28), (50, 92, 140), (60, 104, 70))


@dataclass(frozen=True)
class Face:
    """All that a picture of a face shows, independent of its size in pixels. Lengths are fractions of the side."""

    x: float
    y: float
    half_width: float
    half_height: float
    yaw_degrees: float
    """Negative: the face looks to the left of the picture."""
    smile: bool
    glasses: bool
    hair: Hair
    skin: Color
    hair_color: Color
    eye: Color
    rims: Color
    shirt: Color
    background: Color
    brightness: float
    light_x: float
    """Where the light comes from: -1 left, 1 right."""

    def across(self, azimuth_degrees: float, height: float = 0.0) -> float:
        """x of a point of the head: azimuth 0 is the nose, 90 the right of the picture; height -1 top to 1 chin."""
        width = self.half_width * sqrt(1 - height * height)
        return self.x + width * sin(radians(azimuth_degrees + self.yaw_degrees))

    def eye_box(self, azimuth_degrees: float, width: float, height: float) -> Box:
        """Box around an eye, foreshortened by the pose; width and height in half widths and heights of the head."""
        half_width = width * self.half_width * max(0.45, self.facing(azimuth_degrees))
        y = self.y - 0.06 * self.half_height
        return around(self.across(azimuth_degrees), y, half_width, height * self.half_height)

    def lenses(self) -> tuple[Box, Box]:
        """Boxes of the two lenses of glasses: left and right in the picture."""
        return self.eye_box(-EYE_DEGREES, 0.4, 0.23), self.eye_box(EYE_DEGREES, 0.4, 0.23)

    def mouth(self) -> Box:
        """Box of the mouth."""
        middle, height = self.y + 0.5 * self.half_height, self.half_height
        if self.smile:
            return self.across(-30, 0.5), middle, self.across(30, 0.5), middle + 0.19 * height
        return self.across(-20, 0.5), middle - 0.03 * height, self.across(20, 0.5), middle + 0.11 * height

    def facing(self, azimuth_degrees: float) -> float:
        """How much a point of the head faces the camera: 1 wholly, 0 at the rim, below 0 turned away."""
        return cos(radians(azimuth_degrees + self.yaw_degrees))


def plan_face(rng: np.random.Generator) -> Face:
    """A face at random: pose, expression, what it wears, and in which light."""
    smile, glasses = (rng.random(2) < (SMILE_RATE, GLASSES_RATE)).tolist()
    drawn = rng.random()
    hair: Hair
    if drawn < LONG_HAIR_RATE:
        hair = "long"
    elif drawn < LONG_HAIR_RATE + BALD_RATE:
        hair = "bald"
    else:
        hair = "curly" if rng.random() < 0.35 else "short"
    skin = pick(rng, SKINS)
    hair_color = pick(rng, HAIRS, [(skin, 130)])
    return Face(
        x=rng.uniform(0.48, 0.52),
        y=rng.uniform(0.47, 0.51),
        half_width=rng.uniform(0.235, 0.265),
        half_height=rng.uniform(0.3, 0.33),
        yaw_degrees=rng.uniform(-MOST_YAW_DEGREES, MOST_YAW_DEGREES),
        smile=smile,
        glasses=glasses,
        hair=hair,
        skin=skin,
        hair_color=hair_color,
        eye=pick(rng, EYES),
        rims=(30, 28, 34) if distance(skin, (30, 28, 34)) > 260 else (236, 232, 220),
        shirt=pick(rng, SHIRTS, [(skin, 100)]),
        background=pick(rng, BACKGROUNDS, [(skin, 100), (hair_color, 110)]),
        brightness=rng.uniform(0.9, 1.02),
        light_x=rng.uniform(-1, 1),
    )


def face_boxes(face: Face) -> list[tuple[str, Box]]:
    """Name and box of what can be pointed at: the head (without hair), the mouth, and glasses where there are any."""
    boxes = [
        ("head", around(face.x, face.y, face.half_width, face.half_height)),
        ("mouth", face.mouth()),
    ]
    if face.glasses:
        left, right = face.lenses()
        boxes.append(("glasses", (left[0], left[1], right[2], right[3])))
    return boxes
