"""From the words of the command to a source: the addresses are looked at, and a reader opens them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.preparation.naming import Named
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.readers.downloads import ELSEWHERE, download
from dcgan_dist.data.readers.downloads import PUBLISHED as DOWNLOADED
from dcgan_dist.data.readers.folder import FOLDER
from dcgan_dist.data.readers.listing import suffix_of
from dcgan_dist.data.readers.registry import READERS, SCENES, recognize
from dcgan_dist.data.readers.scenes import open_scenes
from dcgan_dist.data.readers.source import Reader, Request, Source
from dcgan_dist.data.readers.webdataset import WEBDATASET
from dcgan_dist.data.shards.addresses import expand_names
from dcgan_dist.data.splits import parse_splits
from dcgan_dist.data.unprepared import unread
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place, place

_WORD = re.compile(r"[A-Za-z0-9_-]+")


def open_named(named: Named, options: PrepareOptions, keep: KeepList | None = None) -> tuple[str, Source]:
    """The source that the words of the command name, and the name of its format.

    Args:
        named: what the words name.
        options: of the command.
        keep: which samples are kept, where the source is shards; None: all.

    Raises:
        DataError: there is nothing that the reader can read, or it cannot be downloaded.
        SettingsError: no reader recognizes the address, or has to be told more.
    """
    splits = parse_splits(options.split)
    if named.reader == SCENES:
        if keep is not None:
            raise SettingsError(f"keep is {keep.file}, a list of samples in shards, but scenes are drawn: leave it out")
        with Progress("planned", "scenes", options.count) as progress:
            return SCENES, open_scenes(options.scenes, options.count, options.size, Request(splits, progress.reach))
    if options.download:
        download_named(named, splits)
    addresses = [found for address in named.addresses for found in _expand(address, named)]
    return open_source(named.reader, addresses, splits, keep=keep)


def _expand(address: str, named: Named) -> list[Place]:
    """What an address means; raises `DataError` with what else may have been meant, or where to get it."""
    try:
        return expand_names(address)
    except DataError as error:
        if named.reader in DOWNLOADED:
            hint = "--download fetches the files into that folder"
        elif named.reader:
            hint = ELSEWHERE.get(named.reader, "")
        elif address == named.addresses[0] and _WORD.fullmatch(address):
            hint = f"if a format was meant, these are known: {', '.join((*READERS, SCENES))}"
        else:
            hint = ""
        raise type(error)(f"{error}; {hint}" if hint else str(error)) from error


def _passed_over(name: str, address: Place, readers: Mapping[str, Reader]) -> str:
    """What else an address holds, for the next reader; "" where nothing is known."""
    others = {one: reader for one, reader in readers.items() if one != name and reader is not FOLDER}
    try:
        also, seen = recognize([address], others)
    except DataError:  # whatever that reader stumbles over was not asked for
        return ""
    return f"; passed over: it is also {seen}, which is read if {also} is written before it" if also else ""


def _unknown(address: Place, readers: Mapping[str, Reader]) -> str:
    """What is said of an address that no reader recognizes."""
    if suffix_of(address.name).removeprefix(".") in SUFFIXES:
        return f"{address} is a single picture: give the folder that holds it, {address.parent}"
    if sentence := unread(address):
        return f"{sentence}, then give that"
    return f"{address} is in no format that is known here: give the name of one before it, out of {', '.join(readers)}"


def download_named(named: Named, splits: Sequence[str]) -> None:
    """Download the files of a data set into the folder that its address is."""
    if not named.reader or len(named.addresses) != 1:
        raise SettingsError(
            "download is on but needs the name of a data set and one folder for its files, as in: prepare cifar10 "
            "originals shards --download"
        )
    with Progress("downloaded", "MB", None) as progress:
        download(
            named.reader,
            place(named.addresses[0]),
            splits,
            lambda _, done, total: progress.reach(done >> 20, total >> 20),
        )


def open_source(
    name: str,
    addresses: Sequence[Place],
    splits: Sequence[str],
    readers: Mapping[str, Reader] = READERS,
    keep: KeepList | None = None,
) -> tuple[str, Source]:
    """What some addresses hold, and the name of the reader that knows them.

    Args:
        name: of the reader; "": the one that recognizes the first address.
        addresses: of the source.
        splits: that were asked for.
        readers: by name.
        keep: which samples are kept; None: all.

    Raises:
        DataError: there is nothing that the reader can read.
        SettingsError: no reader recognizes the address, or has to be told more; or there is a keep-list, which is of
            shards, and the source is something else.
    """
    note = ""
    if not name:
        name, seen = recognize(addresses, readers)
        if not name:
            raise SettingsError(_unknown(addresses[0], readers))
        # That a folder holds pictures, its classes and splits show.
        note = f"read as {name}: {addresses[0]} is {seen}" if readers[name] is not FOLDER else ""
        if note:
            note += _passed_over(name, addresses[0], readers)
    if keep is not None and readers[name] is not WEBDATASET:
        raise SettingsError(
            f"keep is {keep.file}, a list of samples in shards, but {addresses[0]} is read as {name}: give the shards "
            "that it was made of, or leave --keep out"
        )
    with Progress("listed", "pictures", None) as progress:
        source = readers[name].open(addresses, Request(tuple(splits), progress.reach, keep))
    return name, replace(source, notes=(note, *source.notes)) if note else source
