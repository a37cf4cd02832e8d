"""From what names and the development kit say of pictures to class numbers that mean the same in all splits."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.readers.imagenet_devkit import DEVKIT, Devkit
from dcgan_dist.data.readers.imagenet_names import NO_CLASS, VAL, wnid_text
from dcgan_dist.data.splits import TEST
from dcgan_dist.errors import DataError


def wnids_of(
    split: str, wnid: NDArray[np.int32], number: NDArray[np.int32], kit: Devkit | None, where: str, home: str
) -> NDArray[np.int32]:
    """The class of each picture of a split, as its number in WordNet.

    Args:
        split: name of the split.
        wnid, number: int32 [pictures], as names have them, see `Name`.
        kit: None where there is none.
        where: the pictures lie, for messages.
        home: where to get the kit.

    Returns:
        int32 [pictures], all `NO_CLASS` for the test split.

    Raises:
        DataError: the class of a picture is not known, or names and kit do not agree.
    """
    if split == TEST:
        return np.full(len(wnid), NO_CLASS, np.int32)
    if split == VAL and kit is not None:
        beyond = (number < 1) | (number > len(kit.val))
        if beyond.any():
            raise DataError(
                f"{where} has validation picture {number[beyond][0]:,}, but {DEVKIT} has classes of {len(kit.val):,}: "
                "give those that belong together"
            )
        of_kit = kit.val[number - 1]
        wrong = (wnid != NO_CLASS) & (wnid != of_kit)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{where} has validation picture {number[row]:,} of class {wnid_text(wnid[row])} by its name, but of "
                f"{wnid_text(of_kit[row])} by {DEVKIT}: give those that belong together"
            )
        return of_kit
    if (wnid == NO_CLASS).any():
        raise DataError(
            f"{where} does not say which classes its pictures of {split} have: give {DEVKIT} as well, which is at "
            f"{home}; or name other splits with --split"
        )
    if kit is not None and not np.isin(wnid, kit.wnids).all():
        other = wnid[~np.isin(wnid, kit.wnids)][0]
        raise DataError(
            f"{where} has pictures of {wnid_text(other)}, which is no class of {DEVKIT}: leave one of them out"
        )
    return wnid


def number_classes(
    by_split: Mapping[str, NDArray[np.int32]], kit: Devkit | None
) -> tuple[tuple[str, ...] | None, dict[str, NDArray[np.int32]]]:
    """Names of the classes, None where there are none, and the number of each picture's, -1 where it has none.

    Classes are those of the kit, or else those that pictures of any split are of.
    """
    there = np.concatenate(list(by_split.values()))
    wnids = np.unique(there[there != NO_CLASS]) if kit is None else kit.wnids
    labels = {
        split: np.where(wnid == NO_CLASS, -1, np.searchsorted(wnids, wnid)).astype(np.int32)
        for split, wnid in by_split.items()
    }
    return (tuple(map(wnid_text, wnids.tolist())) or None), labels
