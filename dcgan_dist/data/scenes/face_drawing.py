"""How a planned face becomes a picture: from the back to the front, then the light."""

from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.scenes.canvas import Canvas, around, grid, mix, shade
from dcgan_dist.data.scenes.faces import EYE_DEGREES, Face


def render_face(face: Face, size: int) -> NDArray[np.uint8]:
    """The face as uint8 [size, size, 3]."""
    canvas = Canvas(size, face.background)
    _draw_behind(canvas, face)
    _draw_head(canvas, face)
    _draw_features(canvas, face)
    if face.glasses:
        _draw_glasses(canvas, face)
    return canvas.picture(_light(face, size))


def _draw_behind(canvas: Canvas, face: Face) -> None:
    """Hair behind the head, shoulders, neck."""
    wide, high = face.half_width, face.half_height
    back = face.x - 0.25 * wide * sin(radians(face.yaw_degrees))
    top = face.y - 0.22 * high
    if face.hair == "long":
        canvas.ellipse(around(back, top, 1.24 * wide, 0.98 * high), face.hair_color)
        canvas.box((back - 1.24 * wide, top, back + 1.24 * wide, face.y + 1.12 * high), shade(face.hair_color, 0.86))
    canvas.ellipse(around(face.x, 1.12, 0.44, 0.3), face.shirt)
    neck = face.y + 0.7 * high
    canvas.box((face.x - 0.5 * wide, neck, face.x + 0.5 * wide, 0.87), shade(face.skin, 0.8))
    canvas.ellipse(around(face.x, 0.87, 0.5 * wide, 0.05), shade(face.skin, 0.8))
    if face.hair == "short":
        canvas.ellipse(around(back, top, 1.08 * wide, 0.92 * high), face.hair_color)
    if face.hair == "curly":
        for i in range(9):
            angle = radians(180 + 22.5 * i)
            x, y = back + 0.95 * wide * cos(angle), top + 0.78 * high * sin(angle)
            canvas.ellipse(around(x, y, 0.34 * wide, 0.3 * high), face.hair_color)


def _draw_head(canvas: Canvas, face: Face) -> None:
    """Ears, skin, fringe."""
    wide, high = face.half_width, face.half_height
    for azimuth in (-95, 95):
        if face.hair != "long" and face.facing(azimuth) > -0.35:
            canvas.ellipse(around(face.across(azimuth), face.y, 0.15 * wide, 0.19 * high), shade(face.skin, 0.86))
    head = around(face.x, face.y, wide, high)
    canvas.ellipse(head, face.skin)
    turn = 0.4 * face.yaw_degrees
    if face.hair in ("short", "curly"):
        canvas.chord(head, 208 + turn, 332 + turn, face.hair_color)
    if face.hair == "long":
        # Two wings that part above the nose and frame the face.
        canvas.chord(head, 175, 290 + turn, face.hair_color)
        canvas.chord(head, 250 + turn, 365, face.hair_color)


def _draw_features(canvas: Canvas, face: Face) -> None:
    """Eyes, brows, nose, mouth."""
    wide, high = face.half_width, face.half_height
    for azimuth in (-EYE_DEGREES, EYE_DEGREES):
        canvas.ellipse(face.eye_box(azimuth, 0.2, 0.1), (252, 252, 250))
        # The pupils lead the turn of the head a little, which makes the pose easier to see.
        pupil = face.across(azimuth + 0.12 * face.yaw_degrees)
        canvas.ellipse(around(pupil, face.y - 0.06 * high, 0.1 * wide, 0.09 * high), face.eye)
        brow = face.eye_box(azimuth, 0.24, 0.0)
        y = face.y - 0.25 * high
        color = shade(face.skin, 0.55) if face.hair == "bald" else shade(face.hair_color, 0.8)
        canvas.line((brow[0], y), (brow[2], y), 0.016, color)
    tip = face.x + 1.12 * (face.across(0) - face.x)
    canvas.polygon(
        [
            (face.across(0), face.y),
            (tip - 0.13 * wide, face.y + 0.26 * high),
            (tip + 0.13 * wide, face.y + 0.26 * high),
        ],
        shade(face.skin, 0.84),
    )
    left, top, right, bottom = face.mouth()
    lips = mix(face.skin, (176, 40, 50), 0.65)
    if face.smile:
        # The lower halves of two ellipses: open lips, and teeth in them.
        canvas.chord((left, 2 * top - bottom, right, bottom), 0, 180, shade(lips, 0.8))
        teeth = top + 0.63 * (bottom - top)
        canvas.chord((left + 0.02, 2 * top - teeth, right - 0.02, teeth), 5, 175, (252, 250, 246))
    else:
        canvas.ellipse((left, top, right, bottom), lips)


def _draw_glasses(canvas: Canvas, face: Face) -> None:
    left, right = face.lenses()
    for lens in (left, right):
        canvas.ring(lens, 0.022, face.rims)
    y = face.y - 0.08 * face.half_height
    canvas.line((left[2] - 0.01, y), (right[0] + 0.01, y), 0.022, face.rims)
    for azimuth, inner in ((-85, left[0]), (85, right[2])):
        if face.facing(azimuth) > 0:
            canvas.line((face.across(azimuth), y), (inner, y), 0.018, face.rims)


def _light(face: Face, size: int) -> NDArray[np.float32]:
    """Light on each pixel, float32 [size, size, 3]: from one side, and brighter from above."""
    x, y = grid(size)
    across = 1 + 0.24 * face.light_x * np.tanh((x - face.x) / face.half_width)
    light: NDArray[np.float32] = (face.brightness * across * (1.06 - 0.12 * y)).astype(np.float32)
    return np.repeat(light, 3, axis=2)
