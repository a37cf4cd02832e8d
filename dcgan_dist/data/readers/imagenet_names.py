"""What the names of ImageNet's files say: the split, the class and the number of a picture.

The publisher names a training picture `n01440764_10026.JPEG`, by its class in WordNet and a number, and the others
`ILSVRC2012_val_00000293.JPEG`. Hugging Face's older archives append the class: `n01440764_10026_n01440764.JPEG`.
"""

import re
from typing import NamedTuple

from dcgan_dist.data.splits import TEST, TRAIN

VAL = "val"
SPLITS = (TRAIN, VAL, TEST)

NO_CLASS = -1

_CLASS_TAR = re.compile(r"n([0-9]{8})\.tar")
_TRAIN = re.compile(r"(n([0-9]{8})_[0-9]{1,9})(?:_n([0-9]{8}))?(\.(?:JPEG|jpeg|jpg|png|webp))")
_OTHER = re.compile(r"(ILSVRC2012_(val|test)_([0-9]{8}))(?:_n([0-9]{8}))?(\.(?:JPEG|jpeg|jpg|png|webp))")


class Name(NamedTuple):
    """What the name of a picture says.

    Attributes:
        split: it is of.
        key: the same in all packings: the publisher's name, that of a training picture in a folder of its class.
        wnid: number of its class in WordNet, 1440764 of `n01440764`; `NO_CLASS` where the name does not say it.
        number: of the picture in its split, from 1; 0 for training pictures, which have none.
    """

    split: str
    key: str
    wnid: int
    number: int


def parse_name(name: str) -> Name | None:
    """What the name of a file in a tar says, in whichever folder it is; None for what is no picture of ImageNet's."""
    base = name.rpartition("/")[2]
    if match := _TRAIN.fullmatch(base):
        stem, own, appended, suffix = match.groups()
        wnid = int(appended or own)
        return Name(TRAIN, f"{wnid_text(wnid)}/{stem}{suffix}", wnid, 0)
    if match := _OTHER.fullmatch(base):
        stem, split, number, appended, suffix = match.groups()
        return Name(split, stem + suffix, int(appended) if appended else NO_CLASS, int(number))
    return None


def class_of_tar(name: str) -> int:
    """Number of the class in WordNet whose pictures a tar of this name holds; `NO_CLASS` for other names."""
    match = _CLASS_TAR.fullmatch(name.rpartition("/")[2])
    return int(match[1]) if match else NO_CLASS


def wnid_text(wnid: int) -> str:
    """`n01440764`: sorted as text, such names are in the order of their numbers."""
    return f"n{wnid:08d}"
