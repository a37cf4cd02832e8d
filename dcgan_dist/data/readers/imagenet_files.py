"""Where ImageNet's archives are at some addresses, and of which splits, by their names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dcgan_dist.data.readers.imagenet_devkit import DEVKIT
from dcgan_dist.data.readers.imagenet_names import SPLITS, VAL, class_of_tar, parse_name
from dcgan_dist.data.readers.published import told
from dcgan_dist.data.splits import TEST, TRAIN
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

HOME = "https://image-net.org/download-images"

# Of each split, what it comes in; what comes first is taken where a folder has several of them.
_PACKINGS: Mapping[str, Sequence[re.Pattern[str]]] = {
    TRAIN: [
        re.compile(r"ILSVRC2012_img_train\.tar"),
        re.compile(r"n[0-9]{8}\.tar"),
        re.compile(r"train_images_([0-9]+)\.tar\.gz"),
    ],
    VAL: [re.compile(r"ILSVRC2012_img_val\.tar"), re.compile(r"val_images\.tar\.gz")],
    TEST: [
        re.compile(r"ILSVRC2012_img_test_v10102019\.tar"),
        re.compile(r"ILSVRC2012_img_test\.tar"),
        re.compile(r"test_images\.tar\.gz"),
    ],
}
_PARTS = 5
"""Archives of training pictures in Hugging Face's older packing."""

_BELOW = ("data", "train")
"""Folders in one that is given which hold archives, as programs that download or unpack them make."""


@dataclass(frozen=True)
class Found:
    """What there is of ImageNet.

    Attributes:
        by_split: archives of each split that is there, in the order of the splits, sorted.
        devkit: None where it is not there.
        notes: about archives that are passed over.
    """

    by_split: Mapping[str, Sequence[Place]]
    devkit: Place | None
    notes: tuple[str, ...]


def split_of_archive(name: str) -> str:
    """The split of an archive with one of the names that are known; "" for others."""
    return next((split for split, kinds in _PACKINGS.items() if any(kind.fullmatch(name) for kind in kinds)), "")


def split_of_first(name: str) -> str:
    """The split of an archive by the name of the first file in it; "" where that is none of ImageNet's."""
    parsed = parse_name(name)
    return TRAIN if class_of_tar(name) >= 0 else parsed.split if parsed else ""


def find_archives(addresses: Sequence[Place], first_name: Callable[[Place], str]) -> Found:
    """ImageNet's archives at some addresses.

    In a folder they are found by their names; of two packings of a split there, one is taken. A file that is given may
    have any name.

    Args:
        addresses: folders and files.
        first_name: tells the name of the first file in an archive.

    Raises:
        DataError: there is nothing at an address or nothing of ImageNet, a folder lacks a part, or there are two kits.
    """
    files: dict[str, set[Place]] = {split: set() for split in SPLITS}
    kits: set[Place] = set()
    notes = []
    for address in sorted(set(addresses)):
        if address.is_folder():
            inside = _inside(address)
            kits.update(place for place in inside if place.name == DEVKIT)
            for split, kinds in _PACKINGS.items():
                taken, passed = choose_packing(inside, kinds)
                files[split].update(taken)
                if passed:
                    notes.append(
                        f"passed over: {count(len(passed), 'file')} with pictures of {split} that {taken[0]} has, for "
                        f"example {passed[0]}"
                    )
                if missing := missing_part([place.name for place in taken]):
                    raise DataError(
                        f"{address} lacks {missing}: download it, or give the files that are there and not the folder"
                    )
        elif not address.is_file():
            raise DataError(f"there is no {address}: give the folder that holds ImageNet's tars")
        elif re.fullmatch(r".*devkit.*\.(tar\.gz|tgz)", address.name):
            kits.add(address)
        else:
            split = split_of_archive(address.name) or split_of_first(first_name(address))
            if not split:
                raise DataError(f"{address} is no archive of ImageNet's by its name and its first file: leave it out")
            files[split].add(address)
    by_split = {split: sorted(places) for split, places in files.items() if places}
    if not by_split:
        raise DataError(
            f"there are no pictures of ImageNet at {told(addresses)}: ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar "
            f"and {DEVKIT} are at {HOME}, for those who sign in; if they have been unpacked, give the format folder"
        )
    if len(kits) > 1:
        one, other = sorted(kits)[:2]
        raise DataError(f"{one} and {other} are both ImageNet's development kit: give one")
    return Found(by_split, next(iter(kits), None), tuple(notes))


def choose_splits(there: Sequence[str], asked: Sequence[str], where: str) -> tuple[str, ...]:
    """The splits that are read: those that were asked for, or all that are there.

    Args:
        there: splits of which there is an archive, in their order.
        asked: none where the archives are to say them.
        where: the addresses, for messages.

    Raises:
        SettingsError: ImageNet has no such split.
        DataError: a split that was asked for is not there.
    """
    if not set(asked) <= set(SPLITS):
        raise SettingsError(f"split is {','.join(asked)!r} but ImageNet has {', '.join(SPLITS)}")
    missing = [split for split in asked if split not in there]
    if missing:
        raise DataError(f"there is nothing of ImageNet's split {missing[0]} at {where}: get it from {HOME}")
    return tuple(split for split in there if not asked or split in asked)


def choose_packing(
    places: Sequence[Place], kinds: Sequence[re.Pattern[str]]
) -> tuple[Sequence[Place], Sequence[Place]]:
    """Of the archives of a split those of the first kind that is there, and those of the others."""
    of_kinds = [[place for place in places if kind.fullmatch(place.name)] for kind in kinds]
    of_kinds = [some for some in of_kinds if some]
    return (of_kinds[0], [place for some in of_kinds[1:] for place in some]) if of_kinds else ((), ())


def missing_part(names: Sequence[str]) -> str:
    """Of Hugging Face's training archives the first one that is not among some; "" where none of them is there."""
    kind = _PACKINGS[TRAIN][-1]
    if not any(kind.fullmatch(name) for name in names):
        return ""
    return next((name for i in range(_PARTS) if (name := f"train_images_{i}.tar.gz") not in names), "")


def archives_in(folder: Place) -> list[Place]:
    """The archives of pictures in a folder by their names, sorted."""
    return [place for place in _inside(folder) if split_of_archive(place.name)]


def _inside(folder: Place) -> list[Place]:
    """The files of a folder, and of those in it that may hold archives, sorted."""
    children = folder.children()
    below = [folder / name for name in _BELOW if name in children and children[name] is None]
    found = [folder / name for name, info in children.items() if info is not None]
    for place in below:
        found += [place / name for name, info in place.children().items() if info is not None]
    return sorted(found)
