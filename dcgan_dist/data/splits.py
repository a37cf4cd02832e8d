"""Names of splits, and which pictures are held out; no Ray."""

import re
from collections.abc import Iterable, Sequence

from dcgan_dist.data.shards.addresses import split_of
from dcgan_dist.errors import SettingsError

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


def parse_splits(text: str) -> tuple[str, ...]:
    """Names of splits from `NAME,NAME`; none where the text is empty. Raises `SettingsError`."""
    names = tuple(part.strip() for part in text.split(",")) if text else ()
    if not all(_NAME.fullmatch(name) for name in names):
        raise SettingsError(f"split is {text!r} but needs names of up to 60 letters, digits, _ and -, joined by commas")
    if len(set(names)) < len(names):
        raise SettingsError(f"split is {text!r} but needs each name once")
    return names


def choose_splits(there: Sequence[str], asked: Sequence[str], where: str) -> tuple[str, ...]:
    """The splits to read: those that were asked for, or all, in the order in which a source has them.

    Raises `SettingsError` where one was asked for that is not there; `where` names the source.
    """
    if not set(asked) <= set(there):
        raise SettingsError(f"split is {','.join(asked)!r} but {where} has {', '.join(there)}")
    return tuple(split for split in there if not asked or split in asked)


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
