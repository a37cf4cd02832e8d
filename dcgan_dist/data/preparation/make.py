"""The first half of the work: pictures of a part of the source become images, which wait in pieces."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.encoding import ImageFormat, make_image
from dcgan_dist.data.preparation.faces import described, make_faces
from dcgan_dist.data.preparation.pieces import Made, order_of, write_piece
from dcgan_dist.data.readers.source import Fetch, Picture, Samples
from dcgan_dist.data.shards.attributes import Value
from dcgan_dist.data.splits import is_held_out
from dcgan_dist.storage import Place


@dataclass(frozen=True)
class Making:
    """What all pieces have in common; it is sent to every process that makes some.

    Attributes:
        folder: for the pieces.
        files, fetch, classes: of the source.
        form: of the images.
        seed: of the order.
        holdout: share of the pictures that become a split of its own.
        held_out: number of that split.
        faces: where pictures are photographs of which the faces become images: which ones.
    """

    folder: Place
    files: tuple[Place, ...]
    fetch: Fetch
    classes: tuple[str, ...] | None
    form: ImageFormat
    seed: int
    holdout: float
    held_out: int
    faces: FaceOptions | None = None


@dataclass(frozen=True)
class Part:
    """A piece to be made: its number, and which samples it is made of, by their rows in the source."""

    number: int
    rows: Sequence[int]
    samples: Samples


def make_pieces(making: Making, parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
    """Make pieces one after the other, of parts of one file or of any files.

    Yields:
        of each piece that is written, how many of its pictures were good, and how many were bad.

    Raises:
        DataError: the source or the target fails.
    """
    pictures = making.fetch(making.files, Samples.concatenate([part.samples for part in parts]))
    # To wait for a disk or a store takes no core. Only one piece is written at a time, so that none piles up.
    written: list[tuple[Future[None], int, int]] = []
    with ThreadPoolExecutor(1) as writer:
        for part in parts:
            made = [
                one
                for row, sample, picture in zip(
                    part.rows, each(part.samples), islice(pictures, len(part.rows)), strict=True
                )
                for one in make(making, row, sample, picture)
            ]
            yield from map(_counted, written)
            bad = sum(bool(one.reason) for one in made)
            written = [(writer.submit(write_piece, making.folder, part.number, made), len(part.rows) - bad, bad)]
        yield from map(_counted, written)


def _counted(written: tuple[Future[None], int, int]) -> tuple[int, int]:
    """Wait until a piece is written; what has become of its pictures."""
    writing, good, bad = written
    writing.result()
    return good, bad


@dataclass(frozen=True)
class One:
    """A sample by itself, as `Samples` has it."""

    key: str
    split: int
    label: int
    attributes: Mapping[str, Value]


def make(making: Making, row: int, sample: One, picture: Picture | BadImage) -> list[Made]:
    """What becomes of a picture: one image, or one of each face; something without an image where there is none."""
    digest = _digest(sample.key.encode() if isinstance(picture, BadImage) else picture)
    held_out = making.holdout and is_held_out(digest, making.holdout)
    split = making.held_out if held_out else sample.split
    nothing = Made(row, order_of(making.seed, sample.key), split, sample.label, digest)
    try:
        if isinstance(picture, BadImage):
            raise picture
        if making.faces is None:
            image, suffix = make_image(picture, making.form)
            return [replace(nothing, image=image, suffix=suffix, meta=_meta(sample, making.classes))]
        made = []
        images, without_room = make_faces(picture, making.form, making.faces)
        for number, (image, suffix, face) in enumerate(images):
            its = replace(sample, key=f"{sample.key}#{number}")
            meta = _meta(its, making.classes, face=described(face, sample.key, making.faces))
            order = order_of(making.seed, its.key)
            made.append(replace(nothing, order=order, image=image, suffix=suffix, meta=meta))
        return made or [replace(nothing, without_room=without_room)]
    except BadImage as error:
        return [replace(nothing, reason=str(error))]


def each(samples: Samples) -> Iterator[One]:
    """The samples one by one."""
    attributes = {name: column.tolist() for name, column in samples.attributes.items()}
    numbers = zip(samples.key.to_pylist(), samples.split.tolist(), samples.label.tolist(), strict=True)
    for row, (key, split, label) in enumerate(numbers):
        yield One(key, split, label, {name: values[row] for name, values in attributes.items()})


def _digest(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).digest()
    return hashlib.sha256(str(picture.shape).encode() + picture.tobytes()).digest()


def _meta(sample: One, classes: Sequence[str] | None, **more: object) -> bytes:
    """`KEY.json`, which says what is known of a picture."""
    meta: dict[str, object] = {"source": sample.key, **more}
    if sample.label >= 0 and classes:
        # The name lets shards that were parted from their dataset.json tell what their numbers mean.
        meta["class"] = classes[sample.label]
    if sample.attributes:
        meta["attributes"] = dict(sample.attributes)
    return json.dumps(meta, sort_keys=True).encode()
