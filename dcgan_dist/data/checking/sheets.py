"""Contact sheets of a data set: of all images, and of each class."""

import re

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.checking.shard import SIDE
from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.shards.index import Index
from dcgan_dist.model.pixels import grid, png
from dcgan_dist.storage import Place

SHEET_FILE = "contact-sheet.png"
_OF_ALL, _OF_A_CLASS = 100, 36


def draw_sheets(index: Index, digest: NDArray[np.uint64], good: NDArray[np.bool_], folder: Place) -> int:
    """Write a sheet of 100 images, and one of 36 of each class, into a folder; returns how many sheets there are.

    Args:
        index: of all images.
        digest: uint64 [n, 2]; the images with the smallest are shown, which is a random choice that stays the same.
        good: bool [n], which images can be decoded; at least one.
    """
    rows = np.flatnonzero(good)
    rows = rows[np.lexsort((digest[rows, 1], digest[rows, 0]))]
    (folder / SHEET_FILE).write_bytes(_sheet(index, rows[:_OF_ALL]))
    labels = np.unique(index.label[rows][index.label[rows] >= 0]).tolist()
    for label in labels:
        its = rows[index.label[rows] == label][:_OF_A_CLASS]
        (folder / class_file(label, index.classes)).write_bytes(_sheet(index, its))
    return 1 + len(labels)


def class_file(label: int, classes: tuple[str, ...] | None) -> str:
    """Name of the sheet of a class: its number, and its name where that is known, without what is no part of a name."""
    name = classes[label] if classes and label < len(classes) else ""
    return "-".join(filter(None, ["class", f"{label:04d}", re.sub(r"[^\w-]+", "_", name)[:60].strip("_")])) + ".png"


def _sheet(index: Index, rows: NDArray[np.intp]) -> bytes:
    images = np.zeros((len(rows), SIDE, SIDE, 3), np.uint8)
    for image, row in zip(images, rows.tolist(), strict=True):
        data = Place(index.shards[index.shard[row]]).read_range(int(index.offset[row]), int(index.size[row]))
        decode(data, image, fit="resize", max_pixels=1 << 62)  # it was decoded within the limit before
    return png(grid(images))
