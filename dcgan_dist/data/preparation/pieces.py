"""Pieces: images that have been made but are in no shard yet, as they lie in the target meanwhile.

A source is read in its own order, each part of it once, and shards are in a shuffled order. In between stands this:
what became of some neighbors of the source, one file with their images, in the order of the shards, and one with a
table of where they lie. What a shard has of a piece are neighbors there, so that it is gathered by one request a piece.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

FOLDER = ".prepare"
"""In the target, while it is worked on."""

# A piece is made and written at once, so its pictures have to fit into memory; and each shard asks each piece for its
# part, so that there must not be too many. Neither may depend on the machine, which may be another the next time.
_LEAST_SAMPLES, _MOST_SAMPLES, _MOST_BYTES, _PIECES = 32, 8_192, 256 << 20, 64

# While a piece is written, the next one of its unit is made; and there have to be units enough for all processes.
_UNIT_PIECES, _UNITS_EACH = 4, 8

_COLUMNS = {
    "row": np.int64,
    "order": np.uint64,
    "split": np.int16,
    "label": np.int32,
    "digest": np.uint64,
    "digest_low": np.uint64,
    "offset": np.int64,
    "image_bytes": np.int32,
    "meta_bytes": np.int32,
    "suffix": np.int8,
    "without_room": np.int8,
}


@dataclass(frozen=True)
class Made:
    """What became of one picture of a source.

    Attributes:
        row: number of the sample in the source.
        order: where it goes: see `order_of`.
        split: number of its split in the source.
        label: class number, -1 where there is none.
        digest: SHA-256 of what was read.
        image: file of the image; empty where the picture is bad, or none of its faces is cut out.
        suffix: of that file, one of `SUFFIXES`.
        meta: what `KEY.json` says of it.
        reason: why the picture is bad, "" where it is not.
        without_room: whether there is no image since the square around each face is larger than the picture.
    """

    row: int
    order: int
    split: int
    label: int
    digest: bytes
    image: bytes = b""
    suffix: str = "jpg"
    meta: bytes = b""
    reason: str = ""
    without_room: bool = False


@dataclass(frozen=True)
class Table:
    """The rows of one or more pieces: columns as in `Made`, and where each image lies.

    Attributes:
        columns: by name.
        reasons: of the bad ones, by number of the row here.
    """

    columns: dict[str, NDArray[np.generic]]
    reasons: dict[int, str]

    def __len__(self) -> int:
        return len(self.columns["row"])


def order_of(seed: int, key: str) -> int:
    """Where a sample goes within its split: the first 64 bits of the SHA-256 of seed and key.

    Any version of any library gives the same.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{key}".encode()).digest()[:8], "big")


def cut(samples: Samples, *, streamed: bool, size: int) -> list[list[NDArray[np.int64]]]:
    """Rows of the samples of each piece, by the unit of work that makes it.

    Pieces follow from the samples and the size of images alone, so that every machine finds the same.

    Args:
        samples: of the whole source.
        streamed: whether one process has to read all pieces of a file.
        size: height and width of the images that they become.
    """
    rows = np.lexsort((samples.offset, samples.file)).astype(np.int64)
    most = min(max(-(-len(rows) // _PIECES), _LEAST_SAMPLES), _MOST_SAMPLES, _MOST_BYTES // (3 * size * size))
    if streamed:
        files = _parts(rows, samples, most, by_file=True)
        return [list(_parts(file, samples, most, by_file=False)) for file in files]
    return [[piece] for piece in _parts(rows, samples, most, by_file=False)]


def together(units: Sequence[list[NDArray[np.int64]]], processes: int) -> list[list[NDArray[np.int64]]]:
    """Units of a few pieces, unless so many processes would have too few of them."""
    number = min(max(len(units) // (_UNITS_EACH * processes), 1), _UNIT_PIECES)
    return [list(chain.from_iterable(units[first : first + number])) for first in range(0, len(units), number)]


def _parts(rows: NDArray[np.int64], samples: Samples, most: int, *, by_file: bool) -> Iterator[NDArray[np.int64]]:
    """Rows of each file; or so many that neither their number nor their bytes are too large."""
    if by_file:
        files = samples.file[rows]
        yield from np.split(rows, np.flatnonzero(files[1:] != files[:-1]) + 1)
        return
    sums = np.cumsum(samples.size[rows])
    first = 0
    while first < len(rows):
        before = int(sums[first - 1]) if first else 0
        last = int(np.searchsorted(sums, before + _MOST_BYTES, "right"))
        last = min(max(last, first + 1), first + most, len(rows))
        yield rows[first:last]
        first = last


def piece_names(number: int) -> tuple[str, str]:
    """Names of its images and of its table."""
    return f"{number:06d}.images", f"{number:06d}.table"


def write_piece(folder: Place, number: int, made: Sequence[Made]) -> None:
    """Write the images, then the table, whose presence means that the piece is whole."""
    ordered = sorted(made, key=lambda one: (one.split, one.order, one.row))
    offset = 0
    offsets = []
    for one in ordered:
        offsets.append(offset)
        offset += len(one.image) + len(one.meta)
    images, table = piece_names(number)
    (folder / images).write_with(
        lambda file: [file.write(part) for one in ordered for part in (one.image, one.meta)], size=offset
    )
    values = {
        "row": [one.row for one in ordered],
        "order": [one.order for one in ordered],
        "split": [one.split for one in ordered],
        "label": [one.label for one in ordered],
        "digest": [int.from_bytes(one.digest[:8], "big") for one in ordered],
        "digest_low": [int.from_bytes(one.digest[8:16], "big") for one in ordered],
        "offset": offsets,
        "image_bytes": [len(one.image) for one in ordered],
        "meta_bytes": [len(one.meta) for one in ordered],
        "suffix": [SUFFIXES.index(one.suffix) for one in ordered],
        "without_room": [one.without_room for one in ordered],
    }
    columns = {name: np.array(values[name], kind) for name, kind in _COLUMNS.items()}
    written = pa.table({**columns, "reason": pa.array([one.reason for one in ordered], pa.string())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, written.schema) as file:
        file.write_table(written)
    (folder / table).write_bytes(sink.getvalue())


def read_table(folder: Place, number: int) -> Table:
    """The table of a piece; raises `MissingFile`, or `DataError` where it is damaged."""
    place = folder / piece_names(number)[1]
    try:
        table = pa.ipc.open_file(pa.BufferReader(place.read_bytes())).read_all()
        columns = {name: table[name].to_numpy().astype(kind, copy=False) for name, kind in _COLUMNS.items()}
        reasons = {row: reason for row, reason in enumerate(table["reason"].to_pylist()) if reason}
    except (pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{place} is damaged ({error}): delete it, and call the command again") from error
    return Table(columns, reasons)
