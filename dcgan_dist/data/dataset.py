"""From a data address to an index: draws the embedded data set at its first use, indexes foreign shards once.

Both are done by Ray tasks, a shard each, and kept in the run's storage, so that the next run starts at once.
"""

from collections.abc import Sequence
from typing import Any, Literal

import ray
import simplejpeg

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.shards import Index, ShardIndex, ShardWriter, concatenate, find_index, fingerprint, index_shard
from dcgan_dist.data.tasks import Progress, wait_for
from dcgan_dist.settings import Settings
from dcgan_dist.storage import MissingFile, Place, expand, place

EMBEDDED = "scenes"
"""The data address of the embedded data set."""
SCENES_SEED = 0
"""The embedded data set is the same for every seed of a run, as CIFAR-10 is."""
SCENES_VERSION = 1
"""Raised when the drawing changes, so that an old copy in a storage is not taken for the new set."""
SCENES_SHARD_IMAGES = 1_250
SCENES_JPEG_QUALITY = 95


def find_shards(settings: Settings) -> list[Place]:
    """Where the shards of the run lie, or will lie once they are drawn.

    Raises:
        DataError: nothing is there.
    """
    if settings.data.path == EMBEDDED:
        folder = scenes_folder(settings)
        shards = -(-settings.data.scenes_images // SCENES_SHARD_IMAGES)
        return [folder / f"{settings.data.scenes}-{number:06d}.tar" for number in range(shards)]
    return expand(settings.data.path)


def scenes_folder(settings: Settings) -> Place:
    """Where the embedded data set lies in the run's storage."""
    data, size = settings.data, settings.networks.image_size
    return place(settings.storage) / "data" / f"{data.scenes}-{size}px-{data.scenes_images}-v{SCENES_VERSION}"


def open_index(settings: Settings, shards: Sequence[Place], progress: Progress) -> Index:
    """The index of the run's data; made, and kept in the storage, where there is none yet. Needs Ray.

    Raises:
        DataError: a shard is no tar, or there is no image in any of them.
    """
    if settings.data.path == EMBEDDED:
        folder = scenes_folder(settings)
        try:
            return Index.load(folder)
        except MissingFile:
            return _draw_scenes(settings, folder, len(shards), progress)
    index = find_index(shards)
    if index is not None:
        return index
    folder = place(settings.storage) / "indexes" / fingerprint(shards)
    try:
        return Index.load(folder)
    except MissingFile:
        pass
    parts = _by_tasks("indexing shards", ray.remote(index_shard), [(shard,) for shard in shards], progress)
    for part in parts:
        if part.torn is not None:
            progress(part.torn, 0, 0)
    index = concatenate(parts)
    index.save(folder)
    return index


def _draw_scenes(settings: Settings, folder: Place, shards: int, progress: Progress) -> Index:
    data, size = settings.data, settings.networks.image_size
    bounds = [min(number * SCENES_SHARD_IMAGES, data.scenes_images) for number in range(shards + 1)]
    calls = [(folder, data.scenes, size, number, *bounds[number : number + 2]) for number in range(shards)]
    parts = _by_tasks(f"drawing {data.scenes_images:,} {data.scenes}", ray.remote(_draw_shard), calls, progress)
    index = concatenate(parts, image_size=size)
    index.save(folder)
    return index


def _draw_shard(
    folder: Place, kind: Literal["rooms", "faces"], size: int, number: int, first: int, last: int
) -> ShardIndex:
    """Draw scenes [first, last) into shard `number`; the truth about each is its `KEY.json`."""
    with ShardWriter(folder, kind, SCENES_SHARD_IMAGES, first_shard=number, first_image=first) as writer:
        for index in range(first, last):
            scene = draw(kind, size, SCENES_SEED, index)
            image = simplejpeg.encode_jpeg(scene.image, quality=SCENES_JPEG_QUALITY, colorsubsampling="444")
            writer.add(image, meta=dict(scene.truth))
    (shard,) = writer.written
    return shard


def _by_tasks(what: str, task: Any, calls: Sequence[tuple[Any, ...]], progress: Progress) -> list[ShardIndex]:
    """Results of a Ray task for each tuple of arguments, in order, while progress is told."""
    references = [task.remote(*call) for call in calls]
    wait_for(references, what, progress)
    results: list[ShardIndex] = ray.get(references)
    return results
