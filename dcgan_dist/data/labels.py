"""Which class each image of a run has: its number in the shards, or what attributes say of it."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.scenes import truth
from dcgan_dist.data.scenes.builtin import EMBEDDED, SEED
from dcgan_dist.data.shards.attributes import Columns, columns
from dcgan_dist.data.shards.index import Index
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings

Labels = NDArray[np.int64]
_MOST_NAMED = 8


def class_labels(index: Index, data: DataSettings, classes: int) -> Labels | None:
    """The class of each image, int64 [n] from 0 to `classes` - 1; None where networks know no classes.

    Args:
        index: the images.
        data: its `label` names the attributes that make the class; empty: the class number of each sample.
        classes: `networks.classes`.

    Raises:
        DataError: an image has no class, there are more classes, or an attribute is not there or no class.
    """
    if classes == 0:
        return None
    labels = labels_of(index, data)
    if (missing := labels < 0).any():
        example = index.names(int(np.flatnonzero(missing)[0]))
        attributes = ", ".join(_attributes(index, data)) or "none"
        raise DataError(
            f"networks.classes is {classes} but {missing.sum():,} of {len(labels):,} images have no class, for example "
            f"{example}: give each sample a KEY.cls with its number, or attributes that make the class with "
            f"--data.label; those of the data are: {attributes}"
        )
    if (largest := int(labels.max())) >= classes:
        raise DataError(
            f"networks.classes is {classes} but the images are of classes 0 to {largest}, for example "
            f"{index.names(int(labels.argmax()))}: give --networks.classes {largest + 1}"
        )
    return labels


def labels_of(index: Index, data: DataSettings) -> Labels:
    """The class of each image, int64 [n]; -1 where it has none.

    Args:
        data: `label` and `path` count, see `class_labels`.

    Raises:
        DataError: an attribute is not there or no class.
    """
    return _by_attributes(index, data) if data.label else index.label.astype(np.int64)


def lacking(labels: Labels, classes: int) -> str:
    """A sentence about classes without images, of which samples will show nothing that was learned; empty: none."""
    none = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
    if not len(none):
        return ""
    more = f" and {len(none) - _MOST_NAMED:,} more" if len(none) > _MOST_NAMED else ""
    return (
        f"networks.classes is {classes} but there are no images of class "
        f"{', '.join(map(str, none[:_MOST_NAMED]))}{more}: samples of it will show nothing that was learned"
    )


def labels_sha256(labels: Labels) -> str:
    """Changes with the class of any image."""
    return hashlib.sha256(labels.astype("<i8").tobytes()).hexdigest()


def _attributes(index: Index, data: DataSettings) -> Columns:
    if data.path == EMBEDDED:  # whose index has none; scenes lie there in their order
        return columns([truth(data.scenes, SEED, scene)["attributes"] for scene in range(len(index))])
    return index.attributes


def _by_attributes(index: Index, data: DataSettings) -> Labels:
    """The value of one attribute, or the number whose binary digits are several, the first one the lowest."""
    known, names = _attributes(index, data), data.label.split(",")
    for name in names:
        _require_class(known, name, index, alone=len(names) == 1)
    if len(names) == 1:
        return np.asarray(known[names[0]], np.int64)
    return _digits([np.asarray(known[name], np.int64) for name in names])


def _digits(values: Sequence[Labels]) -> Labels:
    numbers: Labels = np.sum([one << place for place, one in enumerate(values)], axis=0, dtype=np.int64)
    return numbers


def _require_class(known: Columns, name: str, index: Index, *, alone: bool) -> None:
    if name not in known:
        raise DataError(f"data.label names {name!r}, but the attributes of the data are: {', '.join(known) or 'none'}")
    wrong = [0]
    if known[name].dtype.kind == "i":
        values = np.asarray(known[name], np.int64)
        wrong = np.flatnonzero((values < 0) | (values > (np.iinfo(np.int64).max if alone else 1))).tolist()
    if wrong:
        needed = "a whole number from 0" if alone else "0 or 1 where several attributes make a class"
        raise DataError(
            f"data.label names {name!r}, which is {known[name][wrong[0]]} for {index.names(wrong[0])}, but needs to be "
            f"{needed}"
        )
