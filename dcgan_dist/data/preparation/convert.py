"""The work itself: from the pictures of a source to shards, a contact sheet and an index."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

import numpy as np

from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.preparation.processes import make_jpegs
from dcgan_dist.data.preparation.progress import watched
from dcgan_dist.data.preparation.record import Record, split_of_shard
from dcgan_dist.data.preparation.work import Work
from dcgan_dist.data.readers.source import Item
from dcgan_dist.data.shards.attributes import columns
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

SHEET_FILE = "contact-sheet.png"


def convert(work: Work) -> tuple[Index, Record]:
    """Write the shards that are missing, the contact sheet and the index.

    Returns:
        The index of all splits, and the record of all that was done.

    Raises:
        DataError: no picture of a split can be used, or the source or the target fails.
    """
    record = work.record if work.record.is_complete else _write_shards(work)
    _require_images(work, record)
    bad = dict(record.bad)
    attributes = columns([item.attributes for item in work.items if item.key not in bad])
    bounds = pairwise(accumulate((images for _, _, images in record.shards), initial=0))
    parts = [
        replace(
            index_shard(work.target / file),
            sha256=digest,
            attributes={name: column[first:last] for name, column in attributes.items()},
        )
        for (file, digest, _), (first, last) in zip(record.shards, bounds, strict=True)
    ]
    index = concatenate(parts, classes=work.classes, image_size=work.options.size)
    _draw_sheet(index, work.target, work.options.size)
    index.save(work.target)
    return index, record


def _require_images(work: Work, record: Record) -> None:
    """Raise `DataError` where a split has no image at all."""
    for split in work.splits:
        if not any(split_of_shard(file) == split for file, _, _ in record.shards):
            keys = {item.key for item in work.items if item.split == split}
            key, reason = next(pair for pair in record.bad if pair[0] in keys)
            of = f" of {split}" if len(work.splits) > 1 else ""
            raise DataError(
                f"none of {count(len(keys), 'picture')}{of} in {work.source} can be used, for example {key}: {reason}"
            )


def _write_shards(work: Work) -> Record:
    """Convert what is left and write it; the record is brought up to date after each shard."""
    record, options = work.record, work.options
    left = work.items[record.done :]
    bad = list(record.bad)

    def begin_split(split: str) -> ShardWriter:
        there = [images for file, _, images in record.shards if split_of_shard(file) == split]
        return ShardWriter(work.target, split, options.images_per_shard, first_shard=len(there), first_image=sum(there))

    def save(done: int) -> Record:
        shards = tuple((Place(shard.shard).name, shard.sha256, len(shard)) for shard in writer.written)
        now = replace(record, done=done, shards=record.shards + shards, bad=tuple(bad))
        now.save(work.target)
        return now

    writer = begin_split(left[0].split)
    results = watched(make_jpegs(left, options), "converted", len(work.items), record.done)
    for number, (item, result) in enumerate(zip(left, results, strict=True), record.done):
        if item.split != writer.split:
            writer.flush()
            record = save(number)
            writer = begin_split(item.split)
        if isinstance(result, str):
            bad.append((item.key, result))
            continue
        complete = len(writer.written)
        writer.add(result, label=item.label, meta=_meta(item, work.classes))
        if len(writer.written) > complete:
            save(number)  # all pictures before this one are in complete shards, or bad
    writer.flush()
    return save(len(work.items))


def _meta(item: Item, classes: Sequence[str] | None) -> dict[str, object]:
    """What `KEY.json` says of a picture."""
    meta: dict[str, object] = {"source": item.key}
    if item.label is not None and classes:
        # The name lets shards that were parted from their dataset.json tell what their numbers mean.
        meta["class"] = classes[item.label]
    if item.attributes:
        meta["attributes"] = dict(item.attributes)
    return meta


def _draw_sheet(index: Index, target: Place, size: int) -> None:
    """The first hundred images, which are a random choice, as a picture to look at."""
    # Brings torch with it, which the processes that decode must not load.
    from dcgan_dist.model.pixels import grid, png

    images = np.zeros((min(len(index), 100), size, size, 3), np.uint8)
    for i, image in enumerate(images):
        shard = Place(index.shards[index.shard[i]])
        data = shard.read_range(int(index.offset[i]), int(index.size[i]))
        decode(data, image, fit="resize", max_pixels=size * size)
    (target / SHEET_FILE).write_bytes(png(grid(images)))
