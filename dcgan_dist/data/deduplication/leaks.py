"""Which images of another data set have near copies in the data, as a table for other programs."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dcgan_dist.data.deduplication.pairs import Pairs
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place


def write_leaks(file: Place, leaked: Pairs, against: Index, data: Index) -> None:
    """Write a Parquet file with a row for each pair: `shard` and `row` (the sample's number in that shard) of the image
    in the other data set, `of_shard` and `of_row` of its copy in the data, and how much they differ.

    Args:
        file: where to.
        leaked: pairs that are duplicates, `query` in `against`, `table` in `data`.
        against, data: all images of both.

    Raises:
        DataError: the store fails.
    """
    columns: dict[str, pa.Array] = {}
    for prefix, rows, index in (("", leaked.query, against), ("of_", leaked.table, data)):
        first = np.append(0, np.cumsum(np.bincount(index.shard, minlength=len(index.shards))))
        shard = index.shard[rows]
        names = pa.array([Place(address).name for address in index.shards], pa.string())
        columns[f"{prefix}shard"] = pa.DictionaryArray.from_arrays(pa.array(shard, pa.int32()), names)
        columns[f"{prefix}row"] = pa.array(rows - first[shard], pa.int32())
    columns["difference"] = pa.array(leaked.difference, pa.float32())
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    file.write_bytes(content.getbuffer())
