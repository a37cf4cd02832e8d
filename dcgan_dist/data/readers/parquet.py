"""Sets of pictures in Parquet files, as Hugging Face keeps them, as a source."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.parquet_files import find_files, lacking, looks_like_parquet, split_files
from dcgan_dist.data.readers.parquet_table import Table, read_pictures, read_table
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

# On an object store most of the time is waiting.
_REQUESTS = 16

_TOLD = 6


def open_parquet(addresses: Sequence[Place], request: Request) -> Source:
    """The pictures of some Parquet files; see `find_columns` for the columns that are read.

    The key of a picture is its file's name without folders, if all pictures that are taken have one and no two the
    same; otherwise its split and its number in that, as in `train/000123`.

    Args:
        addresses: files; or folders, which have to hold all files of each split, as far as their names tell.
        request: see `split_files` for its splits.

    Raises:
        DataError: there is no Parquet, or a file is missing or damaged; there are no pictures, or only where they were;
            files do not agree on what they hold.
        SettingsError: there is no such split.
    """
    where = ", ".join(map(str, addresses[:2])) + (", ..." if len(addresses) > 2 else "")
    by_split = split_files(find_files(addresses), request.splits, where)
    missing = [told for split, files in by_split.items() if (told := lacking(split, files))]
    if missing and any(address.is_folder() for address in addresses):
        raise DataError(
            f"{where} lacks {missing[0]}: download what is missing, or give files in place of the folder to take only "
            "those"
        )
    tables = _read_tables([file for files in by_split.values() for file in files], request)
    empty = [split for split, files in by_split.items() if not any(len(tables[file]) for file in files)]
    if empty and (request.splits or len(empty) == len(by_split)):
        raise DataError(f"there are no pictures of {empty[0]} in {where}: its files have no rows")
    classes = agree(by_split, tables)
    by_file = {file: split for split, files in by_split.items() for file in files if len(tables[file])}
    splits = tuple(dict.fromkeys(by_file.values()))
    files, parts = tuple(by_file), [tables[file] for file in by_file]
    _require_bytes(where, files, parts)
    rows = [len(part) for part in parts]
    split = np.repeat(np.array([splits.index(by_file[file]) for file in files], np.int16), rows)
    names = pa.concat_arrays([part.name for part in parts])
    named = are_different(names)
    samples = Samples(
        key=names if named else numbered_keys(splits, split),
        file=np.repeat(np.arange(len(files), dtype=np.int32), rows),
        offset=np.concatenate([np.arange(n, dtype=np.int64) for n in rows]),
        size=np.concatenate([part.size for part in parts]),
        split=split,
        label=np.concatenate([part.label for part in parts]),
    )
    notes = (*_notes(by_file, parts, named=named), *(f"not there: {told}" for told in missing))
    return Source(where, files, samples, fetch_rows, splits, classes, notes)


def fetch_rows(files: Sequence[Place], samples: Samples) -> Iterator[bytes | BadImage]:
    """A `Fetch`: `offset` is the row of the file; see `read_pictures` for what it takes."""
    ends = np.flatnonzero(np.diff(samples.file)) + 1
    for rows, file in zip(np.split(samples.offset, ends), np.split(samples.file, ends), strict=True):
        if len(rows):
            yield from read_pictures(files[file[0]], rows)


def agree(by_split: Mapping[str, Sequence[Place]], tables: Mapping[Place, Table]) -> tuple[str, ...] | None:
    """Names of the classes, which all files with labels have to give alike; a whole split may have no labels.

    Raises:
        DataError: files do not agree, so that one number would mean two classes, or pictures would be of two kinds.
    """
    first: Place | None = None
    for split, files in by_split.items():
        for file in files:
            columns = tables[file].columns
            any_file, of_any = next(iter(tables.items()))
            if columns.picture[0] != of_any.columns.picture[0]:
                raise DataError(
                    f"{any_file} has its pictures in column {of_any.columns.picture[0]}, but {file} in "
                    f"{columns.picture[0]}: give files of one set"
                )
            if bool(columns.label) != bool(tables[files[0]].columns.label):
                raise DataError(
                    f"of {split}, only one of {files[0]} and {file} has class numbers: give files of one set"
                )
            if columns.label:
                first = first or file
                if columns.classes != tables[first].columns.classes:
                    raise DataError(f"{first} and {file} name other classes: give files of one set")
    return tables[first].columns.classes if first else None


def are_different(names: pa.Array) -> bool:
    """Whether there is no null among names, and no two are the same."""
    # Sorted and not counted, for which pyarrow takes ten times the memory.
    ordered = names.take(pc.sort_indices(names))
    return names.null_count == 0 and not pc.any(pc.equal(ordered[1:], ordered[:-1])).as_py()


def numbered_keys(splits: Sequence[str], split: NDArray[np.int16]) -> pa.Array:
    """`train/000123` for picture 123 of the split `train`; `split` is the number of each picture's, ascending."""
    first = np.searchsorted(split, np.arange(len(splits)))
    number = pa.array(np.arange(len(split)) - first[split]).cast(pa.large_string())
    name = pa.array(splits, pa.large_string()).take(pa.array(split))
    return pc.binary_join_element_wise(name, pc.utf8_lpad(number, 6, "0"), pa.scalar("/", pa.large_string()))


def _read_tables(files: Sequence[Place], request: Request) -> dict[Place, Table]:
    tables = {}
    done = 0
    with ThreadPoolExecutor(1 if all(file.is_local for file in files) else _REQUESTS) as requests:
        for file, table in zip(files, requests.map(read_table, files), strict=True):
            tables[file] = table
            done += len(table)
            request.seen(done, None)
    return tables


def _require_bytes(where: str, files: Sequence[Place], parts: Sequence[Table]) -> None:
    """See that there is a picture: mostly that is the first one, and where all are null there is nothing to read."""
    pictures = (read_pictures(file, np.arange(len(part))) for file, part in zip(files, parts, strict=True))
    if not any(isinstance(picture, bytes) for of_file in pictures for picture in of_file):
        raise DataError(
            f"{where} holds names of pictures, such as {parts[0].name[0]}, but all their bytes are null: write it "
            "again with the pictures in it, as push_to_hub of Hugging Face's datasets does"
        )


def _notes(by_file: Mapping[Place, str], parts: Sequence[Table], *, named: bool) -> list[str]:
    """How the source was understood."""
    columns = parts[0].columns
    by_split = {split: sum(one == split for one in by_file.values()) for split in by_file.values()}
    taken = ", ".join(f"{count(files, 'file')} as {split}" for split, files in by_split.items())
    label = f"classes from {columns.label[0]}" if columns.label else "no classes"
    keys = "keys are names of files" if named else "keys are numbers, since not each picture has a name of its own"
    notes = [f"read: {taken}; pictures from column {columns.picture[0]}, {label}; {keys}"]
    if columns.left_out:
        more = f" and {len(columns.left_out) - _TOLD:,} others" if len(columns.left_out) > _TOLD else ""
        notes.append(
            f"left out: column{'s' if len(columns.left_out) > 1 else ''} " + ", ".join(columns.left_out[:_TOLD]) + more
        )
    return notes


def _recognize(place: Place) -> str:
    try:
        seen = looks_like_parquet(place)
    except DataError:
        return ""  # such as for a name that is no UTF-8, which a folder of pictures may have
    return ("a folder of Parquet files" if place.is_folder() else "a Parquet file") if seen else ""


PARQUET = Reader(
    "Parquet files with pictures, as those of Hugging Face; or the folder that holds them", open_parquet, _recognize
)
