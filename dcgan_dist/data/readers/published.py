"""Data sets that come as a few files whose names everybody knows: where these are, and which splits they make up."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

_TOLD = 4


@dataclass(frozen=True)
class Published:
    """A data set as its publisher gives it.

    Attributes:
        title: its name, for messages.
        home: where to get it.
        splits: of each split, in the order in which they are written, the files that make it up.
        counts: pictures of each split as published.
        plain: the name in `splits` of a file that is called otherwise, such as a compressed one; the name itself, or
            anything that is not in `splits`, where it is none of them.
        archive: the file that holds all of them; "" where there is none.
        beside: files that are of no split, by plain name.
        below: folders in one that is given where the files are looked for first, as programs that download them make.
    """

    title: str
    home: str
    splits: Mapping[str, Sequence[str]]
    counts: Mapping[str, int]
    plain: Callable[[str], str]
    archive: str = ""
    beside: Sequence[str] = ()
    below: Sequence[str] = ()

    def find(self, addresses: Sequence[Place]) -> tuple[dict[str, Place], tuple[str, ...]]:
        """The files at some addresses by their plain names, and lines about addresses that are passed over.

        Of two in one folder whose plain names are equal, the one whose own name sorts first is taken: the one that is
        not compressed. The files of a folder all lie in it, or all in one folder below it.

        Raises:
            DataError: there is nothing at an address, or files in two folders have the same plain name.
        """
        found: dict[str, Place] = {}
        passed = []
        for address in sorted(set(addresses)):
            if address.is_folder():
                files = self._inside(address)
            elif not address.exists():
                raise DataError(f"there is no {address}: give the folder that holds the files of {self.title}")
            else:
                files = {self.plain(address.name): address}
                if not files.keys() & self._names():
                    passed.append(f"passed over: {address}, which is none of {self.title}'s files by its name")
                    continue
            for name, file in files.items():
                other = found.setdefault(name, file)
                if other.parent != file.parent:
                    raise DataError(f"{other} and {file} are the same file of {self.title} by their names: give one")
        return found, tuple(passed)

    def choose(self, found: Collection[str], asked: Sequence[str], where: str) -> tuple[str, ...]:
        """The splits that are read, in their order: those that were asked for, or all of which there is a file.

        Args:
            found: plain names of the files that are there.
            asked: names of splits, none where the files are to say them.
            where: the addresses, for messages.

        Raises:
            SettingsError: a split that was asked for is none of this data set's.
            DataError: files are missing.
        """
        if not set(asked) <= self.splits.keys():
            raise SettingsError(f"split is {','.join(asked)!r} but {self.title} has {', '.join(self.splits)}")
        there = [split for split, names in self.splits.items() if set(names) & set(found)]
        chosen = tuple(split for split in self.splits if split in (asked or there))
        if not chosen:
            names = [self.archive] if self.archive else [name for names in self.splits.values() for name in names]
            raise DataError(
                f"there is nothing whole of {self.title} at {where}: give --download, which also continues a download "
                f"that broke off, or get {_list(names)} from {self.home}"
            )
        for split in chosen:
            missing = [name for name in self.splits[split] if name not in found]
            if missing:
                raise DataError(
                    f"{self.title}'s split {split} is not whole: there is no {_list(missing)} at {where}; get what is "
                    f"missing from {self.home}, or name other splits with --split"
                )
        return chosen

    def differences(self, counts: Mapping[str, int], where: str) -> tuple[str, ...]:
        """Lines about the splits that have another number of pictures than as published.

        Raises:
            DataError: a split has none.
        """
        for split, number in counts.items():
            if not number:
                raise DataError(
                    f"{self.title}'s split {split} at {where} has no pictures: get it from {self.home}, or name other "
                    "splits with --split"
                )
        return tuple(
            f"{split} has {count(number, 'picture')}, {self.title} as published {self.counts[split]:,}"
            for split, number in counts.items()
            if number != self.counts[split]
        )

    def _inside(self, folder: Place) -> dict[str, Place]:
        found: dict[str, Place] = {}
        for place in (*(folder / name for name in self.below), folder):
            children = place.children() if place.is_folder() else {}
            for name in sorted(name for name, info in children.items() if info is not None):
                if self.plain(name) in self._names():
                    found.setdefault(self.plain(name), place / name)
            if found:
                break
        return found

    def _names(self) -> set[str]:
        return {name for names in (*self.splits.values(), self.beside) for name in names}


def told(addresses: Sequence[Place]) -> str:
    """Addresses in a message."""
    return _list([str(address) for address in addresses])


def what_else(first: bytes) -> str:
    """What a file is that is not of its format, by its first bytes, and what to do; "" where these do not tell."""
    text = first.lstrip()[:40]
    if not first:
        return "it is empty: download it again"
    if text.startswith(b"<"):
        return "it is a page of HTML or XML: the download failed, open its address in a browser to see why"
    if text.startswith(b"version https://git-lfs"):
        return "it is what Git LFS puts in the place of a file: call git lfs pull"
    return ""


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD:,} others" if len(names) > _TOLD else "")
