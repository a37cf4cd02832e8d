"""CIFAR-10 as its publisher ships it: batches for Python or in binary, in a folder or in their .tar.gz.

A batch has 10,000 pictures in 31 MB and is read as a whole, in both formats: a pickle cannot be read in any other way.
So one process makes all pictures of a batch, or of an archive.
The formats are described at https://www.cs.toronto.edu/~kriz/cifar.html. Keys are numbers in the publisher's order, the
same for both.
"""

import re
import tarfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.readers.numbered import Part, by_file, tabulate
from dcgan_dist.data.readers.pickles import Array, BadPickle, load
from dcgan_dist.data.readers.published import Published, told, what_else
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.data.readers.stream import BLOCK, GZIP, inflated, stream
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIZE = 32
PICTURE = 3 * SIZE * SIZE
"""Bytes of a picture: planes of red, green and blue."""

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""As in the publisher's `batches.meta`, which is taken instead where it is there."""

_ARCHIVE, _META = "cifar-10-python.tar.gz", "batches.meta"
_PROTOCOL = b"\x80"

# Of the publisher's files the batches are the largest, 31 MB each, and all of them together are 186 MB.
_MOST_BYTES = 64 << 20
_MOST_INFLATED = 256 << 20


def _plain(name: str) -> str:
    if re.fullmatch(r"cifar-10-.*\.(tar\.gz|tgz)", name):
        return _ARCHIVE
    return name.removesuffix(".txt" if name.startswith(_META) else ".bin")


PUBLISHED = Published(
    title="CIFAR-10",
    home="https://www.cs.toronto.edu/~kriz/cifar.html",
    splits={"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]},
    counts={"train": 50_000, "test": 10_000},
    plain=_plain,
    archive=_ARCHIVE,
    beside=(_ARCHIVE, _META),
    below=("cifar-10-batches-py", "cifar-10-batches-bin"),
)
_BATCHES = {name for names in PUBLISHED.splits.values() for name in names}


class _Content(NamedTuple):
    """A file of the publisher's: its plain name, what to call it in messages, and its bytes."""

    name: str
    where: str
    data: bytes


class _Batch(NamedTuple):
    """Pictures uint8 [n, 3, 32, 32] in RGB, and classes int32 [n]."""

    pictures: NDArray[np.uint8]
    label: NDArray[np.int32]


class _Listed(NamedTuple):
    """A batch that has been listed: its file, the number of its first picture there, and classes int32 [n]."""

    file: int
    first: int
    label: NDArray[np.int32]


def open_cifar10(addresses: Sequence[Place], request: Request) -> Source:
    """List the pictures; for that all batches are read, since labels and pictures are in the same files.

    Raises:
        DataError: files are missing, or are not what their names say.
        SettingsError: CIFAR-10 has no such split.
    """
    where = told(addresses)
    found, notes = PUBLISHED.find(addresses)
    if _ARCHIVE in found and not _BATCHES & found.keys():
        files = [found[_ARCHIVE]]
        listed, classes = _list(files, request)
    else:
        splits = PUBLISHED.choose(found, request.splits, where)
        files = [found[name] for split in splits for name in PUBLISHED.splits[split]]
        listed, _ = _list(files, request)
        classes = _class_names(next(_contents(found[_META]))) if _META in found else CLASSES
    splits = PUBLISHED.choose(listed, request.splits, where)
    parts = []
    for number, split in enumerate(splits):
        for name in PUBLISHED.splits[split]:
            file, first, label = listed[name]
            if label.size and not 0 <= label.min() <= label.max() < len(classes):
                raise DataError(
                    f"{name} at {where} has classes from {label.min()} to {label.max()}, but there are names for "
                    f"{len(classes)}: copy or download it again"
                )
            parts.append(Part(number, file, first + np.arange(len(label)), label))
    samples = tabulate(parts, splits, PICTURE)
    counts = {split: int(np.count_nonzero(samples.split == number)) for number, split in enumerate(splits)}
    return Source(
        where=where,
        files=tuple(files),
        samples=samples,
        fetch=fetch_cifar10,
        splits=splits,
        classes=classes,
        notes=(*notes, *PUBLISHED.differences(counts, where)),
        streamed=True,
    )


def fetch_cifar10(files: Sequence[Place], samples: Samples) -> Iterator[NDArray[np.uint8]]:
    """A `Fetch`: `offset` is the number of a picture in the file, or in all batches of an archive in their order there.

    Pictures are uint8 [32, 32, 3] in RGB.
    """
    for number, some in by_file(samples):
        first = done = 0
        for content in _contents(files[number]):
            if content.name == _META:
                continue
            pictures = _batch(content).pictures
            until = int(np.searchsorted(some.offset, first + len(pictures)))
            for offset in some.offset[done:until]:
                yield np.ascontiguousarray(pictures[offset - first].transpose(1, 2, 0))
            first, done = first + len(pictures), until
            if done == len(some):
                break
        if done < len(some):
            raise DataError(f"{files[number]} has become shorter since it was listed: it has {first:,} pictures")


def recognize_cifar10(place: Place) -> str:
    """What there is of CIFAR-10 at an address."""
    names = PUBLISHED.find([place])[0].keys() if place.is_folder() else {_plain(place.name)}
    return "CIFAR-10" if names & (_BATCHES | {_ARCHIVE}) else ""


CIFAR10 = Reader(
    about="CIFAR-10: cifar-10-python.tar.gz or cifar-10-binary.tar.gz, or the folder that is in it",
    open=open_cifar10,
    recognize=recognize_cifar10,
)


def _list(files: Sequence[Place], request: Request) -> tuple[dict[str, _Listed], tuple[str, ...]]:
    """Batches by their plain names, and names of classes."""
    listed: dict[str, _Listed] = {}
    classes: tuple[str, ...] = CLASSES
    for number, file in enumerate(files):
        first = 0
        for content in _contents(file):
            if content.name == _META:
                classes = _class_names(content)
                continue
            if content.name in listed:
                raise DataError(f"{file} holds {content.name} twice: download it again from {PUBLISHED.home}")
            label = _batch(content).label
            listed[content.name] = _Listed(number, first, label)
            first += len(label)
            request.seen(sum(len(batch.label) for batch in listed.values()), None)
    return listed, classes


def _contents(file: Place) -> Iterator[_Content]:
    """The file itself, or batches and names of classes of an archive, in their order there."""
    if _plain(file.name) == _ARCHIVE:
        yield from _members(file)
        return
    _check_size(file.info().size, str(file))
    yield _Content(_plain(file.name), str(file), file.read_bytes())


def _members(archive: Place) -> Iterator[_Content]:
    if (begin := archive.read_range(0, 100))[:2] != GZIP:
        reason = what_else(begin) or f"it does not begin as gzip does: download it again from {PUBLISHED.home}"
        raise DataError(f"{archive} is no .tar.gz: {reason}")
    content = stream(_limited(archive))
    try:
        with tarfile.open(fileobj=content, mode="r|") as tar:
            for member in tar:
                name, where = _plain(member.name.rpartition("/")[2]), f"{member.name} in {archive}"
                if name in _BATCHES | {_META} and member.isreg() and (body := tar.extractfile(member)):
                    _check_size(member.size, where)
                    yield _Content(name, where, body.read())
    except DataError:
        raise
    except Exception as error:
        # On damaged headers tarfile lets through whatever it runs into: ValueError, OverflowError, ...
        raise DataError(f"{archive} is no whole tar inside ({error}): download it again") from error
    while content.read(BLOCK):  # to the checksum, which is the last
        pass


def _limited(archive: Place) -> Iterator[bytes]:
    """An archive inflated; whatever is in it, and whatever sizes its headers declare, that ends."""
    size = 0
    for piece in inflated(archive):
        size += len(piece)
        if size > _MOST_INFLATED:
            raise DataError(
                f"{archive} becomes more than {_MOST_INFLATED:,} bytes when it is unpacked, but CIFAR-10's has "
                f"186,000,000: download it again from {PUBLISHED.home}"
            )
        yield piece


def _check_size(size: int, where: str) -> None:
    if size > _MOST_BYTES:
        raise DataError(f"{where} has {size:,} bytes, but no file of CIFAR-10 has more than {_MOST_BYTES:,}")


def _batch(content: _Content) -> _Batch:
    """A batch of either format."""
    data = content.data
    try:
        return _python_batch(data) if data.startswith(_PROTOCOL) else _binary_batch(data)
    except BadPickle as error:
        reason = what_else(data) or f"{error}; download it again, or write it as the publisher does"
        raise DataError(f"{content.where} is no batch of CIFAR-10: {reason}") from error


def _python_batch(data: bytes) -> _Batch:
    held = load(data)
    if not isinstance(held, dict):
        raise BadPickle("it does not have data and labels by name")
    # Python 3 reads the publisher's names as bytes where it is told to, and writes them so.
    named = {name.decode("latin-1") if isinstance(name, bytes) else name: value for name, value in held.items()}
    array, labels = named.get("data"), named.get("labels")
    if array is None or labels is None:
        raise BadPickle("it does not have data and labels")
    if not isinstance(array, Array):
        raise BadPickle("its data are no array of NumPy")
    if not isinstance(labels, list):
        raise BadPickle("its labels are no list of Python")
    pictures = array.uint8()
    if pictures.shape != (len(labels), PICTURE):
        raise BadPickle(f"it has pictures {pictures.shape} and {len(labels):,} labels")
    if not all(isinstance(label, int) and abs(label) < 1000 for label in labels):
        raise BadPickle("it has labels that are no numbers of classes")
    return _Batch(pictures.reshape(-1, 3, SIZE, SIZE), np.array(labels, np.int32))


def _binary_batch(data: bytes) -> _Batch:
    """Records of a class and a picture."""
    if not data or len(data) % (1 + PICTURE):
        raise BadPickle(f"its {len(data):,} bytes are neither a pickle nor records of {1 + PICTURE:,}")
    records = np.frombuffer(data, np.uint8).reshape(-1, 1 + PICTURE)
    return _Batch(records[:, 1:].reshape(-1, 3, SIZE, SIZE), records[:, 0].astype(np.int32))


def _class_names(content: _Content) -> tuple[str, ...]:
    """From `batches.meta`, or the text that it is in the binary version."""
    try:
        return _names_in(content.data)
    except (BadPickle, UnicodeDecodeError) as error:
        reason = what_else(content.data) or f"{error}; download it again"
        raise DataError(f"{content.where} does not have the names of CIFAR-10's classes: {reason}") from error


def _names_in(data: bytes) -> tuple[str, ...]:
    if data.startswith(_PROTOCOL):
        pickled = load(data)
        found = pickled.get("label_names") if isinstance(pickled, dict) else None
    else:
        found = data.decode("ascii").split()
    match found:
        case [*names] if len(names) == len(CLASSES) and all(isinstance(name, str) and name for name in names):
            if len(set(names)) == len(names):
                return tuple(names)
    raise BadPickle(f"it does not have {len(CLASSES)} names")
