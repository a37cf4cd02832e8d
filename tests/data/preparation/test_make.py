"""Pieces as they are made."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.preparation import make
from dcgan_dist.data.preparation.encoding import ImageFormat
from dcgan_dist.data.preparation.make import Making, Part, make_pieces
from dcgan_dist.data.preparation.pieces import Made, read_table
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


def part(number: int, rows: Sequence[int]) -> Part:
    """A piece of samples whose keys are their rows."""
    zeros = np.zeros(len(rows), np.int64)
    key = pa.array([str(row) for row in rows], pa.large_string())
    offset = np.array(rows, np.int64)
    samples = Samples(key, zeros.astype(np.int32), offset, zeros, zeros.astype(np.int16), zeros.astype(np.int32))
    return Part(number, rows, samples)


def fetch(files: Sequence[Place], samples: Samples) -> Iterator[np.ndarray | bytes]:
    """Pixels of a brightness that is the row; row 7 is no picture."""
    for row in samples.offset.tolist():
        yield b"nothing" if row == 7 else np.full((9, 12, 3), row, np.uint8)


def making(folder: Path, fetched: make.Fetch = fetch) -> Making:
    form = ImageFormat(8, "resize", 3, "png", 90, 1_000, 1_000)
    return Making(Place(str(folder)), (Place("nowhere"),), fetched, None, form, seed=5, holdout=0.0, held_out=1)


def test_each_piece_has_its_own_samples_and_tells_of_bad_ones(tmp_path: Path) -> None:
    parts = [part(4, [6, 7, 8]), part(5, [9, 10]), part(9, [40])]
    assert list(make_pieces(making(tmp_path), parts)) == [(2, 1), (2, 0), (1, 0)]
    rows = {one.number: sorted(read_table(Place(str(tmp_path)), one.number).columns["row"].tolist()) for one in parts}
    assert rows == {4: [6, 7, 8], 5: [9, 10], 9: [40]}


def test_a_piece_is_written_while_the_next_one_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    next_one = threading.Event()
    waited: list[bool] = []

    def fetched(files: Sequence[Place], samples: Samples) -> Iterator[np.ndarray | bytes]:
        for row, picture in zip(samples.offset.tolist(), fetch(files, samples), strict=True):
            if row == 2:
                next_one.set()
            yield picture

    def write(folder: Place, number: int, made: Sequence[Made]) -> None:
        waited.append(next_one.wait(20))

    monkeypatch.setattr(make, "write_piece", write)
    assert list(make_pieces(making(tmp_path, fetched), [part(0, [1]), part(1, [2])])) == [(1, 0), (1, 0)]
    assert waited == [True, True]


@pytest.mark.parametrize("full_at", [0, 1, 2])
def test_a_piece_that_cannot_be_written_ends_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_at: int
) -> None:
    written: list[int] = []

    def write(folder: Place, number: int, made: Sequence[Made]) -> None:
        if number == full_at:
            raise DataError("no space")
        written.append(number)

    monkeypatch.setattr(make, "write_piece", write)
    told = make_pieces(making(tmp_path), [part(0, [1]), part(1, [2]), part(2, [3])])
    assert [next(told) for _ in range(full_at)] == [(1, 0)] * full_at
    with pytest.raises(DataError, match="no space"):
        next(told)
    assert written == list(range(full_at))
