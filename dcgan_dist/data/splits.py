"""Which split and which class each picture of a folder belongs to, by the folders it lies in; no Ray.

All splits of a set are numbered by one list of classes: a class that one of them lacks keeps its number in the others.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import split_of

TRAIN, TEST = "train", "test"

FOLDERS = {
    "train": TRAIN,
    "training": TRAIN,
    "test": TEST,
    "testing": TEST,
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
}
"""Names of folders that are known to be splits, in lower case, and how their shards are named."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_TOLD = 6


@dataclass(frozen=True)
class Layout:
    """Where the pictures of a folder belong.

    Attributes:
        splits: their names, in the order in which they are written.
        belongs: split and class of each picture, by its name; the class is None where its split has none.
        classes: names of the classes by number, over all splits; None where there are none.
        told: lines for people: what was made of the folders, and what was left out.
    """

    splits: tuple[str, ...]
    belongs: dict[str, tuple[str, str | None]]
    classes: tuple[str, ...] | None
    told: tuple[str, ...]


def parse_splits(text: str) -> tuple[str, ...]:
    """Names of splits from `NAME,NAME`; none where the text is empty. Raises `SettingsError`."""
    names = tuple(part.strip() for part in text.split(",")) if text else ()
    if not all(_NAME.fullmatch(name) for name in names):
        raise SettingsError(f"split is {text!r} but needs names of up to 60 letters, digits, _ and -, joined by commas")
    if len(set(names)) < len(names):
        raise SettingsError(f"split is {text!r} but needs each name once")
    return names


def lay_out(names: Sequence[str], folder: str, given: Sequence[str], holdout: float) -> Layout:
    """Find splits and classes in the names of pictures.

    Args:
        names: relative to the folder, sorted, at least one.
        folder: for messages.
        given: splits that were asked for. One: all pictures are of it, and the first folders are classes. Several: the
            folders of these names. None: folders that are known by name are splits where nothing else is beside them.
        holdout: whether pictures will be held out, which needs pictures that are not split yet.

    Raises:
        SettingsError: it has to be said what folders mean, or there is nothing to hold out from.
        DataError: a split that was asked for has no folder.
    """
    tops = Counter(name.partition("/")[0] for name in names if "/" in name)
    told: list[str] = []
    by_folder: dict[str, str] = {}
    if len(given) > 1:
        _require_folders(given, tops, folder)
        by_folder = {top: top for top in given}
    elif not given:
        by_folder = _recognize(names, tops, folder)
        if by_folder:
            told.append(
                f"taken as split{'s' if len(by_folder) > 1 else ''} by the name: {_folders(by_folder)} in {folder}; "
                f"with --split {TRAIN} all pictures are one split, and folders there classes"
            )
    splits = tuple(by_folder.values()) or tuple(given) or (TRAIN,)
    if holdout:
        _require_one(splits, by_folder, folder, holdout)
    if by_folder:
        outside = [name for name in names if "/" not in name or name.partition("/")[0] not in by_folder]
        if outside:
            told.append(f"left out: {counted(len(outside))} not in {_folders(by_folder)}, for example {outside[0]}")
        inside = {name: name.partition("/") for name in names if "/" in name}
        places = {name: _Where(by_folder[top], rest) for name, (top, _, rest) in inside.items() if top in by_folder}
    else:
        places = {name: _Where(splits[0], name) for name in names}
    found = _classes(splits, places, told)
    names_of_classes = sorted({name for name in found.values() if name is not None})
    if len(names_of_classes) == 1:
        deeper = any(where.rest.count("/") > 1 for where in places.values())
        only = names_of_classes[0]
        told.append(
            f"no classes: all pictures are in one folder, {only}/"
            + (f"; give {folder}/{only} if the folders in it are the classes" if deeper and not by_folder else "")
        )
    if len(names_of_classes) < 2:
        return Layout(splits, {name: (where.split, None) for name, where in places.items()}, None, tuple(told))
    belongs = {name: (where.split, found[name]) for name, where in places.items()}
    return Layout(splits, belongs, tuple(names_of_classes), tuple(told))


def counted(number: int) -> str:
    """So many pictures, in words."""
    return f"{number:,} picture{'' if number == 1 else 's'}"


def trains_on_held_out(shards: Iterable[str]) -> str:
    """A sentence where shards of these names are of a training split and of one to be evaluated on; "" where not."""
    splits = {word for name in shards for word in split_of(name).split("-")}
    held_out = sorted(split for split in splits if FOLDERS.get(split.lower(), TRAIN) != TRAIN)
    if not held_out or not any(FOLDERS.get(split.lower()) == TRAIN for split in splits):
        return ""
    return (
        f"the data includes shards of {' and '.join(held_out)} besides those of {TRAIN}, so the run cannot be "
        f"evaluated on them as held-out images; give .../{TRAIN}-*.tar to keep them out of training"
    )


def is_held_out(digest: bytes, share: float) -> bool:
    """Whether a picture is one of those that are held out, by the SHA-256 of its bytes alone.

    So it stays where it is when others come and go, or when it gets another name, and copies of it stay together.
    """
    return int.from_bytes(digest[:8], "big") < share * 2**64


@dataclass(frozen=True)
class _Where:
    """The split of a picture, and its name below that one's folder."""

    split: str
    rest: str


def _require_folders(given: Sequence[str], tops: Iterable[str], folder: str) -> None:
    for name in given:
        if name not in tops:
            there = f"it holds {_folders(sorted(tops))}" if tops else "it holds no folders with pictures"
            raise DataError(f"split is {','.join(given)!r} but there are no pictures in {folder}/{name}: {there}")


def _require_one(splits: Sequence[str], by_folder: Iterable[str], folder: str, holdout: float) -> None:
    if len(splits) > 1:
        raise SettingsError(
            f"holdout is {holdout:g} but {folder} is split already, into {_folders(by_folder)}: leave --holdout out, "
            f"or give {folder}/{next(iter(by_folder))} to hold out from that alone"
        )
    if splits[0] == TEST:
        raise SettingsError(f"holdout is {holdout:g} but split is {TEST}, which is what held-out pictures are called")


def _recognize(names: Sequence[str], tops: Iterable[str], folder: str) -> dict[str, str]:
    """The folders on top that are splits by their names, and those splits; raises `SettingsError` where it is open."""
    order = (TRAIN, "val", TEST)
    named = ((top, FOLDERS[top.lower()]) for top in sorted(tops) if top.lower() in FOLDERS)
    known = dict(sorted(named, key=lambda pair: order.index(pair[1])))
    splits = set(known.values())
    beside = [f"{top}/" for top in sorted(tops) if top not in known] + [name for name in names if "/" not in name]
    if TRAIN in splits and not beside and len(splits) == len(known):
        return known
    # One of these names alone is a class or any folder: trains among planes and cars.
    if len(known) < 2:
        return {}
    raise SettingsError(
        f"{folder} holds {_folders(known)}{f' beside {beside[0]}' if beside else ''}: give --split {','.join(known)} "
        f"if these are splits, or --split {TRAIN} if all pictures are one and its folders are classes"
    )


def _classes(splits: Sequence[str], places: dict[str, _Where], told: list[str]) -> dict[str, str | None]:
    """The class of each picture: the folder it lies in; none in a split where some are in no folder, which is told."""
    loose: dict[str, list[str]] = {split: [] for split in splits}
    for name, where in places.items():
        if "/" not in where.rest:
            loose[where.split].append(name)
    any_folders = any("/" in where.rest for where in places.values())
    for split, names in loose.items():
        if names and any_folders:
            of = f" in {split}" if len(splits) > 1 else ""
            told.append(f"no classes{of}: {counted(len(names))} in no folder of a class, for example {names[0]}")
    return {name: None if loose[where.split] else where.rest.partition("/")[0] for name, where in places.items()}


def _folders(names: Iterable[str]) -> str:
    found = [f"{name}/" for name in names]
    return ", ".join(found[:_TOLD]) + (f" and {len(found) - _TOLD:,} others" if len(found) > _TOLD else "")
