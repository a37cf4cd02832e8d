"""A folder of pictures as a source: its subfolders are splits and classes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.layout import lay_out
from dcgan_dist.data.readers.listing import list_folder, passed_over
from dcgan_dist.data.readers.source import Item, Source
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place


def open_folder(folder: Place, splits: Sequence[str]) -> Source:
    """The pictures below a folder, by name.

    Args:
        folder: on a disk or an object store.
        splits: see `lay_out`.

    Raises:
        DataError: no such folder, or no pictures in it or in one of its splits.
        SettingsError: it has to be said which folders are splits.
    """
    if folder.is_file():
        raise DataError(f"{folder} is a file: unpack it, and give the folder that holds the pictures")
    if not folder.is_folder():
        raise DataError(f"there is no folder {folder}: give the folder that holds the pictures")
    listing = list_folder(folder)
    passed = passed_over(listing.passed)
    if not listing.pictures:
        raise DataError(
            f"there are no pictures in {folder}; {passed or 'it is empty: give a folder of JPEG, PNG or WebP files'}"
        )
    layout = lay_out([name for name, _ in listing.pictures], str(folder), splits)
    number = {name: i for i, name in enumerate(layout.classes or ())}
    items = []
    for name, size in listing.pictures:
        if name in layout.belongs:
            split, found = layout.belongs[name]
            items.append(Item(name, split, size, ReadFile(folder, name), number.get(found or "")))
    told = (*layout.told, *([passed] if passed else []))
    return Source(folder, len(items), items, layout.splits, layout.classes, told)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """Reads a file of a folder when it is called."""

    folder: Place
    name: str

    def __call__(self) -> bytes:
        """Its bytes; raises `BadImage` where it cannot be read, `DataError` where a store fails."""
        place = self.folder / self.name
        try:
            return place.read_bytes()
        except MissingFile as error:
            raise BadImage("is not there: a broken link, or removed meanwhile") from error
        except DataError as error:
            # What a disk says is of this file; what a store says may be of all.
            if not place.is_local:
                raise
            cause = error.__cause__
            known = cause.errno if isinstance(cause, OSError) else None
            raise BadImage(f"cannot be read: {os.strerror(known) if known else error}") from error
