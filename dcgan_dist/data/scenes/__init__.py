"""The embedded data set: rooms and faces drawn by seed and index, with the truth about each. No download, no files.

Our own; it stands in for the LSUN bedrooms and the faces of the paper (section 4) where those are not at hand.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.scenes.canvas import Box
from dcgan_dist.data.scenes.face_drawing import render_face
from dcgan_dist.data.scenes.faces import Face, face_boxes, plan_face
from dcgan_dist.data.scenes.room_drawing import render_room
from dcgan_dist.data.scenes.rooms import Room, plan_room, room_boxes

Kind = Literal["rooms", "faces"]


class SceneObject(TypedDict):
    """One thing in a picture."""

    name: str
    box: list[float]
    """x0, y0, x1, y1 in fractions of the side, (0, 0) at the top left: what is in the picture of its bounding box."""


class Truth(TypedDict):
    """What a picture shows; can be written as JSON."""

    kind: Kind
    objects: list[SceneObject]
    attributes: dict[str, bool | int | float]


@dataclass(frozen=True)
class Scene:
    """A picture and the truth about it."""

    image: NDArray[np.uint8]
    """uint8 [size, size, 3], RGB."""
    truth: Truth


def draw(kind: Kind, size: int, seed: int, index: int) -> Scene:
    """Scene number `index` of the endless set that `seed` names, at `size` pixels (16 to 256).

    The same kind, seed and index give the same bytes, whatever was drawn before, and show the same scene at every size.
    Attributes of rooms: `bed`, `window`, `door`, `lamp`, `lamp_lit`, `night` (bools), `pictures` (how many),
    `brightness` (1 by an ordinary day), `light_x` (-1 from the left, 1 from the right). Of faces: `smile`, `glasses`,
    `long_hair`, `bald` (bools), `yaw_degrees` (negative when the face looks to the left of the picture), `brightness`,
    `light_x`.
    """
    rng = _random(kind, seed, index)
    if kind == "rooms":
        room = plan_room(rng)
        return Scene(render_room(room, size), _room_truth(room))
    face = plan_face(rng)
    return Scene(render_face(face, size), _face_truth(face))


def truth(kind: Kind, seed: int, index: int) -> Truth:
    """The truth about a scene, as `draw` has it, without drawing it."""
    rng = _random(kind, seed, index)
    return _room_truth(plan_room(rng)) if kind == "rooms" else _face_truth(plan_face(rng))


def face(seed: int, index: int) -> Face:
    """All that is known about scene number `index` of the faces of a seed, its colors among it."""
    return plan_face(_random("faces", seed, index))


def _random(kind: Kind, seed: int, index: int) -> np.random.Generator:
    return np.random.default_rng((seed, get_args(Kind).index(kind), index))


def _room_truth(room: Room) -> Truth:
    return {
        "kind": "rooms",
        "objects": _objects(room_boxes(room)),
        "attributes": {
            "bed": room.bed is not None,
            "window": room.window is not None,
            "door": room.door is not None,
            "lamp": room.lamp is not None,
            "lamp_lit": room.lamp is not None and room.lamp.lit,
            "night": room.night,
            "pictures": len(room.pictures),
            "brightness": room.brightness,
            "light_x": room.light_x,
        },
    }


def _face_truth(face: Face) -> Truth:
    return {
        "kind": "faces",
        "objects": _objects(face_boxes(face)),
        "attributes": {
            "smile": face.smile,
            "glasses": face.glasses,
            "long_hair": face.hair == "long",
            "bald": face.hair == "bald",
            "yaw_degrees": face.yaw_degrees,
            "brightness": face.brightness,
            "light_x": face.light_x,
        },
    }


def _objects(boxes: list[tuple[str, Box]]) -> list[SceneObject]:
    return [{"name": name, "box": [min(1.0, max(0.0, edge)) for edge in box]} for name, box in boxes]
