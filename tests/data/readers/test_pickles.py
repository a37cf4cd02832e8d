import collections
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.readers.pickles import Array, BadPickle, load

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 7), np.uint8)


class Call:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_words_and_numbers_are_read(protocol: int) -> None:
    held = load(pickle.dumps({"a": PIXELS, "b": [1, 300, 70_000, -1], "c": "één", "d": None}, protocol))
    assert isinstance(held, dict)
    array = held.pop("a")
    assert isinstance(array, Array)
    assert array.uint8().dtype == np.uint8
    assert np.array_equal(array.uint8(), PIXELS)
    assert held == {"b": [1, 300, 70_000, -1], "c": "één", "d": None}


@pytest.mark.parametrize(
    "array",
    [PIXELS.astype(np.int8), PIXELS.astype(np.uint16), PIXELS.T, np.array([None, 1], object), np.float32(PIXELS)],
)
def test_other_arrays_are_refused_when_they_are_asked_for(array: np.ndarray) -> None:
    held = load(pickle.dumps(array, 2))
    assert isinstance(held, Array)
    with pytest.raises(BadPickle, match="an array that is not of bytes"):
        held.uint8()


@pytest.mark.parametrize("shape", [(5, 8), (5, 6), (-5, -7), (10**12,), ("5", 7), (35.0,)])
def test_a_shape_that_the_values_do_not_fill_is_refused(shape: tuple[object, ...]) -> None:
    array = Array()
    dtype = load(pickle.dumps(np.dtype("u1"), 2))
    array.__setstate__((1, (5, 7), dtype, False, PIXELS.tobytes()))
    assert np.array_equal(array.uint8(), PIXELS)
    array.__setstate__((1, shape, dtype, False, PIXELS.tobytes()))
    with pytest.raises(BadPickle, match="not whole"):
        array.uint8()


@pytest.mark.parametrize(
    ("held", "name"),
    [
        (Call(os.system, "touch ran"), "posix.system"),
        (Call(eval, "open('ran', 'w')"), "(builtins|__builtin__).eval"),
        (Call(getattr, "", "join"), "(builtins|__builtin__).getattr"),
        (Call(np.load, "ran"), "numpy.load"),
        (Call(np.fromfile, "ran"), "numpy.fromfile"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (np.float64(1), "numpy._core.multiarray.scalar"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_calls_anything_else_is_refused_and_not_run(
    held: object, name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadPickle, match=f"asks for {name}, which no array of NumPy needs"):
        load(pickle.dumps({"data": held}, protocol))
    assert list(tmp_path.iterdir()) == []


def test_allowed_names_are_not_called_either() -> None:
    # numpy.ndarray((200, 200)), which would be an array.
    assert isinstance(load(b"\x80\x02cnumpy\nndarray\nK\xc8K\xc8\x86\x85R."), Array)


def test_parts_of_allowed_names_are_no_way_out() -> None:
    with pytest.raises(BadPickle, match=r"asks for numpy\.ndarray\.__class__"):
        load(b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.")


@pytest.mark.parametrize("name", [b"numpy\nndarray", b"numpy\ndtype", b"_codecs\nencode"])
def test_a_pickle_changes_nothing_that_the_next_one_meets(name: bytes) -> None:
    # The state of a class itself, as attributes: (None, {"uint8": 1, "__setstate__": 1}).
    state = b"N}(X\x05\x00\x00\x00uint8K\x01X\x0c\x00\x00\x00__setstate__K\x01u\x86"
    with pytest.raises(BadPickle):
        load(b"\x80\x02c" + name + b"\n" + state + b"b.")
    assert np.array_equal(load(pickle.dumps(PIXELS, 2)).uint8(), PIXELS)  # type: ignore[attr-defined]


def test_only_bytes_are_encoded() -> None:
    with pytest.raises(BadPickle, match="encodes something that is not bytes"):
        load(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".", id="a memo of 64 GB"),
        pytest.param(b"\x80\x02" + b"}" * 300_000 + b".", id="300,000 dictionaries"),
    ],
)
def test_bombs_are_not_run(data: bytes) -> None:
    with pytest.raises(BadPickle, match="much longer than a batch"):
        load(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"hello",
        b"\x80\x02.",
        b"\x80\x02(K\x01u.",
        b"\x80\x02}]K\x01s.",
        b"\x80\x02Q.",
        b"\x80\x02\x82\x05.",
        b"\x80\x02T" + struct.pack("<i", -1) + b".",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.",
        pickle.dumps({"data": PIXELS}, 2)[:-20],
    ],
)
def test_what_is_no_pickle_is_said(data: bytes) -> None:
    with pytest.raises(BadPickle, match="not a whole pickle"):
        load(data)
