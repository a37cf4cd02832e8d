"""What the index beside shards of ours knows of them: names of classes, and attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dcgan_dist.data.shards.index import DATASET_FILE, INDEX_FILE, ShardIndex, find_index
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


def add_known(parts: Sequence[ShardIndex]) -> tuple[list[ShardIndex], tuple[str, ...] | None, tuple[str, ...]]:
    """The same shards with their attributes; the names of their classes; lines for people.

    Raises:
        DataError: an index is damaged or is not that of the shards, or shards of two folders have different classes.
    """
    by_folder: dict[Place, list[int]] = {}
    for number, part in enumerate(parts):
        by_folder.setdefault(Place(part.shard).parent, []).append(number)
    known = list(parts)
    classes: dict[Place, tuple[str, ...] | None] = {}
    for folder, numbers in by_folder.items():
        index = find_index([Place(parts[number].shard) for number in numbers])
        if any((parts[number].label >= 0).any() for number in numbers):
            classes[folder] = None if index is None else index.classes
        if index is None:
            continue
        bounds = np.searchsorted(index.shard, np.arange(len(numbers) + 1))
        for at, number in enumerate(numbers):
            part, rows = parts[number], slice(bounds[at], bounds[at + 1])
            for column in ("offset", "size", "label"):
                if not np.array_equal(getattr(index, column)[rows], getattr(part, column)):
                    raise DataError(
                        f"{folder / INDEX_FILE} is not the index of {part.shard}, whose {column}s are others: delete "
                        f"it and {DATASET_FILE} to take what the shard says"
                    )
            known[number] = replace(part, attributes={name: col[rows] for name, col in index.attributes.items()})
    return known, *_same_classes(classes)


def _same_classes(found: Mapping[Place, tuple[str, ...] | None]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Names of the classes of labeled images, as all folders have them; a line where not all have some."""
    named = [(folder, names) for folder, names in found.items() if names is not None]
    if not named:
        return None, ()
    first, classes = named[0]
    for folder, names in named[1:]:
        if names != classes:
            raise DataError(
                f"{first} and {folder} have different classes, {_difference(classes, names)}: their class numbers mean "
                "different things, so make shards of them apart"
            )
    nameless = next((folder for folder, names in found.items() if names is None), None)
    if nameless is not None:
        return None, (f"no names of classes: {nameless} has none, and its class numbers may not be those of {first}",)
    return classes, ()


def _difference(one: Sequence[str], other: Sequence[str]) -> str:
    for number in range(max(len(one), len(other))):
        a, b = (repr(names[number]) if number < len(names) else "not there" for names in (one, other))
        if a != b:
            return f"of which number {number} is {a} and {b}"
    raise ValueError("they do not differ")
