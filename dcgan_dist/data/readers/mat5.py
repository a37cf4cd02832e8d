"""Arrays of numbers in MATLAB's files of version 5, read on rather than loaded: SVHN's extra set has 1.6 GB of pixels.

SciPy's `loadmat` holds an array as a whole. What is needed of the format is little: after a header of 128 bytes come
elements of a type and a size, each of which is one variable, most often compressed ("MAT-File Format", MathWorks,
"Level 5 MAT-File Format").
"""

import io
import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.readers.published import what_else
from dcgan_dist.data.readers.stream import MOST_INFLATED, blocks, inflated, skip, stream
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

_HEADER = 128
_LITTLE_ENDIAN_5 = b"\x00\x01IM"
_HDF5 = b"\x00\x02IM"

# Types of elements: a variable, and one that is compressed.
_MATRIX, _COMPRESSED = 14, 15

# How the values of an array are stored, whatever class it has in MATLAB.
_STORED = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}

# Classes in MATLAB: double, single, and integers of 8 to 64 bits.
_NUMERIC = range(6, 16)

_MOST_VARIABLES = 100
_LONGEST_HEADER = 4096


@dataclass(frozen=True)
class Variable:
    """Where an array of numbers is.

    Attributes:
        file: that it is in.
        shape: as in MATLAB; the first axis varies fastest.
        dtype: of its values as they are stored.
        begin: first byte of its element in the file.
        end: first byte behind that.
        compressed: whether what lies between these is compressed.
        ahead: bytes before the values in the element, once that is inflated.
    """

    file: Place
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    begin: int
    end: int
    compressed: bool
    ahead: int

    def open(self, offset: int = 0) -> io.BufferedReader:
        """Its values from a byte on, to be read on; what was compressed is inflated from the beginning for that.

        Raises `DataError` where the file cannot be read, or where that is found to be damaged.
        """
        if not self.compressed:
            return stream(blocks(self.file, self.begin + self.ahead + offset, self.end))
        values = stream(inflated(self.file, self.begin, self.end))
        skip(values, self.ahead + offset)
        return values

    def load(self) -> NDArray[np.generic]:
        """All its values, in the order in which they are stored; as `open`."""
        size = math.prod(self.shape) * self.dtype.itemsize
        data = self.open().read(size)
        if len(data) < size:
            raise DataError(f"{self.file} ends in the middle of a variable: copy or download it again")
        return np.frombuffer(data, self.dtype)


def variables(file: Place) -> dict[str, Variable]:
    """The arrays of numbers in a file by their names; of their values none is read.

    Raises:
        DataError: the file cannot be read, is of another format, or is not whole.
    """
    header, length = file.read_range(0, _HEADER), file.info().size
    if header[124:] != _LITTLE_ENDIAN_5:
        reason = what_else(header) or "it does not begin as one: download it again"
        if header[124:] == _HDF5:
            reason = "it is of version 7.3, which is HDF5: save it with -v7"
        raise DataError(f"{file} is no MATLAB file of version 5: {reason}")
    found: dict[str, Variable] = {}
    at = _HEADER
    for _ in range(_MOST_VARIABLES):
        if at == length:
            return found
        tag = file.read_range(at, 8)
        kind, size = struct.unpack("<II", tag) if len(tag) == 8 else (0, length)
        begin, end = at + 8, at + 8 + size
        if end > length:
            raise DataError(f"{file} ends at byte {length:,} in the middle of a variable: copy or download it again")
        if kind in (_MATRIX, _COMPRESSED):
            try:
                named = _variable(file, begin, end, kind == _COMPRESSED)
            except (_Damaged, struct.error) as error:
                raise DataError(
                    f"{file} has a damaged variable at byte {at:,} ({error}): copy or download it again"
                ) from error
            if named is not None:
                if named[0] in found:
                    raise DataError(f"{file} has two variables {named[0]}: copy or download it again")
                found[named[0]] = named[1]
        at = end
    raise DataError(f"{file} has more than {_MOST_VARIABLES} variables, which nobody publishes pictures as")


class _Damaged(Exception):
    """What is written there cannot be."""


def _variable(file: Place, begin: int, end: int, compressed: bool) -> tuple[str, Variable] | None:
    """Name and array of the element at `begin`; None for one that is no array of numbers."""
    header = _Header(stream(inflated(file, begin, end) if compressed else blocks(file, begin, end)))
    if compressed and header.numbers(2)[0] != _MATRIX:
        return None
    flags = header.part("<I")
    if len(flags) < 2 or flags[0] & 0xFF not in _NUMERIC:
        return None
    shape = header.part("<i")
    name = bytes(header.part("B")).decode("ascii", "backslashreplace")
    stored, size, _ = header.tag()
    if stored not in _STORED or flags[0] & 0x0800:  # complex numbers
        return None
    dtype = np.dtype(_STORED[stored])
    if len(shape) < 2 or min(shape) < 0 or math.prod(shape) * dtype.itemsize != size:
        raise _Damaged(f"its shape is {shape}, but it has {size:,} bytes")
    if size > (end - begin) * (MOST_INFLATED if compressed else 1):
        raise _Damaged(f"it declares {size:,} bytes, which do not fit into {end - begin:,}")
    return name, Variable(file, shape, dtype, begin, end, compressed, header.read)


class _Header:
    """The parts of a variable before its values; each has a tag of its own, and is filled up to 8 bytes."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.read = 0

    def numbers(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self._bytes(4 * count))

    def tag(self) -> tuple[int, int, bool]:
        """Type and bytes of a part, and whether it is a small one, which has at most 4 bytes right in its tag."""
        (first,) = self.numbers(1)
        if first >> 16:
            return first & 0xFFFF, first >> 16, True
        return first, self.numbers(1)[0], False

    def part(self, number: str) -> tuple[int, ...]:
        """The numbers of a part, of a type as in `struct`."""
        _, size, small = self.tag()
        data = self._bytes(4 if small else -(-size // 8) * 8)[:size]
        return tuple(value for (value,) in struct.iter_unpack(number, data))

    def _bytes(self, size: int) -> bytes:
        self.read += size
        if self.read > _LONGEST_HEADER:
            raise _Damaged("its header is longer than any")
        data = self._file.read(size)
        if len(data) < size:
            raise _Damaged("it ends in its header")
        return data
