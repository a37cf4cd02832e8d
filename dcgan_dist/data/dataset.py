"""From a data address to an index: draws the embedded data set at its first use, indexes foreign shards once.

Both are done by Ray tasks, a shard each, and kept in the run's storage, so that the next run starts at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray

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


def count_images(settings: Settings, shards: Sequence[Place]) -> ImageCount:
    """How many images the run's data has; nothing is written, and Ray is not needed.

    Of foreign shards without an index the largest is read, and the others are taken to have as many images a byte.

    Raises:
        DataError: the largest shard is no tar, or there is no image in it.
    """
    if settings.data.path == EMBEDDED:
        return ImageCount(settings.data.scenes_images, settings.networks.image_size, exact=True)
    index = find_index(shards)
    if index is None:
        try:
            index = Index.load(place(settings.storage) / "indexes" / fingerprint(shards))
        except MissingFile:
            children = {folder: folder.children() for folder in {shard.parent for shard in shards}}
            infos = [children[shard.parent].get(shard.name) for shard in shards]
            sizes = [info.size if info is not None else 0 for info in infos]
            largest = max(range(len(shards)), key=sizes.__getitem__)
            read = len(concatenate([index_shard(shards[largest])]))
            return ImageCount(round(read * sum(sizes) / sizes[largest]), None, exact=len(shards) == 1)
    return ImageCount(len(index), index.image_size, exact=True)


def open_run_index(settings: Settings, shards: Sequence[Place], progress: Progress) -> Index:
    """The index of the run's data; made, and kept in the storage, where there is none yet. Needs Ray.

    What was passed over in the shards, and which of them are torn, is told every time.

    Raises:
        DataError: a shard is no tar, or there is no image in any of them.
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
    return index


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
