"""Works of a few small images, begun as the command begins them."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from dcgan_dist.data.deduplication.options import DedupOptions
from dcgan_dist.data.deduplication.work import Work, ask, prepare_work
from dcgan_dist.data.preparation.processes import ThisProcess
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import Place
from tests.data.deduplication.drawn import drawn

BAD = b"no picture"


def pictures(number: int, seed: int = 3) -> list[bytes]:
    """PNGs, none a copy of another."""
    files = []
    for pixels in drawn(number, seed):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        files.append(file.getvalue())
    return files


def shards(
    folder: Path,
    images: Sequence[bytes],
    split: str = "train",
    per_shard: int = 8,
    classes: Sequence[str] | None = None,
) -> None:
    """Shards of ours; image i has the class i % 3."""
    with ShardWriter(Place(str(folder)), split, per_shard) as writer:
        for number, image in enumerate(images):
            writer.add(image, suffix="png", label=number % 3)
    concatenate(writer.written, classes=classes).save(Place(str(folder)))


def begun(data: Path, out: Path, **options: Any) -> Work:
    """What `dedup DATA OUT` begins with."""
    return prepare_work(ask(DedupOptions(data=str(data), out=str(out), **options)), ThisProcess())
