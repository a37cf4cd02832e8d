"""What `benchmarks/prepare.py` reads: photographs in folders, the same in a tar of tars, and shards of tiny images."""

import io
import os
import tarfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from benchmarks.ingest import jpegs
from benchmarks.prepare_ways import SUFFIX
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.storage import Place

WIDTH, HEIGHT = 384, 256
PER_CLASS = 1_000
TINY = 8
"""Height and width of a tiny image."""


def write_photographs(shards: Sequence[Path], folder: Path, number: int) -> None:
    """Write JPEGs of 384 x 256 pixels, named as ImageNet's are, a folder for each class of a thousand.

    Args:
        shards: whose photographs are used, again and again; a comment makes each file another one.
        folder: is made.
        number: of files.
    """
    fitted = [_fit(data) for shard in shards for data in jpegs(str(shard))]
    for row, data in enumerate(islice(cycle(fitted), number)):
        of = f"n{row // PER_CLASS + 1:08d}"
        if row % PER_CLASS == 0:
            (folder / of).mkdir(parents=True)
        (folder / of / f"{of}_{row}.{SUFFIX}").write_bytes(_with_comment(data, f"{row:08d}".encode()))


def _fit(photograph: bytes) -> bytes:
    """Scaled and cropped, as a JPEG such as cameras and web sites write: quality 85, colors at half the resolution."""
    with Image.open(io.BytesIO(photograph)) as image:
        fitted = ImageOps.fit(image.convert("RGB"), (WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    fitted.save(file, "JPEG", quality=85)
    return file.getvalue()


def _with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """The same picture with a comment behind the marker that begins it."""
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def nest(folder: Path, target: Path) -> None:
    """Write a folder of folders as a tar of tars."""
    with tarfile.open(target, "w") as outer:
        for inside in sorted(folder.iterdir()):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for file in sorted(inside.iterdir()):
                    archive.add(file, file.name)
            member = tarfile.TarInfo(f"{inside.name}.tar")
            member.size = inner.tell()
            inner.seek(0)
            outer.addfile(member, inner)


def unpack(nested: Path, folder: Path) -> Path:
    """Unpack a tar of tars: first the tars, then each into a folder of its name. Returns the folder of these."""
    with tarfile.open(nested) as outer:
        outer.extractall(folder / "tars", filter="data")
    for inner in sorted((folder / "tars").iterdir()):
        with tarfile.open(inner) as archive:
            archive.extractall(folder / "pictures" / inner.stem, filter="data")
    return folder / "pictures"


def write_tiny(folder: Path, images: int) -> Path:
    """Write a shard of images of 8 pixels, none equal to another; returns it."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, TINY, TINY, 3), np.uint8)
    with ShardWriter(Place(str(folder)), "train", images) as writer:
        for image in pixels:
            data = simplejpeg.encode_jpeg(image, quality=95, colorspace="RGB", colorsubsampling="444")
            writer.add(data, label=None)
    return folder / "train-000000.tar"


def link(shard: Path, folder: Path, number: int) -> None:
    """A folder of so many shards, all of them the same file."""
    folder.mkdir()
    for i in range(number):
        os.link(shard, folder / f"train-{i:06d}.tar")
