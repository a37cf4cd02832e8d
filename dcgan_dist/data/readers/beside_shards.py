"""What lies beside shards and tells more of them: the index of ours, or a `dataset.json` that names classes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dcgan_dist.data.shards.index import DATASET_FILE, FORMAT, INDEX_FILE, ShardIndex, find_index
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

_MOST_BYTES = 16 << 20


def add_known(parts: Sequence[ShardIndex]) -> tuple[list[ShardIndex], tuple[str, ...] | None, tuple[str, ...]]:
    """The same shards with their attributes; the names of their classes; lines for people.

    Raises:
        DataError: an index is damaged or is not that of the shards, not all classes have a name, or shards of two
            folders have different classes.
    """
    by_folder: dict[Place, list[int]] = {}
    for number, part in enumerate(parts):
        by_folder.setdefault(Place(part.shard).parent, []).append(number)
    known = list(parts)
    classes: dict[Place, tuple[str, ...] | None] = {}
    for folder, numbers in by_folder.items():
        index = find_index([Place(parts[number].shard) for number in numbers])
        highest = max(int(parts[number].label.max(initial=-1)) for number in numbers)
        if highest >= 0:
            names = _said_classes(folder) if index is None else index.classes
            if names is not None and highest >= len(names):
                raise DataError(
                    f"{folder} has images of class {highest}, but {folder / DATASET_FILE} names only "
                    f"{count(len(names), 'class', 'classes')}: correct it, or delete it"
                )
            classes[folder] = names
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


def _said_classes(folder: Place) -> tuple[str, ...] | None:
    """Names of classes that the `dataset.json` of somebody else lists as `classes`; None where it does not.

    One of ours says nothing of shards that are not in its index.
    """
    info = folder.children().get(DATASET_FILE)
    if info is None or info.size > _MOST_BYTES:
        return None
    try:
        description = json.loads((folder / DATASET_FILE).read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(description, dict) or description.get("format") == FORMAT:
        return None
    names = description.get("classes")
    if not isinstance(names, list) or not all(isinstance(name, str) and name.isprintable() for name in names):
        return None
    return tuple(names) if len(set(names)) == len(names) else None


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
