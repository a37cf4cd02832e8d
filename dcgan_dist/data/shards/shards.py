"""WebDataset shards: where every image lies in them, and how they are written; no Ray.

A shard is a tar of samples; a sample is the neighbouring files of one key: `KEY.jpg` (or jpeg, png, webp), `KEY.cls`
with a class number, `KEY.json`. A key ends at the first dot of the file's name, as webdataset has it, and has one
image: its first. What is passed over by these rules is counted and goes with the index, to be told by whoever uses it.
Beside shards of ours lie `dataset.json`, which describes them, and `index.npz`, so that nobody needs to read their
headers again.
"""

import hashlib
import io
import json
import re
import shlex
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from tokenize import TokenError
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.shards import tar
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place

FORMAT = "dcgan-dist shards 1"
DATASET_FILE = "dataset.json"
INDEX_FILE = "index.npz"

RULES = 3
"""Version of the rules by which members of a shard are images. An index of foreign shards that was kept is used only
if it follows them; it grows when any shard may get another index, unless by `SUFFIXES`. 1: all images of a key, and
nothing was counted. 2: what was passed over was counted over all shards, not for each."""

DOTS = ("member with more than one dot", "members with more than one dot")
SECOND = ("further image of a key", "further images of a key")
LINK = ("link to another file", "links to other files")
WITHOUT_IMAGE = ("key without an image", "keys without an image")
WITHOUT_KEY = ("member without a suffix", "members without a suffix")
NO_CLASS = ("KEY.cls that holds no class number", "KEY.cls that hold no class number")
EMPTY = ("shard without any file", "shards without any file")
Kind = tuple[str, str]
"""What was passed over, for one of them and for several."""
Passed = tuple[tuple[Kind, int, str], ...]
"""Of a shard: of each kind how many, and the first one by name."""

# Bytes fetched at once while headers are read: on a disk little more than is needed, on an object store so many that
# the transfer takes longer than the request.
_LOCAL_WINDOW = 64 << 10
_REMOTE_WINDOW = 8 << 20

_MAGIC = {b"\x1f\x8b": "gzip", b"(\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
# What Python and NumPy raise for an index and a description that were written to deceive: their checksum is right.
_FORGED = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    EOFError,
    RuntimeError,
    TokenError,
    zlib.error,
    zipfile.BadZipFile,
)

_META = re.compile(r"__[^/]*__($|/)")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_MOST_TORN = 5
_MOST_LOOKED_AT = 1_000
_EMPTY_BYTES = 1 << 20
_LABEL = re.compile(rb"\s*([0-9]{1,10})\s*")


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """The images of one shard, in file order.

    Attributes:
        shard: its address.
        shard_bytes: its length.
        offset: int64 [n], where an image's file begins.
        size: int64 [n], bytes of it.
        label: int32 [n], its class number, -1 where there is none.
        torn: a sentence where the shard ends or breaks early; its samples before that are here.
        passed: of each kind of thing that was passed over, in the order in which they came, how many there are and the
            first one by name.
        sha256: of the whole shard where we wrote it, else empty.
    """

    shard: str
    shard_bytes: int
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    label: NDArray[np.int32]
    torn: str | None = None
    passed: Passed = ()
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.offset)


@dataclass(frozen=True, eq=False)
class Index:
    """The images of a whole data set, shard after shard, in file order.

    Attributes:
        shards: their addresses.
        shard_bytes: their lengths.
        shard: int32 [n], in which shard an image is.
        offset: int64 [n], where its file begins there.
        size: int64 [n], bytes of it.
        label: int32 [n], its class number, -1 where there is none.
        classes: names of the classes by number, where they are known.
        image_size: height and width of all images in pixels, where it is known.
        sha256: of the shards where we wrote them, else empty.
        torn: of each shard a sentence where it ends or breaks early, else None; empty: of none.
        passed: of each shard what was passed over, as in `ShardIndex`; empty: of none.
    """

    shards: tuple[str, ...]
    shard_bytes: tuple[int, ...]
    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    label: NDArray[np.int32]
    classes: tuple[str, ...] | None = None
    image_size: int | None = None
    sha256: tuple[str, ...] = ()
    torn: tuple[str | None, ...] = ()
    passed: tuple[Passed, ...] = ()

    @property
    def told(self) -> tuple[str, ...]:
        """Lines for people: which shards are torn, and what was passed over."""
        torn = [sentence for sentence in self.torn if sentence is not None]
        lines = torn[:_MOST_TORN]
        if len(torn) > len(lines):
            lines.append(f"{len(torn) - len(lines):,} more shards are torn")
        if passed := passed_over(zip(self.shards, self.passed, strict=False)):
            lines.append(f"passed over: {passed}")
        return tuple(lines)

    def __len__(self) -> int:
        return len(self.offset)

    def names(self, sample: int) -> str:
        """`SHARD: KEY.jpg` of a sample, for a message; reads its header, and shows a long name only in part."""
        shard = Place(self.shards[self.shard[sample]])
        block = shard.read_range(int(self.offset[sample]) - tar.BLOCK, tar.BLOCK)
        name = tar.member_name(block) if tar.is_header(block) else f"byte {self.offset[sample]}"
        return f"{shard.name}: {ascii(name)[1:-1]}"

    def select(self, shards: Sequence[str]) -> "Index":
        """The part that is about these shards, in their order; raises `KeyError` for one it does not know."""
        number = {address: i for i, address in enumerate(self.shards)}
        chosen = [number[address] for address in shards]
        rows = [np.flatnonzero(self.shard == i) for i in chosen]
        every = np.concatenate([np.empty(0, np.intp), *rows])
        return Index(
            shards=tuple(shards),
            shard_bytes=tuple(self.shard_bytes[i] for i in chosen),
            shard=np.repeat(np.arange(len(chosen), dtype=np.int32), [len(part) for part in rows]),
            offset=self.offset[every],
            size=self.size[every],
            label=self.label[every],
            classes=self.classes,
            image_size=self.image_size,
            sha256=tuple(self.sha256[i] for i in chosen),
            torn=tuple(self.torn[i] for i in chosen) if self.torn else (),
            passed=tuple(self.passed[i] for i in chosen) if self.passed else (),
        )

    def _is_inside(self) -> bool:
        """Whether every file lies in its shard."""
        if ((self.shard < 0) | (self.shard >= len(self.shards)) | (self.offset < 0) | (self.size < 0)).any():
            return False
        return bool((self.size <= np.array(self.shard_bytes, np.int64)[self.shard] - self.offset).all())

    def save(self, folder: Place) -> None:
        """Write `index.npz`, then `dataset.json`, into a folder; shards in that folder are named relative to it."""
        arrays = io.BytesIO()
        np.savez_compressed(arrays, shard=self.shard, offset=self.offset, size=self.size, label=self.label)
        folder.make_folder()
        (folder / INDEX_FILE).write_bytes(arrays.getvalue())
        files = [Place(shard).name if Place(shard).parent == folder else shard for shard in self.shards]
        torn, passed = self.torn or [None] * len(files), self.passed or [()] * len(files)
        images = np.bincount(self.shard, minlength=len(self.shards))
        labelled = self.label[self.label >= 0]
        description = {
            "format": FORMAT,
            "images": len(self),
            "image_size": self.image_size,
            "classes": self.classes,
            "images_per_class": np.bincount(labelled).tolist() if len(labelled) else None,
            "index": {"file": INDEX_FILE, "sha256": hashlib.sha256(arrays.getvalue()).hexdigest()},
            "shards": [
                {"file": file, "images": int(count), "bytes": length, "sha256": digest}
                | ({"torn": sentence} if sentence is not None else {})
                | ({"passed": things} if things else {})
                for file, count, length, digest, sentence, things in zip(
                    files, images, self.shard_bytes, self.sha256, torn, passed, strict=True
                )
            ],
        }
        (folder / DATASET_FILE).write_bytes(json.dumps(description, indent=1).encode() + b"\n")

    @staticmethod
    def load(folder: Place) -> "Index":
        """The index that `save` wrote; raises `MissingFile`, or `DataError` for another format or a damaged one."""
        description = _description(folder)
        if description is None:
            raise DataError(f"{folder / DATASET_FILE} is not of the format {FORMAT!r}")
        try:
            data = (folder / INDEX_FILE).read_bytes()
            if hashlib.sha256(data).hexdigest() != description["index"]["sha256"]:
                raise ValueError("its checksum is wrong")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in ("shard", "offset", "size", "label")}
            entries = description["shards"]
            classes, images = description["classes"], description["images"]
            index = Index(
                shards=tuple(_beside(folder, entry["file"]) for entry in entries),
                shard_bytes=tuple(int(entry["bytes"]) for entry in entries),
                shard=columns["shard"].astype(np.int32, copy=False),
                offset=columns["offset"].astype(np.int64, copy=False),
                size=columns["size"].astype(np.int64, copy=False),
                label=columns["label"].astype(np.int32, copy=False),
                classes=None if classes is None else tuple(map(str, classes)),
                image_size=description["image_size"],
                sha256=tuple(entry["sha256"] for entry in entries),
                torn=tuple(None if "torn" not in entry else str(entry["torn"]) for entry in entries),
                passed=tuple(_passed(entry.get("passed", ())) for entry in entries),
            )
            if not all(column.shape == (images,) for column in columns.values()):
                raise ValueError("its arrays differ in length")
            if not index._is_inside():
                raise ValueError("it names places outside of the shards")
        except _FORGED as error:
            raise DataError(
                f"{folder / INDEX_FILE} or {DATASET_FILE} is damaged ({error}): delete both, and they are made again"
            ) from error
        return index


def concatenate(
    parts: Sequence[ShardIndex], *, classes: Sequence[str] | None = None, image_size: int | None = None
) -> Index:
    """One index from those of the shards; raises `DataError` where there is no image in any of them."""
    counts = [len(part) for part in parts]
    if not sum(counts):
        passed = passed_over((part.shard, part.passed) for part in parts)
        some = f"{', '.join(part.shard for part in parts[:2])}{', ...' if len(parts) > 2 else ''}"
        raise DataError(f"there is no image in {some}: {_tar_of_tars(parts) or passed or f'no files at all; {_RULE}'}")
    return Index(
        shards=tuple(part.shard for part in parts),
        shard_bytes=tuple(part.shard_bytes for part in parts),
        shard=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        offset=np.concatenate([part.offset for part in parts]),
        size=np.concatenate([part.size for part in parts]),
        label=np.concatenate([part.label for part in parts]),
        classes=None if classes is None else tuple(classes),
        image_size=image_size,
        sha256=tuple(part.sha256 for part in parts),
        torn=tuple(part.torn for part in parts),
        passed=tuple(part.passed for part in parts),
    )


_RULE = (
    f"an image is KEY.{', KEY.'.join(SUFFIXES[:-1])} or KEY.{SUFFIXES[-1]}: a key ends at the first dot of the name, "
    "and has one image"
)


def passed_over(shards: Iterable[tuple[str, Passed]]) -> str:
    """What was passed over in shards: how many of each kind, with an example, and the rule; "" where nothing was.

    Args:
        shards: address, and what was passed over, of each.
    """
    counts: dict[Kind, int] = {}
    examples: dict[Kind, str] = {}
    for address, passed in shards:
        for kind, number, example in passed:
            counts[kind] = counts.get(kind, 0) + number
            shard = Place(address).name
            examples.setdefault(kind, f"{shard}: {_shown(example)}" if example else shard)
    told = [
        f"{number:,} {kind[number != 1]}, {'for example ' if number != 1 else ''}{examples[kind]}"
        for kind, number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    return f"{'; '.join(told)} ({_RULE})" if told else ""


def _tar_of_tars(parts: Sequence[ShardIndex]) -> str | None:
    for part in parts:
        for _, _, example in part.passed:
            if example.lower().endswith(_ARCHIVES):
                shard, folder = shlex.quote(part.shard), shlex.quote(Place(part.shard).name.partition(".")[0])
                return (
                    f"it holds archives, such as {_shown(example)}, as that of ImageNet does: unpack it by "
                    f"mkdir {folder} && tar -xf {shard} -C {folder}, and give --data {folder}"
                )
    return None


def _shown(name: str) -> str:
    """A name from a shard as it can be printed."""
    return ascii(name)[1:-1][:120]


def find_index(shards: Sequence[Place]) -> Index | None:
    """The index that lies beside shards of ours, of just these; None where there is none (foreign shards).

    Raises `DataError` where a shard is not as long as it was when it was written: it was not copied whole.
    """
    folder = shards[0].parent
    if any(shard.parent != folder for shard in shards):
        return None
    children = folder.children()
    if INDEX_FILE not in children or DATASET_FILE not in children or _description(folder) is None:
        return None
    index = Index.load(folder)
    if not {shard.address for shard in shards} <= set(index.shards):
        return None
    index = index.select([shard.address for shard in shards])
    for shard, length in zip(shards, index.shard_bytes, strict=True):
        found = children.get(shard.name)
        if found is None or found.size != length:
            has = "is missing" if found is None else f"has {found.size:,} bytes"
            raise DataError(f"{shard} {has}, but {folder / DATASET_FILE} says {length:,} bytes: copy it again")
    return index


def layout_sha256(index: Index) -> str:
    """Changes with the number, order, places and sizes of the images, but not with the address of their shards."""
    digest = hashlib.sha256()
    for column in (index.shard, index.offset, index.size):
        digest.update(column.tobytes())
    return digest.hexdigest()


def fingerprint(shards: Sequence[Place]) -> str:
    """Stands for the index of these shards as they are now: 16 hex digits that change with any address, size or
    version, and with the rules by which shards are read."""
    folders: dict[Place, dict[str, Any]] = {}
    digest = hashlib.sha256(json.dumps([RULES, SUFFIXES]).encode())
    for shard in shards:
        if shard.parent not in folders:
            folders[shard.parent] = shard.parent.children()
        info = folders[shard.parent].get(shard.name)
        if info is None:
            raise MissingFile(f"{shard} does not exist")
        digest.update(json.dumps([shard.address, info.size, info.version]).encode())
    return digest.hexdigest()[:16]


def index_shard(shard: Place) -> ShardIndex:
    """Find the images of a shard by reading its headers (and class numbers) only.

    Raises `DataError` where it is no tar at all, `MissingFile` where it is not there. A `KEY.cls` that holds no number
    from 0 to 2**31 - 1 counts as none. An
    empty one, as writers leave it that got no samples, has no images.
    """
    window = _Window(shard)
    first = window.read(0, tar.BLOCK)
    rows: list[tuple[int, int]] = []
    labels: list[int] = []  # of the samples before this one
    passed: dict[Kind, tuple[int, str]] = {}
    torn = None

    def pass_over(kind: Kind, name: str) -> None:
        number, example = passed.get(kind, (0, name))
        passed[kind] = number + 1, example

    key, label = "", -1
    told = True  # whether the key has an image, or something of it was passed over; there is no key yet
    first_member = ""
    try:
        if _is_empty(window, first):
            pass_over(EMPTY, "")
            found: Iterator[tar.Member] = iter(())
        elif not tar.is_header(first):
            raise DataError(f"{shard} is not a tar: {_what_it_is(first)}")
        else:
            found = tar.members(window.read, window.length)
        for member in found:
            name = member.name
            folder, slash, base = name.rpartition("/")
            stem, dot, suffix = base.partition(".")
            if not stem or not dot or _META.match(name):
                if not dot and not _META.match(name):
                    pass_over(WITHOUT_KEY, name)
                continue
            if member.is_link:
                # It has no body, so it takes no part: files of a key may stand on both sides of it.
                if suffix.lower().rpartition(".")[2] in SUFFIXES:
                    pass_over(LINK, name)
                    told = told or folder + slash + stem == key
                continue
            if folder + slash + stem != key:
                if not told:
                    pass_over(WITHOUT_IMAGE, first_member)
                labels += [label] * (len(rows) - len(labels))
                key, label, told, first_member = folder + slash + stem, -1, False, name
            suffix = suffix.lower()
            if suffix in SUFFIXES:
                if len(rows) == len(labels):
                    rows.append((member.offset, member.size))
                    told = True
                else:
                    pass_over(SECOND, name)
            elif suffix == "cls":
                match = _LABEL.fullmatch(window.read(member.offset, member.size)) if member.size <= 32 else None
                label = int(match[1]) if match and int(match[1]) < 2**31 else -1
                if label < 0:
                    pass_over(NO_CLASS, name)
            elif "." in suffix and suffix.rpartition(".")[2] in SUFFIXES:
                pass_over(DOTS, name)
                told = True
        if not told:
            pass_over(WITHOUT_IMAGE, first_member)
    except tar.TornTar as error:
        if label < 0 and any(known >= 0 for known in labels):
            del rows[len(labels) :]  # the label of the last sample is what was torn off
        torn = f"{shard} is torn: {error}; its first {len(rows):,} images are used"
    labels += [label] * (len(rows) - len(labels))
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return ShardIndex(
        shard=shard.address,
        shard_bytes=window.length,
        offset=table[:, 0].copy(),
        size=table[:, 1].copy(),
        label=np.array(labels, dtype=np.int32),
        torn=torn,
        passed=tuple((kind, number, example) for kind, (number, example) in passed.items()),
    )


def first_images(shard: Place, most: int, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Name and file of the first images of a shard, as `index_shard` finds them; larger files are left out.

    At most so many members are looked at as make no difference to whoever waits. Raises what `index_shard` raises.
    """
    window = _Window(shard)
    first = window.read(0, tar.BLOCK)
    if _is_empty(window, first):
        return
    if not tar.is_header(first):
        raise DataError(f"{shard} is not a tar: {_what_it_is(first)}")
    found = 0
    try:
        for member in islice(tar.members(window.read, window.length), _MOST_LOOKED_AT):
            stem, _, suffix = member.name.rpartition("/")[2].partition(".")
            if not stem or _META.match(member.name) or member.is_link or suffix.lower() not in SUFFIXES:
                continue
            if member.size <= max_bytes:
                yield _shown(member.name), shard.read_range(member.offset, member.size)
            found += 1
            if found == most:
                return
    except tar.TornTar:
        return  # the index tells it


@dataclass
class ShardWriter:
    """Writes samples into shards `SPLIT-NNNNNN.tar`, the same bytes for the same samples on any machine.

    A shard is built in memory and appears when it is whole. Use it in a `with` block: its end writes the last shard; an
    exception inside does not.

    Attributes:
        folder: where the shards go.
        split: first part of their names: letters, digits, `_`, `-`.
        images_per_shard: most images of a shard.
        max_bytes: a shard is closed before it grows beyond this, if it has an image already.
        first_shard: number of the first shard, where others are written by somebody else, or were before.
        first_image: number of the first image, which is part of its key.
        written: the shards that are complete.
    """

    folder: Place
    split: str
    images_per_shard: int
    max_bytes: int = 256 << 20
    first_shard: int = 0
    first_image: int = 0
    written: list[ShardIndex] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", self.split):
            raise ValueError(f"split is {self.split!r} but needs up to 60 letters, digits, _ and -")
        if self.images_per_shard < 1:
            raise ValueError(f"images_per_shard is {self.images_per_shard} but needs at least 1")
        self._images = self.first_image
        self._data = bytearray()
        self._rows: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()

    def add(
        self, image: bytes, *, suffix: str = "jpg", label: int | None = None, meta: dict[str, Any] | None = None
    ) -> None:
        """Add a sample: a whole image file, its class number, and what `KEY.json` shall say of it."""
        if suffix not in SUFFIXES:
            raise ValueError(f"suffix is {suffix!r} but needs to be one of {', '.join(SUFFIXES)}")
        files = [(suffix, image)]
        if label is not None:
            files.append(("cls", str(label).encode()))
        if meta is not None:
            files.append(("json", json.dumps(meta, sort_keys=True).encode()))
        length = sum(tar.BLOCK + len(data) + len(tar.padding(len(data))) for _, data in files)
        if self._rows and (
            len(self._rows) == self.images_per_shard or len(self._data) + length + len(tar.END) > self.max_bytes
        ):
            self.flush()
        key = f"{self.split}-{self._images:08d}"
        self._rows.append((len(self._data) + tar.BLOCK, len(image), -1 if label is None else label))
        for ending, data in files:
            self._data += tar.header(f"{key}.{ending}", len(data)) + data + tar.padding(len(data))
        self._images += 1

    def flush(self) -> None:
        """Write the samples that are waiting as a shard of their own."""
        if not self._rows:
            return
        self._data += tar.END
        place = self.folder / f"{self.split}-{self.first_shard + len(self.written):06d}.tar"
        place.write_bytes(self._data)
        table = np.array(self._rows, dtype=np.int64)
        self.written.append(
            ShardIndex(
                shard=place.address,
                shard_bytes=len(self._data),
                offset=table[:, 0].copy(),
                size=table[:, 1].copy(),
                label=table[:, 2].astype(np.int32),
                sha256=hashlib.sha256(self._data).hexdigest(),
            )
        )
        self._data, self._rows = bytearray(), []


class _Window:
    """Reads a file in few pieces where it is asked for many small ones in order."""

    def __init__(self, file: Place) -> None:
        self.length = file.info().size
        self._file = file
        self._width = _LOCAL_WINDOW if file.is_local else _REMOTE_WINDOW
        self._start, self._data = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        at = offset - self._start
        if at < 0 or at + size > len(self._data):
            self._start, self._data = offset, self._file.read_range(offset, max(size, self._width))
            at = 0
        return self._data[at : at + size]


def _is_empty(window: _Window, first: bytes) -> bool:
    """Whether a file is an archive without files, as a writer leaves it that was closed before the first one."""
    return not first.strip(b"\0") and window.length <= _EMPTY_BYTES and not window.read(0, window.length).strip(b"\0")


def _what_it_is(first: bytes) -> str:
    for magic, name in _MAGIC.items():
        if first.startswith(magic):
            return f"it is compressed by {name}; decompress it, so that single images can be read from it"
    if not any(first):
        return "it begins with zeros, as a download that never began"
    return f"it begins with {first[:16]!r}"


def _description(folder: Place) -> dict[str, Any] | None:
    """What `dataset.json` says, or None where it is somebody else's."""
    try:
        description = json.loads((folder / DATASET_FILE).read_bytes())
    except (ValueError, RecursionError):
        return None
    return description if isinstance(description, dict) and description.get("format") == FORMAT else None


def _passed(entry: Any) -> Passed:
    """What was passed over in a shard, as its entry in `dataset.json` has it."""
    return tuple(((str(one), str(several)), int(number), str(example)) for (one, several), number, example in entry)


def _beside(folder: Place, file: str) -> str:
    return file if "/" in file else (folder / file).address
