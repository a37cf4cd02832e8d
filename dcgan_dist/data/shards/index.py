"""The index of shards: where each image lies, and what is known of it; how it is kept beside shards of ours."""

import hashlib
import io
import json
import re
import shlex
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.attributes import Columns, joined, typed
from dcgan_dist.data.shards.passed_over import RULE, Passed, passed_over, shown
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place

FORMAT = "dcgan-dist shards 1"
DATASET_FILE = "dataset.json"
INDEX_FILE = "index.npz"

RULES = 3
"""Version of the rules by which members of a shard are images. An index of foreign shards that was kept is used only
if it follows them; it grows when any shard may get another index, unless by `SUFFIXES`. 1: all images of a key, and
nothing was counted. 2: what was passed over was counted over all shards, not for each."""


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

PREPARE_AGAIN = (
    "give the command that prepared these shards again, which makes them from its source; without them, runs read the "
    "shards but know no names of classes and no attributes"
)
"""What is said of an index that is deleted and cannot be made from the shards."""

_COLUMNS = ("shard", "offset", "size", "label")
_ATTRIBUTE = "attribute/"
"""What `index.npz` has before the name of an attribute; versions that know no attributes do not look at these."""
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_IMAGENETS = re.compile(r"n[0-9]{8}\.tar")
_MOST_TORN = 5
_MOST_COUNTED = 1_000
"""Classes whose images are counted in any case; more of them only where there are as many images."""


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
        attributes: by name, int64, float64 or str [n], what else is known of the images.
    """

    shard: str
    shard_bytes: int
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    label: NDArray[np.int32]
    torn: str | None = None
    passed: Passed = ()
    sha256: str = ""
    attributes: Columns = field(default_factory=dict)

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
        attributes: by name, int64, float64 or str [n], what else is known of the images.
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
    attributes: Columns = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
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
        return replace(
            self._rows(np.concatenate([np.empty(0, np.intp), *rows])),
            shards=tuple(shards),
            shard_bytes=tuple(self.shard_bytes[i] for i in chosen),
            shard=np.repeat(np.arange(len(chosen), dtype=np.int32), [len(part) for part in rows]),
            sha256=tuple(self.sha256[i] for i in chosen),
            torn=tuple(self.torn[i] for i in chosen) if self.torn else (),
            passed=tuple(self.passed[i] for i in chosen) if self.passed else (),
        )

    def without(self, samples: Sequence[int] | NDArray[np.integer]) -> "Index":
        """The index of all other images. All shards stay in it, also those that have no image left.

        Args:
            samples: numbers of images in this index, any order, any of them more than once.

        Raises:
            IndexError: a number is below 0, or there is no such image.
            TypeError: these are no whole numbers; a mask, of all things, would be taken for the numbers 0 and 1.
        """
        left_out = np.asarray(samples)
        if left_out.size and left_out.dtype.kind not in "iu":
            raise TypeError(f"images are left out by their numbers, but these are of dtype {left_out.dtype}")
        left_out = left_out.astype(np.int64)
        if (left_out < 0).any():
            raise IndexError(f"there is no image {left_out.min()}")
        return self._rows(np.delete(np.arange(len(self)), left_out))

    def _rows(self, rows: NDArray[np.intp]) -> "Index":
        return replace(
            self,
            shard=self.shard[rows],
            offset=self.offset[rows],
            size=self.size[rows],
            label=self.label[rows],
            attributes={name: column[rows] for name, column in self.attributes.items()},
        )

    def _is_inside(self) -> bool:
        """Whether every file lies in its shard."""
        if ((self.shard < 0) | (self.shard >= len(self.shards)) | (self.offset < 0) | (self.size < 0)).any():
            return False
        return bool((self.size <= np.array(self.shard_bytes, np.int64)[self.shard] - self.offset).all())

    def save(self, folder: Place, *, prepared: Mapping[str, object] | None = None) -> None:
        """Write `index.npz`, then `dataset.json`, into a folder; shards in that folder are named relative to it.

        Args:
            folder: of both.
            prepared: what `dataset.json` shall say of how the shards were made.
        """
        arrays = io.BytesIO()
        columns: dict[str, Any] = {name: getattr(self, name) for name in _COLUMNS}
        columns |= {f"{_ATTRIBUTE}{name}": column for name, column in self.attributes.items()}
        np.savez_compressed(arrays, **columns)
        folder.make_folder()
        (folder / INDEX_FILE).write_bytes(arrays.getvalue())
        files = [Place(shard).name if Place(shard).parent == folder else shard for shard in self.shards]
        torn, passed = self.torn or [None] * len(files), self.passed or [()] * len(files)
        images = np.bincount(self.shard, minlength=len(self.shards))
        labeled = self.label[self.label >= 0]
        # Class numbers of others may be identifiers, with gaps of billions, which would all be counted as 0.
        counted = len(labeled) and labeled.max() < max(len(self), _MOST_COUNTED)
        description: dict[str, object] = {
            "format": FORMAT,
            "images": len(self),
            "image_size": self.image_size,
            "classes": self.classes,
            "images_per_class": np.bincount(labeled).tolist() if counted else None,
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
        if self.attributes:
            description["attributes"] = list(self.attributes)
        if prepared is not None:
            description["prepared"] = prepared
        (folder / DATASET_FILE).write_bytes(json.dumps(description, indent=1).encode() + b"\n")

    @staticmethod
    def load(folder: Place) -> "Index":
        """The index that `save` wrote; raises `MissingFile`, or `DataError` for another format or a damaged one."""
        description = read_description(folder)
        if description is None:
            raise DataError(f"{folder / DATASET_FILE} is not of the format {FORMAT!r}")
        try:
            data = (folder / INDEX_FILE).read_bytes()
            if hashlib.sha256(data).hexdigest() != description["index"]["sha256"]:
                raise ValueError("its checksum is wrong")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                columns = {name: arrays[name] for name in _COLUMNS}
                attributes = {
                    name.removeprefix(_ATTRIBUTE): typed(name, arrays[name])
                    for name in arrays.files
                    if name.startswith(_ATTRIBUTE)
                }
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
                attributes=attributes,
            )
            if not all(column.shape == (images,) for column in [*columns.values(), *attributes.values()]):
                raise ValueError("its arrays differ in length")
            if not index._is_inside():
                raise ValueError("it names places outside of the shards")
        except _FORGED as error:
            raise DataError(
                f"{folder / INDEX_FILE} or {DATASET_FILE} is damaged ({error}): delete both, and "
                f"{_how_to_repair(description)}"
            ) from error
        return index


def concatenate(
    parts: Sequence[ShardIndex], *, classes: Sequence[str] | None = None, image_size: int | None = None
) -> Index:
    """One index from those of the shards.

    Raises:
        DataError: there is no image in any of them; or not all that have images have the same attributes.
    """
    counts = [len(part) for part in parts]
    if not sum(counts):
        passed = passed_over((part.shard, part.passed) for part in parts)
        some = f"{', '.join(part.shard for part in parts[:2])}{', ...' if len(parts) > 2 else ''}"
        raise DataError(f"there is no image in {some}: {_tar_of_tars(parts) or passed or f'no files at all; {RULE}'}")
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
        attributes=joined([(part.shard, part.attributes) for part in parts if len(part)]),
    )


def _tar_of_tars(parts: Sequence[ShardIndex]) -> str | None:
    for part in parts:
        for _, _, example in part.passed:
            name = Place(example).name
            if _IMAGENETS.fullmatch(name):
                line = command_line("prepare", "imagenet", part.shard, "shards")
                return (
                    f"it holds archives, such as {shown(example)}, as that of ImageNet does: make shards of it by "
                    f"{line}, then give --data 'shards/train-*.tar'"
                )
            if example.lower().endswith(_ARCHIVES):
                shard, folder = shlex.quote(part.shard), shlex.quote(Place(part.shard).name.partition(".")[0])
                return (
                    f"it holds archives, such as {shown(example)}: unpack it by mkdir {folder} && tar -xf {shard} -C "
                    f"{folder}, and give --data {folder}"
                )
    return None


def find_index(shards: Sequence[Place]) -> Index | None:
    """The index that lies beside shards of ours, of just these; None where there is none (foreign shards).

    Raises `DataError` where a shard is not as long as it was when it was written: it was not copied whole.
    """
    folder = shards[0].parent
    if any(shard.parent != folder for shard in shards):
        return None
    children = folder.children()
    if INDEX_FILE not in children or DATASET_FILE not in children or read_description(folder) is None:
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


def read_description(folder: Place) -> dict[str, Any] | None:
    """What `dataset.json` says, or None where it is somebody else's."""
    try:
        description = json.loads((folder / DATASET_FILE).read_bytes())
    except (ValueError, RecursionError):
        return None
    return description if isinstance(description, dict) and description.get("format") == FORMAT else None


def checksums_in(description: Mapping[str, Any], folder: Place) -> dict[str, str] | None:
    """SHA-256 of each shard by its address, as the `dataset.json` of a folder has them, "" where we did not write the
    shard; None where it is damaged."""
    try:
        return {_beside(folder, entry["file"]): str(entry["sha256"]) for entry in description["shards"]}
    except (KeyError, TypeError, AttributeError):
        return None


def _how_to_repair(description: Mapping[str, Any]) -> str:
    """What is to be done after the index that this describes has been deleted."""
    lost = any(description.get(name) for name in ("prepared", "classes", "attributes"))
    return PREPARE_AGAIN if lost else "they are made again"


def _passed(entry: Any) -> Passed:
    """What was passed over in a shard, as its entry in `dataset.json` has it."""
    return tuple(((str(one), str(several)), int(number), str(example)) for (one, several), number, example in entry)


def _beside(folder: Place, file: str) -> str:
    return file if "/" in file else (folder / file).address
