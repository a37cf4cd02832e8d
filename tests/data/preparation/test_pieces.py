"""Images that wait for their shards."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.preparation import pieces
from dcgan_dist.data.preparation.pieces import Made, cut, order_of, read_table, together, write_piece
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


def samples(file: list[int], offset: list[int], size: int = 10) -> Samples:
    number = len(file)
    return Samples(
        pa.array([str(i) for i in range(number)], pa.large_string()),
        np.array(file, np.int32),
        np.array(offset, np.int64),
        np.full(number, size, np.int64),
        np.zeros(number, np.int16),
        np.zeros(number, np.int32),
    )


def test_a_source_is_cut_in_its_own_order_into_parts_of_equal_number() -> None:
    units = cut(samples([1] * 50 + [0] * 50, list(range(50, 0, -1)) * 2), streamed=False, size=64)
    rows = [part.tolist() for unit in units for part in unit]
    assert [len(part) for part in rows] == [32, 32, 32, 4]
    assert all(len(unit) == 1 for unit in units)
    assert [row for part in rows for row in part] == [*range(99, 49, -1), *range(49, -1, -1)]


@pytest.mark.parametrize(("number", "most"), [(1, 1), (31, 31), (2_048, 32), (6_400, 100), (1_000_000, 8_192)])
def test_there_are_some_64_pieces_unless_they_would_be_too_small_or_too_large(number: int, most: int) -> None:
    units = cut(samples([0] * number, list(range(number))), streamed=False, size=64)
    sizes = [len(part) for unit in units for part in unit]
    assert sum(sizes) == number
    assert set(sizes[:-1]) | {max(sizes)} == {most}


def test_pictures_of_a_piece_fit_into_memory_and_one_that_does_not_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_MOST_BYTES", 100)
    some = samples([0] * 30, list(range(30)), size=30)
    some.size[4] = 1_000
    sizes = [some.size[part].tolist() for unit in cut(some, streamed=False, size=1) for part in unit]
    assert sizes[:3] == [[30] * 3, [30], [1_000]]
    assert all(sum(part) <= 100 or len(part) == 1 for part in sizes)
    assert sum(map(len, sizes)) == 30


def test_large_images_make_smaller_pieces() -> None:
    units = cut(samples([0] * 200_000, list(range(200_000))), streamed=False, size=256)
    assert [len(part) for unit in units for part in unit][:2] == [1_365, 1_365]


@pytest.mark.parametrize(
    ("number", "processes", "pieces_of_units"),
    [
        (31 * 32, 2, [1] * 31),
        (32 * 32, 2, [2] * 16),
        (2_047, 2, [4] * 16),
        (2_047, 5, [1] * 64),
        (66 * 8_192, 2, [4] * 16 + [2]),
        (66 * 8_192, 64, [1] * 66),
    ],
)
def test_a_process_makes_some_neighbors_together_where_there_are_enough_for_all(
    number: int, processes: int, pieces_of_units: list[int]
) -> None:
    units = together(cut(samples([0] * number, list(range(number))), streamed=False, size=64), processes)
    assert [len(unit) for unit in units] == pieces_of_units
    assert np.array_equal(np.concatenate([part for unit in units for part in unit]), np.arange(number))


def test_files_that_are_streamed_are_units_of_some_pieces() -> None:
    units = cut(samples([2] * 70 + [0] * 40 + [1], list(range(111))), streamed=True, size=64)
    assert [[len(part) for part in unit] for unit in units] == [[32, 8], [1], [32, 32, 6]]


def test_the_order_is_that_of_a_checksum() -> None:
    digest = hashlib.sha256("5/küche/1.jpg".encode()).hexdigest()
    assert order_of(5, "küche/1.jpg") == int(digest[:16], 16)


def test_a_piece_keeps_what_became_of_pictures(tmp_path: Path) -> None:
    folder = Place(str(tmp_path / "pieces"))
    digest = hashlib.sha256(b"x").digest()
    write_piece(
        folder,
        3,
        [
            Made(7, 2**63 + 5, 1, 4, digest, b"late", "webp", b"{}"),
            Made(8, 9, 1, -1, digest, reason="is empty"),
            Made(9, 2**63 + 6, 0, 2**31 - 1, digest, b"early!", "jpg", b'{"a": 1}'),
        ],
    )
    table = read_table(folder, 3)
    columns = {name: column.tolist() for name, column in table.columns.items()}
    assert (columns["row"], columns["split"], columns["label"]) == ([9, 8, 7], [0, 1, 1], [2**31 - 1, -1, 4])
    assert columns["order"] == [2**63 + 6, 9, 2**63 + 5]
    assert {(a << 64 | b) for a, b in zip(columns["digest"], columns["digest_low"], strict=True)} == {
        int.from_bytes(digest[:16], "big")
    }
    assert table.reasons == {1: "is empty"}
    data = (tmp_path / "pieces" / "000003.images").read_bytes()
    assert data == b'early!{"a": 1}late{}'
    assert (columns["offset"], columns["image_bytes"], columns["meta_bytes"]) == ([0, 14, 14], [6, 0, 4], [8, 0, 2])
    assert columns["suffix"] == [0, 0, 5]


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0torn"])
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "000000.table").write_bytes(content)
    with pytest.raises(DataError, match=r"000000\.table is damaged .*: delete it, and call the command again"):
        read_table(Place(str(tmp_path)), 0)
