"""Which Parquet files a set of pictures has, and which split each of them is of, by their names."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.data.splits import FOLDERS, TEST, TRAIN
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

SUFFIX = ".parquet"

# Of the folders below an address, so many are looked into for some.
_FOLDERS_SEEN = 20

# As Hugging Face numbers the files of a split; older ones have a digest behind that.
_NUMBERED = re.compile(r"([A-Za-z0-9_-]{1,60}?)-(\d{5})-of-(\d{5})(?:-[0-9a-f]{8,64})?\.parquet")


def find_files(addresses: Sequence[Place]) -> list[Place]:
    """The Parquet files that some addresses mean, each once, sorted: files as they are given, folders by what is below.

    Raises:
        DataError: an address is not there, or a folder holds no Parquet, or that of several sets.
    """
    found: set[Place] = set()
    for address in addresses:
        if address.is_folder():
            found.update(_below(address))
        elif address.is_file():
            found.add(address)
        else:
            raise DataError(f"there is no {address}: give Parquet files, or the folder that holds them")
    return sorted(found)


def split_files(files: Sequence[Place], given: Sequence[str], where: str) -> dict[str, list[Place]]:
    """The files of each split that is taken, by its name, in the order in which they are written.

    Args:
        files: at least one.
        given: splits that were asked for. None: all, the one for training first, the one for tests last; all files are
            of `train` where no name says a split. A single name that no file says is that of all files, if none says
            any.
        where: the files lie, for messages.

    Raises:
        SettingsError: there is no such split.
        DataError: of some files it is not known which split they are of.
    """
    said: dict[str, list[Place]] = {}
    for file in files:
        said.setdefault(said_split(file), []).append(file)
    unknown = said.get("", [])
    if len(unknown) == len(files) and len(given) < 2:
        return {given[0] if given else TRAIN: list(files)}
    told = ", ".join(_in_order(set(said) - {""})) or f"names that say none, such as {files[0].name}"
    for name in given:
        if name not in said:
            raise SettingsError(f"split is {','.join(given)!r} but {where} has no files of {name}: it has {told}")
    if unknown and not given:
        raise DataError(
            f"{where} has files of {told}, and it is not known which of them {unknown[0].name} is of: rename it to "
            f"{TRAIN}-{unknown[0].name} if it is of {TRAIN}, or give the files without it"
        )
    return {name: said[name] for name in given or _in_order(said)}


def said_split(file: Place) -> str:
    """The split that a name says: `val` of `validation-00000-of-00014.parquet`, of `digits-val.parquet` and of
    `validation/0000.parquet`, `extra` of `extra-00000-of-00002.parquet`; "" where it says none."""
    numbered = _NUMBERED.fullmatch(file.name)
    if numbered and "-" not in numbered[1]:
        return FOLDERS.get(numbered[1].lower(), numbered[1])
    known = _known(file.name.removesuffix(SUFFIX)) or _known(file.parent.name)
    return known or (numbered[1] if numbered else "")


def lacking(split: str, files: Sequence[Place]) -> str:
    """What is not there of a split, by the numbers in the names of its files: `2 of 294 files of train, for example
    train-00003-of-00294.parquet`; "" where all are there, or names have no such numbers.

    Raises:
        DataError: a folder holds two versions of the split, so that its pictures would be there twice.
    """
    by_folder: dict[Place, list[re.Match[str]]] = {}
    for file in files:
        if numbered := _NUMBERED.fullmatch(file.name):
            by_folder.setdefault(file.parent, []).append(numbered)
    for folder, names in by_folder.items():
        names.sort(key=lambda name: name[2])
        for one, other in pairwise(names):
            if one[2] == other[2] or one[3] != other[3]:
                raise DataError(
                    f"{folder} holds two versions of {split}, such as {one[0]} and {other[0]}: delete the older files, "
                    "or give those of one version"
                )
        total = names[0][3]
        there = {int(name[2]) for name in names}
        missing = [number for number in range(int(total)) if number not in there]
        if missing:
            example = f"{names[0][1]}-{missing[0]:05d}-of-{total}{SUFFIX}"
            return f"{len(missing):,} of {count(int(total), 'file')} of {split}, for example {example}"
    return ""


def looks_like_parquet(place: Place) -> bool:
    """Whether there are Parquet files at an address, by names alone: it is one, or holds some, or its folders do.

    Where tars or pictures lie beside them, they only say what these are.
    """
    if place.is_file():
        return place.name.endswith(SUFFIX)
    waiting = [place]
    for looked_at in range(_FOLDERS_SEEN):
        if looked_at == len(waiting):
            break
        children = waiting[looked_at].children()
        files = {name.rpartition(".")[2].lower() for name, info in children.items() if info is not None}
        if files & {"tar", *SUFFIXES}:
            return False
        if SUFFIX[1:] in files:
            return True
        waiting += [
            waiting[looked_at] / name
            for name, info in sorted(children.items())
            if info is None and not name.startswith(".")
        ]
    return False


def _below(folder: Place) -> list[Place]:
    """Those below a folder, without what is hidden, such as the downloader's own."""
    start = len(folder.address.rstrip("/")) + 1
    found = [
        file
        for file, _ in folder.files(recursive=True)
        if file.name.endswith(SUFFIX) and not any(part.startswith(".") for part in file.address[start:].split("/"))
    ]
    if not found:
        raise DataError(f"there are no Parquet files below {folder}: give the folder that holds the set's *{SUFFIX}")
    sets = sorted({file.parent.parent if _known(file.parent.name) else file.parent for file in found})
    if len(sets) > 1:
        raise DataError(
            f"{folder} holds Parquet files in more than one folder, such as {sets[0]} and {sets[1]}, which may be "
            "several sets: give one of these folders, or the files"
        )
    return found


def _known(name: str) -> str:
    """The split among the words of a name, "" where there is none or more than one."""
    found = {FOLDERS[word] for word in re.split(r"[-_.]", name.lower()) if word in FOLDERS}
    return found.pop() if len(found) == 1 else ""


def _in_order(splits: Iterable[str]) -> list[str]:
    return sorted(splits, key=lambda name: (name != TRAIN, name == TEST, name))
