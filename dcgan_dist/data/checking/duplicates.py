"""Files that are the same byte for byte, by their digests."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Duplicates(NamedTuple):
    """Images that repeat another one.

    Attributes:
        copies: int64, the images that have an equal one before them, in the order of the data set.
        first: int64, of each the first that equals it.
    """

    copies: NDArray[np.int64]
    first: NDArray[np.int64]


def find_duplicates(digest: NDArray[np.uint64], known: NDArray[np.bool_]) -> Duplicates:
    """The images whose digest some image before them has.

    Args:
        digest: uint64 [n, 2].
        known: bool [n], which of the images have a digest.
    """
    rows = np.flatnonzero(known)
    # Stable, so that of equal ones the first in the data set is the first here.
    order = rows[np.lexsort((digest[rows, 1], digest[rows, 0]))]
    ordered = digest[order]
    begins = np.ones(len(order), bool)
    begins[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]] if len(order) else order
    copies, first = order[~begins], first[~begins]
    back = np.argsort(copies)
    return Duplicates(copies[back], first[back])
