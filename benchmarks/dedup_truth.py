"""Sets of pictures with copies planted among them, so that it is known what de-duplication has to find.

Thresholds are chosen on one split and measured on another; no picture is in both. Data is expected in $DCGAN_DIST_DATA.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.dedup_changes import COPIES, NO_COPIES, Change, same
from benchmarks.learning import read_images
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.image_decoding import decode_whole, fit_pixels
from dcgan_dist.data.scenes.canvas import Color, distance
from dcgan_dist.data.scenes.face_drawing import render_face
from dcgan_dist.data.scenes.faces import SHIRTS, Face, plan_face
from dcgan_dist.data.scenes.room_drawing import render_room
from dcgan_dist.data.scenes.rooms import BLANKETS, WALLS, Room, plan_room
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

Split = Literal["choosing", "measuring"]
Changed = TypeVar("Changed")
Ints = NDArray[np.int64]

THUMBNAIL: Final = 32
CHANGES: Final[Mapping[str, Change]] = COPIES | NO_COPIES

CIFAR_ROWS: Final[Mapping[Split, tuple[int, int]]] = {"choosing": (0, 23_000), "measuring": (23_000, 60_000)}
"""Of the 60,000 training and test images, in this order."""
CIFAR_COPIES: Final[Mapping[Split, int]] = {"choosing": 500, "measuring": 1_000}
"""Of each kind; with those that are no copies the set to measure on has 50,000 images."""

PHOTOGRAPH_SIDE, PHOTOGRAPH_MARGIN = 64, 4
"""Photographs are scaled to 72 pixels, so that there is something around the 64 that a shift may bring in."""

SCENE_SEED: Final[Mapping[Split, int]] = {"choosing": 30_000, "measuring": 30_001}
SCENES: Final[Mapping[Split, int]] = {"choosing": 2_000, "measuring": 4_000}
"""Rooms and faces, half of each."""


@dataclass(frozen=True)
class Planted:
    """Pictures, and which of them come from one another."""

    pictures: Pixels
    """uint8 [n, S, S, 3]."""
    origin: Ints
    """int64 [n]: number of the picture that each was made of, its own where it is nobody's copy."""
    kinds: tuple[str, ...]
    """How each was made of its origin, empty where it is its own."""

    def rows(self, kind: str) -> Ints:
        """Pictures that were made in a way, int64 [k]."""
        return np.flatnonzero(np.array(self.kinds) == kind)

    def groups(self) -> Ints:
        """int64 [n]: equal for an original and all its copies; what is no copy is alone."""
        alone = np.array([bool(kind) and kind not in COPIES for kind in self.kinds])
        return np.where(alone, np.arange(len(self.origin)), self.origin)

    def thumbnails(self) -> Pixels:
        """uint8 [n, 32, 32, 3], scaled as `decode` does it."""
        if self.pictures.shape[1] == THUMBNAIL:
            return self.pictures
        return np.stack([fit_pixels(picture, THUMBNAIL, "resize") for picture in self.pictures])


def plant(
    pictures: Sequence[Pixels],
    side: int,
    made: Mapping[str, Ints],
    seed: int,
    changes: Mapping[str, Change] = CHANGES,
) -> Planted:
    """A set of the squares of pictures, followed by what was made of some of them.

    Args:
        pictures: uint8 [H, W, 3] each, no side shorter than `side`.
        side: of the squares, in pixels.
        made: rows of pictures, by the change that is made of them.
        seed: of the directions of changes that have one.
        changes: by name.
    """
    turns = np.random.default_rng(seed)
    squares, origin, kinds = (
        [same(picture, side) for picture in pictures],
        list(range(len(pictures))),
        [""] * len(pictures),
    )
    for kind, rows in made.items():
        for row in rows.tolist():
            squares.append(changes[kind](pictures[row], side, int(turns.integers(1 << 20))))
            origin.append(row)
            kinds.append(kind)
    return Planted(np.stack(squares), np.array(origin, np.int64), tuple(kinds))


def join(sets: Sequence[Planted]) -> Planted:
    """Sets of equal sides, one after the other."""
    starts = np.cumsum([0] + [len(one.origin) for one in sets[:-1]])
    return Planted(
        np.concatenate([one.pictures for one in sets]),
        np.concatenate([one.origin + start for one, start in zip(sets, starts, strict=True)]),
        tuple(kind for one in sets for kind in one.kinds),
    )


def cifar(split: Split) -> Planted:
    """CIFAR-10 at 32 pixels: 23,000 images and copies of 6,500 to choose on, 37,000 and 13,000 to measure on."""
    first, end = CIFAR_ROWS[split]
    images = np.concatenate(
        [
            read_images(DataSettings(path=f"$DCGAN_DIST_DATA/cifar10/{part}-*.tar"), THUMBNAIL)
            for part in ("train", "test")
        ]
    )[first:end]
    number = CIFAR_COPIES[split]
    drawn = np.random.default_rng(first).permutation(len(images))[: number * len(CHANGES)].reshape(len(CHANGES), number)
    return plant(list(images), THUMBNAIL, dict(zip(CHANGES, drawn, strict=True)), seed=first)


def photographs(split: Split) -> Planted:
    """Bedrooms and faces at 64 pixels, a copy of each kind of all of them, among pictures of Tiny ImageNet."""
    own = [*_whole("$DCGAN_DIST_DATA/rooms256/bedrooms-*.tar"), *_whole("$DCGAN_DIST_DATA/faces/faces-*.tar")]
    half = own[::2] if split == "choosing" else own[1::2]
    every = np.arange(len(half))
    parts = "{000000..000001}" if split == "choosing" else "{000002..000003}"
    others = read_images(DataSettings(path=f"$DCGAN_DIST_DATA/tinyimagenet64/train-{parts}.tar"), PHOTOGRAPH_SIDE)
    planted = plant(half, PHOTOGRAPH_SIDE, dict.fromkeys(CHANGES, every), seed=len(half))
    return join([planted, plant(list(others), PHOTOGRAPH_SIDE, {}, seed=0)])


def scenes(split: Split) -> Planted:
    """Drawn rooms and faces at 64 pixels, each with one change that makes another picture of the same scene."""
    drawn: list[Pixels] = []
    origin, kinds = [], []
    for index in range(SCENES[split]):
        rng = np.random.default_rng((SCENE_SEED[split], index))
        if index % 2:
            face, (kind, other) = plan_face(rng), _turn(FACES, index // 2)
            pair = render_face(face, PHOTOGRAPH_SIDE), render_face(other(face), PHOTOGRAPH_SIDE)
        else:
            room, (kind, change) = _room_with_bed(rng), _turn(ROOMS, index // 2)
            pair = render_room(room, PHOTOGRAPH_SIDE), render_room(change(room), PHOTOGRAPH_SIDE)
        drawn.extend(pair)
        origin.extend([2 * index, 2 * index])
        kinds.extend(["", kind])
    return Planted(np.stack(drawn), np.array(origin, np.int64), tuple(kinds))


FACES: Final[Mapping[str, Callable[[Face], Face]]] = {
    "face: smile": lambda face: replace(face, smile=not face.smile),
    "face: glasses": lambda face: replace(face, glasses=not face.glasses),
    "face: turned by 10 degrees": lambda face: replace(face, yaw_degrees=face.yaw_degrees + 10),
    "face: another shirt": lambda face: replace(face, shirt=_other(SHIRTS, face.shirt)),
    "face: light from the other side": lambda face: replace(face, light_x=-1.0 if face.light_x > 0 else 1.0),
}
"""The same person, and another picture."""

ROOMS: Final[Mapping[str, Callable[[Room], Room]]] = {
    "room: camera 60 cm aside": lambda room: replace(room, camera=replace(room.camera, x=room.camera.x + 0.6)),
    "room: another wall": lambda room: replace(room, wall=_other(WALLS, room.wall)),
    "room: night or day": lambda room: replace(room, night=not room.night),
    "room: another blanket": lambda room: _with_blanket(room),
    "room: light from the other side": lambda room: replace(room, light_x=-1.0 if room.light_x > 0 else 1.0),
}
"""The same room, and another picture."""


def _with_blanket(room: Room) -> Room:
    assert room.bed is not None
    return replace(room, bed=replace(room.bed, blanket=_other(BLANKETS, room.bed.blanket)))


def _other(colors: Sequence[Color], color: Color) -> Color:
    """The color that is farthest from one of them."""
    return max(colors, key=lambda other: distance(other, color))


def _room_with_bed(rng: np.random.Generator) -> Room:
    while (room := plan_room(rng)).bed is None:
        pass
    return room


def _turn(changes: Mapping[str, Changed], number: int) -> tuple[str, Changed]:
    return list(changes.items())[number % len(changes)]


def _whole(address: str) -> list[Pixels]:
    """Pictures of shards with their shorter side scaled to 72 pixels, uint8 [72 or more, 72 or more, 3]."""
    settings = DataSettings(path=address)
    index = concatenate([index_shard(shard) for shard in expand(settings.path)])
    found = []
    for shard, offset, size in zip(index.shard, index.offset.tolist(), index.size.tolist(), strict=True):
        data = Place(index.shards[shard]).read_range(offset, size)
        image = Image.fromarray(decode_whole(data, max_pixels=settings.max_image_pixels))
        scale = (PHOTOGRAPH_SIDE + 2 * PHOTOGRAPH_MARGIN) / min(image.size)
        shape = round(image.width * scale), round(image.height * scale)
        found.append(np.asarray(image.resize(shape, Image.Resampling.BILINEAR)))
    return found
