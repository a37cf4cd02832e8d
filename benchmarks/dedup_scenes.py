"""Are drawn rooms found again when they are drawn at another size, and is none of them taken for another one?

python -m benchmarks.dedup_scenes --json benchmarks/results/dedup_scenes.json

`dcgan_dist.data.dedup` is given shards of the built-in rooms, of which it is known which is which.
"""

import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dedup_cifar import look
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.data import keep_list
from dcgan_dist.data.deduplication.comparison import THRESHOLD
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.intervals import wilson
from dcgan_dist.storage import Place

MANY, LOOKED_AT = 20_000, ((32, 0.7), (64, 0.7), (64, 0.3))
"""Different rooms, and the pixels at which they are drawn, each with a threshold of the second look."""
SEVERAL, AGAIN = 2_000, ((64, 32), (64, 48), (64, 128))
"""Rooms that are drawn twice, and the pixels of both times."""
LEAST_FOUND = 0.99

Ints = np.ndarray[Any, np.dtype[np.int64]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a command failed; missed bars are in its table."""
    given = parser("Look for near duplicates among drawn rooms.").parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dedup-scenes-") as scratch:
        return finish(partial(find, Path(scratch)), given.json)


def find(scratch: Path) -> Report:
    """Draw rooms and give the command; raises `CalledProcessError` where it fails."""
    rows: list[list[Cell]] = []
    bars: list[Bar] = []
    for size, threshold in LOOKED_AT:
        draw(scratch / f"{size}", size, MANY)
        taken = len(wrong(*copies(scratch, [f"{size}"], MANY, threshold)))
        rows.append([f"{size} pixels", threshold, MANY, "", taken])
        name = f"different rooms called duplicates, of {MANY:,} at {size} pixels and threshold {threshold:g}"
        bars.append(Bar(name, taken, at_most=0))
    for one, other in AGAIN:
        for size in (one, other):
            draw(scratch / f"few-{size}", size, SEVERAL)
        room, instead = copies(scratch, [f"few-{one}", f"few-{other}"], SEVERAL)
        again = int((instead[:SEVERAL] == instead[SEVERAL:]).sum())
        low, high = (100 * bound for bound in wilson(again / SEVERAL, SEVERAL))
        found = f"{100 * again / SEVERAL:.1f} ({low:.1f} to {high:.1f})"
        rows.append([f"{one} and {other} pixels", THRESHOLD, 2 * SEVERAL, found, len(wrong(room, instead))])
        bars.append(Bar(f"rooms of {one} pixels found at {other}", again / SEVERAL, at_least=LEAST_FOUND))
    columns = ["rooms drawn at", "threshold", "images", "found again, %", "images taken for another room"]
    return Report(command="python -m benchmarks.dedup_scenes", tables={"dedup-sizes": Table(columns, rows)}, bars=bars)


def draw(folder: Path, size: int, number: int) -> None:
    """Shards of the first rooms of the built-in set, once."""
    if folder.exists():
        return
    with ShardWriter(Place(str(folder)), "train", images_per_shard=5_000) as writer:
        for index in range(number):
            writer.add(embedded_image("rooms", size, index)[0])
    concatenate(writer.written).save(Place(str(folder)))


def copies(scratch: Path, folders: Sequence[str], number: int, threshold: float = THRESHOLD) -> tuple[Ints, Ints]:
    """Of each image, int64 [n]: which room it shows, and the image that is kept in its stead."""
    out = scratch / f"of-{'-'.join(folders)}-{threshold:g}"
    shards = [f"{scratch / folder}/train-*.tar" for folder in folders]
    look(out, shards, f"--threshold={threshold:g}", f"--cache={scratch / 'cache'}")
    return np.tile(np.arange(number), len(folders)), keep_list.load(Place(str(out / "keep.parquet"))).instead


def wrong(room: Ints, instead: Ints) -> Ints:
    """Images in whose stead another room is kept."""
    return np.flatnonzero(room[instead] != room)


if __name__ == "__main__":
    sys.exit(main())
