"""From a data address to an index: draws the embedded data set at its first use, indexes foreign shards once.

Both are done by Ray tasks, a shard each, and kept in the run's storage, so that the next run starts at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from dcgan_dist.data import keep_list
from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.scenes import Kind
from dcgan_dist.data.scenes.builtin import EMBEDDED, embedded_folder, embedded_image
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, ShardIndex, concatenate, find_index, fingerprint
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.ray_tasks import Progress, wait_for
from dcgan_dist.data.unprepared import find
from dcgan_dist.settings import Settings
from dcgan_dist.storage import MissingFile, Place, place

SHARD_IMAGES = 1_250
"""Of the embedded data set."""


def find_shards(settings: Settings) -> list[Place]:
    """Where the shards of the run lie, or will lie once they are drawn.

    Raises:
        DataError: nothing is there, or no shards are.
    """
    if settings.data.path == EMBEDDED:
        folder = embedded_folder(settings)
        shards = -(-settings.data.scenes_images // SHARD_IMAGES)
        return [folder / f"{settings.data.scenes}-{number:06d}.tar" for number in range(shards)]
    return find(settings.data.path)


def find_keep(settings: Settings, shards: Sequence[Place]) -> KeepList | None:
    """The keep-list of the run, if it has one; names and lengths of the shards are compared with it.

    Raises:
        DataError: it is missing, or none, or one of other shards.
    """
    if not settings.data.keep:
        return None
    keep = keep_list.load(place(settings.data.keep))
    keep.count(_lengths(shards))
    return keep


def _lengths(shards: Sequence[Place]) -> dict[str, int]:
    """Bytes of each shard by its address, from listings of their folders."""
    children = {folder: folder.children() for folder in {shard.parent for shard in shards}}
    infos = [children[shard.parent].get(shard.name) for shard in shards]
    return {shard.address: info.size if info is not None else 0 for shard, info in zip(shards, infos, strict=True)}


@dataclass(frozen=True)
class ImageCount:
    """What can be said of the run's data before it is opened.

    Attributes:
        images: how many there are.
        image_size: height and width of all of them, where it is known.
        exact: whether the number is more than a guess from the largest shard.
    """

    images: int
    image_size: int | None
    exact: bool


def count_images(
    settings: Settings,
    shards: Sequence[Place],
    keep: KeepList | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> ImageCount:
    """How many images the run's data has; nothing is written, and Ray is not needed.

    Of foreign shards without an index the largest is read, and the others are taken to have as many images a byte,
    unless a keep-list says how many they have.

    Args:
        settings: of the run.
        shards: of its data.
        keep: its keep-list; images that this leaves out do not count.
        say: is told how many those are.

    Raises:
        DataError: the largest shard is no tar, or there is no image in it; or the keep-list is one of other images, or
            leaves out all of them.
    """
    if settings.data.path == EMBEDDED:
        return ImageCount(settings.data.scenes_images, settings.networks.image_size, exact=True)
    index = find_index(shards)
    if index is None:
        try:
            index = Index.load(place(settings.storage) / "indexes" / fingerprint(shards))
        except MissingFile:
            lengths = _lengths(shards)
            if keep is not None:
                return ImageCount(keep.count(lengths, say), None, exact=True)
            largest = max(shards, key=lambda shard: lengths[shard.address])
            read = len(concatenate([index_shard(largest)]))
            return ImageCount(
                round(read * sum(lengths.values()) / lengths[largest.address]), None, exact=len(shards) == 1
            )
    if keep is not None:
        index = keep.apply(index, say)
    return ImageCount(len(index), index.image_size, exact=True)


def open_run_index(
    settings: Settings, shards: Sequence[Place], progress: Progress, keep: KeepList | None = None
) -> Index:
    """The index of the run's data; made, and kept in the storage, where there is none yet. Needs Ray.

    What was passed over in the shards, which of them are torn, and how many images a keep-list leaves out is told every
    time. The index in the storage has all images: runs with other keep-lists, or none, share it.

    Raises:
        DataError: a shard is no tar, or there is no image in any of them; or the keep-list is one of other images.
    """
    if settings.data.path == EMBEDDED:
        folder = embedded_folder(settings)
        try:
            return Index.load(folder)
        except MissingFile:
            return _draw_scenes(settings, folder, len(shards), progress)
    index = find_index(shards) or _index_foreign(settings, shards, progress)
    for line in index.notes:
        progress(line, 0, 0)
    return index if keep is None else keep.apply(index, lambda line: progress(line, 0, 0))


def _index_foreign(settings: Settings, shards: Sequence[Place], progress: Progress) -> Index:
    """The index of shards that bring none."""
    folder = place(settings.storage) / "indexes" / fingerprint(shards)
    try:
        return Index.load(folder)
    except MissingFile:
        pass
    parts = _by_tasks("indexing shards", ray.remote(index_shard), [(shard,) for shard in shards], progress)
    index = concatenate(parts)
    index.save(folder)
    return index


def _draw_scenes(settings: Settings, folder: Place, shards: int, progress: Progress) -> Index:
    data, size = settings.data, settings.networks.image_size
    bounds = [min(number * SHARD_IMAGES, data.scenes_images) for number in range(shards + 1)]
    calls = [(folder, data.scenes, size, number, *bounds[number : number + 2]) for number in range(shards)]
    parts = _by_tasks(f"drawing {data.scenes_images:,} {data.scenes}", ray.remote(_draw_shard), calls, progress)
    index = concatenate(parts, image_size=size)
    index.save(folder)
    return index


def _draw_shard(folder: Place, kind: Kind, size: int, number: int, first: int, last: int) -> ShardIndex:
    """Draw scenes [first, last) into shard `number`; the truth about each is its `KEY.json`."""
    with ShardWriter(folder, kind, SHARD_IMAGES, first_shard=number, first_image=first) as writer:
        for index in range(first, last):
            image, scene = embedded_image(kind, size, index)
            writer.add(image, meta=dict(scene.truth))
    (shard,) = writer.written
    return shard


def _by_tasks(what: str, task: Any, calls: Sequence[tuple[Any, ...]], progress: Progress) -> list[ShardIndex]:
    """Results of a Ray task for each tuple of arguments, in order, while progress is told."""
    references = [task.remote(*call) for call in calls]
    wait_for(references, what, progress)
    results: list[ShardIndex] = ray.get(references)
    return results
