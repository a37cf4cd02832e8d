"""Which split and which class each picture belongs to, by the folders in its name.

All splits of a set are numbered by one list of classes: a class that one of them lacks keeps its number in the others.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dcgan_dist.data.splits import FOLDERS, TEST, TRAIN
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count

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


def lay_out(names: Sequence[str], folder: str, given: Sequence[str]) -> Layout:
    """Find splits and classes in the names of pictures.

    Args:
        names: relative to the folder, sorted, at least one.
        folder: for messages.
        given: splits that were asked for. One: all pictures are of it, and the first folders are classes. Several: the
            folders of these names. None: folders that are known by name are splits where nothing else is beside them.

    Raises:
        SettingsError: it has to be said what folders mean.
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
    if by_folder:
        outside = [name for name in names if "/" not in name or name.partition("/")[0] not in by_folder]
        if outside:
            told.append(
                f"left out: {count(len(outside), 'picture')} not in {_folders(by_folder)}, for example {outside[0]}"
            )
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
    classes = tuple(names_of_classes) if len(names_of_classes) > 1 else None
    belongs = {name: (where.split, found[name] if classes else None) for name, where in places.items()}
    return Layout(splits, belongs, classes, tuple(told))


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
            told.append(
                f"no classes{of}: {count(len(names), 'picture')} in no folder of a class, for example {names[0]}"
            )
    return {name: None if loose[where.split] else where.rest.partition("/")[0] for name, where in places.items()}


def _folders(names: Iterable[str]) -> str:
    found = [f"{name}/" for name in names]
    return ", ".join(found[:_TOLD]) + (f" and {len(found) - _TOLD:,} others" if len(found) > _TOLD else "")
