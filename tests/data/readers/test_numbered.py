import numpy as np

from dcgan_dist.data.readers.numbered import Part, by_file, tabulate
from dcgan_dist.data.readers.source import Samples


def numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def table() -> Samples:
    return tabulate(
        [
            Part(1, 0, numbers(4, 5), np.array([7, 8], np.int32)),
            Part(0, 2, numbers(0), np.array([3], np.int32)),
            Part(1, 1, numbers(10, 11, 12), np.array([1, 2, -1], np.int32)),
            Part(0, 3, numbers(), np.array([], np.int32)),
        ],
        ("train", "test"),
        12,
    )


def test_each_split_is_numbered_across_its_parts() -> None:
    samples = table()
    assert samples.key.to_pylist() == [
        "test/000000",
        "test/000001",
        "train/000000",
        "test/000002",
        "test/000003",
        "test/000004",
    ]
    assert samples.split.tolist() == [1, 1, 0, 1, 1, 1]
    assert samples.file.tolist() == [0, 0, 2, 1, 1, 1]
    assert samples.offset.tolist() == [4, 5, 0, 10, 11, 12]
    assert samples.label.tolist() == [7, 8, 3, 1, 2, -1]
    assert samples.size.tolist() == [12] * 6
    kinds = [str(column.dtype) for column in (samples.file, samples.offset, samples.size, samples.split, samples.label)]
    assert kinds == ["int32", "int64", "int64", "int16", "int32"]
    assert str(samples.key.type) == "large_string"


def test_samples_come_in_runs_of_a_file() -> None:
    rows = np.array([0, 3, 4, 2])
    runs = [(file, some.key.to_pylist()) for file, some in by_file(table().take(rows))]
    assert runs == [(0, ["test/000000"]), (1, ["test/000002", "test/000003"]), (2, ["train/000000"])]
    assert list(by_file(table().take(rows[:0]))) == []
