"""New shards with the samples that a keep-list keeps, each as it is in the old ones, byte for byte; no Ray.

Of a shard comes a shard: headers and bodies of all files of the samples that are kept, in their order, whatever tool
wrote them, so that keys, captions and all else that belongs to a sample stay. What belongs to none stays behind. What
becomes of a shard depends on no other one, so an interrupted call goes on with those that are missing.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.preparation.gather import sha256_of
from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.build_index import Window, index_shard, key_of
from dcgan_dist.data.shards.index import Index, ShardIndex, concatenate
from dcgan_dist.data.shards.passed_over import shown
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import MissingFile, Place, require_lasting

RECORD_FILE = "kept.json"
"""In the target: what its shards are made of. A later call with anything else is refused."""

_READ_BYTES = 8 << 20


@dataclass(frozen=True)
class Copying:
    """What is to become of a shard.

    Attributes:
        old: its index.
        kept: bool [n], which of its images stay; at least one.
        target: the new shard.
    """

    old: ShardIndex
    kept: NDArray[np.bool_]
    target: Place


def write_kept(
    index: Index,
    keep: KeepList,
    target: Place,
    run: Callable[[Callable[[Copying], ShardIndex], list[Copying]], Iterable[ShardIndex]] = map,
) -> Index:
    """Write the shards without what a keep-list leaves out, then their index and description; or go on with that.

    A shard of which nothing is kept has no counterpart.

    Args:
        index: of the old shards: all images of each.
        keep: which of them are kept.
        target: folder of the new ones: new, empty, or that of an earlier call.
        run: calls a function for each of some arguments, and returns the results in their order: the built-in `map`, or
            that of a pool of processes.

    Returns:
        the index of the new shards.

    Raises:
        SettingsError: the folder holds something else, or was begun with another keep-list or of other shards.
        DataError: the keep-list is one of other data, two shards would have the same name, or a store fails.
    """
    kept = keep.keeps(index)
    copyings = _copyings(index, kept, target)
    _begin(target, index, keep)
    parts = list(run(copy_kept, copyings))
    new = concatenate(parts, classes=index.classes, image_size=index.image_size)
    made = {"keep_list": keep.file, "keep_list_sha256": keep.sha256, "left_out": int((~kept).sum())}
    new.save(target, prepared={"by": "keep-list", **made})
    return new


def copy_kept(copying: Copying) -> ShardIndex:
    """Write a new shard, unless it is there, and return its index.

    Raises:
        DataError: the old shard is gone, or is not what its index says; it has a key more than once, with nothing that
            is kept between; or a store fails.
    """
    old, shard = copying.old, Place(copying.old.shard)
    pieces, places = _plan(shard, set(old.offset[copying.kept].tolist()))
    rows = np.flatnonzero(copying.kept)
    if list(places) != old.offset[rows].tolist():
        raise DataError(f"{shard} has changed since it was indexed: call the command again")
    new = ShardIndex(
        shard=copying.target.address,
        shard_bytes=sum(stop - start for start, stop in pieces) + len(tar.END),
        offset=np.array(list(places.values()), np.int64),
        size=old.size[rows],
        label=old.label[rows],
        attributes={name: column[rows] for name, column in old.attributes.items()},
    )
    if _is_there(new):
        return replace(new, sha256=sha256_of(copying.target))
    digests: list[str] = []

    def fill(file: BinaryIO) -> None:
        digest = hashlib.sha256()
        for data in (*_read(shard, pieces), tar.END):
            file.write(data)
            digest.update(data)
        digests.append(digest.hexdigest())

    copying.target.write_with(fill, size=new.shard_bytes)
    return replace(new, sha256=digests[-1])


def _plan(shard: Place, kept: set[int]) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """Which bytes of a shard are copied, and where the images that are kept will be, by where they are now.

    Args:
        kept: offsets of the images that are kept.
    """
    window = Window(shard)
    pieces: list[tuple[int, int]] = []
    places: dict[int, int] = {}
    sample: list[tuple[int, int]] = []  # the files of the key that was seen last
    image = -1  # its image, if that is kept
    copied, end, key, last = 0, 0, "", None

    def finish() -> None:
        nonlocal copied, last
        if image < 0:
            return
        if key == last:
            raise DataError(
                f"{shard} has the key {shown(key)} more than once, with nothing that is kept between, which would "
                "become one sample: train on the old shards with the keep-list"
            )
        last = key
        for start, stop in sample:
            if start <= image < stop:
                places[image] = copied + image - start
            copied += stop - start
            if pieces and pieces[-1][1] == start:
                pieces[-1] = (pieces[-1][0], stop)
            else:
                pieces.append((start, stop))

    try:
        for member in tar.members(window.read, window.length):
            # What stands before the header of a file, such as its long name, belongs to it.
            start, end = end, member.offset + member.size + len(tar.padding(member.size))
            its = key_of(member)
            if its is None:
                continue
            if its != key:
                finish()
                key, sample, image = its, [], -1
            sample.append((start, end))
            if member.offset in kept:
                image = member.offset
    except tar.TornTar:
        pass  # its index ends there too
    finish()
    return pieces, places


def _read(shard: Place, pieces: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    for start, stop in pieces:
        for at in range(start, stop, _READ_BYTES):
            wanted = min(_READ_BYTES, stop - at)
            data = shard.read_range(at, wanted)
            if wanted - len(data) >= tar.BLOCK:
                raise DataError(f"{shard} has changed while it was copied: call the command again")
            yield data.ljust(wanted, b"\0")  # a shard may have been cut off within the zeros behind its last file


def _is_there(new: ShardIndex) -> bool:
    """Whether an earlier call wrote this shard."""
    try:
        found = index_shard(Place(new.shard))
    except DataError:
        return False
    same = np.array_equal(found.offset, new.offset) and np.array_equal(found.size, new.size)
    return same and found.torn is None and found.shard_bytes == new.shard_bytes


def _copyings(index: Index, kept: NDArray[np.bool_], target: Place) -> list[Copying]:
    """What is to become of each shard of which something is kept."""
    ends = np.cumsum(np.bincount(index.shard, minlength=len(index.shards))).tolist()
    found = []
    for shard, length, (start, stop) in zip(index.shards, index.shard_bytes, pairwise([0, *ends]), strict=True):
        rows = slice(start, stop)
        if kept[rows].any():
            attributes = {name: column[rows] for name, column in index.attributes.items()}
            old = ShardIndex(
                shard, length, index.offset[rows], index.size[rows], index.label[rows], attributes=attributes
            )
            found.append(Copying(old, kept[rows], target / Place(shard).name))
    names: dict[str, str] = {}
    for copying in found:
        other = names.setdefault(copying.target.name, copying.old.shard)
        if other != copying.old.shard:
            raise DataError(
                f"{other} and {copying.old.shard} have the same name, which only one of them can have in {target}: "
                "rename one, or write them to two folders"
            )
    return found


def _begin(target: Place, index: Index, keep: KeepList) -> None:
    """Make the folder, or see that it was begun with the same."""
    require_lasting(target, "the target")
    record: dict[str, Any] = {
        "keep_list_sha256": keep.sha256,
        "shards": [Place(shard).name for shard in index.shards],
        "bytes": list(index.shard_bytes),
    }
    try:
        found = json.loads((target / RECORD_FILE).read_bytes())
    except MissingFile:
        found = None
        there = target.names()
        if there:
            raise SettingsError(f"the target {target} is not empty, it holds {there[0]}: choose a new folder") from None
    except ValueError as error:
        raise SettingsError(f"{target / RECORD_FILE} is damaged: choose a new folder") from error
    if found not in (None, record):
        raise SettingsError(
            f"{target} was begun with another keep-list, or of other shards: choose a new folder, or delete that one"
        )
    target.make_folder()
    (target / RECORD_FILE).write_bytes(json.dumps(record, indent=1).encode() + b"\n")
