"""The table of leaks names the samples of both sides as their shards have them."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from dcgan_dist.data.deduplication.leaks import write_leaks
from dcgan_dist.data.deduplication.pairs import Pairs
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place


def index(folder: str, images: list[int]) -> Index:
    """Shards of so many images each."""
    number, shards = sum(images), tuple(f"/{folder}/{folder}-{i}.tar" for i in range(len(images)))
    zeros = np.zeros(number, np.int64)
    shard = np.repeat(np.arange(len(images), dtype=np.int32), images)
    return Index(shards, (1,) * len(images), shard, zeros, zeros, zeros.astype(np.int32))


def leaked(pairs: list[tuple[int, int, float]]) -> Pairs:
    query, table, difference = (np.array([pair[i] for pair in pairs]) for i in range(3))
    none = np.zeros(len(pairs), np.uint8)
    return Pairs(
        query.astype(np.int64), table.astype(np.int64), none, difference.astype(np.float32), np.zeros(40, int), 0, 0, 0
    )


def test_rows_are_counted_in_each_shard_also_after_an_empty_one(tmp_path: Path) -> None:
    file = Place(str(tmp_path / "leaks.parquet"))
    pairs = leaked([(0, 4, 0.5), (2, 5, 0.25), (3, 0, 0.0), (3, 8, 0.125)])
    write_leaks(file, pairs, index("test", [3, 0, 2]), index("train", [5, 4]))
    assert [tuple(row.values()) for row in pq.read_table(file.address).to_pylist()] == [
        ("test-0.tar", 0, "train-0.tar", 4, 0.5),
        ("test-0.tar", 2, "train-1.tar", 0, 0.25),
        ("test-2.tar", 0, "train-0.tar", 0, 0.0),
        ("test-2.tar", 0, "train-1.tar", 3, 0.125),
    ]
    assert pq.read_schema(file.address).names == ["shard", "row", "of_shard", "of_row", "difference"]


def test_no_leak_is_a_table_without_rows(tmp_path: Path) -> None:
    file = Place(str(tmp_path / "leaks.parquet"))
    write_leaks(file, leaked([]), index("test", [3]), index("train", [5]))
    assert pq.read_table(file.address).num_rows == 0
