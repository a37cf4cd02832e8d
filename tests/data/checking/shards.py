"""Shards of ours and of others that tests of the check look into."""

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import Place


def picture(number: int, width: int = 20, height: int = 16, *, kind: str = "png") -> bytes:
    """A file of noise, of another content for each number; of grey noise where the number is below 0."""
    pixels = np.random.default_rng(abs(number)).integers(0, 256, (height, width, 3), np.uint8)
    if number < 0:
        pixels[:] = pixels[..., :1]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def ours(
    folder: Path,
    splits: dict[str, Sequence[tuple[bytes, int | None]]],
    *,
    per_shard: int = 4,
    classes: Sequence[str] | None = ("cat", "dog"),
) -> Path:
    """A data set as `prepare` writes it: of each split its files and class numbers."""
    parts = []
    for split, images in splits.items():
        with ShardWriter(Place(str(folder)), split, per_shard) as writer:
            for data, label in images:
                writer.add(data, suffix="png", label=label)
        parts += writer.written
    concatenate(parts, classes=classes, image_size=16).save(Place(str(folder)))
    return folder


def foreign(shard: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    """A tar of these files, as any program may write it."""
    shard.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shard, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return shard
