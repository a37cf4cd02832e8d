"""What lies below a folder: its pictures, and what is passed over, with why; no Ray.

Nothing that is found on the way ends the search: links to nothing, links that lead back, folders that may not be read
and names that no text can hold are counted as what they are.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dcgan_dist.data.image_decoding import SUFFIXES
from dcgan_dist.storage import Place

HIDDEN = "hidden"
NOT_UTF8 = "with a name that is not UTF-8"
NO_SUFFIX = "without a suffix"
NO_FILE = "neither file nor folder"
LEADS_BACK = "link that leads back to a folder above it"
UNREADABLE = "folder that cannot be read"
WITHOUT_PICTURES = "folder without pictures"

CONVERTIBLE = {
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".svg",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2",
}  # fmt: skip
"""Suffixes of pictures that are not decoded here."""

_KINDS_TOLD = 8
_LONGEST_SUFFIX = 12


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes:
        pictures: name and size in bytes of the files whose suffix says that they are pictures, sorted by name, which is
            relative to the folder, with `/`. The size of a link to nothing is 0: whoever reads it finds out.
        passed: what else there is, by name, sorted: the name as it can be shown, and the kind of thing it is, which is
            a suffix with its dot or one of the constants of this module.
    """

    pictures: tuple[tuple[str, int], ...]
    passed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something below a folder: `kind` is "" for a file, else what it is instead."""

    name: str
    size: int = 0
    kind: str = ""


def list_folder(folder: Place) -> Listing:
    """The pictures below a folder, however deep, and what else there is.

    Raises `DataError` where the store cannot be reached.
    """
    if folder.is_local:
        return sort_out(_walk(folder.local_path))
    below = len(folder.address.rstrip("/")) + 1
    return sort_out((Entry(where.address[below:], info.size) for where, info in folder.files(recursive=True)))


def sort_out(entries: Iterable[Entry]) -> Listing:
    """Tell the pictures from the rest; an `Entry` of kind `WITHOUT_PICTURES` is a folder which may have some."""
    pictures: dict[str, int] = {}
    passed: dict[str, str] = {}
    folders: set[str] = set()
    for entry in entries:
        parts = entry.name.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        hidden = next((depth for depth, part in enumerate(parts, 1) if part.startswith(".")), 0)
        if hidden:
            # Hidden files are other programs' own, such as the `._NAME` that macOS leaves beside each file.
            passed["/".join(parts[:hidden])] = HIDDEN
        elif entry.kind == WITHOUT_PICTURES:
            folders.add(entry.name)
        elif entry.kind or not _is_text(entry.name):
            passed[entry.name] = entry.kind or NOT_UTF8
        elif suffix_of(parts[-1]).removeprefix(".") in SUFFIXES:
            pictures[entry.name] = entry.size
        else:
            passed[entry.name] = suffix_of(parts[-1])
    with_pictures = {above for name in pictures for above in _folders_above(name)}
    without = {name for name in folders if name not in with_pictures and name not in passed and _is_shown(name)}
    passed |= {name: WITHOUT_PICTURES for name in without if without.isdisjoint(_folders_above(name))}
    shown = ((name.encode("utf-8", "backslashreplace").decode(), kind) for name, kind in passed.items())
    return Listing(tuple(sorted(pictures.items())), tuple(sorted(shown)))


def suffix_of(name: str) -> str:
    """The end of a file's name from its last dot on, in lower case; what it is called where there is none."""
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if stem and dot and suffix and len(suffix) <= _LONGEST_SUFFIX else NO_SUFFIX


def passed_over(passed: Iterable[tuple[str, str]]) -> str:
    """A line that says how many of each kind were passed over, with an example; "" where nothing was."""
    found = list(passed)
    if not found:
        return ""
    counts = sorted(Counter(kind for _, kind in found).items(), key=lambda pair: (-pair[1], pair[0]))
    told = [f"{number:,} {kind}" for kind, number in counts[:_KINDS_TOLD]]
    if len(counts) > _KINDS_TOLD:
        others = counts[_KINDS_TOLD:]
        told.append(f"{sum(number for _, number in others):,} of {len(others):,} other kinds")
    # A suffix that nobody expected to be left out tells more than a hidden file.
    shown = next((kind for kind, _ in counts if kind != HIDDEN), HIDDEN)
    example = next(name for name, kind in found if kind == shown)
    more = (
        "; convert the other pictures to JPEG or PNG to use them" if CONVERTIBLE & {kind for _, kind in found} else ""
    )
    return f"passed over: {', '.join(told)}; for example {example} (used are .{', .'.join(SUFFIXES)}{more})"


def _walk(folder: Path) -> Iterator[Entry]:
    """All that is below a local folder, links followed; a folder itself comes as one that may have pictures."""
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", (_identity(os.stat(folder)),))]
    while waiting:
        inside, above = waiting.pop()
        try:
            with os.scandir(folder / inside) as found:
                names = [entry.name for entry in found]
        except FileNotFoundError:
            continue  # it was removed meanwhile
        except OSError:
            yield Entry(inside or ".", kind=UNREADABLE)
            continue
        for name in names:
            name = f"{inside}/{name}" if inside else name
            try:
                status = os.stat(folder / name)
            except OSError:
                yield Entry(name)  # a link to nothing, or to itself
                continue
            if stat.S_ISREG(status.st_mode):
                yield Entry(name, status.st_size)
            elif not stat.S_ISDIR(status.st_mode):
                yield Entry(name, kind=NO_FILE)  # a pipe, which would be waited for without end, a socket, a device
            elif _identity(status) in above:
                yield Entry(name, kind=LEADS_BACK)
            else:
                yield Entry(name, kind=WITHOUT_PICTURES)
                if not name.rpartition("/")[2].startswith("."):
                    waiting.append((name, (*above, _identity(status))))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _folders_above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _is_shown(name: str) -> bool:
    return not any(part.startswith(".") for part in name.split("/"))


def _is_text(name: str) -> bool:
    """Whether a name can be an address: file systems take any bytes, which Python keeps as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
