"""Arrays in MATLAB's files, against SciPy's reader."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from dcgan_dist.data.readers import stream
from dcgan_dist.data.readers.mat5 import variables
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

RANDOM = np.random.default_rng(9)
HELD = {
    "X": RANDOM.integers(0, 256, (4, 3, 2, 50), np.uint8),
    "y": RANDOM.integers(1, 11, (50, 1), np.uint8),
    "a_longer_name": RANDOM.normal(size=(3, 5)),
    "i": np.array([[-3, 70_000]], np.int32),
    "h": np.array([[7, 8, 9]], np.int16),
    "l": np.array([[-5]], np.int64),
    "u": np.array([[2**63]], np.uint64),
    "f": np.array([[0.5]], np.float32),
    "none": np.zeros((0, 3)),
}
OTHER = {"text": "some words", "cell": np.array([1, "a"], object), "z": np.array([[1j]]), "record": {"a": 1}}


def put(folder: Path, data: bytes) -> Place:
    (folder / "x.mat").write_bytes(data)
    return Place(str(folder / "x.mat"))


def saved(held: dict[str, object], compressed: bool = True) -> bytes:
    file = io.BytesIO()
    savemat(file, held, do_compression=compressed)
    return file.getvalue()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BLOCK", 300)


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_are_those_that_scipy_reads(compressed: bool, tmp_path: Path) -> None:
    file = put(tmp_path, saved(HELD | OTHER, compressed))
    found, peer = variables(file), loadmat(str(file))
    assert found.keys() == HELD.keys()
    for name, variable in found.items():
        assert variable.shape == peer[name].shape
        values = variable.load()
        assert values.dtype == peer[name].dtype
        assert np.array_equal(values, peer[name].reshape(-1, order="F"))


@pytest.mark.parametrize("compressed", [True, False])
def test_values_are_read_on_from_any_byte(compressed: bool, tmp_path: Path) -> None:
    variable = variables(put(tmp_path, saved(HELD, compressed)))["X"]
    content = HELD["X"].tobytes(order="F")
    assert variable.open(401).read(500) == content[401:901]


def element(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body


def matrix(shape: tuple[int, ...], declared: int, values: bytes, kind: int = 9) -> bytes:
    """A variable X whose values are stored as bytes, of a class of MATLAB's that is uint8 or another."""
    dimensions = struct.pack(f"<II{len(shape)}i", 5, 4 * len(shape), *shape)
    parts = struct.pack("<IIII", 6, 8, kind, 0) + dimensions + bytes(-len(dimensions) % 8)
    return element(14, parts + struct.pack("<HH4sII", 1, 1, b"X", 2, declared) + values + bytes(-len(values) % 8))


def compressed(data: bytes) -> bytes:
    return element(15, zlib.compress(data))


HEADER = saved({})[:128]
WHOLE = saved(HELD)


def test_values_may_be_stored_smaller_than_they_are(tmp_path: Path) -> None:
    # A double array of whole numbers, as MATLAB writes it: in bytes.
    file = put(tmp_path, HEADER + compressed(matrix((2, 3), 6, bytes(range(6)), kind=6)))
    peer = loadmat(str(file))["X"]
    assert variables(file)["X"].load().tolist() == peer.reshape(-1, order="F").tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "no MATLAB file of version 5: it is empty"),
        (b"<!DOCTYPE html><html>" + b" " * 200, "it is a page of HTML"),
        (bytes(200), "it does not begin as one"),
        (HEADER[:100], "it does not begin as one"),
        (HEADER[:124] + b"\x00\x02IM", "it is of version 7.3, which is HDF5: save it with -v7"),
        (WHOLE[:-1], "in the middle of a variable"),
        (WHOLE[:500], "ends at byte 500 in the middle of a variable"),
        (HEADER + b"\x0f\0\0\0", "ends at byte 132 in the middle of a variable"),
        (HEADER + element(15, b"not zlib"), "is damaged"),
        (HEADER + element(15, zlib.compress(bytes(5))), "damaged variable at byte 128"),
        (HEADER + compressed(matrix((2, 3), 6, b"123456")[:20]), "it ends in its header"),
        (HEADER + compressed(matrix((2, 4), 6, b"123456")), r"its shape is (2, 4), but it has 6 bytes"),
        (HEADER + compressed(matrix((-2, -3), 6, b"123456")), r"its shape is (-2, -3)"),
        (HEADER + compressed(matrix((6,), 6, b"123456")), r"its shape is (6,)"),
        (HEADER + compressed(matrix((2**16, 2**15), 2**31, b"")), "declares 2,147,483,648 bytes, which do not fit"),
        (HEADER + matrix((2, 30), 60, b"123456"), "declares 60 bytes, which do not fit into 56"),
        (HEADER + compressed(matrix((1,) * 9_999, 1, b"1")), "its header is longer than any"),
        (HEADER + compressed(matrix((2, 3), 6, b"123456")) * 2, "two variables X"),
        (HEADER + element(1, b"") * 200, "more than 100 variables"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_files_are_refused(data: bytes, expected: str, tmp_path: Path) -> None:
    file = put(tmp_path, data)
    with pytest.raises(DataError) as caught:
        variables(file)
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)


def test_what_is_no_variable_is_passed_over(tmp_path: Path) -> None:
    file = put(
        tmp_path, HEADER + compressed(element(1, matrix((2, 3), 6, b"123456")[8:])) + element(2, b"123") + WHOLE[128:]
    )
    assert variables(file).keys() == HELD.keys()


def test_values_that_are_not_all_there_are_refused(tmp_path: Path) -> None:
    file = put(tmp_path, HEADER + compressed(matrix((2, 30), 60, b"123456")))
    variable = variables(file)["X"]
    assert variable.shape == (2, 30)
    with pytest.raises(DataError, match="ends in the middle of a variable"):
        variable.load()
