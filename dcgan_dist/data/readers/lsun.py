"""LSUN: an LMDB for each category and split (Yu et al. 2015, https://github.com/fyu/lsun)."""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.data.readers.lmdb_pages import Lmdb, open_lmdb
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.data.splits import TEST, TRAIN, choose_splits
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

DATA_FILE = "data.mdb"
_HOME = "get CATEGORY_train_lmdb.zip by the script at https://github.com/fyu/lsun and unpack it"
_PUBLISHED = {("bedroom", TRAIN): 3_033_042}
"""Values of the database that the paper trains on."""
_ORDER = (TRAIN, "val", TEST)
_NAME = re.compile(r"(?:(.+)_)?(train|val|test)_lmdb")
_TOLD_EACH = 100_000
_TOLD = 5


@dataclass(frozen=True)
class Database:
    """One LMDB: its `data.mdb`, and what the name of its folder says; the category is "" where it has none."""

    file: Place
    category: str
    split: str

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.file.parent.name


def open_lsun(addresses: Sequence[Place], request: Request) -> Source:
    """The pictures of LSUN's databases, listed by the trees of these alone.

    A database is a folder `CATEGORY_train_lmdb`, `CATEGORY_val_lmdb` or `test_lmdb` with a file `data.mdb`. One of any
    other name, as of the categories of objects, is the category of that name, and train. Where there are several
    categories they are the classes, numbered by the order of their names; `test_lmdb` has no classes.

    Keys are `FOLDER/KEY`, with the bytes of the database's own key that are no letters, digits or `_.-~` as in
    addresses of the web (%00). Values are the publisher's files: JPEG, WebP, and some that are no pictures.

    Args:
        addresses: such folders, their `data.mdb`, or a folder that holds some; on a disk or an object store.
        request: its splits are train, val and test.

    Raises:
        DataError: there is no database, or one is cut off, damaged, or none of LSUN's kind.
        SettingsError: a split was asked for that is not there.
    """
    where = ", ".join(map(str, addresses))
    at_each = [databases(address) for address in addresses]
    found = _ordered([database for some, _ in at_each for database in some])
    # Of all that is there, so that a class has the same number whatever splits are asked for.
    names = sorted({one.category for one in found if one.category})
    classes = tuple(names) if len(names) > 1 else None
    number = {name: i for i, name in enumerate(classes or ())}
    there = [split for split in _ORDER if any(one.split == split for one in found)]
    splits = choose_splits(there, request.splits, where)
    found = [one for one in found if one.split in splits]
    opened = [open_lmdb(one.file) for one in found]
    counts = [len(lmdb) for lmdb in opened]
    if not all(counts):
        raise DataError(f"{found[counts.index(0)].file} holds no values: {_HOME} again")
    keys, offsets, sizes = _list(dict(zip((one.name for one in found), opened, strict=True)), request)
    samples = Samples(
        key=keys,
        file=np.repeat(np.arange(len(found), dtype=np.int32), counts),
        offset=offsets,
        size=sizes,
        split=np.repeat(np.array([splits.index(one.split) for one in found], np.int16), counts),
        label=np.repeat(np.array([number.get(one.category, -1) for one in found], np.int32), counts),
    )
    guessed = [one for one in found if not _is_known(one.name)]
    notes = [f"{one.name} is taken as the category {one.category} of {TRAIN}" for one in guessed]
    notes += [
        f"{one.name} has {count(number, 'picture')}, LSUN as published {published:,}"
        for one, number in zip(found, counts, strict=True)
        if (published := _PUBLISHED.get((one.category, one.split), number)) != number
    ]
    notes += [line for _, passed in at_each for line in passed]
    return Source(where, tuple(one.file for one in found), samples, fetch_ranges, splits, classes, tuple(notes))


def databases(address: Place) -> tuple[list[Database], list[str]]:
    """The databases at an address, by names alone, and lines about what else is there.

    Raises `DataError` where there is none.
    """
    if address.is_file():
        if address.name == DATA_FILE:
            return [_database(address.parent)], []
        if address.name.endswith(".zip"):
            raise DataError(f"{address} is a zip: unpack it, and give the folder {address.name.removesuffix('.zip')}")
        raise DataError(f"{address} is no LMDB, but a folder with {DATA_FILE} is expected")
    children = address.children()
    if children.get(DATA_FILE):
        return [_database(address)], []
    folders = [address / name for name, info in sorted(children.items()) if info is None]
    found = [_database(folder) for folder in folders if (folder / DATA_FILE).is_file()]
    whole = {one.name for one in found}
    torn = [folder for folder in folders if _is_known(folder.name) and folder.name not in whole]
    if torn:
        raise DataError(f"there is no {DATA_FILE} in {torn[0]}: unpack its zip again, or give other folders by name")
    zips = [address / name for name in sorted(children) if _is_known(name.removesuffix(".zip"))]
    zips = [one for one in zips if one.name.removesuffix(".zip") not in whole]
    if not found:
        told = f"unpack {zips[0].name} there" if zips else _HOME
        raise DataError(f"there is no folder with {DATA_FILE} at {address}: {told}")
    taken = {*whole, *(zipped.name for zipped in zips), *(f"{name}.zip" for name in whole)}
    return found, [
        *(f"passed over: {zipped}, which is not unpacked" for zipped in zips),
        *_others(address, [name for name in sorted(children) if name not in taken]),
    ]


def _others(address: Place, names: Sequence[str]) -> Iterator[str]:
    if names:
        some = ", ".join(names[:_TOLD]) + (", ..." if len(names) > _TOLD else "")
        yield f"passed over: {count(len(names), 'file or folder', 'files and folders')} in {address}: {some}"


def _database(folder: Place) -> Database:
    match = _NAME.fullmatch(folder.name)
    category, split = (match[1] or "", match[2]) if match else (folder.name.removesuffix("_lmdb"), TRAIN)
    return Database(folder / DATA_FILE, category, split)


def _ordered(found: Sequence[Database]) -> list[Database]:
    """In the order of their names; raises `DataError` where two have the same one."""
    by_name: dict[str, Database] = {}
    for one in found:
        other = by_name.setdefault(one.name, one)
        if other != one:
            raise DataError(f"{other.file.parent} and {one.file.parent} have the same name: give one of them")
    return [by_name[name] for name in sorted(by_name)]


def _list(opened: Mapping[str, Lmdb], request: Request) -> tuple[pa.Array, NDArray[np.int64], NDArray[np.int64]]:
    """Key, offset and size of each value of some databases, by the names of these."""
    total, told = sum(map(len, opened.values())), 0
    # Of millions of keys, texts apart or arrays of a page each would take three times the memory.
    text, ends = bytearray(), array("q", [0])
    offsets, sizes = array("q"), array("q")
    for name, lmdb in opened.items():
        for values in lmdb.values():
            for key in values.keys:
                text += f"{name}/{quote_from_bytes(key, safe='')}".encode()
                ends.append(len(text))
            offsets.extend(values.offsets)
            sizes.extend(values.sizes)
            if len(offsets) - told >= _TOLD_EACH or len(offsets) == total:
                told = len(offsets)
                request.seen(told, total)
    keys = pa.Array.from_buffers(pa.large_string(), total, [None, pa.py_buffer(ends), pa.py_buffer(text)])
    return keys, np.frombuffer(offsets, np.int64), np.frombuffer(sizes, np.int64)


def _is_known(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _recognize(place: Place) -> str:
    if place.is_file():
        named = place.name == DATA_FILE or re.fullmatch(r".*_lmdb\.zip", place.name)
        return "an LMDB, as LSUN has them" if named else ""
    children = place.children()
    if children.get(DATA_FILE):
        return "an LMDB, as LSUN has them"
    return "a folder with LMDBs, as LSUN has them" if any(_is_known(name) for name in children) else ""


LSUN = Reader("LSUN: a folder CATEGORY_train_lmdb as its zip holds it, or a folder of some", open_lsun, _recognize)
