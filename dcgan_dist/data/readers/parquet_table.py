"""One Parquet file of pictures: what is in it without them, and some of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.parquet_columns import Columns, Leaf, find_columns
from dcgan_dist.data.readers.range_file import RangeFile
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

# Rows that are decoded at once, whatever the row groups are: of names and labels, and of pictures. A dictionary makes
# large values of few bytes, so what a batch takes is known only afterwards.
_LISTED_ROWS, _READ_ROWS = 256, 32

# The column of pictures is read in such pieces, and not a row group at once.
_BUFFER_BYTES = 8 << 20

# Longer paths are no names of files.
_PATH_BYTES = 4096

_MOST_LABEL = 2**31 - 1

# Pictures hardly become smaller when they are compressed once more.
_MOST_RATIO = 100

_MAGIC = b"PAR1"
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Table:
    """What a file holds, besides the pictures.

    Attributes:
        columns: which are read.
        name: `pa.large_string` [n]: name of each picture's file, without folders; null where there is none.
        size: int64 [n]: bytes of its row, on average over its row group.
        label: int32 [n]: class number, -1 where it has none.
    """

    columns: Columns
    name: pa.Array
    size: NDArray[np.int64]
    label: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.label)


def read_table(file: Place) -> Table:
    """List a file: its footer is read, and the columns of names and labels.

    Raises:
        DataError: it is no Parquet, damaged, or without a column of pictures; or a label is no number of a class.
    """
    with _opened(file) as (table, rows):
        columns = find_columns(table.schema_arrow, file)
        size = _sizes(table.metadata)
        names, labels = [], []
        wanted = [".".join(leaf) for leaf in (columns.path, columns.label) if leaf]
        for batch in table.iter_batches(_LISTED_ROWS, columns=wanted, use_threads=False) if wanted else ():
            names.append(file_names(_values(batch, columns.path)) if columns.path else _no_names(len(batch)))
            labels.append(_numbers(_values(batch, columns.label)) if columns.label else np.full(len(batch), -1))
        name = pa.concat_arrays(names) if names else _no_names(0 if wanted else rows)
        label = np.concatenate(labels) if labels else np.full(len(name), -1)
        if len(label) != rows:
            raise pa.ArrowInvalid(f"{count(len(label), 'row')} instead of {rows:,}")
    _require_classes(file, columns, label)
    return Table(columns, name, size, label.astype(np.int32))


def read_pictures(file: Place, rows: NDArray[np.int64]) -> Iterator[bytes | BadImage]:
    """The pictures of some rows, in their order.

    A row group is decoded 32 rows at a time, from its first row to the last one that is wanted. So what is in memory
    are 8 MiB of the file, these rows, and one page, whole and compressed, whose size the writer of the file chose:
    pyarrow ends one at the end of the row group, or else only after 1,024 rows. Measured with pictures of 100 kB: 70 MB
    for row groups of 100 rows, 450 MB for those of 1,000 rows and more.

    Args:
        file: that has been listed.
        rows: ascending.

    Raises:
        DataError: the file is damaged, or has become shorter since it was listed.
    """
    with _opened(file, _BUFFER_BYTES) as (table, there):
        if len(rows) and rows[-1] >= there:
            raise DataError(f"{file} has {count(there, 'row')} but had more when it was listed: call the command again")
        leaf = find_columns(table.schema_arrow, file).picture
        first = 0
        for group in range(table.num_row_groups):
            last = first + table.metadata.row_group(group).num_rows
            begin, end = np.searchsorted(rows, (first, last))
            if begin < end:
                yield from _read_group(table, group, leaf, rows[begin:end] - first)
            first = last


def file_names(paths: pa.Array) -> pa.Array:
    """What follows the last slash of each path, `pa.large_string`; null where that is nothing.

    All are null where some path is no UTF-8, or they are far too long.
    """
    try:
        paths.validate(full=True)
    except pa.ArrowInvalid:
        return _no_names(len(paths))
    if paths.nbytes > _PATH_BYTES * len(paths):
        return _no_names(len(paths))
    names = pc.replace_substring_regex(paths.cast(pa.large_string()), r"(?s)^.*[/\\]", "")
    return pc.if_else(pc.equal(names, ""), pa.scalar(None, pa.large_string()), names)


@contextmanager
def _opened(file: Place, buffer_bytes: int = 0) -> Iterator[tuple[pq.ParquetFile, int]]:
    """The open file, and how many rows it has; what is wrong within is a `DataError`."""
    source = RangeFile(file)
    try:
        # Not a memory map: a file that becomes shorter meanwhile would end the process.
        with pq.ParquetFile(
            source, buffer_size=buffer_bytes, pre_buffer=False, page_checksum_verification=True
        ) as table:
            _require_fitting(table.metadata, source.size)
            yield table, table.metadata.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} {_what_it_is(file, source.size, error)}") from error


def _require_fitting(metadata: pq.FileMetaData, size: int) -> None:
    """See that what a footer declares fits into a file of so many bytes: each row takes one at least."""
    # What the footer says of columns is not asked for: where that is damaged, pyarrow ends the process.
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    rows, sizes = [group.num_rows for group in groups], [group.total_byte_size for group in groups]
    if min(rows, default=0) < 0 or sum(rows) != metadata.num_rows or metadata.num_rows > size:
        raise pa.ArrowInvalid(f"it declares {count(metadata.num_rows, 'row')} in {size:,} bytes")
    if min(sizes, default=0) < 0 or sum(sizes) > _MOST_RATIO * size:
        raise pa.ArrowInvalid(f"it declares {sum(sizes):,} bytes in {size:,} that are compressed")


def _sizes(metadata: pq.FileMetaData) -> NDArray[np.int64]:
    """Mean bytes of a row for each row: the other columns are small."""
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    mean = [group.total_byte_size // max(1, group.num_rows) for group in groups]
    return np.repeat(np.array(mean, np.int64), np.array([group.num_rows for group in groups], np.int64))


def _read_group(table: pq.ParquetFile, group: int, leaf: Leaf, rows: NDArray[np.int64]) -> Iterator[bytes | BadImage]:
    """The pictures of some rows of a row group."""
    first = done = 0
    for batch in table.iter_batches(_READ_ROWS, row_groups=[group], columns=[".".join(leaf)], use_threads=False):
        end = int(np.searchsorted(rows, first + len(batch)))
        values = _values(batch, leaf)
        for row in rows[done:end] - first:
            picture = values[int(row)]
            yield picture.as_py() if picture.is_valid else BadImage("its bytes are null: only its name was written")
        first, done = first + len(batch), end
        if done == len(rows):
            return
    raise pa.ArrowInvalid(f"row group {group} has {count(first, 'row')} instead of more than {rows[done]:,}")


def _values(batch: pa.RecordBatch, leaf: Leaf) -> pa.Array:
    column = batch.column(leaf[0])
    return pc.struct_field(column, leaf[1:]) if len(leaf) > 1 else column


def _no_names(rows: int) -> pa.Array:
    return pa.nulls(rows, pa.large_string())


def _numbers(labels: pa.Array) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(labels.cast(pa.int64()), -1))


def _require_classes(file: Place, columns: Columns, labels: NDArray[np.int64]) -> None:
    """See that each label is -1, or the number of a class."""
    most = len(columns.classes) - 1 if columns.classes else _MOST_LABEL
    wrong = np.flatnonzero((labels < -1) | (labels > most))
    if len(wrong):
        named = f"names {count(most + 1, 'class', 'classes')}" if columns.classes else "names no classes"
        raise DataError(
            f"{file} has the {columns.label[0]} {labels[wrong[0]]} in row {wrong[0]:,} but {named}: expected are "
            f"numbers from 0 to {most:,}, and -1 for pictures without one; write the file again"
        )


def _what_it_is(file: Place, size: int, error: Exception) -> str:
    """Of a file that could not be read as Parquet, and what to do."""
    head, tail = file.read_range(0, 256), file.read_range(max(0, size - 4), 4)
    if not head:
        return "is empty: download it again"
    if head.startswith(_LFS_POINTER):
        return "is a pointer of Git LFS and not the file itself: fetch that by git lfs pull"
    if head.lstrip()[:1] == b"<":
        return "is a page of HTML in place of the file: log in at the publisher's if need be, and download it again"
    if not head.startswith(_MAGIC):
        return f"is no Parquet, it begins with {head[:60].decode('ascii', 'backslashreplace')!r}: download it again"
    if tail != _MAGIC:
        return "is cut off, its end says what is in it and is missing: download it again"
    why = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"is damaged ({why}): download it again"
