"""What somebody gives as data that is not shards yet, and how shards are made of it; no Ray.

All of it is looked at before Ray starts: names first, then the first images of the first shard that has some.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

import numpy as np

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data.image_decoding import SUFFIXES, BadImage, decode
from dcgan_dist.data.preset_data import preparing
from dcgan_dist.data.readers.folder import FOLDER
from dcgan_dist.data.readers.listing import suffix_of
from dcgan_dist.data.readers.registry import READERS, recognize
from dcgan_dist.data.readers.webdataset import WEBDATASET
from dcgan_dist.data.shards.addresses import expand, split_addresses
from dcgan_dist.data.shards.build_index import first_images, index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import FileInfo, Place, place

LOOKED_AT = 32
"""Images at the beginning of a shard that are decoded before Ray starts, where all before them are bad; of fewer shards
than are looked at, more."""
_FOLDERS_SEEN, _SHARDS_SEEN = 20, 8
_IN_FOLDERS = "pictures in folders"

_UNREAD = (
    (r".*\.(zip|7z|rar)", "an archive", "unpack it to a folder, for example by unzip {file} -d FOLDER"),
    (r".*\.(tar\.(gz|bz2|xz|zst)|tgz)", "a compressed tar", "unpack it to a folder by tar -xf {file} -C FOLDER"),
    (r".*\.arrow", "Arrow, as Hugging Face keeps data sets", "write it as Parquet by its datasets library"),
    (r".*\.tfrecords?(-.*)?", "TFRecord", "write its pictures to a folder by TensorFlow"),
    (r".*\.np[yz]", "arrays of NumPy", "write its pictures to a folder, as PNG by Pillow"),
    (r".*\.mat", "arrays of MATLAB", "write its pictures to a folder, as PNG by Pillow"),
    (r".*\.(h5|hdf5)", "HDF5", "write its pictures to a folder, as PNG by Pillow"),
    (r".*\.(pkl|pickle)", "a pickle, which is not read since it can run code", "write its pictures to a folder"),
    (r".*-ubyte(\.gz)?", "arrays in MNIST's format", "write its pictures to a folder, as PNG by Pillow"),
)
"""Names of files of kinds that no reader takes, what they are, and how a reader's kind comes of them."""
_PARQUET_READER = "parquet"
_PATTERN = frozenset("*?[{")
_PARQUET = re.compile(r".*\.parquet", re.IGNORECASE)


def find(addresses: str) -> list[Place]:
    """The shards that addresses mean, as `expand` finds them; nothing is opened.

    Raises:
        DataError: an address means nothing, or something that is no shard, with what makes shards of it.
    """
    try:
        wheres = [place(address) for address in split_addresses(addresses)]
    except DataError as error:
        raise _with_line(error, addresses) from None
    there = [where for where in wheres if where.exists()]
    _require_no_others(there)
    try:
        return expand(addresses)
    except DataError as error:
        # Where a pattern matches no shards may lie something else.
        beside = [where.parent for where in wheres if where not in there and _PATTERN & set(where.name)]
        _require_no_others([folder for folder in beside if folder.is_folder()])
        raise _with_line(error, addresses) from None


def _require_no_others(places: Sequence[Place]) -> None:
    for where in places:
        if sentence := explain(where):
            raise DataError(sentence)


def _with_line(error: DataError, addresses: str) -> DataError:
    line = preparing(addresses)
    return DataError(f"{error}; the preset's data is prepared by {line}") if line else error


def explain(where: Place) -> str | None:
    """A sentence about what is there instead of shards and how it becomes some; None where that is not known.

    What `prepare` would recognize is named as it does. Of a folder that holds several other kinds of data the one with
    the most bytes is meant: labels, statistics or a picture of some samples may lie beside it.

    Args:
        where: a file or a folder that exists.
    """
    is_folder = where.is_folder()
    children = where.children() if is_folder else {}
    files = sorted((name, info.size) for name, info in children.items() if info is not None and not _is_hidden(name))
    if any(name.endswith(".tar") for name, _ in files) or (where.name.endswith(".tar") and not is_folder):
        return None
    name, seen = recognize([where])
    if name and READERS[name] not in (FOLDER, WEBDATASET):
        # Beside a file of most sets lie others that belong to it, such as labels.
        whole = where if is_folder or name == _PARQUET_READER else where.parent
        return _prepare(f"{where} is {seen}, not shards: make shards of it", name, str(whole))
    if not is_folder:
        return _explain_file(where, where.name)
    sizes: dict[str, int] = {}
    sentences: dict[str, str] = {}
    for name, size in files:
        if sentence := _explain_file(where, name):
            kind = _kind(name)
            sizes[kind] = sizes.get(kind, 0) + size
            sentences.setdefault(kind, sentence)
    folders = [name for name, info in sorted(children.items()) if info is None and not _is_hidden(name)]
    for folder in folders[:_FOLDERS_SEEN]:
        inside = (where / folder).children()
        if any(name.endswith(".tar") for name in inside):
            return None
        size, example = _pictures_below(where / folder, inside)
        if example is not None:
            # The other folders are taken to be like it.
            sizes[_IN_FOLDERS] = size * len(folders)
            example = f"{folder}/{example}".rstrip("/")
            what = f"the folder {where} holds pictures in folders, such as {example}, and no shards: make some of them"
            sentences[_IN_FOLDERS] = _prepare(what, "", str(where))
            break
    return sentences[max(sizes, key=sizes.__getitem__)] if sizes else None


def _pictures_below(folder: Place, children: Mapping[str, FileInfo | None]) -> tuple[int, str | None]:
    """Bytes of the pictures in a folder, or else about so many in its folders; the first of these with some, or ""."""
    here = _pictures(children)
    if here:
        return sum(here), ""
    below = [name for name, info in sorted(children.items()) if info is None and not _is_hidden(name)]
    for name in below[:_FOLDERS_SEEN]:
        if inside := _pictures((folder / name).children()):
            return sum(inside) * len(below), name
    return 0, None


def _pictures(children: Mapping[str, FileInfo | None]) -> list[int]:
    """Sizes of the pictures among them, in bytes."""
    return [info.size for name, info in children.items() if info is not None and _is_picture(name)]


def _kind(name: str) -> str:
    """What a file of that name is, as far as it can be told."""
    if _PARQUET.fullmatch(name):
        return "Parquet"
    return next((what for pattern, what, _ in _UNREAD if re.fullmatch(pattern, name, re.IGNORECASE)), "a picture")


def _explain_file(where: Place, name: str) -> str | None:
    """Of a file in a folder, or of `where` itself if it has that name."""
    file = where if where.name == name else where / name
    if _is_picture(name):
        what = f"the folder {file.parent} holds pictures, such as {name}, and no shards: make some of them"
        return _prepare(what, "", str(file.parent))
    if _PARQUET.fullmatch(name):
        return _prepare(f"{file} is a Parquet file, not shards: make shards of it", _PARQUET_READER, str(where))
    if sentence := unread(file):
        line = command_line("prepare", "FOLDER", "shards")
        return f"{sentence}, then make shards of that by {line} and give 'shards/train-*.tar' instead"
    return None


def unread(file: Place) -> str:
    """What a file is, by its name, that no reader takes, and how a reader's kind comes of it; "" for any other."""
    for pattern, what, advice in _UNREAD:
        if re.fullmatch(pattern, file.name, re.IGNORECASE):
            return f"{file} is {what}, which nothing here reads: {advice.format(file=shlex.quote(str(file)))}"
    return ""


def _prepare(what: str, reader: str, address: str) -> str:
    line = command_line("prepare", *([reader] if reader else []), address, "shards")
    return f"{what} by {line}, then give 'shards/train-*.tar' instead"


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_picture(name: str) -> bool:
    return not _is_hidden(name) and suffix_of(name).removeprefix(".") in SUFFIXES


def look_at_first(shards: Sequence[Place], data: DataSettings, size: int) -> None:
    """See that shards are tars, and that one of their first images can be decoded: of a few, spread over all.

    Args:
        data: limits of pictures, and how they are fitted.
        size: height and width to which they are brought, in pixels.

    Raises:
        DataError: a shard is no tar, and none before it has an image that can be used; or none of the images that are
            tried can be; or there is no image at all.
    """
    out = np.empty((size, size, 3), np.uint8)
    spread = sorted({round(number) for number in np.linspace(0, len(shards) - 1, _SHARDS_SEEN)})
    of_each = LOOKED_AT * _SHARDS_SEEN // len(spread)
    tried, reason = 0, ""
    for shard in (shards[number] for number in spread):
        for name, image in first_images(shard, of_each, data.max_image_bytes):
            tried += 1
            try:
                decode(image, out, fit=data.fit, max_pixels=data.max_image_pixels)
                return
            except BadImage as error:
                reason = reason or f"{shard.name}: {name} ({error})"
    if tried:
        some = (
            f"the first ones of {len(spread)} of {len(shards)} shards"
            if len(shards) > 1
            else f"the first ones of {shards[0]}"
        )
        raise DataError(
            f"none of {tried:,} images that were tried, {some}, can be decoded, for example {reason}: look at the "
            "files, or name other shards with --data"
        )
    if len(shards) <= _SHARDS_SEEN:
        concatenate([index_shard(shard) for shard in shards])
