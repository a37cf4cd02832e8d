"""From the words of the command to a source: the addresses are looked at, and a reader opens them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.preparation.naming import Named
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.readers.downloads import download
from dcgan_dist.data.readers.folder import FOLDER
from dcgan_dist.data.readers.registry import READERS, SCENES, recognize
from dcgan_dist.data.readers.scenes import open_scenes
from dcgan_dist.data.readers.source import Reader, Request, Source
from dcgan_dist.data.readers.webdataset import WEBDATASET
from dcgan_dist.data.shards.addresses import expand_names
from dcgan_dist.data.splits import parse_splits
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place, place


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
    addresses = [found for address in named.addresses for found in expand_names(address)]
    return open_source(named.reader, addresses, splits, keep=keep)


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
            raise SettingsError(
                f"{addresses[0]} is in no format that is known here: give the name of one before it, out of "
                f"{', '.join(readers)}"
            )
        # That a folder holds pictures, its classes and splits show.
        note = f"read as {name}: {addresses[0]} is {seen}" if readers[name] is not FOLDER else ""
    if keep is not None and readers[name] is not WEBDATASET:
        raise SettingsError(
            f"keep is {keep.file}, a list of samples in shards, but {addresses[0]} is read as {name}: give the shards "
            "that it was made of, or leave --keep out"
        )
    with Progress("listed", "pictures", None) as progress:
        source = readers[name].open(addresses, Request(tuple(splits), progress.reach, keep))
    return name, replace(source, notes=(note, *source.notes)) if note else source
