"""MNIST and Fashion-MNIST as published: files of images and of labels in the idx format, compressed by gzip or not.

The names of the files are the same for both, so that their labels tell one from the other. Pictures stay grey.
"""

import functools
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.numbered import Part, by_file, tabulate
from dcgan_dist.data.readers.published import Published, told, what_else
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.data.readers.stream import GZIP, blocks, inflated, skip, stream
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIZE = 28
PICTURE = SIZE * SIZE
"""Bytes of a picture."""

# Headers, big endian: what it is (bytes, in 3 or 1 dimensions), and the dimensions.
_IMAGES, _LABELS = 0x803, 0x801
_IMAGES_HEADER, _LABELS_HEADER = struct.Struct(">4I"), struct.Struct(">2I")

_NAME = re.compile(r"(train|t10k)-(images|labels)[-.]idx([13])-ubyte(\.gz)?")


def _plain(name: str) -> str:
    match = _NAME.fullmatch(name)
    return f"{match[1]}-{match[2]}-idx{match[3]}-ubyte" if match else ""


@dataclass(frozen=True)
class Variant:
    """One of the sets in this format.

    Attributes:
        published: its files.
        classes: their names by number.
        begins: the first ten labels of each split.
    """

    published: Published
    classes: tuple[str, ...]
    begins: dict[str, bytes]


def _published(title: str, home: str, folder: str) -> Published:
    return Published(
        title=title,
        home=home,
        splits={
            "train": ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
            "test": ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
        },
        counts={"train": 60_000, "test": 10_000},
        plain=_plain,
        below=(f"{folder}/raw", "raw"),
    )


_DIGITS = Variant(
    _published("MNIST", "https://ossci-datasets.s3.amazonaws.com/mnist/", "MNIST"),
    tuple(str(digit) for digit in range(10)),
    {"train": bytes((5, 0, 4, 1, 9, 2, 1, 3, 1, 4)), "test": bytes((7, 2, 1, 0, 4, 1, 4, 9, 5, 9))},
)
_FASHION = Variant(
    _published("Fashion-MNIST", "https://github.com/zalandoresearch/fashion-mnist", "FashionMNIST"),
    ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    {"train": bytes((9, 0, 0, 3, 0, 2, 7, 2, 5, 5)), "test": bytes((9, 2, 1, 1, 6, 1, 4, 6, 5, 7))},
)
_VARIANTS = (_DIGITS, _FASHION)


def open_mnist(variant: Variant, addresses: Sequence[Place], request: Request) -> Source:
    """List the pictures, by their labels; compressed pictures are read once, to see that they are whole.

    Raises:
        DataError: files are missing, are not what their names say, do not belong together, or are of the other set.
        SettingsError: there is no such split.
    """
    published, where = variant.published, told(addresses)
    found, passed = published.find(addresses)
    splits = published.choose(found, request.splits, where)
    files, parts, notes = [], [], list(passed)
    for number, split in enumerate(splits):
        images, labels = (found[name] for name in published.splits[split])
        label = _read_labels(labels, _count_images(images), images)
        begins = label[: len(variant.begins[split])].tobytes()
        for other in _VARIANTS:
            if begins == other.begins[split] and other is not variant:
                raise DataError(
                    f"{labels} has the labels of {other.published.title}, not of {published.title}: give the data set "
                    "by its own name"
                )
        if begins != variant.begins[split]:
            notes.append(f"{split} does not begin with the labels of {published.title} as published")
        if label.size and label.max() >= len(variant.classes):
            raise DataError(
                f"{labels} has class {label.max()}, but {published.title} has {len(variant.classes)} classes: "
                "download it again"
            )
        files.append(images)
        offset = _IMAGES_HEADER.size + PICTURE * np.arange(len(label), dtype=np.int64)
        parts.append(Part(number, number, offset, label.astype(np.int32)))
        request.seen(sum(len(part.label) for part in parts), None)
    counts = {split: len(part.label) for split, part in zip(splits, parts, strict=True)}
    return Source(
        where=where,
        files=tuple(files),
        samples=tabulate(parts, splits, PICTURE),
        fetch=fetch_mnist,
        splits=splits,
        classes=variant.classes,
        notes=(*notes, *published.differences(counts, where)),
        streamed=any(map(_is_compressed, files)),
    )


def fetch_mnist(files: Sequence[Place], samples: Samples) -> Iterator[NDArray[np.uint8] | BadImage]:
    """A `Fetch`: `offset` is the first byte of a picture in its file, once that is inflated.

    Pictures are uint8 [28, 28] in grey, 0 where nothing is drawn.
    """
    for number, some in by_file(samples):
        compressed = _is_compressed(files[number])
        for data in _read_on(files[number], some) if compressed else fetch_ranges(files, some):
            yield data if isinstance(data, BadImage) else np.frombuffer(data, np.uint8).reshape(SIZE, SIZE)


def recognize_mnist(variant: Variant, place: Place) -> str:
    """What there is at an address, told by the first labels; what has others is taken for MNIST, unless its address
    says fashion."""
    title = variant.published.title
    if not place.is_folder() and not _plain(place.name):
        return ""
    found, _ = variant.published.find([place])
    if not found:
        return ""
    for split, (_, name) in variant.published.splits.items():
        if name in found:
            begins = _begin(found[name], _LABELS_HEADER.size + 10)[_LABELS_HEADER.size :]
            for other in _VARIANTS:
                if begins == other.begins[split]:
                    return title if other is variant else ""
    by_name = _FASHION if "fashion" in place.address.lower() else _DIGITS
    return f"in the format of {title}" if by_name is variant else ""


MNIST = Reader(
    about="MNIST: train-images-idx3-ubyte.gz and the three files beside it, or the folder that holds them",
    open=functools.partial(open_mnist, _DIGITS),
    recognize=functools.partial(recognize_mnist, _DIGITS),
)
FASHION_MNIST = Reader(
    about="Fashion-MNIST: files of the same names as MNIST's",
    open=functools.partial(open_mnist, _FASHION),
    recognize=functools.partial(recognize_mnist, _FASHION),
)


def _count_images(file: Place) -> int:
    """How many images a file has, which are all there."""
    _, number, height, width = _header(file, _IMAGES_HEADER, _IMAGES, "images")
    if (height, width) != (SIZE, SIZE):
        raise DataError(f"{file} has images of {height} x {width} pixels, but needs {SIZE} x {SIZE}")
    _check_length(file, _IMAGES_HEADER.size + number * PICTURE, "images")
    return number


def _read_labels(file: Place, images: int, of: Place) -> NDArray[np.uint8]:
    """The labels of so many images of the file `of`, uint8 [n]."""
    _, number = _header(file, _LABELS_HEADER, _LABELS, "labels")
    if number != images:
        raise DataError(f"{file} has {number:,} labels, but {of} {images:,} images: download both again")
    size = _LABELS_HEADER.size + number
    _check_length(file, size, "labels")
    return np.frombuffer(_begin(file, size), np.uint8)[_LABELS_HEADER.size :]


def _header(file: Place, header: struct.Struct, magic: int, what: str) -> tuple[int, ...]:
    begin = _begin(file, header.size)
    if len(begin) < header.size or begin[:4] != magic.to_bytes(4, "big"):
        reason = what_else(begin) or f"it begins with {begin[:4].hex(' ') or 'nothing'}: download it again"
        raise DataError(f"{file} does not have {what} in the idx format, which begins with {magic:08x}: {reason}")
    return header.unpack(begin)


def _check_length(file: Place, size: int, what: str) -> None:
    """See that a file has so many bytes, once it is inflated."""
    if not _is_compressed(file):
        actual = file.info().size
    else:
        actual = 0
        for piece in inflated(file):
            actual += len(piece)
            if actual > size:
                break
    if actual != size:
        raise DataError(
            f"{file} declares {size:,} bytes of {what} with its header, but has "
            f"{'more' if actual > size else 'fewer'}: copy or download it again"
        )


def _read_on(file: Place, samples: Samples) -> Iterator[bytes]:
    """Pictures of a compressed file."""
    content, at = stream(inflated(file)), 0
    for offset in samples.offset:
        skip(content, int(offset) - at)
        data = content.read(PICTURE)
        if len(data) < PICTURE:
            raise DataError(f"{file} has become shorter since it was listed: it ends before byte {offset + PICTURE:,}")
        yield data
        at = int(offset) + PICTURE


def _begin(file: Place, size: int) -> bytes:
    """The first bytes of a file, inflated where it is compressed; fewer where it ends."""
    return stream(inflated(file) if _is_compressed(file) else blocks(file)).read(size)


def _is_compressed(file: Place) -> bool:
    return file.read_range(0, 2) == GZIP
