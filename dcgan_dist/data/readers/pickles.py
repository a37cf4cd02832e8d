"""Lists, words and arrays of bytes from a pickle that is not trusted: nothing that it names is ever called.

A pickle is a program, which can call anything. The five names that an array of NumPy is pickled with stand for classes
of this module, which only keep what they are given; any other name is refused. What a short program could fill the
memory with is refused before it runs.
"""

import io
import math
import pickle
import pickletools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# A batch of 10,000 labels and file names has about 50,000 with their memo. A hundred bytes of memory each are no harm.
_MOST_OPCODES = 200_000


class BadPickle(Exception):
    """It is none, is not whole, or does more than to hold data; the text says why."""


class Array:
    """An array of NumPy as it is pickled."""

    def __init__(self, *_: object) -> None:
        self._state: object = None

    def __setstate__(self, state: object) -> None:
        self._state = state

    def uint8(self) -> NDArray[np.uint8]:
        """Its values, uint8 in its shape; raises `BadPickle` where they are of another type, or too few."""
        match self._state:
            case (int(), tuple(shape), _Dtype(name="u1" | "|u1"), False | 0, bytes() | str() as data):
                # Python 2 had one type for bytes and text.
                values = data.encode("latin-1") if isinstance(data, str) else data
                if all(isinstance(n, int) and n >= 0 for n in shape) and math.prod(shape) == len(values):
                    return np.frombuffer(values, np.uint8).reshape(shape)
        raise BadPickle("it has an array that is not of bytes in C order, or not whole")


class _Dtype:
    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Byte order and fields, of which single bytes have none."""


class _Encoded:
    """How Python 3 writes bytes for Python 2: as text of as many characters."""

    def __new__(cls, text: object = None, encoding: object = None, *_: object) -> "_Encoded":
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise BadPickle("it encodes something that is not bytes")
        return text.encode("latin-1")  # type: ignore[return-value]

    def __setstate__(self, state: object) -> None:
        """Without this method a pickle could set attributes of the class."""


_KNOWN: Mapping[tuple[str, str], type] = {
    ("numpy.core.multiarray", "_reconstruct"): Array,
    ("numpy._core.multiarray", "_reconstruct"): Array,
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encoded,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        known = _KNOWN.get((module, name))
        if known is None:
            raise BadPickle(f"it asks for {module}.{name}, which no array of NumPy needs")
        return known


def load(data: bytes) -> object:
    """What a pickle holds, of any protocol, with an `Array` for each array; text of Python 2 as latin-1.

    Raises:
        BadPickle: see there.
    """
    try:
        _check(data)
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except BadPickle:
        raise
    except Exception as error:
        # On damaged files it lets through whatever the opcodes run into: IndexError, KeyError, TypeError, ...
        reason = str(error).partition("\n")[0][:100] or type(error).__name__
        raise BadPickle(f"it is not a whole pickle ({reason})") from error


def _check(data: bytes) -> None:
    """See that it is no bomb: the memory that the unpickler takes depends on opcodes and on places in its memo."""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if number > _MOST_OPCODES or ("PUT" in opcode.name and isinstance(argument, int) and argument > _MOST_OPCODES):
            raise BadPickle("it is much longer than a batch of CIFAR-10")
