"""Bedrooms in perspective: a room is first planned, in metres, and then drawn.

A room is a box seen from its open front. x goes right from the middle of the room, y up from the floor, z away from the
camera, which stands at z = 0; everything that stands or hangs is at the back wall, where the camera sees it whole.
"""

from dataclasses import dataclass

import numpy as np

from dcgan_dist.data.scenes.canvas import Box, Color, pick

# Part of the rooms that has it. Those of bed, window and door are far apart, so that a model that drew them at each
# other's rates would be noticed.
BED_RATE = 0.88
WINDOW_RATE = 0.62
DOOR_RATE = 0.34
LAMP_RATE = 0.55
PICTURES_RATE = 0.6
NIGHT_RATE = 0.27

SHADE_WIDTH, SHADE_HEIGHT = 0.5, 0.36  # metres, of a lamp
LAMP_PLACE = 0.6  # metres of the wall that a lamp and its table need

WALLS: tuple[Color, ...] = (
    (236, 222, 196),  # cream
    (176, 196, 170),  # sage
    (160, 190, 212),  # pale blue
    (222, 152, 120),  # terracotta
    (226, 194, 118),  # mustard
    (110, 158, 162),  # teal
    (226, 180, 182),  # rose
)
WOODS: tuple[Color, ...] = ((188, 140, 92), (150, 102, 62), (116, 76, 50))
CARPETS: tuple[Color, ...] = ((172, 164, 152), (112, 118, 134), (206, 196, 176))
BLANKETS: tuple[Color, ...] = (
    (178, 48, 52),
    (40, 84, 150),
    (58, 128, 84),
    (226, 162, 44),
    (232, 228, 220),
)
HEADBOARDS: tuple[Color, ...] = ((112, 70, 42), (70, 48, 40), (160, 108, 62), (76, 80, 92))
DOORS: tuple[Color, ...] = ((132, 82, 48), (96, 58, 38), (244, 242, 236), (66, 92, 110))
CURTAINS: tuple[Color, ...] = ((186, 60, 60), (238, 232, 220), (60, 96, 146))
SHADES: tuple[Color, ...] = ((244, 226, 180), (236, 200, 150), (214, 120, 96))
PAINTINGS: tuple[Color, ...] = ((214, 92, 60), (64, 128, 160), (236, 190, 80), (90, 140, 90), (160, 90, 130))
FRAMES: tuple[Color, ...] = ((248, 246, 240), (88, 56, 38))
RUGS: tuple[Color, ...] = ((166, 60, 60), (60, 92, 136), (200, 170, 110), (96, 120, 96))


@dataclass(frozen=True)
class Camera:
    """Where the picture is taken from."""

    x: float
    """Metres right of the middle of the room."""
    y: float
    """Metres above the floor."""
    horizon: float
    """Height of the vanishing point, in fractions of the picture from its top."""
    focal: float
    """Fractions of the picture's side that one metre takes at one metre's distance."""

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Where a point of the room, in metres, lies in the picture, in fractions of its side."""
        scale = self.focal / z
        return 0.5 + (x - self.x) * scale, self.horizon - (y - self.y) * scale


@dataclass(frozen=True)
class Bed:
    """Stands with its head at the back wall."""

    left: float
    right: float
    length: float
    height: float
    headboard: float
    """Height of the headboard's top in metres."""
    blanket: Color
    throw: Color
    wood: Color


@dataclass(frozen=True)
class Window:
    """In the back wall, with a curtain on either side inside its edges."""

    left: float
    right: float
    sill: float
    top: float
    curtain: Color


@dataclass(frozen=True)
class Door:
    """In the back wall, closed; the knob is on the side of the room's middle."""

    left: float
    right: float
    top: float
    knob_right: bool
    color: Color
    frame: Color


@dataclass(frozen=True)
class Lamp:
    """On a bedside table, or standing on the floor when there is none."""

    x: float
    table: bool
    lit: bool
    shade: Color
    wood: Color

    @property
    def base(self) -> float:
        """Height of what it stands on."""
        return 0.55 if self.table else 0.0

    @property
    def rim(self) -> float:
        """Height of the lower rim of the shade."""
        return 0.82 if self.table else 1.25


@dataclass(frozen=True)
class Picture:
    """Framed, on the back wall."""

    left: float
    right: float
    bottom: float
    top: float
    frame: Color
    ground: Color
    motif: Color


@dataclass(frozen=True)
class Room:
    """All that a picture of a room shows, independent of its size in pixels. Lengths are in metres."""

    camera: Camera
    width: float
    height: float
    depth: float
    wall: Color
    floor: Color
    boards: bool
    """Wooden boards, else carpet."""
    rug: Color | None
    night: bool
    brightness: float
    light_x: float
    """Where the light comes from: -1 left, 1 right."""
    bed: Bed | None
    window: Window | None
    door: Door | None
    lamp: Lamp | None
    pictures: tuple[Picture, ...]


def plan_room(rng: np.random.Generator) -> Room:
    """A room at random: which things are there, where, and in which light."""
    has_bed, has_window, has_door, has_lamp, has_pictures, night, boards, door_left, lamp_left = (
        rng.random(9) < (BED_RATE, WINDOW_RATE, DOOR_RATE, LAMP_RATE, PICTURES_RATE, NIGHT_RATE, 0.65, 0.5, 0.5)
    ).tolist()
    width = rng.uniform(3.8, 4.0)
    wall = pick(rng, WALLS)
    floor = pick(rng, WOODS if boards else CARPETS, [(wall, 90)])

    # Along the back wall: the door takes one end, a lamp stands on one side of the bed, and nothing hides anything.
    left, right = -width / 2 + 0.12, width / 2 - 0.12
    door = _place_door(rng, left, right, door_left, wall) if has_door else None
    if door is not None:
        left, right = (door.right + 0.12, right) if door_left else (left, door.left - 0.12)
    lamp_width = LAMP_PLACE if has_lamp else 0.0
    start, end = (left + lamp_width, right) if lamp_left else (left, right - lamp_width)
    bed = _place_bed(rng, start, end, wall, floor) if has_bed else None
    lamp = None
    if has_lamp:
        if bed is not None:
            x = bed.left - LAMP_PLACE / 2 if lamp_left else bed.right + LAMP_PLACE / 2
        else:
            x = left + LAMP_PLACE / 2 if lamp_left else right - LAMP_PLACE / 2
        lit = night or rng.random() < 0.25
        lamp = Lamp(x, bed is not None, lit, pick(rng, SHADES, [(wall, 60)]), pick(rng, HEADBOARDS, [(wall, 90)]))
    window = _place_window(rng, left, right, bed, wall) if has_window else None
    return Room(
        camera=Camera(
            x=rng.uniform(-0.3, 0.3),
            y=rng.uniform(1.5, 1.65),
            horizon=rng.uniform(0.42, 0.44),
            focal=rng.uniform(0.85, 0.88),
        ),
        width=width,
        height=rng.uniform(2.75, 2.85),
        depth=rng.uniform(4.35, 4.5),
        wall=wall,
        floor=floor,
        boards=boards,
        rug=pick(rng, RUGS, [(floor, 110)]) if bed is None else None,
        night=night,
        brightness=rng.uniform(0.88, 1.0),
        light_x=rng.uniform(-1, 1),
        bed=bed,
        window=window,
        door=door,
        lamp=lamp,
        pictures=_hang_pictures(rng, left, right, window, wall) if has_pictures else (),
    )


def _place_door(rng: np.random.Generator, left: float, right: float, at_left: bool, wall: Color) -> Door:
    width = rng.uniform(0.85, 0.95)
    start = left if at_left else right - width
    return Door(
        left=start,
        right=start + width,
        top=rng.uniform(2.05, 2.15),
        knob_right=at_left,
        color=pick(rng, DOORS, [(wall, 150)]),
        frame=pick(rng, FRAMES, [(wall, 70)]),
    )


def _place_bed(rng: np.random.Generator, left: float, right: float, wall: Color, floor: Color) -> Bed:
    width = rng.uniform(1.55, 1.7)
    start = left + (right - left - width) * rng.uniform(0.3, 0.7)
    blanket = pick(rng, BLANKETS, [(wall, 110), (floor, 90)])
    return Bed(
        left=start,
        right=start + width,
        length=rng.uniform(1.95, 2.15),
        height=rng.uniform(0.5, 0.6),
        headboard=rng.uniform(0.95, 1.05),
        blanket=blanket,
        throw=pick(rng, BLANKETS, [(blanket, 120)]),
        wood=pick(rng, HEADBOARDS, [(wall, 120)]),
    )


def _place_window(rng: np.random.Generator, left: float, right: float, bed: Bed | None, wall: Color) -> Window:
    """Above the bed, a little aside; without a bed near the middle of what the door leaves."""
    width = rng.uniform(1.5, 1.7)
    center = (bed.left + bed.right) / 2 if bed is not None else (left + right) / 2
    start = min(max(center - width / 2 + rng.uniform(-0.2, 0.2), left), right - width)
    return Window(
        left=start,
        right=start + width,
        sill=bed.headboard + 0.1 if bed is not None else rng.uniform(0.95, 1.15),
        top=rng.uniform(2.4, 2.5),
        curtain=pick(rng, CURTAINS, [(wall, 120)]),
    )


def _hang_pictures(
    rng: np.random.Generator, left: float, right: float, window: Window | None, wall: Color
) -> tuple[Picture, ...]:
    """One or two pictures in the widest free part of the wall; none where they would be specks."""
    spans = [(left, right)] if window is None else [(left, window.left - 0.1), (window.right + 0.1, right)]
    start, end = max(spans, key=lambda span: span[1] - span[0])
    room = end - start
    if room < 0.7:
        return ()
    number = 2 if room > 1.6 else 1
    width = min(0.75, room / number - 0.12)
    height = width * rng.uniform(0.75, 1.15)
    bottom = rng.uniform(1.4, 1.5)
    frame = pick(rng, FRAMES, [(wall, 90)])
    step = room / number
    pictures = []
    for i in range(number):
        x = start + step * (i + 0.5) - width / 2
        ground = pick(rng, PAINTINGS)
        motif = pick(rng, PAINTINGS, [(ground, 120)])
        pictures.append(Picture(x, x + width, bottom, bottom + height, frame, ground, motif))
    return tuple(pictures)


def room_boxes(room: Room) -> list[tuple[str, Box]]:
    """Name and bounding box of each thing in the room, in fractions of the side; parts of a box may lie outside."""
    back, boxes = room.depth, []

    def bound(name: str, left: float, right: float, bottom: float, top: float, near: float = back) -> None:
        corners = [room.camera.project(x, y, z) for x in (left, right) for y in (bottom, top) for z in (near, back)]
        xs, ys = zip(*corners, strict=True)
        boxes.append((name, (min(xs), min(ys), max(xs), max(ys))))

    if room.bed is not None:
        bed = room.bed
        # At its near end the headboard's height would still lie below the far one's: the camera is higher than both.
        bound("bed", bed.left, bed.right, 0, bed.headboard, back - bed.length)
    if room.window is not None:
        bound("window", room.window.left, room.window.right, room.window.sill, room.window.top)
    if room.door is not None:
        bound("door", room.door.left, room.door.right, 0, room.door.top)
    if room.lamp is not None:
        lamp = room.lamp
        half = SHADE_WIDTH / 2
        bound("lamp", lamp.x - half, lamp.x + half, lamp.base, lamp.rim + SHADE_HEIGHT)
    for picture in room.pictures:
        bound("picture", picture.left, picture.right, picture.bottom, picture.top)
    return boxes
