"""Samples that are listed but not read yet."""

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Samples, Source
from dcgan_dist.storage import Place


def samples(number: int = 4, first: int = 0) -> Samples:
    rows = np.arange(first, first + number)
    return Samples(
        pa.array([f"key {row}" for row in rows], pa.large_string()),
        (rows % 2).astype(np.int32),
        rows * 100,
        rows + 7,
        (rows % 3).astype(np.int16),
        (rows - 1).astype(np.int32),
        {"age": rows * 1.5, "word": np.array(["x" * row for row in rows])},
    )


def values(found: Samples) -> list[tuple[object, ...]]:
    columns = (found.file, found.offset, found.size, found.split, found.label, *found.attributes.values())
    return list(zip(found.key.to_pylist(), *(column.tolist() for column in columns), strict=True))


def test_some_rows_in_another_order_are_samples_too() -> None:
    rows = values(samples())
    taken = samples().take(np.array([3, 0, 3]))
    assert values(taken) == [rows[3], rows[0], rows[3]]
    assert [column.dtype for column in (taken.file, taken.split, taken.label)] == [np.int32, np.int16, np.int32]
    assert values(pickle.loads(pickle.dumps(taken))) == values(taken)


def test_parts_are_put_together() -> None:
    assert values(Samples.concatenate([samples(3), samples(2, first=3)])) == values(samples(5))


def test_columns_have_one_length() -> None:
    some = samples()
    with pytest.raises(ValueError, match=r"columns of samples have different lengths: \[3, 4\]"):
        Samples(some.key, some.file, some.offset[:3], some.size, some.split, some.label)
    with pytest.raises(ValueError, match="different lengths"):
        Samples(some.key, some.file, some.offset, some.size, some.split, some.label, {"age": np.zeros(5)})


def test_the_witness_is_a_file_of_the_first_sample(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
    files = (Place(str(tmp_path / "a")), Place(str(tmp_path / "b")))
    of_files = Source("", files, samples(2, first=1), fetch_ranges, ("train",))
    assert of_files.witness == files[1]
    of_folder = Source("", (Place(str(tmp_path)),), samples(1), fetch_ranges, ("train",))
    assert of_folder.witness == Place(str(tmp_path / "key 0"))
