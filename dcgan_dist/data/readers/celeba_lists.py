"""The text files that CelebA comes with: a line a picture, which begins with its name.

All three are what the publisher calls annotations (README of http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html).
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.readers.published import what_else
from dcgan_dist.errors import DataError

_AGAIN = "download it again"


def parse_attributes(data: bytes, where: str) -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    """`list_attr_celeba.txt`: a line with the number of pictures, one with the attributes' names, then the values.

    Args:
        data: the file.
        where: its address, for messages.

    Returns:
        the names of the pictures, and columns of the attributes: 1 where the file has 1, and 0 where it has -1.

    Raises:
        DataError: the file is cut off, or is another one.
    """
    lines = _lines(data, where)
    _, count = next(lines, (1, []))
    _, attributes = next(lines, (2, []))
    if len(count) != 1 or not count[0].isdecimal() or not attributes or len(set(attributes)) < len(attributes):
        raise DataError(
            f"{where} begins with {' '.join(count)[:60]!r}, but a line with the number of pictures and one with the "
            f"names of the attributes are expected: {_AGAIN}"
        )
    names, rows = [], bytearray()
    for number, (name, *values) in lines:
        if len(values) != len(attributes) or not {"1", "-1"}.issuperset(values):
            raise DataError(
                f"line {number:,} of {where} is {name} with {' '.join(values)[:60]!r}, but {len(attributes)} values of "
                f"1 or -1 are expected: {_AGAIN}"
            )
        names.append(name)
        rows += bytes([value == "1" for value in values])
    if len(names) != int(count[0]):
        raise DataError(f"{where} says that it has {int(count[0]):,} pictures, but has {len(names):,}: {_AGAIN}")
    _require_each_once(names, where)
    table = np.frombuffer(rows, np.uint8).reshape(len(names), len(attributes)).T.astype(np.int64)
    return names, dict(zip(attributes, table, strict=True))


def parse_numbers(data: bytes, where: str, most: int) -> tuple[list[str], NDArray[np.int64]]:
    """`list_eval_partition.txt` and `identity_CelebA.txt`: a whole number a picture.

    Args:
        data: the file.
        where: its address, for messages.
        most: the largest number that is expected; the smallest is 0.

    Returns:
        the names of the pictures, and their numbers.

    Raises:
        DataError: the file is damaged, or is another one.
    """
    names, numbers = [], []
    for number, words in _lines(data, where):
        if len(words) != 2 or not words[1].isdecimal() or int(words[1]) > most:
            raise DataError(
                f"line {number:,} of {where} is {' '.join(words)[:60]!r}, but the name of a picture and a number up to "
                f"{most:,} are expected: {_AGAIN}"
            )
        names.append(words[0])
        numbers.append(int(words[1]))
    _require_each_once(names, where)
    return names, np.array(numbers, np.int64)


def _lines(data: bytes, where: str) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that has some."""
    if told := what_else(data):
        raise DataError(f"{where} is none of CelebA's lists: {told}")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is no text, from byte {error.start:,} on: {_AGAIN}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.split():
            yield number, words


def _require_each_once(names: list[str], where: str) -> None:
    if not names:
        raise DataError(f"{where} has no lines of pictures: {_AGAIN}")
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise DataError(f"{where} has {twice} twice: {_AGAIN}")
