"""Samples whose pictures have no names of their own: they are numbered in the publisher's order, each split from 0."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dcgan_dist.data.readers.source import Samples

_DIGITS = 6


@dataclass(frozen=True)
class Part:
    """Samples of one split and one file, in the publisher's order: as in `Samples`, one number for all of them where
    that has a column."""

    split: int
    file: int
    offset: NDArray[np.int64]
    label: NDArray[np.int32]


def tabulate(parts: Sequence[Part], splits: Sequence[str], size: int) -> Samples:
    """All samples, with keys such as `train/000123`.

    Args:
        parts: at least one, in the publisher's order.
        splits: names of the splits.
        size: bytes of each picture.
    """
    numbers = [np.full(len(part.label), part.split, np.int16) for part in parts]
    split = np.concatenate(numbers)
    keys = np.zeros(len(split), np.int64)
    for number in range(len(splits)):
        keys[split == number] = np.arange(np.count_nonzero(split == number))
    text = pc.utf8_lpad(pa.array(keys).cast(pa.large_string()), _DIGITS, "0")
    names = pa.array(splits, pa.large_string()).take(pa.array(split))
    return Samples(
        pc.binary_join_element_wise(names, text, pa.scalar("/", pa.large_string())),
        np.concatenate([np.full(len(part.label), part.file, np.int32) for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.full(len(split), size, np.int64),
        split,
        np.concatenate([part.label for part in parts]),
    )


def by_file(samples: Samples) -> Iterator[tuple[int, Samples]]:
    """Samples that are sorted by file, in runs of one file: its number, and its samples."""
    cuts = np.flatnonzero(np.diff(samples.file)) + 1
    for rows in np.split(np.arange(len(samples)), cuts) if len(samples) else ():
        yield int(samples.file[rows[0]]), samples.take(rows)
