"""From the words of the command to a source: the addresses are looked at, and a reader opens them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.readers.registry import READERS, recognize
from dcgan_dist.data.readers.source import Reader, Request, Source
from dcgan_dist.data.splits import parse_splits
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place, expand, place

FOLDER = "folder"
_PATTERN = set("*?[{")


def places_of(addresses: Sequence[str]) -> list[Place]:
    """The files and folders that addresses mean; patterns are those files that they match.

    Raises `DataError` where one means nothing.
    """
    found: list[Place] = []
    for address in addresses:
        found += expand(address) if _PATTERN & set(address) else [place(address)]
    for one in found:
        if not one.exists():
            raise DataError(f"there is no {one}: give a folder or files that are there")
    return found


def open_source(
    name: str, addresses: Sequence[Place], split: str, readers: Mapping[str, Reader] = READERS
) -> tuple[str, Source]:
    """What some addresses hold, and the name of the reader that knows them.

    Args:
        name: of the reader; "": the one that recognizes the first address.
        addresses: of the source.
        split: names of splits that were asked for, joined by commas.
        readers: by name.

    Raises:
        DataError: there is nothing that the reader can read.
        SettingsError: no reader recognizes the address, or has to be told more.
    """
    note = ""
    if not name:
        name, seen = recognize(addresses, readers)
        if not name:
            raise SettingsError(
                f"{addresses[0]} is in no format that is known here: give the name of one before it, out of "
                f"{', '.join(readers)}"
            )
        # What is not a folder of pictures is not what it seems: people see which of its files are meant.
        note = f"read as {name}: {addresses[0]} is {seen}" if name != FOLDER else ""
    with Progress("listed", "pictures", None) as progress:
        source = readers[name].open(addresses, Request(parse_splits(split), progress.reach))
    return name, replace(source, notes=(note, *source.notes)) if note else source
