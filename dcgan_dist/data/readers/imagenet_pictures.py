"""The pictures in ImageNet's archives: where each is, and what its name says of it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Lock
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.data.readers.imagenet_names import NO_CLASS, class_of_tar, parse_name, wnid_text
from dcgan_dist.data.readers.tars import PackedTar, Tar, is_packed
from dcgan_dist.data.shards.passed_over import shown
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

# Headers are waited for, also on a disk; what is compressed is unpacked by as many cores as there are.
_AT_ONCE = 16

# So many pictures are Python objects at a time.
_ROWS = 4096


@dataclass(frozen=True)
class Archive:
    """A tar that holds pictures of one split and no tars.

    Attributes:
        file: number of the file that it is, or is in.
        split: of its pictures.
        content: the tar.
        wnid: the class that all its pictures are of, by its name; `NO_CLASS` where that says none.
    """

    file: int
    split: str
    content: Tar | PackedTar
    wnid: int = NO_CLASS


@dataclass(frozen=True)
class Pictures:
    """Columns with a row for each picture: `wnid` and `number` as in `Name`, the others as in `Samples`."""

    key: pa.Array
    file: NDArray[np.int32]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    wnid: NDArray[np.int32]
    number: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.key)


class _Row(NamedTuple):
    key: str
    offset: int
    size: int
    wnid: int
    number: int


class Progress:
    """Adds up what threads have listed, and ends them where one has failed: the next may be minutes from its end."""

    def __init__(self, seen: Callable[[int, int | None], None]) -> None:
        self.stop = False
        self._seen, self._done, self._lock = seen, 0, Lock()

    def add(self, number: int) -> None:
        with self._lock:
            if self.stop:
                raise CancelledError
            self._done += number
            self._seen(self._done, None)


def first_name(file: Place) -> str:
    """Name of the first file in a tar; "" where there is none. Raises `DataError` where it is no tar."""
    content = PackedTar(file) if is_packed(file) else Tar.of(file)
    return next((member.name for member in content.members()), "")


def find_tars(file: Place, number: int, split: str) -> tuple[list[Archive], tuple[str, ...]]:
    """The archives that a file is made of, itself or the tars of classes in it, and lines about what else is in it.

    Args:
        file: that lies there.
        number: of the file.
        split: of its pictures.

    Raises:
        DataError: it is no tar, is damaged or not whole.
    """
    is_nested = class_of_tar(first_name(file)) != NO_CLASS
    if is_packed(file):
        if is_nested:
            raise DataError(f"{file} is a tar of tars, and compressed: decompress it, so that it can be read in place")
        return [Archive(number, split, PackedTar(file))], ()
    content = Tar.of(file)
    if not is_nested:
        return [Archive(number, split, content, class_of_tar(file.name))], ()
    archives, passed = [], _PassedOver()
    for member in content.members():
        wnid = class_of_tar(member.name)
        if wnid == NO_CLASS or member.is_link:
            passed.add(shown(member.name))
        else:
            archives.append(Archive(number, split, Tar(file, member.offset, member.size, member.name), wnid))
    if not passed.number:
        return archives, ()
    others = f"{count(passed.number, 'file')} in {file} that are no tars of classes by name"
    return archives, (f"passed over: {others}, for example {passed.example}",)


def list_pictures(archives: Sequence[Archive], progress: Progress) -> tuple[Pictures, tuple[str, ...]]:
    """The pictures of all archives in their order, and lines about what is passed over in them.

    Args:
        archives: all of them.
        progress: is told how many pictures have been listed.

    Raises:
        DataError: an archive is damaged or not whole, has no pictures, or some that are not of its split or its class.
    """
    pictures, passed = [], []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for some, others in pool.map(partial(_list, progress=progress), archives):
                pictures.append(some)
                passed.append(others)
        except BaseException:
            progress.stop = True
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    number = sum(others.number for others in passed)
    if not number:
        return _joined(pictures), ()
    example = next(others.example for others in passed if others.number)
    line = f"passed over: {count(number, 'file')} that are no pictures of ImageNet by name, for example {example}"
    return _joined(pictures), (line,)


class _PassedOver:
    """What an archive holds besides pictures: how many files, and the name of the first."""

    def __init__(self) -> None:
        self.number, self.example = 0, ""

    def add(self, name: str) -> None:
        self.example = self.example or name
        self.number += 1


def _list(archive: Archive, progress: Progress) -> tuple[Pictures, _PassedOver]:
    passed = _PassedOver()
    rows = _rows(archive, passed)
    parts = []
    while some := list(islice(rows, _ROWS)):
        parts.append(_columns(some, archive.file))
        progress.add(len(some))
    if not parts:
        there = f"it holds {passed.example}" if passed.number else "it is empty"
        raise DataError(f"{archive.content} holds no pictures of ImageNet's: {there}; download it again")
    return _joined(parts), passed


def _rows(archive: Archive, passed: _PassedOver) -> Iterator[_Row]:
    for member in archive.content.members():
        name = parse_name(member.name)
        if name is None or member.is_link:
            passed.add(f"{shown(member.name)} in {archive.content}")
            continue
        if name.split != archive.split:
            raise DataError(
                f"{archive.content} is taken for an archive of {archive.split}, but holds {name.key}: give it its "
                "publisher's name, or leave it out"
            )
        if archive.wnid not in (NO_CLASS, name.wnid):
            raise DataError(
                f"{archive.content} holds {name.key}, which is not of the class {wnid_text(archive.wnid)}: download it "
                "again"
            )
        yield _Row(name.key, member.offset, member.size, name.wnid, name.number)


def _columns(rows: Sequence[_Row], file: int) -> Pictures:
    key, offset, size, wnid, number = zip(*rows, strict=True)
    return Pictures(
        pa.array(key, pa.large_string()),
        np.full(len(key), file, np.int32),
        np.array(offset, np.int64),
        np.array(size, np.int64),
        np.array(wnid, np.int32),
        np.array(number, np.int32),
    )


def _joined(parts: Sequence[Pictures]) -> Pictures:
    return Pictures(
        pa.concat_arrays([part.key for part in parts]),
        np.concatenate([part.file for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.concatenate([part.size for part in parts]),
        np.concatenate([part.wnid for part in parts]),
        np.concatenate([part.number for part in parts]),
    )
