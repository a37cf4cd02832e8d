"""A folder of pictures as a source: its subfolders are splits and classes."""

import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pyarrow as pa

from dcgan_dist.data.image_decoding import SUFFIXES, BadImage
from dcgan_dist.data.readers.layout import lay_out
from dcgan_dist.data.readers.listing import list_folder, passed_over, suffix_of
from dcgan_dist.data.readers.ranges import too_large
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import MissingFile, Place

# On an object store most of the time is waiting.
_REQUESTS, _READ_AHEAD = 16, 64

# What a disk or its server says where it fails as a whole.
_OF_THE_DISK = frozenset(
    (
        errno.EIO,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.ENODEV,
        errno.ENXIO,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ETIMEDOUT,
    )
)


def open_folder(addresses: Sequence[Place], request: Request) -> Source:
    """The pictures below a folder, by name.

    Args:
        addresses: one folder, on a disk or an object store.
        request: see `lay_out` for its splits.

    Raises:
        DataError: no such folder, or no pictures in it or in one of its splits.
        SettingsError: it has to be said which folders are splits; or there are several addresses.
    """
    for address in addresses:
        if address.is_file() and suffix_of(address.name).removeprefix(".") in SUFFIXES:
            raise DataError(f"{address} is a single picture: give the folder that holds it, {address.parent}")
        if address.is_file():
            raise DataError(f"{address} is a file: unpack it, and give the folder that holds the pictures")
    if len(addresses) != 1:
        raise SettingsError(f"{len(addresses)} folders of pictures were given, but one is taken: prepare them apart")
    (folder,) = addresses
    if not folder.is_folder():
        raise DataError(f"there is no folder {folder}: give the folder that holds the pictures")
    listing = list_folder(folder)
    passed = passed_over(listing.passed)
    if not listing.pictures:
        raise DataError(
            f"there are no pictures in {folder}; {passed or 'it is empty: give a folder of JPEG, PNG or WebP files'}"
        )
    request.seen(len(listing.pictures), len(listing.pictures))
    layout = lay_out([name for name, _ in listing.pictures], str(folder), request.splits)
    number = {name: i for i, name in enumerate(layout.classes or ())}
    used = [(name, size, *layout.belongs[name]) for name, size in listing.pictures if name in layout.belongs]
    samples = Samples(
        key=pa.array([name for name, _, _, _ in used], pa.large_string()),
        file=np.zeros(len(used), np.int32),
        offset=np.arange(len(used), dtype=np.int64),
        size=np.array([size for _, size, _, _ in used], np.int64),
        split=np.array([layout.splits.index(split) for _, _, split, _ in used], np.int16),
        label=np.array([number.get(name or "", -1) for _, _, _, name in used], np.int32),
    )
    notes = (*layout.told, *([passed] if passed else []))
    return Source(str(folder), (folder,), samples, fetch_files, layout.splits, layout.classes, notes)


def fetch_files(files: Sequence[Place], samples: Samples) -> Iterator[bytes | BadImage]:
    """A `Fetch`: each sample is a file, named by its key, in the folder that is `Samples.file`."""
    places = [files[number] / key for number, key in zip(samples.file, samples.key.to_pylist(), strict=True)]
    sizes = samples.size.tolist()
    read = partial(read_picture, most=DataSettings().max_image_bytes)
    if all(place.is_local for place in files):
        yield from map(read, places, sizes)
        return
    with ThreadPoolExecutor(_REQUESTS) as requests:
        for first in range(0, len(places), _READ_AHEAD):
            some = slice(first, first + _READ_AHEAD)
            yield from requests.map(read, places[some], sizes[some])


def read_picture(place: Place, size: int, *, most: int) -> bytes | BadImage:
    """A file, or why it alone cannot be read; raises `DataError` where a store fails.

    Args:
        place: of the file.
        size: that it had when it was listed, bytes.
        most: bytes that a picture may have.
    """
    if size > most:
        return too_large(size, most)
    try:
        return place.read_bytes()
    except MissingFile as error:
        # A disk that was unmounted has lost all of them, and so has a bucket that was deleted.
        if size and not place.parent.is_folder():
            raise DataError(f"the folder of {place} is not there any more: run the command again when it is") from error
        return BadImage("is not there: a broken link, or removed meanwhile")
    except DataError as error:
        # What a disk says is of this file; what a store says may be of all.
        if not place.is_local:
            raise
        cause = error.__cause__
        known = cause.errno if isinstance(cause, OSError) else None
        if known in _OF_THE_DISK:
            raise
        return BadImage(f"cannot be read: {os.strerror(known) if known else error}")


def _recognize(place: Place) -> str:
    return "a folder of pictures" if place.is_folder() else ""


FOLDER = Reader("a folder of pictures (JPEG, PNG, WebP); folders in it are classes, or splits", open_folder, _recognize)
