"""A folder of pictures -> shuffled WebDataset shards of one size, with an index: the command and its steps; no Ray.

    python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1

Pictures in subfolders, `photos/CLASS/...`, get the subfolder as their class; those in `photos/train/CLASS/...` and
`photos/test/CLASS/...` are of these splits, with one list of classes. The shards are the same bytes on any machine, for
any number of processes, and whether or not the command was interrupted: called again it goes on.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from types import FrameType
from typing import Annotated, TypeVar

import numpy as np
import simplejpeg
import tyro
from tqdm import tqdm

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import command_line, prog
from dcgan_dist.data.image_decoding import BadImage, Fit, decode, is_ready
from dcgan_dist.data.readers.folder import File, list_folder, passed_over
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.splits import TEST, TRAIN, counted, is_held_out, lay_out, parse_splits
from dcgan_dist.errors import DataError, DcganDistError, SettingsError, complain
from dcgan_dist.monitoring.sinks.terminal import printable
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import MissingFile, Place, place, require_lasting

T = TypeVar("T")
arg = tyro.conf.arg

RECORD_FILE = "prepare.json"
SHEET_FILE = "contact-sheet.png"
FORMAT = "dcgan-dist prepare 2"

_TASK_PICTURES = 32
_LINE_S = 10.0
_READERS = 8
_DIGESTED = 1024
_BAD_TOLD = 10
_CLASSES_TOLD = 12
_OWN_SIZE = 64


@dataclass(frozen=True)
class PrepareOptions:
    """Make shards from a folder of pictures (JPEG, PNG, WebP), on disks or object stores.

    Example: python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1
    """

    folder: Annotated[tyro.conf.Positional[str], arg(metavar="FOLDER")]
    """Folder of the pictures; if all are in subfolders, the name of the first subfolder on the way is a picture's
    class."""
    out: Annotated[tyro.conf.Positional[str], arg(metavar="OUT")]
    """Folder for the shards: an empty or new one, or the one of an interrupted call."""
    size: Annotated[int, arg(metavar="PIXELS")] = 64
    """Height and width of an image: a power of two from 8 to 256."""
    fit: Fit = "resize"
    """`resize` scales the shorter side, then crops the center; `crop` crops the center without scaling."""
    split: Annotated[str, arg(metavar="NAME[,NAME]")] = ""
    """Name of the split, with which the shards' names begin. Several, as in `train,test`: these folders in FOLDER
    are the splits, and their subfolders the classes. Empty: `train`, or the folders `train`, `val` and `test` if
    FOLDER holds nothing else."""
    holdout: Annotated[float, arg(metavar="SHARE")] = 0.0
    """Fraction of the pictures that become the split `test`. Their bytes alone decide: a picture keeps its split
    when others are added, and copies of a picture stay together."""
    images_per_shard: Annotated[int, arg(metavar="IMAGES")] = 5_000
    """Images per shard; the last one has the rest."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of the order of the images."""
    quality: Annotated[int, arg(metavar="1..100")] = 95
    """Quality of the JPEGs that are written, without chroma subsampling; a JPEG that already has the size is copied
    as it is."""
    processes: Annotated[int, arg(metavar="N")] = 0
    """Processes that decode pictures; 0: one per core."""

    def __post_init__(self) -> None:
        def need(condition: bool, name: str, rule: str) -> None:
            if not condition:
                raise SettingsError(f"{name} is {getattr(self, name)!r} but needs {rule}")

        need(8 <= self.size <= 256 and self.size & (self.size - 1) == 0, "size", "to be a power of two from 8 to 256")
        parse_splits(self.split)
        need(0 <= self.holdout < 1, "holdout", "to be at least 0 and below 1")
        need(self.images_per_shard >= 1, "images_per_shard", "to be at least 1")
        need(1 <= self.quality <= 100, "quality", "to be from 1 to 100")
        need(self.processes >= 0, "processes", "to be at least 0")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to convert: where it is, its split, the number of its class."""

    file: File
    split: str
    label: int | None


@dataclass(frozen=True)
class Record:
    """How far the work has come; lies in the target, so that the next call can go on, and stays as its history.

    Attributes:
        arguments: what the bytes of the shards depend on, besides the pictures.
        listing: SHA-256 over names, sizes and splits of the pictures.
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
                raise ValueError("another version of this program wrote it, or none did")
            content["shards"] = tuple((str(file), str(digest), int(n)) for file, digest, n in content["shards"])
            content["bad"] = tuple((str(name), str(reason)) for name, reason in content["bad"])
            return Record(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"cannot continue from {folder / RECORD_FILE} ({error}): choose another target, or delete "
                f"{folder} and start again"
            ) from error


@dataclass(frozen=True)
class Work:
    """What is to be done, checked and begun; the pictures are in the order of the shards, split after split.

    `told` are lines for people: what was made of the folders, and what was passed over.
    """

    options: PrepareOptions
    source: Place
    target: Place
    splits: tuple[str, ...]
    pictures: list[Picture]
    classes: tuple[str, ...] | None
    record: Record
    told: tuple[str, ...]


def begin(options: PrepareOptions) -> Work:
    """Find the pictures and see what an earlier call has done of them.

    Raises:
        SettingsError: the target holds something else, or was begun with other arguments; or folders can be understood
            in two ways.
        DataError: there are no pictures, or they changed since the earlier call.
    """
    source, target = place(options.folder), place(options.out)
    require_lasting(target, "the target")
    if target == source or target.address.startswith(f"{source.address.rstrip('/')}/"):
        raise SettingsError(f"the target {target} is in the folder of the pictures: choose one outside of it")
    children = target.children()
    if children and RECORD_FILE not in children:
        raise SettingsError(f"the target {target} is not empty, it holds {min(children)}: choose a new folder")
    splits, pictures, classes, told = find_pictures(source, options)
    arguments = {name: value for name, value in asdict(options).items() if name not in ("folder", "out", "processes")}
    listing = _digest("".join(f"{one.file.name}\0{one.file.size}\0{one.split}\0" for one in pictures))
    record = Record(arguments, listing, len(pictures))
    if children:
        record = _earlier(target, record)
    else:
        target.make_folder()
        record.save(target)
    return Work(options, source, target, splits, pictures, classes, record, told)


def _earlier(target: Place, wanted: Record) -> Record:
    """The record of an earlier call, if that was for the same shards."""
    record = Record.load(target)
    for name, value in wanted.arguments.items():
        if record.arguments.get(name) != value:
            raise SettingsError(
                f"{name} is {value!r} but {target} was started with {record.arguments.get(name)!r}: give that, "
                "or choose another target"
            )
    if (record.listing, record.pictures) != (wanted.listing, wanted.pictures):
        raise DataError(
            f"the pictures have changed since {target} was started ({record.pictures:,} then, "
            f"{wanted.pictures:,} now): choose another target"
        )
    return record


def convert(work: Work) -> Index:
    """Write the shards that are missing, the contact sheet and the index; returns the index.

    Raises `DataError` where no picture of a split can be used.
    """
    record = work.record if work.record.done == len(work.pictures) else _write_shards(work)
    split_of = {picture.file.name: picture.split for picture in work.pictures}
    for split in work.splits:
        if not any(_split_of_shard(file) == split for file, _, _ in record.shards):
            name, reason = next(pair for pair in record.bad if split_of[pair[0]] == split)
            number = sum(picture.split == split for picture in work.pictures)
            of = f" of {split}" if len(work.splits) > 1 else ""
            raise DataError(f"none of {counted(number)}{of} in {work.source} can be used, for example {name}: {reason}")
    parts = [replace(index_shard(work.target / file), sha256=digest) for file, digest, _ in record.shards]
    index = concatenate(parts, classes=work.classes, image_size=work.options.size)
    _draw_sheet(index, work.target, work.options.size)
    index.save(work.target)
    return index


def find_pictures(
    folder: Place, options: PrepareOptions
) -> tuple[tuple[str, ...], list[Picture], tuple[str, ...] | None, tuple[str, ...]]:
    """Splits, the pictures below a folder in the order of the shards, names of the classes, lines for people.

    The order within a split is that of the SHA-256 of seed and name: any version of any library gives the same.

    Raises:
        DataError: no such folder, or no pictures in it or in one of its splits.
        SettingsError: it has to be said which folders are splits.
    """
    if folder.is_file():
        raise DataError(f"{folder} is a file: unpack it, and give the folder that holds the pictures")
    if not folder.is_folder():
        raise DataError(f"there is no folder {folder}: give the folder that holds the pictures")
    listing = list_folder(folder)
    passed = passed_over(listing.passed)
    if not listing.pictures:
        raise DataError(
            f"there are no pictures in {folder}; {passed or 'it is empty: give a folder of JPEG, PNG or WebP files'}"
        )
    names = [file.name for file in listing.pictures]
    layout = lay_out(names, str(folder), parse_splits(options.split), options.holdout)
    told = [*layout.told, *([passed] if passed else [])]
    splits, files = layout.splits, [file for file in listing.pictures if file.name in layout.belongs]
    split_of = {file.name: layout.belongs[file.name][0] for file in files}
    if options.holdout:
        splits = (splits[0], TEST)
        for file, digest in zip(files, _watched(_contents(files), len(files), 0, "compared"), strict=True):
            if is_held_out(digest, options.holdout):
                split_of[file.name] = TEST
        counts = {split: sum(one == split for one in split_of.values()) for split in splits}
        for split, count in counts.items():
            if not count:
                raise SettingsError(
                    f"holdout is {options.holdout:g} but that leaves none of the {len(files):,} pictures in {folder} "
                    f"to {split}: give another share"
                )
        told.append(f"held out: {counts[TEST]:,} of {len(files):,} pictures, as {TEST}")
    elif len(splits) > 1:
        told += _same_in_two(files, split_of, splits)
    number = {name: i for i, name in enumerate(layout.classes or ())}
    labels = {name: number.get(found or "") for name, (_, found) in layout.belongs.items()}
    pictures = [Picture(file, split_of[file.name], labels[file.name]) for file in files]
    pictures.sort(key=lambda one: (splits.index(one.split), _digest(f"{options.seed}/{one.file.name}")))
    return splits, pictures, layout.classes, tuple(told)


def _same_in_two(files: Sequence[File], split_of: Mapping[str, str], splits: Sequence[str]) -> list[str]:
    """Lines about pictures of a split that are, byte for byte, in one before it too."""
    splits_of_size: dict[int, set[str]] = {}
    for file in files:
        splits_of_size.setdefault(file.size, set()).add(split_of[file.name])
    # Only files of one length can be the same.
    some = [file for file in files if len(splits_of_size[file.size]) > 1]
    seen: dict[bytes, File] = {}
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    digests = zip(some, _watched(_contents(some), len(some), 0, "compared"), strict=True)
    for file, digest in sorted(digests, key=lambda pair: splits.index(split_of[pair[0].name])):
        first = seen.setdefault(digest, file)
        pair = split_of[first.name], split_of[file.name]
        if pair[0] != pair[1]:
            found.setdefault(pair, []).append((first.name, file.name))
    return [
        f"the same in two splits: {counted(len(names))} of {second} also in {first}, byte for byte, for example "
        f"{names[0][1]} and {names[0][0]}"
        for (first, second), names in found.items()
    ]


def _contents(files: Sequence[File]) -> Iterator[bytes]:
    """SHA-256 of the bytes of each file; of its name where they cannot be read, or are too many to be used."""

    def digest(file: File) -> bytes:
        data = _read(file)
        return hashlib.sha256(file.name.encode() if isinstance(data, str) else data).digest()

    # Threads suffice: a digest lets others go on meanwhile, and on an object store most of the time is waiting.
    with ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, len(files), _DIGESTED):
            yield from readers.map(digest, files[first : first + _DIGESTED])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write_shards(work: Work) -> Record:
    """Convert what is left and write it; the record is brought up to date after each shard."""
    record, options = work.record, work.options
    left = work.pictures[record.done :]
    bad = list(record.bad)

    def begin_split(split: str) -> ShardWriter:
        there = [images for file, _, images in record.shards if _split_of_shard(file) == split]
        return ShardWriter(work.target, split, options.images_per_shard, first_shard=len(there), first_image=sum(there))

    def save(done: int) -> Record:
        shards = tuple((Place(shard.shard).name, shard.sha256, len(shard)) for shard in writer.written)
        now = replace(record, done=done, shards=record.shards + shards, bad=tuple(bad))
        now.save(work.target)
        return now

    writer = begin_split(left[0].split)
    results = _watched(_convert_all(left, options), len(work.pictures), record.done)
    for number, (picture, result) in enumerate(zip(left, results, strict=True), record.done):
        if picture.split != writer.split:
            writer.flush()
            record = save(number)
            writer = begin_split(picture.split)
        if isinstance(result, str):
            bad.append((picture.file.name, result))
            continue
        complete = len(writer.written)
        # The name lets shards that were parted from their dataset.json tell what their numbers mean.
        named = {} if picture.label is None or not work.classes else {"class": work.classes[picture.label]}
        writer.add(result, label=picture.label, meta={"source": picture.file.name, **named})
        if len(writer.written) > complete:
            save(number)  # all pictures before this one are in complete shards, or bad
    writer.flush()
    return save(len(work.pictures))


def _split_of_shard(file: str) -> str:
    return file.rpartition("-")[0]


def _convert_all(pictures: Sequence[Picture], options: PrepareOptions) -> Iterator[bytes | str]:
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
            "a process that decodes pictures was killed, perhaps because memory ran out: run the command again "
            "with fewer --processes to continue"
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
        data = _read(picture.file)
        if isinstance(data, str):
            results.append(data)
            continue
        try:
            decode(data, pixels, fit=fit, max_pixels=limits.max_image_pixels)
        except BadImage as error:
            results.append(str(error))
            continue
        if not is_ready(data, size):
            data = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="444")
        results.append(data)
    return results


def _read(file: File) -> bytes | str:
    """The bytes of a picture, or why it is bad; raises `DataError` where a store fails."""
    most = DataSettings().max_image_bytes
    if file.size > most:
        return f"has {file.size:,} bytes, more than the {most:,} that are allowed"
    try:
        return file.place.read_bytes() or "is empty"
    except MissingFile:
        return "is not there: a broken link, or removed meanwhile"
    except DataError as error:
        # What a disk says is of this file; what a store says may be of all.
        if not file.place.is_local:
            raise
        cause = error.__cause__
        known = cause.errno if isinstance(cause, OSError) else None
        return f"cannot be read: {os.strerror(known) if known else error}"


def summary(index: Index, work: Work, bad: Sequence[str]) -> list[str]:
    """Lines that say what was converted and what was left out, by split and class.

    Args:
        index: of all splits.
        work: that was done.
        bad: names of the pictures that were left out.
    """
    names = work.classes or ()
    of = f" of {len(names)} classes" if names else ""
    left_out = f"; {counted(len(bad))} left out as bad, all named in {RECORD_FILE}" if bad else ""
    lines = [f"{len(index):,} images{of} in {_shards(len(index.shards))} in {work.target}{left_out}"]
    split_of_shard = [_split_of_shard(Place(shard).name) for shard in index.shards]
    bad_ones = set(bad)
    for split in work.splits:
        numbers = [number for number, one in enumerate(split_of_shard) if one == split]
        labels = index.label[np.isin(index.shard, numbers)]
        there = Counter(labels.tolist())
        given = Counter(picture.label for picture in work.pictures if picture.split == split)
        lost = Counter(
            picture.label for picture in work.pictures if picture.split == split and picture.file.name in bad_ones
        )
        if len(work.splits) > 1 or names:
            lines.append(
                f"{split}: {len(labels):,} images in {_shards(len(numbers))}"
                + (f", {counted(lost.total())} left out" if lost else "")
                + _by_class(names, there, lost)
            )
        all_bad = [name for label, name in enumerate(names) if given[label] and not there[label]]
        if all_bad:
            lines.append(f"{split}: all pictures of {_some(all_bad)} are bad")
        none = [name for label, name in enumerate(names) if not given[label]]
        if none and len(none) < len(names):
            lines.append(f"{split}: no pictures of {_some(none)}")
    return lines


def _by_class(names: Sequence[str], there: Mapping[int, int], lost: Mapping[int | None, int]) -> str:
    """How many images of each class, or the least and the most where they are many."""
    counts = [there.get(label, 0) for label in range(len(names))]
    if not sum(counts):
        return ", without classes" if names else ""
    if len(names) > _CLASSES_TOLD:
        return f", {min(counts):,} to {max(counts):,} of each class"
    left_out = [f" ({lost[label]:,} left out)" if lost.get(label) else "" for label in range(len(names))]
    told = (f"{name} {count:,}{out}" for name, count, out in zip(names, counts, left_out, strict=True))
    return f": {', '.join(told)}"


def _shards(number: int) -> str:
    return f"{number:,} shard{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _CLASSES_TOLD
    return ", ".join(names[:_CLASSES_TOLD]) + (f" and {more:,} other classes" if more > 0 else "")


def next_commands(work: Work) -> list[str]:
    """Lines with what to do next, which can be pasted."""
    shards = f"{work.target}/{work.splits[0]}-*.tar"
    size = [] if work.options.size == _OWN_SIZE else ["--networks.image-size", str(work.options.size)]
    lines = [
        f"look at {work.target / SHEET_FILE}",
        f"train: {command_line('train', '--preset', 'own64', *size, '--data', shards, '--name', 'mine')}",
    ]
    if work.classes and TRAIN in work.splits and {TEST, "val"} & set(work.splits):
        lines.append(f"evaluate: {command_line('evaluate', 'mine', '--tasks', f'pictures={work.target}')}")
    return lines


def _watched(results: Iterator[T], total: int, done: int, verb: str = "converted") -> Iterator[T]:
    """Hand on results, and show on stderr how far they are: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        yield from tqdm(results, total=total, initial=done, unit=" pictures", desc=verb)
        return
    began = last = time.monotonic()
    for number, result in enumerate(results, 1):
        yield result
        now = time.monotonic()
        if now - last >= _LINE_S:
            print(
                f"{verb} {done + number:,} of {total:,} pictures, {number / (now - began):,.0f} a second",
                file=sys.stderr,
            )
            last = now


def _draw_sheet(index: Index, target: Place, size: int) -> None:
    """The first hundred images, which are a random choice, as a picture to look at."""
    # Brings torch with it, which the processes that decode must not load.
    from dcgan_dist.model.pixels import grid, png

    images = np.zeros((min(len(index), 100), size, size, 3), np.uint8)
    for i, image in enumerate(images):
        shard = Place(index.shards[index.shard[i]])
        data = shard.read_range(int(index.offset[i]), int(index.size[i]))
        decode(data, image, fit="resize", max_pixels=size * size)
    (target / SHEET_FILE).write_bytes(png(grid(images)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status: 1 where it failed, 2 for wrong input, 130 or 143 after a signal."""
    stopped_by = signal.SIGINT

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped_by
        stopped_by = signal.Signals(number)
        raise KeyboardInterrupt

    # So that `kill` also lets the last shard be and ends the processes that decode.
    before = signal.signal(signal.SIGTERM, stop)
    begun = False
    try:
        work = begin(read(PrepareOptions, arguments, prog=prog("prepare")))
        begun = True
        for line in work.told:
            print(line, file=sys.stderr)
        if work.record.done == work.record.pictures:
            print(f"all {work.record.pictures:,} pictures have been converted before; nothing is left", file=sys.stderr)
        elif work.record.done:
            print(f"continuing after {work.record.done:,} of {work.record.pictures:,} pictures", file=sys.stderr)
        index = convert(work)
    except DcganDistError as error:
        complain(error)
        return 1 if begun else 2
    except KeyboardInterrupt:
        goes_on = (
            "the same command continues after the last complete shard" if begun else "nothing has been written yet"
        )
        print(f"stopped; {goes_on}", file=sys.stderr)
        return 128 + stopped_by
    finally:
        signal.signal(signal.SIGTERM, before)
    bad = Record.load(work.target).bad
    for name, reason in bad[:_BAD_TOLD]:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    lines = [*summary(index, work, [name for name, _ in bad]), *next_commands(work)]
    print(printable("\n".join(lines), sys.stdout))
    return 0


if __name__ == "__main__":
    sys.exit(main())
