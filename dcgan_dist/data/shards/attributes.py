"""What is known of images beside their class: named columns with one value an image, as in the 40 of CelebA."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.errors import DataError

Value = int | float | str
Column = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.str_]
Columns = Mapping[str, Column]
"""By name. An attribute that is known of one image is known of all: there is no value that means "missing"."""

_KINDS = {"": "missing", "i": "a whole number", "f": "a number", "U": "text"}


def columns(rows: Sequence[Mapping[str, Value]]) -> dict[str, Column]:
    """Columns from what is known of each image.

    Raises `ValueError` where images differ in which attributes they have, or in which are words and which numbers,
    where a name cannot be printed, or where a column would hold another value than the one that was given.
    """
    names = tuple(rows[0]) if rows else ()
    for number, row in enumerate(rows):
        if row.keys() != set(names):
            raise ValueError(f"image {number} has the attributes {sorted(row)}, but image 0 has {sorted(names)}")
    found = {}
    for name in names:
        values = [row[name] for row in rows]
        if not name.isprintable() or len({isinstance(value, str) for value in values}) > 1:
            raise ValueError(
                f"attribute {name!r} cannot be printed, or is a word for some images and a number for others"
            )
        found[name] = typed(name, np.asarray(values))
        # NumPy makes floats of large numbers beside small ones, and drops NUL at the end of words.
        for value, kept in zip(values, found[name].tolist(), strict=True):
            if kept != value and not (isinstance(kept, float) and math.isnan(kept)):
                raise ValueError(f"attribute {name!r} is {value!r} for an image, which would be kept as {kept!r}")
    return found


def typed(name: str, values: NDArray[np.generic]) -> Column:
    """A column as int64, float64 or str; raises `ValueError` where its values are of another kind, or too large."""
    if values.dtype.kind in "biu":
        whole = values.astype(np.int64, copy=False)
        if values.dtype.kind == "u" and (whole < 0).any():
            raise ValueError(f"attribute {name!r} has numbers of 2**63 and more, which int64 does not hold")
        return whole
    if values.dtype.kind == "f":
        return values.astype(np.float64, copy=False)
    if values.dtype.kind == "U":
        return values.astype(np.str_, copy=False)
    raise ValueError(f"attribute {name!r} is of dtype {values.dtype}, which is neither a number nor text")


def joined(parts: Sequence[tuple[str, Columns]]) -> dict[str, Column]:
    """Columns of several parts of a data set, one after the other.

    Args:
        parts: address, for messages, and columns of each.

    Raises:
        DataError: parts differ in which attributes they have, or of which kind these are.
    """
    kinds = [{name: column.dtype.kind for name, column in part.items()} for _, part in parts]
    for (address, _), found in zip(parts, kinds, strict=True):
        for name, _ in sorted(found.items() ^ kinds[0].items()):
            here, first = _KINDS[found.get(name, "")], _KINDS[kinds[0].get(name, "")]
            raise DataError(f"attribute {name!r} is {here} in {address} but {first} in {parts[0][0]}: use them apart")
    return {
        name: typed(name, np.concatenate([part[name] for _, part in parts])) for name in (kinds[0] if kinds else ())
    }
