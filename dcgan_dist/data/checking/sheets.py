"""Contact sheets of a data set: of all images, and of each class."""

import re

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.checking.shard import SIDE
from dcgan_dist.data.contact_sheet import SHEET_FILE, SHEET_IMAGES, contact_sheet
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place

_OF_A_CLASS = 36


def draw_sheets(index: Index, digest: NDArray[np.uint64], good: NDArray[np.bool_], folder: Place) -> int:
    """Write a sheet of 100 images, and one of 36 of each class, into a folder; returns how many sheets there are.

    Args:
        index: of all images.
        digest: uint64 [n, 2]; the images with the smallest are shown, which is a random choice that stays the same.
        good: bool [n], which images can be decoded; at least one.
    """
    rows = np.flatnonzero(good)
    rows = rows[np.lexsort((digest[rows, 1], digest[rows, 0]))]
    (folder / SHEET_FILE).write_bytes(contact_sheet(index, rows[:SHEET_IMAGES], SIDE))
    labels = np.unique(index.label[rows][index.label[rows] >= 0]).tolist()
    for label in labels:
        its = rows[index.label[rows] == label][:_OF_A_CLASS]
        (folder / class_file(label, index.classes)).write_bytes(contact_sheet(index, its, SIDE))
    return 1 + len(labels)


def class_file(label: int, classes: tuple[str, ...] | None) -> str:
    """Name of the sheet of a class: its number, and its name where that is known, without what is no part of a name."""
    name = classes[label] if classes and label < len(classes) else ""
    return "-".join(filter(None, ["class", f"{label:04d}", re.sub(r"[^\w-]+", "_", name)[:60].strip("_")])) + ".png"
