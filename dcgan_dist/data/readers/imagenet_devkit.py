"""ImageNet's development kit: which classes there are, and the class of each validation picture.

It numbers classes in an order of its own, by ILSVRC2012_ID; here a class is the rank of its WordNet name among all.
"""

import io
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.readers.published import what_else
from dcgan_dist.data.readers.tars import PackedTar, is_packed
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
_TRUTH, _META = "data/ILSVRC2012_validation_ground_truth.txt", "data/meta.mat"

# The published file has 2.6 MB.
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Devkit:
    """What the kit says.

    Attributes:
        wnids: int32 [classes], numbers of the classes in WordNet, ascending.
        val: int32 [pictures], the one of each validation picture, in the order of the numbers in their names.
    """

    wnids: NDArray[np.int32]
    val: NDArray[np.int32]


def read_devkit(file: Place) -> Devkit:
    """Read the kit as published, a tar.gz.

    Raises:
        DataError: it is not there, is damaged, or does not say what it should.
        SettingsError: scipy is not installed.
    """
    size = file.info().size
    if size > _MOST_BYTES:
        raise DataError(f"{file} has {size:,} bytes, which ImageNet's development kit does not have: download it again")
    if not is_packed(file):
        first = file.read_range(0, 64)
        raise DataError(f"{file} is not compressed by gzip: {what_else(first) or f'it begins with {first[:16]!r}'}")
    kit = PackedTar(file)
    found = {}
    for member in kit.members():
        for name in (_TRUTH, _META):
            if f"/{member.name}".endswith(f"/{name}") and member.size <= _MOST_BYTES:
                found[name] = kit.read(member.offset, member.size)
    for name in (_TRUTH, _META):
        if name not in found:
            raise DataError(f"{file} has no {name}, as ImageNet's development kit has: download it again")
    wnid_of = _leaves(found[_META], file)
    lines = found[_TRUTH].split()
    numbers = [int(line) if re.fullmatch(rb"[0-9]{1,9}", line) else 0 for line in lines]
    for line, number in zip(lines, numbers, strict=True):
        if number not in wnid_of:
            raise DataError(
                f"{_TRUTH} in {file} has {line[:20]!r} where one of the {len(wnid_of):,} classes is expected: download "
                "it again"
            )
    wnids = np.sort(np.array(list(wnid_of.values()), np.int32))
    return Devkit(wnids, np.array([wnid_of[number] for number in numbers], np.int32))


def _leaves(meta: bytes, file: Place) -> dict[int, int]:
    """Number in WordNet by ILSVRC2012_ID of each class that has no classes below it: those that pictures are of."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise SettingsError(f"{file} needs scipy to be read: pip install 'dcgan-dist[prepare]'") from error
    try:
        synsets = np.atleast_1d(loadmat(io.BytesIO(meta), squeeze_me=True, variable_names=["synsets"])["synsets"])
        rows = [(int(row["ILSVRC2012_ID"]), str(row["WNID"])) for row in synsets if int(row["num_children"]) == 0]
    except Exception as error:
        # On damaged files SciPy lets through whatever its parsers run into, as does an array of something else.
        raise DataError(f"{_META} in {file} cannot be read ({type(error).__name__}): download it again") from error
    leaves = {number: int(wnid[1:]) for number, wnid in rows if re.fullmatch(r"n[0-9]{8}", wnid)}
    if not leaves or len(set(leaves.values())) < len(rows):
        raise DataError(f"{_META} in {file} does not name each class once: download it again")
    return leaves
