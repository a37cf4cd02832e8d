"""Shards as they are written: the same bytes for the same images, with an index and a description beside them."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.index import ShardIndex
from dcgan_dist.storage import Place


def shard_name(split: str, number: int) -> str:
    """File name of a shard."""
    return f"{split}-{number:06d}.tar"


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
        self, image: bytes, *, suffix: str = "jpg", label: int | None = None, meta: dict[str, Any] | bytes | None = None
    ) -> None:
        """Add a sample: a whole image file, its class number, and what `KEY.json` shall say of it, or that file."""
        if suffix not in SUFFIXES:
            raise ValueError(f"suffix is {suffix!r} but needs to be one of {', '.join(SUFFIXES)}")
        files = [(suffix, image)]
        if label is not None:
            files.append(("cls", str(label).encode()))
        if meta is not None:
            files.append(("json", meta if isinstance(meta, bytes) else json.dumps(meta, sort_keys=True).encode()))
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
        place = self.folder / shard_name(self.split, self.first_shard + len(self.written))
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
