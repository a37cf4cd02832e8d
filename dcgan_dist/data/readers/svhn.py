"""SVHN's cropped digits, as published in MATLAB files: http://ufldl.stanford.edu/housenumbers, format 2.

The class of a picture is its digit, so that the class of 0, which the files call 10, is 0, as in torchvision. (The
published DCGAN code, and with it our evaluation task svhn, number the digit d as class d - 1, and 0 as class 9.)

The pictures of a file are one compressed array, which one process reads from its beginning to its end: `loadmat` would
need 1.6 GB for those of the extra set, this needs a few blocks.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.readers.mat5 import Variable, variables
from dcgan_dist.data.readers.numbered import Part, by_file, tabulate
from dcgan_dist.data.readers.published import Published, told
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.data.readers.stream import BLOCK, skip
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIZE = 32
PICTURE = 3 * SIZE * SIZE
"""Bytes of a picture."""

CLASSES = tuple(str(digit) for digit in range(10))

PUBLISHED = Published(
    title="SVHN",
    home="http://ufldl.stanford.edu/housenumbers",
    splits={split: [f"{split}_32x32.mat"] for split in ("train", "extra", "test")},
    counts={"train": 73_257, "extra": 531_131, "test": 26_032},
    plain=lambda name: name,
)


def open_svhn(addresses: Sequence[Place], request: Request) -> Source:
    """List the pictures, by their labels; no picture is read.

    Raises:
        DataError: files are missing, or are not what their names say.
        SettingsError: SVHN has no such split.
    """
    where = told(addresses)
    found, notes = PUBLISHED.find(addresses)
    splits = PUBLISHED.choose(found, request.splits, where)
    files = [found[name] for split in splits for name in PUBLISHED.splits[split]]
    parts: list[Part] = []
    for number, file in enumerate(files):
        label = _labels(file)
        parts.append(Part(number, number, np.arange(len(label)), label))
        request.seen(sum(len(part.label) for part in parts), None)
    counts = {split: len(part.label) for split, part in zip(splits, parts, strict=True)}
    return Source(
        where=where,
        files=tuple(files),
        samples=tabulate(parts, splits, PICTURE),
        fetch=fetch_svhn,
        splits=splits,
        classes=CLASSES,
        notes=(*notes, *PUBLISHED.differences(counts, where)),
        streamed=True,
    )


def fetch_svhn(files: Sequence[Place], samples: Samples) -> Iterator[NDArray[np.uint8]]:
    """A `Fetch`: `offset` is the number of a picture in its file. Pictures are uint8 [32, 32, 3] in RGB."""
    for number, some in by_file(samples):
        file = files[number]
        images, _ = _arrays(file)
        at = int(some.offset[0])
        values = images.open(at * PICTURE)
        for offset in some.offset:
            skip(values, int(offset - at) * PICTURE)
            data = values.read(PICTURE)
            if len(data) < PICTURE:
                raise DataError(f"{file} has become shorter since it was listed: it ends before picture {offset:,}")
            # MATLAB's first axis varies fastest: a picture lies as its columns, color by color.
            columns = np.frombuffer(data, np.uint8).reshape(3, SIZE, SIZE)
            yield np.ascontiguousarray(columns.transpose(2, 1, 0))
            at = int(offset) + 1
        if at == images.shape[-1]:
            while values.read(BLOCK):  # to the checksum, which is the last
                pass


def recognize_svhn(place: Place) -> str:
    """What there is of SVHN at an address."""
    names = PUBLISHED.find([place])[0].keys() if place.is_folder() else {place.name}
    return "SVHN" if any(names & set(files) for files in PUBLISHED.splits.values()) else ""


SVHN = Reader(
    about="SVHN: train_32x32.mat, extra_32x32.mat and test_32x32.mat, or the folder that holds some of them",
    open=open_svhn,
    recognize=recognize_svhn,
)


def _arrays(file: Place) -> tuple[Variable, Variable]:
    """Pictures, uint8 (32, 32, 3, n), and digits, n of any type."""
    found = variables(file)
    images, digits = found.get("X"), found.get("y")
    if images is None or digits is None:
        raise DataError(f"{file} does not have the arrays X and y of SVHN's cropped digits: download it again")
    shape = images.shape
    if shape[:-1] != (SIZE, SIZE, 3) or images.dtype != np.uint8 or sorted(digits.shape) != sorted((1, shape[-1])):
        raise DataError(
            f"{file} has X {images.dtype} {shape} and y {digits.shape}, but SVHN's cropped digits have uint8 "
            f"({SIZE}, {SIZE}, 3, n) and (n, 1): download it again"
        )
    return images, digits


def _labels(file: Place) -> NDArray[np.int32]:
    """Class of each picture, int32 [n]."""
    digits = _arrays(file)[1].load()
    if not np.isin(digits, np.arange(1, 11)).all():
        raise DataError(f"{file} has digits that are not 1 to 10, as SVHN's are: download it again")
    return digits.astype(np.int32) % 10
