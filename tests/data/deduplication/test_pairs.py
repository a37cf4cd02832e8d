"""Pairs of one search and of several, and files of them."""

import io

import numpy as np
import pytest

from dcgan_dist.data.deduplication.pairs import Pairs, edges_of, read_pairs
from dcgan_dist.data.deduplication.sealed_files import write_sealed
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

THRESHOLD = 0.5


def pairs(rows: list[tuple[int, int, float]], not_compared: int = 0) -> Pairs:
    """Query, table and difference of each."""
    query, table, difference = (np.array(column) for column in zip(*rows, strict=True))
    histogram = np.zeros(40, np.int64)
    histogram[3] = len(rows)
    return Pairs(
        query, table, np.full(len(rows), 2, np.uint8), difference.astype(np.float32), histogram, 10, not_compared, 1
    )


def rows(found: Pairs) -> list[tuple[int, int, float]]:
    columns = (found.query.tolist(), found.table.tolist(), found.difference.round(4).tolist())
    return list(zip(*columns, strict=True))


def test_a_pair_that_both_searches_have_found_is_there_once() -> None:
    first = pairs([(5, 1, 0.25), (2, 9, 0.5)], not_compared=3)
    second = pairs([(1, 5, 0.25), (9, 7, 0.125)], not_compared=4).swapped()
    assert rows(first.united(second)) == [(2, 9, 0.5), (5, 1, 0.25), (7, 9, 0.125)]
    assert first.united(second).not_compared == 7
    assert first.united(second).not_reported == 2
    assert first.united(second).candidates == 4


def test_pairs_with_the_same_thumbnail_are_among_the_candidates_and_differ_by_nothing() -> None:
    found = pairs([(4, 6, 0.25)]).with_same(np.array([3, 0]), np.array([8, 2]), THRESHOLD)
    assert rows(found) == [(0, 2, 0.0), (3, 8, 0.0), (4, 6, 0.25)]
    assert found.candidates == 3
    assert found.histogram[0] == 2
    assert found.distance.tolist() == [0, 0, 2]


@pytest.mark.parametrize(("threshold", "last"), [(0.5, 2.0), (None, 4.0)])
def test_the_threshold_is_an_edge_of_the_histogram(threshold: float | None, last: float) -> None:
    edges = edges_of(threshold)
    assert (len(edges), edges[0], edges[10], edges[-1]) == (41, 0, threshold or 1.0, last)


def test_a_damaged_file_of_pairs_is_refused(tmp_path: object) -> None:
    folder = Place(str(tmp_path))
    file = io.BytesIO()
    columns = {name: np.array([3]) for name in ("query", "table", "distance", "difference", "histogram")}
    np.savez(file, **columns, counts=np.array([1, 2, 3]))
    write_sealed(folder / "000003.npz", file.getvalue())
    assert rows(read_pairs(folder, [3])) == [(3, 3, 3)]
    # What a bit in the directory of the archive makes of it is an archive with a password, for NumPy.
    data = bytearray((folder / "000003.npz").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] ^= 1
    (folder / "000003.npz").write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"000003\.npz is damaged: delete it, and run the command again"):
        read_pairs(folder, [3])
