"""Which shards lie at an address, and which of them are finished.

img2dataset writes `NNNNN_stats.json` when a shard is finished: where there are such files, a shard `NNNNN.tar` without
one is not.
"""

import re
from collections.abc import Mapping, Sequence

from dcgan_dist.data.shards import tar
from dcgan_dist.data.splits import FOLDERS
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import FileInfo, Place

_COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
# Tars of ImageNet, which are for another reader: the publisher's, and those of one class each.
_IMAGENET = re.compile(r"ILSVRC2012_.*|n\d{8}\.tar")
_STATS = re.compile(r"\d+_stats\.json")
_NUMBERED = re.compile(r"\d+\.tar")


def shards_at(address: Place) -> list[Place]:
    """The shard at an address, or those of a folder, see `shards_in`; raises `DataError` where there are none."""
    if address.is_file():
        return [address]
    if not address.is_folder():
        raise DataError(f"there is no file or folder {address}: give shards, or the folder that holds them")
    shards = shards_in(address)
    if not shards:
        packed = next((name for name in address.names() if name.endswith(_COMPRESSED)), None)
        raise DataError(
            f"{address} holds no .tar"
            + (
                f", but {packed}, which is compressed: decompress it, so that single images can be read from it"
                if packed
                else ": give shards, or the folder that holds them"
            )
        )
    return shards


def shards_in(folder: Place) -> list[Place]:
    """The tars of a folder, sorted, or else those of its folders that are named as splits, such as `train`."""
    children = folder.children()
    splits = (folder / name for name, info in sorted(children.items()) if info is None and name.lower() in FOLDERS)
    return _tars(folder, children) or [shard for split in splits for shard in _tars(split, split.children())]


def is_shard(file: Place) -> bool:
    """Whether a file is a tar of single files, and none of ImageNet's, by its name and first header."""
    if not file.name.endswith(".tar") or _IMAGENET.fullmatch(file.name):
        return False
    first = file.read_range(0, tar.BLOCK)
    if not first.strip(b"\0"):
        return True  # as writers leave it that got no samples
    return tar.is_header(first) and not tar.member_name(first).endswith((".tar", *_COMPRESSED))


def by_img2dataset(folder: Place) -> set[str]:
    """Names of the files of a folder by which img2dataset says that a shard is finished: none where it wrote none."""
    return {name for name in folder.names() if _STATS.fullmatch(name)}


def finished(shards: Sequence[Place]) -> tuple[list[Place], tuple[str, ...]]:
    """Those that are not left behind unfinished by img2dataset, and a line about the others."""
    told = {folder: by_img2dataset(folder) for folder in {shard.parent for shard in shards}}
    unfinished = {
        shard
        for shard in shards
        if told[shard.parent] and _NUMBERED.fullmatch(shard.name) and _stats(shard) not in told[shard.parent]
    }
    if not unfinished:
        return list(shards), ()
    example = min(unfinished)
    stats = _stats(example)
    if len(unfinished) == len(shards):
        raise DataError(f"img2dataset has finished none of the shards: beside {example} there is no {stats}")
    line = f"passed over: {count(len(unfinished), 'shard')} that img2dataset has not finished, for example {example}"
    return [shard for shard in shards if shard not in unfinished], (f"{line}, beside which there is no {stats}",)


def _tars(folder: Place, children: Mapping[str, FileInfo | None]) -> list[Place]:
    # Hidden ones are other programs' own, such as the `._NAME` that macOS leaves.
    files = sorted(name for name, info in children.items() if info is not None and not name.startswith("."))
    return [folder / name for name in files if name.endswith(".tar")]


def _stats(shard: Place) -> str:
    return f"{shard.name.removesuffix('.tar')}_stats.json"
