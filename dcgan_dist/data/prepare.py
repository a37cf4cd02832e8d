"""A folder of pictures -> shuffled WebDataset shards of one size, with an index: the command and its steps; no Ray.

    python -m dcgan_dist.data.prepare photos/ shards/ --size 64

Pictures in subfolders, `photos/CLASS/...`, get the subfolder as their class. The shards are the same bytes on any
machine, for any number of processes, and whether or not the command was interrupted: called again it goes on.
"""

import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated

import numpy as np
import simplejpeg
import tyro
from tqdm import tqdm

from dcgan_dist.data.images import SUFFIXES, BadImage, Fit, decode, is_ready
from dcgan_dist.data.shards import Index, ShardWriter, concatenate, index_shard
from dcgan_dist.errors import DataError, DcganDistError, SettingsError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place, place

arg = tyro.conf.arg

RECORD_FILE = "prepare.json"
SHEET_FILE = "contact-sheet.png"
FORMAT = "dcgan-dist prepare 1"

_TASK_PICTURES = 32
_LINE_S = 10.0


@dataclass(frozen=True)
class Options:
    """Make shards from a folder of pictures (jpg, jpeg, png, webp), on disks or object stores.

    Example: python -m dcgan_dist.data.prepare photos/ shards/ --size 64
    """

    folder: Annotated[tyro.conf.Positional[str], arg(metavar="FOLDER")]
    """Where the pictures are; where all are in subfolders, the first one's name is their class."""
    out: Annotated[tyro.conf.Positional[str], arg(metavar="OUT")]
    """Where the shards go: an empty or new folder, or one that an interrupted call has left."""
    size: Annotated[int, arg(metavar="PIXELS")] = 64
    """Height and width of an image: a power of two from 8 to 256."""
    fit: Fit = "resize"
    """`resize` scales the shorter side, then crops the centre; `crop` cuts the centre without scaling."""
    split: Annotated[str, arg(metavar="NAME")] = "train"
    """First part of the shards' names."""
    images_per_shard: Annotated[int, arg(metavar="IMAGES")] = 5_000
    """Images in a shard; the last has what is left."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Of the order of the images."""
    quality: Annotated[int, arg(metavar="1..100")] = 95
    """Of the JPEGs that are written, without loss in colour resolution; a JPEG that has the size is kept as it is."""
    processes: Annotated[int, arg(metavar="N")] = 0
    """How many decode at once; 0: one a core."""

    def __post_init__(self) -> None:
        def need(condition: bool, name: str, rule: str) -> None:
            if not condition:
                raise SettingsError(f"{name} is {getattr(self, name)!r} but needs {rule}")

        need(8 <= self.size <= 256 and self.size & (self.size - 1) == 0, "size", "to be a power of two from 8 to 256")
        need(re.fullmatch(r"[A-Za-z0-9_-]{1,60}", self.split) is not None, "split", "up to 60 letters, digits, _ and -")
        need(self.images_per_shard >= 1, "images_per_shard", "to be at least 1")
        need(1 <= self.quality <= 100, "quality", "to be from 1 to 100")
        need(self.processes >= 0, "processes", "to be at least 0")


@dataclass(frozen=True)
class Picture:
    """A picture to convert: its place, its name relative to the folder, its size in bytes, its class."""

    place: Place
    name: str
    size: int
    label: int | None


@dataclass(frozen=True)
class Record:
    """How far the work has come; lies in the target, so that the next call can go on, and stays as its history.

    Attributes:
        arguments: what the bytes of the shards depend on, besides the pictures.
        listing: SHA-256 over names and sizes of the pictures.
        pictures: how many there are.
        done: how many of them, in order, are in complete shards or were bad.
        shards: name, SHA-256 and number of images of the complete shards.
        bad: name of a picture that was left out, and why.
    """

    arguments: dict[str, str | int]
    listing: str
    pictures: int
    done: int = 0
    shards: tuple[tuple[str, str, int], ...] = ()
    bad: tuple[tuple[str, str], ...] = field(default=())

    def save(self, folder: Place) -> None:
        (folder / RECORD_FILE).write_bytes(json.dumps({"format": FORMAT} | asdict(self), indent=1).encode() + b"\n")

    @staticmethod
    def load(folder: Place) -> "Record":
        """Raises `MissingFile`, or `DataError` where it is none of ours."""
        try:
            content = json.loads((folder / RECORD_FILE).read_bytes())
            if content.pop("format") != FORMAT:
                raise ValueError("it is of another format")
            content["shards"] = tuple((str(file), str(digest), int(n)) for file, digest, n in content["shards"])
            content["bad"] = tuple((str(name), str(reason)) for name, reason in content["bad"])
            return Record(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{folder / RECORD_FILE} is damaged ({error}): delete {folder} and begin anew") from error


@dataclass(frozen=True)
class Work:
    """What is to be done, checked and begun."""

    options: Options
    source: Place
    target: Place
    pictures: list[Picture]
    classes: tuple[str, ...] | None
    record: Record


def begin(options: Options) -> Work:
    """Find the pictures and see what an earlier call has done of them.

    Raises:
        SettingsError: the target holds something else, or was begun with other arguments.
        DataError: there are no pictures, or they changed since the earlier call.
    """
    source, target = place(options.folder), place(options.out)
    if target == source or target.address.startswith(f"{source.address.rstrip('/')}/"):
        raise SettingsError(f"the target {target} is in the folder of the pictures: choose one outside of it")
    pictures, classes = find_pictures(source, options.seed)
    arguments = {name: value for name, value in asdict(options).items() if name not in ("folder", "out", "processes")}
    listing = _digest("".join(f"{picture.name}\0{picture.size}\0" for picture in pictures))
    record = Record(arguments, listing, len(pictures))
    children = target.children()
    if RECORD_FILE in children:
        return Work(options, source, target, pictures, classes, _earlier(target, record))
    if children:
        raise SettingsError(f"the target {target} is not empty, it holds {min(children)}: choose a new folder")
    target.make_folder()
    record.save(target)
    return Work(options, source, target, pictures, classes, record)


def _earlier(target: Place, wanted: Record) -> Record:
    """The record of an earlier call, if that was for the same shards."""
    record = Record.load(target)
    for name, value in wanted.arguments.items():
        if record.arguments.get(name) != value:
            raise SettingsError(
                f"{name} is {value!r} but {target} was begun with {record.arguments.get(name)!r}: give that, or choose "
                "another target"
            )
    if (record.listing, record.pictures) != (wanted.listing, wanted.pictures):
        raise DataError(
            f"the pictures changed since {target} was begun ({record.pictures:,} then, {wanted.pictures:,} now): "
            "choose another target"
        )
    return record


def convert(work: Work) -> Index:
    """Write the shards that are missing, the contact sheet and the index; returns the index.

    Raises `DataError` where no picture can be used.
    """
    record = work.record if work.record.done == len(work.pictures) else _write_shards(work)
    if not record.shards:
        name, reason = record.bad[0]
        raise DataError(
            f"none of the {record.pictures:,} pictures in {work.source} can be used, for example {name}: {reason}"
        )
    parts = [replace(index_shard(work.target / file), sha256=digest) for file, digest, _ in record.shards]
    index = concatenate(parts, classes=work.classes, image_size=work.options.size)
    _draw_sheet(index, work.target, work.options.size)
    index.save(work.target)
    return index


def find_pictures(folder: Place, seed: int) -> tuple[list[Picture], tuple[str, ...] | None]:
    """The pictures below a folder in the order of the shards, and the names of their classes.

    There are classes where every picture is in a subfolder and these have at least two names. The order is that of the
    SHA-256 of seed and name: any version of any library gives the same.

    Raises:
        DataError: no such folder, or no pictures in it.
    """
    if not folder.is_folder():
        raise DataError(f"there is no folder {folder}: give the folder that holds the pictures")
    found = folder.files(recursive=True)
    below = len(folder.address.rstrip("/")) + 1
    names = {where.address[below:]: (where, info.size) for where, info in found}
    chosen = sorted(name for name in names if _is_picture(name))
    if not chosen:
        other = f"{len(found):,} other files, for example {found[0][0].name}" if found else "no files at all"
        raise DataError(f"there are no pictures ({', '.join(SUFFIXES)}) in {folder}, but {other}")
    tops = {name: name.partition("/")[0] for name in chosen if "/" in name}
    classes = tuple(sorted(set(tops.values())))
    if len(tops) < len(chosen) or len(classes) < 2:
        classes = ()
    number = {name: i for i, name in enumerate(classes)}
    pictures = [Picture(names[name][0], name, names[name][1], number.get(tops.get(name, ""))) for name in chosen]
    return sorted(pictures, key=lambda picture: _digest(f"{seed}/{picture.name}")), classes or None


def _is_picture(name: str) -> bool:
    # Hidden files are other programs' own, such as the `._NAME` that macOS leaves beside each file.
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name.rpartition(".")[2].lower() in SUFFIXES


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write_shards(work: Work) -> Record:
    """Convert what is left and write it; the record is brought up to date after each shard."""
    record, options = work.record, work.options
    writer = ShardWriter(
        work.target,
        options.split,
        options.images_per_shard,
        first_shard=len(record.shards),
        first_image=sum(images for _, _, images in record.shards),
    )
    bad = list(record.bad)

    def save(done: int) -> Record:
        shards = tuple((Place(shard.shard).name, shard.sha256, len(shard)) for shard in writer.written)
        now = replace(record, done=done, shards=record.shards + shards, bad=tuple(bad))
        now.save(work.target)
        return now

    left = work.pictures[record.done :]
    results = _watched(_convert_all(left, options), len(work.pictures), record.done)
    for number, (picture, result) in enumerate(zip(left, results, strict=True), record.done):
        if isinstance(result, str):
            bad.append((picture.name, result))
            continue
        complete = len(writer.written)
        writer.add(result, label=picture.label, meta={"source": picture.name})
        if len(writer.written) > complete:
            save(number)  # all pictures before this one are in complete shards, or bad
    writer.flush()
    return save(len(work.pictures))


def _convert_all(pictures: Sequence[Picture], options: Options) -> Iterator[bytes | str]:
    """For each picture, in order, a JPEG, or why there is none; all cores work a little ahead of what is taken."""
    tasks = [pictures[i : i + _TASK_PICTURES] for i in range(0, len(pictures), _TASK_PICTURES)]
    processes = min(options.processes or os.cpu_count() or 1, len(tasks))
    # A forked child would inherit the locks of pyarrow's threads.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    under_way: deque[Future[list[bytes | str]]] = deque()
    try:
        for task in tasks:
            under_way.append(pool.submit(_convert_some, task, options.size, options.fit, options.quality))
            if len(under_way) > 3 * processes:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process that decodes pictures was ended from outside, perhaps for want of memory: call again with fewer "
            "--processes to go on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Make a process of the pool end with the command, and only with it."""
    # Ctrl-C reaches every process of the terminal; the command alone acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_it() -> None:
        parent.join()
        os._exit(1)

    # The pool's processes hold both ends of its queue, so they would wait for ever for a command that was killed.
    threading.Thread(target=end_with_it, daemon=True).start()


def _convert_some(pictures: Sequence[Picture], size: int, fit: Fit, quality: int) -> list[bytes | str]:
    """For each picture a JPEG of `size` x `size` pixels, or why there is none."""
    limits = DataSettings()
    pixels = np.empty((size, size, 3), np.uint8)
    results: list[bytes | str] = []
    for picture in pictures:
        if picture.size > limits.max_image_bytes:
            results.append(f"has {picture.size:,} bytes, more than the {limits.max_image_bytes:,} that are allowed")
            continue
        data = picture.place.read_bytes()
        try:
            decode(data, pixels, fit=fit, max_pixels=limits.max_image_pixels)
        except BadImage as error:
            results.append(str(error))
            continue
        if not is_ready(data, size):
            data = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="444")
        results.append(data)
    return results


def _watched(results: Iterator[bytes | str], total: int, done: int) -> Iterator[bytes | str]:
    """Hand on results, and show on stderr how far they are: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(results, total=total, initial=done, unit=" pictures")
        return
    began = last = time.monotonic()
    for number, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - last >= _LINE_S:
            print(f"{done + number:,} of {total:,} pictures, {number / (now - began):,.0f} a second", file=sys.stderr)
            last = now


def _draw_sheet(index: Index, target: Place, size: int) -> None:
    """The first hundred images, which are a random choice, as a picture to look at."""
    # Brings torch with it, which the processes that decode must not load.
    from dcgan_dist.pictures import grid, png

    images = np.zeros((min(len(index), 100), size, size, 3), np.uint8)
    for i, image in enumerate(images):
        shard = Place(index.shards[index.shard[i]])
        data = shard.read_range(int(index.offset[i]), int(index.size[i]))
        decode(data, image, fit="resize", max_pixels=size * size)
    (target / SHEET_FILE).write_bytes(png(grid(images)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 1 where it failed or was stopped on the way, 2 for a wrong input."""
    try:
        work = begin(tyro.cli(Options, prog="python -m dcgan_dist.data.prepare", args=arguments))
    except DcganDistError as error:
        print(error, file=sys.stderr)
        return 2
    if work.record.done:
        print(f"going on after {work.record.done:,} of {work.record.pictures:,} pictures", file=sys.stderr)
    try:
        index = convert(work)
    except DcganDistError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last complete shard", file=sys.stderr)
        return 1
    bad = Record.load(work.target).bad
    for name, reason in bad[:10]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    classes = f" of {len(work.classes)} classes" if work.classes else ""
    left_out = f"; {len(bad):,} bad pictures left out, all named in {RECORD_FILE}" if bad else ""
    print(
        f"{len(index):,} images{classes} in {len(index.shards)} shards in {work.target}{left_out}\n"
        f"look at {work.target / SHEET_FILE}, train with --data {work.target}"
    )
    return 0


if __name__ == "__main__":
    # So that `kill` also lets the last shard be and ends the processes that decode.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
