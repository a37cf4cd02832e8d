"""Data that are made for claims: rooms of which some are repeated, and the list that leaves near duplicates out."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIZE = 32
"""Height and width, in pixels."""
ROOMS, REPEATED, TIMES = 2_000, 200, 20
"""Rooms, how many of them are repeated, and how often each of these is there."""
HELD_OUT = 1_000
"""Rooms in shards of their own, with which samples may be compared."""
UNLIKE = 0.99
"""Share of the rooms held out that are further from all repeated ones than a copy is."""
SEED = 41
FOLDER = f"rooms-{ROOMS}-of-which-{REPEATED}-{TIMES}-times-{SEED}"
"""Of all that is made, so that what was made in another way is not taken for it."""
SHARDS, DUPLICATES = "shards", "duplicates"
"""Folders in it: the shards, and what the search for near duplicates leaves."""


def make(folder: Place, say: Callable[[str], None]) -> None:
    """Shards of the rooms and the keep-list of `dcgan_dist.data.dedup`, where they are not there yet.

    Raises:
        DataError: the search for near duplicates failed; it says itself why.
    """
    keep = folder / DUPLICATES / "keep.parquet"
    if keep.is_file():
        return
    say(f"writing {ROOMS:,} rooms, {REPEATED} of them {TIMES} times each, to {folder / SHARDS}")
    write_shards(folder / SHARDS)
    given = [f"{folder / SHARDS}/train-*.tar", str(folder / DUPLICATES)]
    # In a process of its own, which its processes may begin like.
    status = subprocess.run([sys.executable, "-m", "dcgan_dist.data.dedup", *given]).returncode
    if status or not keep.is_file():
        raise DataError(f"near duplicates of the rooms in {folder / SHARDS} were not found: see above")


def rooms(number: int = ROOMS) -> Pixels:
    """The rooms once each, uint8 [number, S, S, 3]; the first `REPEATED` are those that are repeated."""
    return np.stack([draw("rooms", SIZE, SEED, room).image for room in range(number)])


def write_shards(folder: Place) -> tuple[Pixels, NDArray[np.int64]]:
    """Shards of the rooms in a drawn order, and of others to compare samples with.

    A room that is repeated is there in files of different quality.

    Returns:
        the rooms, as `rooms` gives them; and of each file, in order, which room it shows.
    """
    drawn = rooms(ROOMS + HELD_OUT)
    times = np.where(np.arange(ROOMS) < REPEATED, TIMES, 1)
    files = [(room, time) for room in range(ROOMS) for time in range(times[room])]
    order = np.random.default_rng(SEED).permutation(len(files))
    written = []
    for split, listed in (
        ("train", [files[i] for i in order]),
        ("test", [(room, 0) for room in range(ROOMS, ROOMS + HELD_OUT)]),
    ):
        with ShardWriter(folder, split, images_per_shard=1_000) as writer:
            for room, time in listed:
                writer.add(simplejpeg.encode_jpeg(drawn[room], quality=95 - time, colorsubsampling="444"))
        written += writer.written
    concatenate(written).save(folder)
    return drawn[:ROOMS], np.array([files[i][0] for i in order])


def of_repeated(samples: Pixels, known: Pixels) -> float:
    """Share of the samples [n, S, S, 3] whose nearest room, by pixels, is one of the repeated."""
    return float((_distances(samples, known).argmin(axis=1) < REPEATED).mean())


def copies(samples: Pixels) -> float:
    """Share of the samples [n, S, S, 3] that are nearer to one of the repeated rooms, by pixels, than `UNLIKE` of the
    rooms are that were held out."""
    drawn = rooms(ROOMS + HELD_OUT)
    repeated = drawn[:REPEATED]
    near = np.quantile(_distances(drawn[ROOMS:], repeated).min(axis=1), 1 - UNLIKE)
    return float((_distances(samples, repeated).min(axis=1) < near).mean())


def _distances(images: Pixels, others: Pixels) -> NDArray[np.float32]:
    """Squared, [n, m], of pictures [n, S, S, 3] and [m, S, S, 3]."""
    one, other = (pictures.reshape(len(pictures), -1).astype(np.float32) / 255 for pictures in (images, others))
    found: NDArray[np.float32] = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return found
