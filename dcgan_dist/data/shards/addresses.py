"""Which shards an address means: a file, a folder, a pattern, braces; no Ray."""

import fnmatch
import re
from collections.abc import Callable, Sequence

from dcgan_dist.errors import DataError
from dcgan_dist.storage import FileInfo, Place, place

# A range in braces that means more files than this is a typing error.
_MOST_SHARDS = 1_000_000

# What makes names of shards unique besides numbers: a UUID, or a digest.
_UNIQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![0-9a-z])[0-9a-f]{16,}(?![0-9a-z])", re.IGNORECASE)

# In a folder without shards, this many folders are searched for some, and this many of those that have some are named.
_FOLDERS_SEEN, _FOLDERS_NAMED = 20, 6

_SPLITS_NAMED = 6

Children = Callable[[Place], dict[str, FileInfo | None]]
"""Gives what a folder holds, as `Place.children`."""

_MAGIC = re.compile(r"[*?\[]")


def expand(addresses: str) -> list[Place]:
    """The shards that a comma-joined list of addresses means, sorted, each once; nothing is opened.

    An address is a file; a folder, which means its `*.tar`; a pattern with `*`, `?` or `[...]`, which means the `*.tar`
    that it matches (and folders, as above); braces as in a shell, `train-{000000..000009}.tar` and `{a,b}`.
    Raises `DataError` where an address means nothing, or a folder holds the shards of more than one split.
    """
    shards: set[Place] = set()
    listed: dict[Place, dict[str, FileInfo | None]] = {}
    for address in split_addresses(addresses):
        for text in _braces(address):
            shards.update(_match(place(text), listed))
    if not shards:
        raise DataError(
            f"{addresses!r} names no shards: give a folder, a file, or a pattern such as FOLDER/train-*.tar"
        )
    return sorted(shards)


def expand_names(address: str) -> list[Place]:
    """The files and folders of any kind that an address means: itself, or what its pattern or its braces match.

    Raises `DataError` where there are none.
    """
    found: set[Place] = set()
    for text in _braces(address):
        where = place(text)
        there = [where] if where.exists() else []
        if not there and _MAGIC.search(where.address[len(where.root) :]):
            there = [one for several in _matching(where, Place.children) for one in several]
        # A disk may also have pipes and devices, which would be read without end.
        there = [one for one in there if not one.is_local or one.is_file() or one.is_folder()]
        if not there:
            raise DataError(f"there is no file or folder {where}: give a folder or files that are there")
        found.update(there)
    return sorted(found)


def split_addresses(text: str) -> list[str]:
    """Cut at the commas that are outside of braces and brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "{[") - (character in "}]")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _braces(text: str) -> list[str]:
    """All texts that the braces mean, the first brace varying slowest; braces that mean nothing stay as they are."""
    # The innermost braces first, so that nested ones need nothing more; `${NAME}` is a variable, not an alternative.
    for match in re.finditer(r"(?<!\$)\{([^{}]*)\}", text):
        span = re.fullmatch(r"(\d+)\.\.(\d+)", match[1])
        if span:
            first, last = int(span[1]), int(span[2])
            if abs(last - first) >= _MOST_SHARDS:
                raise DataError(
                    f"{text} means {abs(last - first) + 1:,} files but at most {_MOST_SHARDS:,} are allowed"
                )
            width = max(len(span[1]), len(span[2])) if "0" in (span[1][0], span[2][0]) else 0
            step = 1 if last >= first else -1
            choices = [str(number).zfill(width) for number in range(first, last + step, step)]
        elif "," in match[1]:
            choices = match[1].split(",")
        else:
            continue
        return [whole for choice in choices for whole in _braces(text[: match.start()] + choice + text[match.end() :])]
    return [text]


def _match(where: Place, listed: dict[Place, dict[str, FileInfo | None]]) -> list[Place]:
    """The shards that one address without braces means; `listed` remembers the folders that were looked into."""

    def children(folder: Place) -> dict[str, FileInfo | None]:
        if folder not in listed:
            listed[folder] = folder.children()
        return listed[folder]

    tail = where.address[len(where.root) :].strip("/")
    # A name may itself have brackets in it: what exists as it is written is meant as it is written.
    if not _MAGIC.search(tail) or where.exists():
        if where.name in children(where.parent):
            is_folder = children(where.parent)[where.name] is None
        else:
            is_folder = where.is_folder()  # a root or a bucket, which no listing shows
            if not is_folder:
                raise DataError(f"{where} does not exist; {_nearest(where)}")
        return _folder_shards(where, children(where)) if is_folder else [where]

    files, folders = _matching(where, children)
    shards = [file for file in files if file.name.endswith(".tar")]
    shards += [shard for folder in folders if not shards for shard in _folder_shards(folder, children(folder))]
    if not shards:
        other = f"; it matches {files[0].name}, which is no .tar" if files else ""
        raise DataError(f"{where} matches no shards{other}; {_nearest(where)}")
    return shards


def _matching(where: Place, children: Children) -> tuple[list[Place], list[Place]]:
    """Files and folders that a pattern matches."""
    here = [Place(where.root.rstrip("/") or "/")]
    parts = where.address[len(where.root) :].strip("/").split("/")
    for part in parts[:-1]:
        here = [
            folder / name
            for folder in here
            for name in _named(part, children(folder))
            if children(folder)[name] is None
        ]
    files: list[Place] = []
    folders: list[Place] = []
    for folder in here:
        for name in _named(parts[-1], children(folder)):
            (folders if children(folder)[name] is None else files).append(folder / name)
    return files, folders


def _named(pattern: str, names: dict[str, FileInfo | None]) -> list[str]:
    """The names that a part of a pattern matches; as in a shell, `*` does not match a leading dot."""
    if not _MAGIC.search(pattern):
        return [pattern] if pattern in names else []
    return [n for n in names if fnmatch.fnmatchcase(n, pattern) and (pattern.startswith(".") or not n.startswith("."))]


def _folder_shards(folder: Place, names: dict[str, FileInfo | None]) -> list[Place]:
    shards = sorted(name for name, info in names.items() if info is not None and name.endswith(".tar"))
    if not shards:
        packed = next((name for name in sorted(names) if name.endswith((".tar.gz", ".tgz", ".tar.zst"))), None)
        below = sorted(
            name
            for name in sorted(name for name, info in names.items() if info is None)[:_FOLDERS_SEEN]
            if any(inner.endswith(".tar") for inner in (folder / name).names())
        )[:_FOLDERS_NAMED]
        if below:
            example, alone = _to_train_on(below)
            every = f", or all with {folder}/*/*.tar" if len(below) > 1 and not alone else ""
            raise DataError(
                f"the folder {folder} holds no .tar, but its folder{'s' if len(below) > 1 else ''} {', '.join(below)} "
                f"do{'' if len(below) > 1 else 'es'}: give {folder / example}{every}"
            )
        holds = (
            "is empty"
            if not names
            else f"holds no .tar ({packed} needs to be decompressed)"
            if packed
            else "holds no .tar"
        )
        raise DataError(f"the folder {folder} {holds}: give a folder of WebDataset shards")
    splits: dict[str, list[str]] = {}
    for shard in shards:
        splits.setdefault(split_of(shard), []).append(shard)
    if len(splits) > 1:
        example, alone = _to_train_on(list(splits))
        named = ", ".join(sorted(splits)[:_SPLITS_NAMED]) + (", ..." if len(splits) > _SPLITS_NAMED else "")
        every = "" if alone else f", or take all with {folder}/*.tar"
        raise DataError(
            f"the folder {folder} holds shards of more than one split ({named}): choose one, "
            f"for example {folder}/{pattern_of(example, splits)}{every}"
        )
    return [folder / name for name in shards]


def _to_train_on(names: Sequence[str]) -> tuple[str, bool]:
    """Which of several splits to suggest, and whether it alone: the others may be there to evaluate on."""
    train = [name for name in ("train", "training") if name in names]
    return (train or names)[0], bool(train)


def split_of(name: str) -> str:
    """What the name of a shard says besides its number: `train` of `train-000001.tar`, `train-00000-of-00002.tar`,
    `00000-train.tar` and `train_UUID.tar`."""
    stem = _UNIQUE.sub("", name.removesuffix(".tar"))
    words = [word for word in re.split(r"[-_.]+", stem) if word and not word.isdigit()]
    if re.search(r"\d[-_.]of[-_.]\d", stem):
        words.remove("of")
    return re.sub(r"(?<=\D)\d+$", "", "-".join(words))


def pattern_of(split: str, splits: dict[str, list[str]]) -> str:
    """A pattern that matches the shards of a split and no others."""
    names = splits[split]
    others = [name for other, theirs in splits.items() if other != split for name in theirs]
    first, last = _common_start(names), _common_start([name[::-1] for name in names])[::-1]
    first = first.rstrip("0123456789") or first
    one = names if len(names) == 1 else []
    patterns = [f"{split}-*.tar", *one, f"{first}*.tar", f"{first}[0-9]*.tar", f"*{last.lstrip('0123456789')}"]
    for pattern in patterns:
        matched = [name for name in (*names, *others) if fnmatch.fnmatchcase(name, pattern)]
        if matched == names:
            return pattern
    return names[0]


def _common_start(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same]


def _nearest(where: Place) -> str:
    """Where the search ended, for a message."""
    folder = where.parent
    while folder != folder.parent and (_MAGIC.search(folder.address) or not folder.exists()):
        folder = folder.parent
    if not folder.exists():
        return f"{folder} does not exist either"
    names = folder.names()
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"the nearest folder that exists is {folder}, with {some}" if names else f"the folder {folder} is empty"
