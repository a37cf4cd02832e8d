"""A task from labeled shards of any data set: a folder with `train-*.tar` and `test-*.tar`.

Instead, the shards may be in its folders `train` and `test`.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from itertools import islice

import numpy as np
from PIL import Image

from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate, find_index
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.task import FewLabels, Labeled, Task, order
from dcgan_dist.evaluation.tasks.classes import Classes, compare_classes
from dcgan_dist.run_folder.trained_on import contents
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

HELD_OUT = 0.1
"""Share of the training images that is held out to choose C."""
CHECKED = 32
"""Images whose size is checked before anything starts."""
SAMPLED_CLASSES = 64
"""Most classes whose names are looked up in samples."""
_MOST_JSON = 64 << 10
FEWEST = 2
"""Fewest training images of a class, besides those that are held out."""


def open_labeled(name: str, folder: Place, size: int, *, resize: bool, seed: int, few: FewLabels | None = None) -> Task:
    """Find the images, and check that they can be used to probe networks with images of this size.

    Args:
        name: name of the task.
        folder: folder with the shards.
        size: height and width of the networks' images, in pixels.
        resize: whether images of other sizes are resized; otherwise they are refused.
        seed: seed of the order of the training images.
        few: how classifiers with few labels are tested; None: they are not.

    Raises:
        DataError: images are missing, have no labels or another size, a class has too few, or class numbers mean
            different classes in the two splits.
    """
    at_train, at_test = (find_split(folder, split) for split in ("train", "test"))
    validation = find_split(folder, "val")
    instead = not has_shards(at_test) and has_shards(validation)
    if instead:
        at_test = validation
    train, test = open_index(at_train), open_index(at_test)
    for where, index in ((at_train, train), (at_test, test)):
        unlabeled = int((index.label < 0).sum())
        if unlabeled:
            raise DataError(
                f"{unlabeled:,} of {len(index):,} images of {where} have no class: a probe needs a KEY.cls with a "
                "number beside each KEY.jpg"
            )
        if not resize:
            require_size(index, size, where)
    classes = int(train.label.max()) + 1
    if classes < 2:
        raise DataError(f"all images of {at_train} are of one class: a probe needs at least two")
    notes = compare_classes(known_classes(at_train, train), known_classes(at_test, test))
    if int(test.label.max()) >= classes:
        raise DataError(f"{at_test} has class {test.label.max()} but {at_train} only classes 0 to {classes - 1}")
    samples = order(len(train), seed)
    labels = train.label[samples].astype(np.int64)
    held_out = max(1, round(HELD_OUT * len(train)))
    require_labels(labels[:-held_out], classes, few, at_train, train.classes)
    return Task(
        name,
        digest((train, test)),
        Labeled(pictures(train, size), samples, labels),
        Labeled(pictures(test, size), np.arange(len(test)), test.label.astype(np.int64)),
        classes,
        held_out,
        seed,
        few=few,
        notes=(
            *notes,
            *(["there is no test-*.tar: tested on val-*.tar"] if instead else []),
            *train.notes,
            *test.notes,
        ),
        test_shards=contents(test.shards),
    )


def has_shards(addresses: str) -> bool:
    """Whether there are any shards at these addresses."""
    try:
        return bool(expand(addresses))
    except DataError:
        return False


def find_split(folder: Place, split: str) -> str:
    """The address of a split's shards: `FOLDER/SPLIT-*.tar`, or `FOLDER/SPLIT/*.tar` if only that folder is there."""
    children = folder.children()
    beside = any(name.startswith(f"{split}-") and name.endswith(".tar") for name in children)
    inside = split in children and children[split] is None
    return f"{folder}/{split}/*.tar" if inside and not beside else f"{folder}/{split}-*.tar"


def known_classes(where: str, index: Index) -> Classes:
    """What is known of the classes of a split."""
    numbers = np.unique(index.label).tolist()
    if index.classes is not None:
        return Classes(where, numbers, index.classes)
    names = names_in_samples(index)
    for folder in {Place(shard).parent for shard in index.shards}:
        try:
            beside = Index.load(folder)
        except DataError:  # there is no dataset.json, or it is not one of ours
            continue
        strangers = [shard for shard in index.shards if shard not in beside.shards]
        if beside.classes is not None and strangers:
            return Classes(where, numbers, names_in_samples=names, stranger=strangers[0])
    return Classes(where, numbers, names_in_samples=names)


def names_in_samples(index: Index) -> dict[int, str]:
    """Class names by number, from the `KEY.json` that `prepare` writes after images: that of each class's first image.

    At most `SAMPLED_CLASSES` classes are looked up, and none after the first one without a name.
    """
    numbers, first = np.unique(index.label, return_index=True)
    names: dict[int, str] = {}
    for which in np.unique(np.linspace(0, len(numbers) - 1, SAMPLED_CLASSES).astype(np.int64)).tolist():
        name = _name_beside(index, int(first[which]))
        if name is None:
            break
        names[int(numbers[which])] = name
    return names


def _name_beside(index: Index, sample: int) -> str | None:
    shard, start = Place(index.shards[index.shard[sample]]), int(index.offset[sample]) - tar.BLOCK
    length = index.shard_bytes[index.shard[sample]] - start
    members = tar.members(lambda at, size: shard.read_range(start + at, size), length)
    try:
        folder, slash, base = next(members).name.rpartition("/")
        key = folder + slash + base.partition(".")[0]  # a folder may have dots in its name, as in `./KEY.jpg`
        for member in islice(members, 2):
            if member.name == f"{key}.json" and member.size <= _MOST_JSON:
                content = json.loads(shard.read_range(start + member.offset, member.size))
                name = content.get("class") if isinstance(content, dict) else None
                return name if isinstance(name, str) else None
    except (tar.TornTar, StopIteration, ValueError, RecursionError):  # samples of other tools may be anything
        pass
    return None


def require_labels(
    labels: Integers, classes: int, few: FewLabels | None, where: str, names: Sequence[str] | None = None
) -> None:
    """Check that there are enough images of each class.

    Args:
        labels: class numbers of the training images that are not held out.
        classes: number of classes.
        few: how classifiers with few labels are tested; None: they are not.
        where: the shards, for the message.
        names: class names by number, if they are known.

    Raises:
        DataError: a class has too few; the message names it.
    """
    needed = FEWEST if few is None else few.per_class
    present, counts = np.unique(labels, return_counts=True)
    # Numbers of others may be identifiers, with gaps of billions: what is not there is not counted one by one.
    absent = next((place for place, number in enumerate(present.tolist()) if place != number), len(present))
    least, fewest = (absent, 0) if absent < classes else (int(counts.argmin()), int(counts.min()))
    if fewest < needed:
        name = f" ({names[least]})" if names is not None and least < len(names) else ""
        raise DataError(
            f"class {least}{name} of {where} has {fewest:,} images beside those held out to choose C, but "
            f"a probe needs at least {needed:,} of each: add some, or leave the class out"
        )


def open_index(addresses: str) -> Index:
    """The index of the shards at these addresses; read from their headers if there is none beside them."""
    shards = expand(addresses)
    return find_index(shards) or concatenate([index_shard(shard) for shard in shards])


def pictures(index: Index, size: int) -> ShardPictures:
    """The images of an index, resized to `size` x `size` pixels."""
    limits = DataSettings()
    return ShardPictures(index, size, "resize", limits.max_image_pixels, limits.max_image_bytes)


def digest(indexes: Sequence[Index]) -> str:
    """A digest of the number, order, sizes and classes of the images, whatever folder they are in."""
    sums = hashlib.sha256()
    for index in indexes:
        for column in (index.shard, index.offset, index.size, index.label):
            sums.update(column.tobytes())
    return sums.hexdigest()[:16]


def require_size(
    index: Index, size: int, where: str, do: str = "give a checkpoint of that size, or --resize to fit the images"
) -> None:
    """Check on some of the images that they have the networks' size; raises `DataError`, which says what to `do`."""
    for sample in np.unique(np.linspace(0, len(index) - 1, CHECKED).astype(np.int64)).tolist():
        shard = Place(index.shards[index.shard[sample]])
        data = shard.read_range(int(index.offset[sample]), int(index.size[sample]))
        try:
            with Image.open(io.BytesIO(data)) as picture:
                actual = picture.size
        except OSError:
            continue  # a bad image is reported when it is read
        if actual != (size, size):
            raise DataError(
                f"{index.names(sample)} in {where} has {actual[0]} x {actual[1]} pixels but the networks are made for "
                f"{size} x {size}: {do}"
            )
