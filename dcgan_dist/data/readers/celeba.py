"""CelebA: faces with 40 attributes (Liu et al. 2015, http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.readers.celeba_lists import parse_attributes, parse_numbers
from dcgan_dist.data.readers.folder import fetch_files
from dcgan_dist.data.readers.listing import list_folder
from dcgan_dist.data.readers.source import Fetch, Reader, Request, Samples, Source
from dcgan_dist.data.readers.zip_entries import Entry, fetch_entries, list_entries
from dcgan_dist.data.splits import TEST, TRAIN, choose_splits
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

ARCHIVE, UNPACKED = "img_align_celeba.zip", "img_align_celeba"
ATTRIBUTES, PARTITION, IDENTITY = "list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"
_FILES = (ARCHIVE, ATTRIBUTES, PARTITION, IDENTITY)
_FOLDERS = ("celeba", "CelebA", "Anno", "Eval", "Img")
_SPLITS = (TRAIN, "val", TEST)
_HOME = "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
_MOST_PEOPLE = 1_000_000
_PUBLISHED = 202_599


@dataclass(frozen=True)
class _Pictures:
    """Pictures by the names of their files, in the order of these, and how they are read."""

    where: Place
    names: list[str]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    fetch: Fetch
    passed: int


def open_celeba(addresses: Sequence[Place], request: Request) -> Source:
    """CelebA's aligned and cropped faces, 178x218, as the publisher gives them.

    The archive `img_align_celeba.zip` is read in place; where it is not there, the folder `img_align_celeba` that it
    unpacks to is read. Beside it are `list_attr_celeba.txt`, `list_eval_partition.txt` and `identity_CelebA.txt`; each
    may be missing, which is told: then there are no attributes, or all is train. Lines belong to pictures by name.

    Attributes are 1 where they apply and 0 where they do not; the publisher writes -1 for that. The number of a person
    is the attribute `identity`. There are no classes. Keys are names of files, as `000001.jpg`.

    Args:
        addresses: a folder that holds these files, also in the publisher's `Anno`, `Eval` and `Img`; or the files.
        request: its splits are train, val and test.

    Raises:
        DataError: there are no pictures, a file is damaged or is a page of HTML, or a list lacks some of the pictures.
        SettingsError: a split was asked for that is not there.
    """
    where = ", ".join(map(str, addresses))
    found = find(addresses)
    pictures = _in_archive(found[ARCHIVE]) if ARCHIVE in found else _in_folder(found[UNPACKED])
    number = len(pictures.names)
    notes: list[str] = []
    if number != _PUBLISHED:
        notes.append(f"there are {count(number, 'picture')}, in CelebA as published {_PUBLISHED:,}")
    attributes: dict[str, NDArray[np.int64]] = {}
    split = np.zeros(number, np.int16)
    if ATTRIBUTES in found:
        names, columns = parse_attributes(found[ATTRIBUTES].read_bytes(), str(found[ATTRIBUTES]))
        rows = match(pictures.names, names, pictures.where, found[ATTRIBUTES], notes)
        attributes = {name: column[rows] for name, column in columns.items()}
    else:
        notes.append(f"no attributes: there is no {ATTRIBUTES}, which is at {_HOME}")
    if IDENTITY in found:
        names, people = parse_numbers(found[IDENTITY].read_bytes(), str(found[IDENTITY]), _MOST_PEOPLE)
        attributes["identity"] = people[match(pictures.names, names, pictures.where, found[IDENTITY], notes)]
    if PARTITION in found:
        names, parts = parse_numbers(found[PARTITION].read_bytes(), str(found[PARTITION]), len(_SPLITS) - 1)
        split = parts[match(pictures.names, names, pictures.where, found[PARTITION], notes)].astype(np.int16)
    else:
        notes.append(f"all pictures are {TRAIN}: there is no {PARTITION}, which is at {_HOME}")
    if pictures.passed:
        notes.append(f"passed over: {count(pictures.passed, 'file')} in {pictures.where} that are no pictures by name")
    request.seen(number, number)
    samples = Samples(
        key=pa.array(pictures.names, pa.large_string()),
        file=np.zeros(number, np.int32),
        offset=pictures.offset,
        size=pictures.size,
        split=split,
        label=np.full(number, -1, np.int32),
        attributes=attributes,
    )
    there = [name for i, name in enumerate(_SPLITS) if (split == i).any()]
    splits = choose_splits(there, request.splits, where)
    return Source(where, (pictures.where,), _of_splits(samples, splits), pictures.fetch, splits, None, tuple(notes))


def find(addresses: Sequence[Place]) -> dict[str, Place]:
    """CelebA's files by name, and the folder of the pictures where the archive is not there.

    Raises:
        DataError: there are no pictures, two files of one name, or a file of another name.
    """
    found: dict[str, Place] = {}
    for address in addresses:
        if address.is_file():
            if address.name not in _FILES:
                raise DataError(f"{address} is none of CelebA's files: give {', '.join(_FILES)}, or their folder")
            files = [address]
        elif address.is_folder():
            files = [address] if address.name == UNPACKED else list(_below(address))
        else:
            raise DataError(f"there is no {address}: give the folder that holds CelebA's files")
        for file in files:
            other = found.setdefault(file.name, file)
            if other != file:
                raise DataError(f"{other} and {file} are the same part of CelebA by their names: give one")
    if not {ARCHIVE, UNPACKED} & found.keys():
        told = ", ".join(map(str, addresses))
        raise DataError(f"there is no {ARCHIVE} and no folder {UNPACKED} at {told}: get the first from {_HOME}")
    return found


def match(
    pictures: Sequence[str], listed: Sequence[str], where: Place, file: Place, notes: list[str]
) -> NDArray[np.int64]:
    """The line of a list that belongs to each picture; that some lines have none is noted.

    Raises `DataError` where a picture has no line.
    """
    line = {name: i for i, name in enumerate(listed)}
    without = [name for name in pictures if name not in line]
    if without:
        raise DataError(
            f"{file} has no line for {count(len(without), 'picture')} of {where}, for example {without[0]}: "
            f"get both from {_HOME}"
        )
    if len(listed) > len(pictures):
        spare = sorted(set(listed).difference(pictures))
        notes.append(f"{file} has {count(len(spare), 'line')} without a picture in {where}, for example {spare[0]}")
    return np.array([line[name] for name in pictures], np.int64)


def _below(folder: Place) -> list[Place]:
    """CelebA's files in a folder, and in those that the publisher and others put them into."""
    children = folder.children()
    found = [folder / name for name in _FILES if children.get(name)]
    found += [folder / name for name in (UNPACKED,) if name in children and children[name] is None]
    for name in _FOLDERS:
        if name in children and children[name] is None:
            found += _below(folder / name)
    return found


def _in_archive(archive: Place) -> _Pictures:
    entries: dict[str, Entry] = {}
    passed = 0
    for entry in list_entries(archive):
        name = entry.name.rpartition("/")[2]
        if not _is_picture(name):
            passed += 1
            continue
        if entries.setdefault(name, entry) != entry:
            raise DataError(f"{archive} holds {name} twice: get it from {_HOME}")
    names = _require(sorted(entries), archive)
    offsets = np.array([entries[name].offset for name in names], np.int64)
    sizes = np.array([entries[name].size for name in names], np.int64)
    return _Pictures(archive, names, offsets, sizes, fetch_entries, passed)


def _in_folder(folder: Place) -> _Pictures:
    # Kaggle's copy has one more folder of that name inside.
    inner = folder / UNPACKED
    folder = inner if inner.is_folder() else folder
    listing = list_folder(folder)
    files = {name: size for name, size in listing.pictures if "/" not in name}
    names = _require(list(files), folder)
    sizes = np.array([files[name] for name in names], np.int64)
    passed = len(listing.passed) + len(listing.pictures) - len(files)
    return _Pictures(folder, names, np.arange(len(names), dtype=np.int64), sizes, fetch_files, passed)


def _require(names: list[str], where: Place) -> list[str]:
    if not names:
        raise DataError(f"there are no pictures in {where}: get {ARCHIVE} from {_HOME}")
    return names


def _is_picture(name: str) -> bool:
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and not name.startswith(".") and suffix.lower() in SUFFIXES


def _of_splits(samples: Samples, splits: Sequence[str]) -> Samples:
    """The samples of some splits, which are numbered by their order there."""
    number = np.array([splits.index(name) if name in splits else -1 for name in _SPLITS], np.int16)[samples.split]
    kept = samples.take(np.flatnonzero(number >= 0))
    return replace(kept, split=number[number >= 0])


def _recognize(place: Place) -> str:
    if place.is_file():
        return "CelebA" if place.name in _FILES else ""
    return "CelebA" if any((place / name).is_file() for name in (ARCHIVE, ATTRIBUTES)) else ""


CELEBA = Reader(
    f"CelebA: the folder that holds {ARCHIVE}, {ATTRIBUTES} and {PARTITION}, or these files", open_celeba, _recognize
)
