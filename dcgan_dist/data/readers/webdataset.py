"""WebDataset shards that anybody wrote as a source, read by the rules by which training reads them.

A sample is an image and its `KEY.cls`. What else a shard says of it, such as captions, stays behind: it lies in the
bodies of the files, and only headers are read. What lies beside shards may name their classes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

import numpy as np
import pyarrow as pa

from dcgan_dist.data.readers.beside_shards import add_known
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.shard_listing import by_img2dataset, finished, is_shard, shards_at, shards_in
from dcgan_dist.data.readers.shard_splits import choose_splits, in_order
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.data.shards.build_index import index_with_keys
from dcgan_dist.data.shards.index import ShardIndex, concatenate
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

# Shards on an object store whose headers are read at once: each waits for its own answers.
_AT_ONCE = 8


def open_webdataset(addresses: Sequence[Place], request: Request) -> Source:
    """The images of shards.

    Args:
        addresses: tars, or folders of them, see `shards_in`.
        request: see `choose_splits` for the splits, `KeepList.keeps` for what is kept.

    Raises:
        DataError: there is no shard or no image, a file is no tar, the index beside shards of ours does not fit, or the
            keep-list is one of other shards.
        SettingsError: see `choose_splits`.
    """
    where = ", ".join(map(str, addresses[:2])) + (", ..." if len(addresses) > 2 else "")
    found = sorted({shard for address in addresses for shard in shards_at(address)})
    shards, notes = finished(found)
    chosen = dict(zip(shards, choose_splits(shards, request.splits, where), strict=True))
    shards = [shard for shard in shards if chosen[shard] is not None]
    keys, parts = _read_headers(shards, _names(found, shards), request.seen)
    parts, classes, told = add_known(parts)
    index, key = concatenate(parts, classes=classes), pa.concat_arrays(keys)
    left_out: list[str] = []
    if request.keep is not None:
        kept = request.keep.keeps(index, left_out.append)
        index, key = index.without(np.flatnonzero(~kept)), key.filter(pa.array(kept))
    splits = in_order({split for split in chosen.values() if split is not None})
    split = np.array([splits.index(chosen[shard] or "") for shard in shards], np.int16)[index.shard]
    images = np.bincount(split, minlength=len(splits))
    for name, number in zip(splits, images, strict=True):
        if not number and left_out:
            raise DataError(f"{left_out[0]}, among them all of {name}: leave that out with --split")
        if not number:
            raise DataError(f"there is no image in the shards of {name} in {where}: leave them out with --split")
    samples = Samples(
        key=key,
        file=index.shard,
        offset=index.offset,
        size=index.size,
        split=split,
        label=index.label,
        attributes=index.attributes,
    )
    taken = Counter(chosen[shard] for shard in shards)
    by_name = ", ".join(f"{count(taken[name], 'shard')} as {name}" for name in splits)
    notes += (f"taken by the names of shards and their folders: {by_name}", *left_out)
    return Source(where, tuple(shards), samples, fetch_ranges, tuple(splits), index.classes, notes + told + index.notes)


def recognize_webdataset(where: Place) -> str:
    """What shards there are at an address; "" where there are none."""
    try:
        if where.is_file():
            return "a WebDataset shard" if is_shard(where) else ""
        shards = shards_in(where)
        if not shards or not is_shard(shards[0]):
            return ""
        return count(len(shards), "WebDataset shard") + (" of img2dataset" if by_img2dataset(shards[0].parent) else "")
    except DataError:
        return ""  # such as for a name that is no UTF-8, which a folder of pictures may have


WEBDATASET = Reader(
    about="WebDataset shards: tars, or a folder of them, such as the output of img2dataset",
    open=open_webdataset,
    recognize=recognize_webdataset,
)


def _read_headers(
    shards: Sequence[Place], names: Sequence[str], seen: Callable[[int, int | None], None]
) -> tuple[list[pa.Array], list[ShardIndex]]:
    """Names of the images, and index, of each shard."""
    keys: list[pa.Array] = []
    parts: list[ShardIndex] = []
    done = 0
    with ThreadPoolExecutor(1 if all(shard.is_local for shard in shards) else _AT_ONCE) as pool:
        try:
            for name, (part, found) in zip(names, pool.map(index_with_keys, shards), strict=True):
                keys.append(_unique(name, found))
                parts.append(part)
                done += len(part)
                seen(done, None)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return keys, parts


def _names(found: Sequence[Place], shards: Sequence[Place]) -> list[str]:
    """Names of shards below the folder that holds all that were found, however they were asked for."""
    folders = [shard.address.split("/")[:-1] for shard in found]
    pairs = zip(min(folders), max(folders), strict=False)
    above = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return ["/".join(shard.address.split("/")[above:]) for shard in shards]


def _unique(shard: str, keys: Iterable[str]) -> pa.Array:
    """Names of the images of a shard as text, `SHARD/KEY`; `SHARD/KEY.2` of the second one that has the key.

    A key has no dot behind its last slash, so no other image has that name.
    """
    seen: Counter[str] = Counter()
    names = []
    for key in keys:
        name = key.encode("utf-8", "backslashreplace").decode()
        seen[name] += 1
        names.append(f"{shard}/{name}.{seen[name]}" if seen[name] > 1 else f"{shard}/{name}")
    return pa.array(names, pa.large_string())
