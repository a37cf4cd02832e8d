"""Which images of a data set are kept: a file that says so of every sample, and what is left of an index by it; no Ray.

A keep-list is a Parquet file with a row for each sample: `shard` and `row` (the sample's number in that shard), `kept`,
and `instead_shard` and `instead_row`, the sample that is kept in its stead: itself if it is kept. Its metadata has the
format, and of each shard what tells it from others: file name, images, bytes, a digest of where its images lie, and the
SHA-256 where that is known. Folders are not among these, so a keep-list holds for a copy of the data, and for some of
its shards.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import MissingFile, Place

FORMAT = "dcgan-dist keep-list 1"
GROUP_ROWS = 1 << 20
"""Rows of the file that are in memory at a time, as columns of Arrow."""

_NAMES = ("shard", "instead_shard")
_COLUMNS = ("shard", "row", "kept", "instead_shard", "instead_row")
_NAME_TYPE = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(zip(_COLUMNS, (_NAME_TYPE, pa.int32(), pa.bool_(), _NAME_TYPE, pa.int32()), strict=True))
# What pyarrow, json and NumPy raise for a file that is damaged, or was written to deceive.
_UNREADABLE = (
    pa.ArrowException,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True)
class KnownShard:
    """What tells a shard from others, in whatever folder it lies.

    Attributes:
        name: its file name, with as many folders before it as it takes to tell all shards of the list apart.
        images: how many it has.
        bytes: its length.
        layout: `layout_of` its images.
        sha256: of the file, where that is known, else empty.
    """

    name: str
    images: int
    bytes: int
    layout: str
    sha256: str = ""


@dataclass(frozen=True, eq=False)
class KeepList:
    """A keep-list in memory, 8 bytes a sample.

    Attributes:
        file: its address.
        sha256: of the file's bytes.
        shards: those that it is of.
        instead: int64 [n], of each sample, shard after shard, the number of the one that is kept in its stead, which is
            its own if it is kept.
    """

    file: str
    sha256: str
    shards: tuple[KnownShard, ...]
    instead: NDArray[np.int64]

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """int64 [shards + 1]: the number of the first sample of each shard, and how many there are in all."""
        return np.cumsum([0, *(shard.images for shard in self.shards)], dtype=np.int64)

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """bool [n]: whether a sample is kept."""
        kept: NDArray[np.bool_] = self.instead == np.arange(len(self.instead))
        return kept

    def apply(self, index: Index, say: Callable[[str], None] = lambda line: None) -> Index:
        """The index of the images that are kept, see `keeps`; all its shards stay in it."""
        return index.without(np.flatnonzero(~self.keeps(index, say)))

    def keeps(self, index: Index, say: Callable[[str], None] = lambda line: None) -> NDArray[np.bool_]:
        """Which images of an index are kept, bool [n].

        A sample is left out also where the one that is kept in its stead is in a shard that the index does not have:
        that may be one of images that are held out.

        Args:
            index: of shards that the list knows, as they were found: all images of each.
            say: is told how many images are left out, in one line.

        Raises:
            DataError: a shard is unknown, or has other images than the list says; or no image is left.
        """
        images = np.bincount(index.shard, minlength=len(index.shards))
        ends = np.cumsum(images)
        parts = [slice(end - number, end) for end, number in zip(ends.tolist(), images.tolist(), strict=True)]
        numbers = _distinct(
            self,
            index.shards,
            [
                self._find(address, length, layout_of(index.offset[part], index.size[part]), digest)
                for address, length, digest, part in zip(
                    index.shards, index.shard_bytes, index.sha256 or [""] * len(parts), parts, strict=True
                )
            ],
        )
        here = np.zeros(len(self.shards), np.bool_)
        here[numbers] = True
        kept = np.empty(len(index), np.bool_)
        away = 0
        for number, part in zip(numbers, parts, strict=True):
            known = slice(int(self.first[number]), int(self.first[number + 1]))
            kept[part] = self.kept[known]
            away += int((~here[np.searchsorted(self.first, self.instead[known], "right") - 1]).sum())
        line = self._line(len(index) - int(kept.sum()), len(index), index.shards)
        say(f"{line}, {away:,} of them for images in shards that are not among these" if away else line)
        return kept

    def count(self, lengths: Mapping[str, int], say: Callable[[str], None] = lambda line: None) -> int:
        """How many images are kept of some shards, which are not opened: they are known by name and length.

        Args:
            lengths: bytes of each shard, by its address.
            say: is told how many images are left out, in one line.

        Raises:
            DataError: one is unknown, or of another length; or no image is kept.
        """
        numbers = [self._find(address, length) for address, length in lengths.items()]
        images = sum(self.shards[number].images for number in numbers)
        kept = sum(int(self.kept[self.first[number] : self.first[number + 1]].sum()) for number in numbers)
        say(self._line(images - kept, images, list(lengths)))
        return kept

    def _line(self, left_out: int, images: int, shards: Sequence[str]) -> str:
        """How many images are left out; raises `DataError` where those are all."""
        if left_out == images:
            raise DataError(
                f"keep-list {self.file} leaves out all {count(images, 'image')} of {_some(shards)}: give the shards "
                "that hold the images kept in their stead too"
            )
        return f"keep-list: {self.file} leaves out {left_out:,} of {count(images, 'image')}"

    def _find(self, address: str, length: int, layout: str = "", sha256: str = "") -> int:
        """The number of a shard; `layout` and `sha256` count where they are known."""
        named = self._by_name.get(Place(address).name, [])
        found = [
            number
            for number in named
            if self.shards[number].bytes == length
            and layout in ("", self.shards[number].layout)
            and (not sha256 or self.shards[number].sha256 in ("", sha256))
        ]
        if not found:
            advice = "make a keep-list of this data" if named else "leave that shard out, or make a keep-list of all"
            raise DataError(f"{self._unlike(address, length, named)}: {advice}")
        near = [_in_common(address, self.shards[number].name) for number in found]
        best = [number for number, common in zip(found, near, strict=True) if common == max(near)]
        if layout and len(best) > 1:
            both = " and ".join(self.shards[number].name for number in best[:2])
            raise DataError(
                f"keep-list {self.file} knows {both}, and {address} may be either of them: put it into a folder of the "
                "name that it had"
            )
        return best[0]

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = {}
        for number, shard in enumerate(self.shards):
            numbers.setdefault(Place(shard.name).name, []).append(number)
        return numbers

    def _unlike(self, address: str, length: int, named: Sequence[int]) -> str:
        """What is wrong with a shard, in a sentence without its end."""
        if not named:
            some = _some([shard.name for shard in self.shards])
            return f"keep-list {self.file} is of {some}, and does not know the shard {address}"
        known = self.shards[named[0]]
        if known.bytes != length:
            return f"keep-list {self.file} is of a {known.name} of {known.bytes:,} bytes, but {address} has {length:,}"
        return f"keep-list {self.file} is of a {known.name} with other images than {address} has"


def layout_of(offset: NDArray[np.int64], size: NDArray[np.int64]) -> str:
    """Stands for where the images of a shard lie: 32 hex digits, from their offsets and sizes in bytes, in order."""
    digest = hashlib.sha256()
    for column in (offset, size):
        digest.update(np.ascontiguousarray(column, "<i8").tobytes())
    return digest.hexdigest()[:32]


def write(file: Place, index: Index, instead: NDArray[np.int64]) -> str:
    """Write a keep-list: the same bytes for the same index and decisions, by one version of pyarrow.

    Args:
        file: where to.
        index: of all samples; `shard` does not decrease.
        instead: int64 [n], of each sample the number of the one that is kept in its stead, its own if it is kept.

    Returns:
        the SHA-256 of the file.

    Raises:
        ValueError: these are not as many as the index has samples, or one is kept in stead of others but not itself.
        DataError: the store fails.
    """
    images = np.bincount(index.shard, minlength=len(index.shards))
    if instead.shape != (len(index),) or (np.diff(index.shard) < 0).any():
        raise ValueError(f"instead has the shape {instead.shape}, but the index has {len(index)} samples")
    _require_kept(instead)
    first = np.append(0, np.cumsum(images))
    parts = [slice(first[number], first[number + 1]) for number in range(len(images))]
    names = _tails(index.shards)
    shards = [
        KnownShard(name, int(number), length, layout_of(index.offset[part], index.size[part]), digest)
        for name, number, length, digest, part in zip(
            names, images, index.shard_bytes, index.sha256 or [""] * len(names), parts, strict=True
        )
    ]
    schema = _SCHEMA.with_metadata({"format": FORMAT, "shards": json.dumps([asdict(shard) for shard in shards])})
    words, content = pa.array(names, pa.string()), io.BytesIO()

    def named(numbers: NDArray[np.int32]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32()), words)

    with pq.ParquetWriter(
        content,
        schema,
        compression="zstd",
        write_page_checksum=True,
        use_dictionary=list(_NAMES),
        column_encoding=dict.fromkeys(("row", "instead_row"), "DELTA_BINARY_PACKED"),
    ) as writer:
        for begin in range(0, len(index), GROUP_ROWS):
            samples = np.arange(begin, min(begin + GROUP_ROWS, len(index)))
            shown = instead[samples]
            columns = [
                named(index.shard[samples]),
                pa.array((samples - first[index.shard[samples]]).astype(np.int32)),
                pa.array(shown == samples),
                named(index.shard[shown]),
                pa.array((shown - first[index.shard[shown]]).astype(np.int32)),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=GROUP_ROWS)
    file.write_bytes(content.getbuffer())
    return hashlib.sha256(content.getbuffer()).hexdigest()


def load(file: Place) -> KeepList:
    """Read a keep-list, whole.

    Raises:
        DataError: it is missing, damaged, or something else.
    """
    try:
        data = file.read_bytes()
    except MissingFile as error:
        raise DataError(f"there is no keep-list {file}: name the file that de-duplication wrote") from error
    try:
        shards, instead = _parse(data)
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0].rstrip(". ")
        raise DataError(f"{file} is no keep-list ({reason}): name the file that de-duplication wrote") from error
    return KeepList(file.address, hashlib.sha256(data).hexdigest(), shards, instead)


def _parse(data: bytes) -> tuple[tuple[KnownShard, ...], NDArray[np.int64]]:
    reader = pq.ParquetFile(pa.BufferReader(data), read_dictionary=list(_NAMES), page_checksum_verification=True)
    about = reader.schema_arrow.metadata or {}
    if about.get(b"format") != FORMAT.encode():
        raise ValueError(f"it is Parquet, but not of the format {FORMAT!r}")
    shards = tuple(
        KnownShard(str(one["name"]), int(one["images"]), int(one["bytes"]), str(one["layout"]), str(one["sha256"]))
        for one in json.loads(about[b"shards"])
    )
    images = np.array([shard.images for shard in shards], np.int64)
    number = {shard.name: i for i, shard in enumerate(shards)}
    if len(number) < len(shards) or (images < 0).any() or reader.metadata.num_rows != images.sum():
        raise ValueError("its rows are not those of its shards")
    first = np.append(0, np.cumsum(images))
    instead = np.full(first[-1], -1)

    def samples(table: pa.Table, shard: str, row: str) -> NDArray[np.int64]:
        codes = np.concatenate([_codes(chunk, number) for chunk in table[shard].chunks] or [np.empty(0, np.int64)])
        rows = table[row].to_numpy()
        if rows.dtype.kind not in "iu" or (codes < 0).any() or (rows < 0).any() or (rows >= images[codes]).any():
            raise ValueError(f"{shard} and {row} name samples that there are not")
        return np.asarray(first[codes] + rows, np.int64)

    for group in range(reader.num_row_groups):
        table = reader.read_row_group(group, columns=list(_COLUMNS))
        own, shown = samples(table, "shard", "row"), samples(table, "instead_shard", "instead_row")
        if (table["kept"].to_numpy() != (own == shown)).any():
            raise ValueError("a sample is kept, but another one in its stead, or the reverse")
        instead[own] = shown
    if (instead < 0).any():
        raise ValueError("a sample is there twice, and another one is missing")
    _require_kept(instead)
    return shards, instead


def _codes(names: pa.DictionaryArray, number: Mapping[str, int]) -> NDArray[np.int64]:
    """Numbers of shards by their names; -1 for a name that is unknown, or missing."""
    known = np.array([number.get(name, -1) for name in names.dictionary.to_pylist()] or [-1], np.int64)
    return known[names.indices.fill_null(0).to_numpy()] if not names.null_count else np.full(len(names), -1)


def _require_kept(instead: NDArray[np.int64]) -> None:
    inside = (instead >= 0) & (instead < len(instead))
    if not inside.all() or (instead[instead] != instead).any():
        raise ValueError("an image is kept in stead of others, but is left out itself")


def _distinct(keep: KeepList, addresses: Sequence[str], numbers: Sequence[int]) -> Sequence[int]:
    """The numbers, where no shard of the list is there twice: what is kept of it would be kept twice."""
    address_of: dict[int, str] = {}
    for address, number in zip(addresses, numbers, strict=True):
        other = address_of.setdefault(number, address)
        if other != address:
            raise DataError(
                f"{other} and {address} are both {keep.shards[number].name} of keep-list {keep.file}: leave one of "
                "them out, or make a keep-list of both"
            )
    return numbers


def _tails(addresses: Sequence[str]) -> list[str]:
    """The ends of addresses, of as many parts as it takes to tell all of them apart."""
    parts = [address.split("/") for address in addresses]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        tails = ["/".join(part[-depth:]) for part in parts]
        if len(set(tails)) == len(tails):
            return tails
    raise ValueError("an index has a shard twice")


def _in_common(address: str, name: str) -> int:
    """How many parts the ends of two addresses have in common."""
    pairs = zip(reversed(address.split("/")), reversed(name.split("/")), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _some(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1:,} more" if len(names) > 1 else names[0] if names else "no shards"
