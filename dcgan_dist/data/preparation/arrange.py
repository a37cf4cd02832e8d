"""Where each picture of a source goes: what is held out, and the order within a split."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.progress import watched
from dcgan_dist.data.readers.source import Item, Source
from dcgan_dist.data.splits import TEST, is_held_out
from dcgan_dist.errors import SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.settings import DataSettings

_READERS = 8
_READ_AHEAD = 1024


def arrange(source: Source, *, holdout: float, seed: int) -> tuple[tuple[str, ...], list[Item], tuple[str, ...]]:
    """Splits, all pictures in the order of the shards, lines for people.

    The order within a split is that of the SHA-256 of seed and key: any version of any library gives the same.

    Args:
        source: is gone through; its pictures are read where some shall be held out, or may be in two splits.
        holdout: share of the pictures that become the split `test`, from 0 to below 1.
        seed: of the order.

    Raises:
        SettingsError: pictures cannot be held out, or so few or many that a split has none.
    """
    if holdout and len(source.splits) > 1:
        raise SettingsError(
            f"holdout is {holdout:g} but {source.where} is split already, into {', '.join(source.splits)}: leave "
            "--holdout out, or give the address of one split alone"
        )
    if holdout and source.splits == (TEST,):
        raise SettingsError(f"holdout is {holdout:g} but split is {TEST}, which is what held-out pictures are called")
    items = list(watched(source.items, "listed", source.count))
    splits, told = source.splits, source.told
    if holdout:
        splits = (*splits, TEST)
        items = _hold_out(items, holdout)
        counts = Counter(item.split for item in items)
        for split in splits:
            if not counts[split]:
                raise SettingsError(
                    f"holdout is {holdout:g} but that leaves none of the {len(items):,} pictures in {source.where} "
                    f"to {split}: give another share"
                )
        told += (f"held out: {counts[TEST]:,} of {len(items):,} pictures, as {TEST}",)
    elif len(splits) > 1:
        told += tuple(_same_in_two(items, splits))
    items.sort(key=lambda item: (splits.index(item.split), hashlib.sha256(f"{seed}/{item.key}".encode()).digest()))
    return splits, items, told


def _hold_out(items: Sequence[Item], share: float) -> list[Item]:
    """The pictures, of which a share is of the split `test` now."""
    return [
        replace(item, split=TEST) if is_held_out(digest, share) else item
        for item, digest in zip(items, _contents(items), strict=True)
    ]


def _same_in_two(items: Sequence[Item], splits: Sequence[str]) -> list[str]:
    """Lines about pictures of a split that are, byte for byte, in one before it too."""
    splits_of_size: dict[int, set[str]] = {}
    for item in items:
        splits_of_size.setdefault(item.size, set()).add(item.split)
    # Only files of one length can be the same.
    some = [item for item in items if len(splits_of_size[item.size]) > 1]
    seen: dict[bytes, Item] = {}
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for item, digest in sorted(zip(some, _contents(some), strict=True), key=lambda pair: splits.index(pair[0].split)):
        first = seen.setdefault(digest, item)
        if first.split != item.split:
            found.setdefault((first.split, item.split), []).append((first.key, item.key))
    return [
        f"the same in two splits: {count(len(keys), 'picture')} of {second} also in {first}, byte for byte, for "
        f"example {keys[0][1]} and {keys[0][0]}"
        for (first, second), keys in found.items()
    ]


def _contents(items: Sequence[Item]) -> Iterator[bytes]:
    """SHA-256 of the file of each picture; of its key where that cannot be read."""
    most = DataSettings().max_image_bytes

    def digest(item: Item) -> bytes:
        try:
            data = item.read(most)
        except BadImage:
            data = item.key.encode()
        return hashlib.sha256(data).digest()

    def digests() -> Iterator[bytes]:
        # Threads suffice: a digest lets others go on meanwhile, and on an object store most of the time is waiting.
        with ThreadPoolExecutor(_READERS) as readers:
            for first in range(0, len(items), _READ_AHEAD):
                yield from readers.map(digest, items[first : first + _READ_AHEAD])

    return watched(digests(), "compared", len(items))
