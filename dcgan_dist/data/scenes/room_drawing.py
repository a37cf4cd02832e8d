"""How a planned room becomes a picture: from the back to the front, then the light."""

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.scenes.canvas import Canvas, Color, Point, grid, mix, shade
from dcgan_dist.data.scenes.rooms import SHADE_HEIGHT, SHADE_WIDTH, Bed, Camera, Door, Lamp, Picture, Room, Window

WHITE: Color = (250, 247, 240)
NEAR = 0.7  # metres: all that is nearer is outside the picture
BOARD = 0.42  # metres: narrower boards become noise at 32 pixels


def render_room(room: Room, size: int) -> NDArray[np.uint8]:
    """The room as uint8 [size, size, 3]."""
    canvas = Canvas(size, room.wall)
    _draw_shell(canvas, room)
    if room.window is not None:
        _draw_window(canvas, room, room.window)
    for picture in room.pictures:
        _draw_picture(canvas, room, picture)
    if room.door is not None:
        _draw_door(canvas, room, room.door)
    if room.lamp is not None:
        _draw_lamp(canvas, room, room.lamp)
    if room.bed is not None:
        _draw_bed(canvas, room, room.bed)
    return canvas.picture(_light(room, size))


def _upright(camera: Camera, left: float, right: float, bottom: float, top: float, z: float) -> list[Point]:
    project = camera.project
    return [project(left, bottom, z), project(right, bottom, z), project(right, top, z), project(left, top, z)]


def _flat(camera: Camera, left: float, right: float, y: float, near: float, far: float) -> list[Point]:
    project = camera.project
    return [project(left, y, near), project(right, y, near), project(right, y, far), project(left, y, far)]


def _side(camera: Camera, x: float, bottom: float, top: float, near: float, far: float) -> list[Point]:
    project = camera.project
    return [project(x, bottom, near), project(x, bottom, far), project(x, top, far), project(x, top, near)]


def _draw_shell(canvas: Canvas, room: Room) -> None:
    camera, depth, height = room.camera, room.depth, room.height
    left, right = -room.width / 2, room.width / 2
    ceiling = mix(room.wall, WHITE, 0.75)
    skirting = mix(room.wall, WHITE, 0.8)
    canvas.polygon(_flat(camera, left, right, height, NEAR, depth), ceiling)
    canvas.polygon(_side(camera, left, 0, height, NEAR, depth), shade(room.wall, 0.9 - 0.08 * room.light_x))
    canvas.polygon(_side(camera, right, 0, height, NEAR, depth), shade(room.wall, 0.9 + 0.08 * room.light_x))
    canvas.polygon(_upright(camera, left, right, 0, 0.12, depth), skirting)
    canvas.polygon(_side(camera, left, 0, 0.12, NEAR, depth), shade(skirting, 0.88))
    canvas.polygon(_side(camera, right, 0, 0.12, NEAR, depth), shade(skirting, 0.88))
    canvas.polygon(_flat(camera, left, right, 0, NEAR, depth), room.floor)
    if room.boards:
        dark = shade(room.floor, 0.88)
        for x in np.arange(left, right, 2 * BOARD).tolist():
            canvas.polygon(_flat(camera, x, min(x + BOARD, right), 0, NEAR, depth), dark)
    if room.rug is not None:
        canvas.polygon(_flat(camera, -1.25, 1.25, 0, depth - 2.7, depth - 0.9), shade(room.rug, 0.8))
        canvas.polygon(_flat(camera, -1.05, 1.05, 0, depth - 2.5, depth - 1.05), room.rug)
    if room.window is not None and not room.night:
        _draw_sun(canvas, room, room.window)


def _draw_sun(canvas: Canvas, room: Room, window: Window) -> None:
    """The bright patch that the window throws on the floor."""
    slope = -0.5 * room.light_x
    near, far = room.depth - 1.9, room.depth - 0.9
    project = room.camera.project
    ground = room.rug if room.rug is not None else room.floor
    canvas.polygon(
        [
            project(window.left + 1.9 * slope, 0, near),
            project(window.right + 1.9 * slope, 0, near),
            project(window.right + 0.9 * slope, 0, far),
            project(window.left + 0.9 * slope, 0, far),
        ],
        mix(ground, (255, 236, 180), 0.5),
    )


def _draw_window(canvas: Canvas, room: Room, window: Window) -> None:
    camera, depth = room.camera, room.depth
    left, right, sill, top = window.left, window.right, window.sill, window.top
    canvas.polygon(_upright(camera, left, right, sill, top, depth), WHITE)
    left, right, sill, top = left + 0.08, right - 0.08, sill + 0.08, top - 0.08
    if room.night:
        canvas.polygon(_upright(camera, left, right, sill, top, depth), (22, 30, 84))
        moon, scale = camera.project(left + 0.62 * (right - left), top - 0.3, depth), 0.1 * camera.focal / depth
        canvas.ellipse((moon[0] - scale, moon[1] - scale, moon[0] + scale, moon[1] + scale), (255, 250, 214))
    else:
        middle = sill + 0.3 * (top - sill)
        canvas.polygon(_upright(camera, left, right, sill, top, depth), (140, 204, 252))
        canvas.polygon(_upright(camera, left, right, middle, middle + 0.25, depth), (206, 234, 254))
        canvas.polygon(_upright(camera, left, right, sill, middle, depth), (104, 168, 92))
    center = (left + right) / 2
    canvas.polygon(_upright(camera, center - 0.04, center + 0.04, sill, top, depth), WHITE)
    drape = 0.15 * (right - left)
    for inner, outer in ((left + drape, window.left - 0.1), (right - drape, window.right + 0.1)):
        project = camera.project
        canvas.polygon(
            [
                project(outer, window.top + 0.06, depth),
                project(inner, window.top + 0.06, depth),
                project((inner + outer) / 2, window.sill - 0.06, depth),
                project(outer, window.sill - 0.06, depth),
            ],
            window.curtain,
        )


def _draw_picture(canvas: Canvas, room: Room, picture: Picture) -> None:
    camera, depth = room.camera, room.depth
    left, right, bottom, top = picture.left, picture.right, picture.bottom, picture.top
    canvas.polygon(_upright(camera, left, right, bottom, top, depth), picture.frame)
    left, right, bottom, top = left + 0.08, right - 0.08, bottom + 0.08, top - 0.08
    canvas.polygon(_upright(camera, left, right, bottom, top, depth), picture.ground)
    project = camera.project
    hill = [project(left, bottom, depth), project(right, bottom, depth), project((left + 2 * right) / 3, top, depth)]
    canvas.polygon(hill, picture.motif)


def _draw_door(canvas: Canvas, room: Room, door: Door) -> None:
    camera, depth = room.camera, room.depth
    canvas.polygon(_upright(camera, door.left - 0.1, door.right + 0.1, 0, door.top + 0.1, depth), door.frame)
    canvas.polygon(_upright(camera, door.left, door.right, 0, door.top, depth), door.color)
    panel = shade(door.color, 0.78)
    for bottom, top in ((0.2, 0.85), (1.1, door.top - 0.18)):
        canvas.polygon(_upright(camera, door.left + 0.18, door.right - 0.18, bottom, top, depth), panel)
    x = door.right - 0.1 if door.knob_right else door.left + 0.1
    (knob_x, knob_y), radius = camera.project(x, 1.0, depth), 0.065 * camera.focal / depth
    canvas.ellipse((knob_x - radius, knob_y - radius, knob_x + radius, knob_y + radius), (250, 214, 96))


def _draw_lamp(canvas: Canvas, room: Room, lamp: Lamp) -> None:
    camera, x, z = room.camera, lamp.x, room.depth - 0.25
    base, rim, half = lamp.base, lamp.rim, SHADE_WIDTH / 2
    if lamp.table:
        near = room.depth - 0.5
        canvas.polygon(_flat(camera, x - 0.25, x + 0.25, base, near, room.depth), shade(lamp.wood, 1.25))
        canvas.polygon(_upright(camera, x - 0.25, x + 0.25, 0, base, near), lamp.wood)
        canvas.polygon(_upright(camera, x - 0.18, x + 0.18, 0.2, 0.4, near), shade(lamp.wood, 0.75))
    canvas.polygon(_upright(camera, x - 0.035, x + 0.035, base, rim, z), shade(lamp.wood, 0.7))
    if not lamp.table:
        canvas.polygon(_flat(camera, x - 0.18, x + 0.18, 0.02, z - 0.18, z + 0.18), shade(lamp.wood, 0.7))
    project = camera.project
    canvas.polygon(
        [
            project(x - half, rim, z),
            project(x + half, rim, z),
            project(x + 0.6 * half, rim + SHADE_HEIGHT, z),
            project(x - 0.6 * half, rim + SHADE_HEIGHT, z),
        ],
        (255, 238, 168) if lamp.lit else lamp.shade,
    )


def _draw_bed(canvas: Canvas, room: Room, bed: Bed) -> None:
    camera, depth = room.camera, room.depth
    left, right, height = bed.left, bed.right, bed.height
    foot, fold = depth - bed.length, depth - 0.62
    canvas.polygon(_flat(camera, left - 0.12, right + 0.12, 0, foot - 0.1, depth), shade(room.floor, 0.55))
    canvas.polygon(_upright(camera, left - 0.06, right + 0.06, 0, bed.headboard, depth - 0.05), bed.wood)
    dark = shade(bed.blanket, 0.72)
    if camera.x < left:
        canvas.polygon(_side(camera, left, 0.12, height, foot, depth - 0.05), dark)
    if camera.x > right:
        canvas.polygon(_side(camera, right, 0.12, height, foot, depth - 0.05), dark)
    canvas.polygon(_flat(camera, left, right, height, foot, depth - 0.05), (246, 244, 240))
    canvas.polygon(_flat(camera, left, right, height + 0.03, foot, fold), bed.blanket)
    canvas.polygon(_flat(camera, left, right, height + 0.03, fold - 0.2, fold), shade(bed.blanket, 1.25))
    canvas.polygon(_flat(camera, left, right, height + 0.03, foot + 0.15, foot + 0.6), bed.throw)
    canvas.polygon(_upright(camera, left, right, 0.1, height + 0.03, foot), shade(bed.blanket, 0.8))
    width = right - left
    for start, end in ((left + 0.06, left + width * 0.48), (right - width * 0.48, right - 0.06)):
        x0, y0 = camera.project(start, height + 0.36, depth - 0.22)
        x1, y1 = camera.project(end, height + 0.02, depth - 0.45)
        canvas.ellipse((x0, y0, x1, y1), (255, 253, 250))


def _light(room: Room, size: int) -> NDArray[np.float32]:
    """Light on each pixel, float32 [size, size, 3]: even by day and bluish by night, warm around a lit lamp."""
    x, y = grid(size)
    level = room.brightness * (0.58 if room.night else 1.0)
    across = 1 + 0.14 * room.light_x * (2 * x - 1)
    down = 1.04 - 0.14 * y
    tint = np.array((0.86, 0.92, 1.2) if room.night else (1.0, 1.0, 1.0), dtype=np.float32)
    light: NDArray[np.float32] = (level * across * down * tint).astype(np.float32)
    if room.lamp is not None and room.lamp.lit:
        lamp_x, lamp_y = room.camera.project(room.lamp.x, room.lamp.rim + 0.2, room.depth - 0.25)
        square = (x - lamp_x) ** 2 + (y - lamp_y) ** 2
        glow = (0.75 if room.night else 0.18) * np.exp(-square / 0.045)
        light += glow * np.array((1.0, 0.86, 0.56), dtype=np.float32)
    return light
