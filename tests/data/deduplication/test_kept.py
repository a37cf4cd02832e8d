"""Shards of what is kept have an index in the order of the old shards, in whatever order they were written."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_dist.data import keep_list
from dcgan_dist.data.deduplication.kept import write_kept_shards
from dcgan_dist.data.preparation.processes import ThisProcess
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place
from tests.data.deduplication.works import begun, pictures, shards


class Backwards(ThisProcess):
    """The call that was begun last ends first."""

    def each(self, function: Callable[..., Any], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        return super().each(function, common, list(arguments)[::-1])


def test_each_new_shard_has_its_place(tmp_path: Path) -> None:
    images = pictures(7)
    shards(tmp_path / "data", images, per_shard=3)
    work = begun(tmp_path / "data", tmp_path / "out", write_shards=str(tmp_path / "kept"))
    instead = np.array([0, 1, 0, 1, 1, 5, 6])
    keep_list.write(work.asked.out / "keep.parquet", work.images.index, instead)
    write_kept_shards(work, Backwards())
    index = Index.load(Place(str(tmp_path / "kept")))
    assert [Place(shard).name for shard in index.shards] == [f"train-{i:06d}.tar" for i in range(3)]
    found = [
        Place(index.shards[shard]).read_range(offset, size)
        for shard, offset, size in zip(index.shard.tolist(), index.offset.tolist(), index.size.tolist(), strict=True)
    ]
    assert found == [images[row] for row in (0, 1, 5, 6)]
