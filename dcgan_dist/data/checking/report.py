"""What was found in all shards: lines for people, and what keeps a run from using them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.checking.duplicates import Duplicates, find_duplicates
from dcgan_dist.data.checking.shard import ShardCheck
from dcgan_dist.data.readers.shard_splits import said_split
from dcgan_dist.data.shards.index import DATASET_FILE, INDEX_FILE, PREPARE_AGAIN, Index, ShardIndex, concatenate
from dcgan_dist.data.shards.passed_over import Kind, shown
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.settings import IMAGE_SIZES, DataSettings
from dcgan_dist.storage import Place

_TOLD = 5
_CLASSES_TOLD = 12


@dataclass(frozen=True, eq=False)
class Report:
    """What is told.

    Attributes:
        lines: for people.
        problems: sentences; where there is any, a run cannot use the data, or not as it was written.
        index: of all images; None where there is no image.
        digest, good: as in `ShardCheck`, of all images.
        image_size: height and width of all images in pixels, where they have one size and networks can have it.
    """

    lines: Sequence[str]
    problems: Sequence[str]
    index: Index | None
    digest: NDArray[np.uint64]
    good: NDArray[np.bool_]
    image_size: int | None = None


def report(
    checks: Sequence[ShardCheck],
    record: Index | None,
    checksums: Mapping[str, str] | None,
    trained_on: Sequence[Place],
    problems: Sequence[str],
) -> Report:
    """What is to be told of shards.

    Args:
        checks: of each shard, in order.
        record: the index that lies beside them.
        checksums: of those that are on record, see `Given`.
        trained_on: those of the shards that a run would be trained on.
        problems: that are known already.
    """
    problems = [
        *problems,
        *(check.problem for check in checks if check.problem),
        *_differences(checks, record, checksums),
    ]
    digest = np.concatenate([check.digest for check in checks])
    good = np.concatenate([check.good for check in checks])
    classes = record.classes if record is not None else None
    try:
        index = concatenate([check.index for check in checks if not check.problem], classes=classes)
    except (DataError, ValueError) as error:
        # Without any shard that could be read there is nothing to add.
        return Report([], [*problems, *([str(error)] if isinstance(error, DataError) else [])], None, digest, good)
    sizes = sum((check.sizes for check in checks), Counter[tuple[int, int]]())
    lines = [
        f"{len(index):,} images in {count(len(checks), 'shard')}, {sum(index.shard_bytes) / 1e6:,.1f} MB",
        _checksums(checks, checksums),
        *_splits(index),
        _sizes(sizes),
        *_greys(sum(check.greys for check in checks), len(index)),
        *_bad(checks, len(index) - int(good.sum())),
        *_duplicates(index, find_duplicates(digest, good)),
        *(index if record is not None else replace(index, torn=())).notes,  # torn ones are among the problems
        *(f"odd: {line}" for line in _odd(checks)),
    ]
    numbers = [number for number, shard in enumerate(index.shards) if Place(shard) in set(trained_on)]
    bad = _too_many_bad(good[np.isin(index.shard, numbers)])
    return Report(lines, [*problems, *bad], index, digest, good, _image_size(sizes))


def _differences(
    checks: Sequence[ShardCheck], record: Index | None, checksums: Mapping[str, str] | None
) -> Iterator[str]:
    """Sentences where a shard is not what is on record, or is not whole where nothing is."""
    for check in checks:
        shard = check.index.shard
        if check.problem:
            continue
        if checksums is None or (record is None and checksums.get(shard) == ""):
            if check.index.torn is not None:
                yield check.index.torn
            continue
        if shard not in checksums:
            yield f"{shard} is not in {DATASET_FILE}: another call or program wrote it; keep it in another folder"
            continue
        written = checksums[shard]
        if written and written != check.sha256:
            yield f"{shard} has another SHA-256 than {DATASET_FILE} says: it was damaged or changed; copy it again"
        elif record is not None and not _same_images(check.index, record.select([shard])):
            yield (
                f"{INDEX_FILE} has other images or class numbers than {shard}: delete {INDEX_FILE} and {DATASET_FILE}, "
                f"and {PREPARE_AGAIN}"
            )


def _same_images(found: ShardIndex, recorded: Index) -> bool:
    columns = ("offset", "size", "label")
    return all(np.array_equal(getattr(found, column), getattr(recorded, column)) for column in columns)


def _checksums(checks: Sequence[ShardCheck], written: Mapping[str, str] | None) -> str:
    if written is None:
        return f"checksums: none, as there is no {DATASET_FILE} of ours: what is here may differ from what was written"
    right = sum(bool(check.sha256) and written.get(check.index.shard) == check.sha256 for check in checks)
    return f"checksums: right for {right:,} of {count(len(checks), 'shard')}"


def _splits(index: Index) -> Iterator[str]:
    """Images of each split, by class."""
    splits = [said_split(Place(shard)) for shard in index.shards]
    for split in dict.fromkeys(splits):
        numbers = [number for number, its in enumerate(splits) if its == split]
        labels = index.label[np.isin(index.shard, numbers)]
        yield f"{split or 'images'}: {len(labels):,}{_by_class(labels, index.classes)}"


def _by_class(labels: NDArray[np.int32], classes: Sequence[str] | None) -> str:
    labeled = labels[labels >= 0]
    if not len(labeled):
        return ", without classes"
    missing = len(labels) - len(labeled)
    without = f"; {missing:,} without a class" if missing else ""
    if classes and labeled.max() >= len(classes):
        without += f"; class numbers up to {labeled.max()}, but {count(len(classes), 'name')} of classes"
    # Not by a table of all numbers: shards of others may have any up to 2**31 - 2.
    numbers, counts = np.unique(labeled, return_counts=True)
    known = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    images = dict.fromkeys(range(len(classes or ())), 0) | known
    names = {label: shown(classes[label]) if classes and label < len(classes) else f"class {label}" for label in images}
    if len(images) <= _CLASSES_TOLD:
        return f": {', '.join(f'{names[label]} {number:,}' for label, number in images.items())}{without}"
    least, most = f"{counts.min():,}", f"{counts.max():,}"
    lacking = [names[label] for label, number in images.items() if not number]
    some = f"{', '.join(lacking[:_TOLD])}{', ...' if len(lacking) > _TOLD else ''}"
    none = f"; none of {count(len(lacking), 'class', 'classes')}: {some}" if lacking else ""
    return f", {least if least == most else f'{least} to {most}'} of each of {len(known):,} classes{none}{without}"


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    if not sizes:
        return "sizes: none"
    told = [f"{width} x {height} ({number:,})" for (width, height), number in sizes.most_common(_TOLD)]
    if len(sizes) <= _TOLD:
        return f"sizes: {', '.join(told)}"
    shorter = [min(size) for size in sizes]
    return (
        f"sizes: {', '.join(told)} and {len(sizes) - _TOLD:,} others; shorter sides from {min(shorter)} to "
        f"{max(shorter)} pixels"
    )


def _image_size(sizes: Counter[tuple[int, int]]) -> int | None:
    """Height and width of all images, where they have one size, and networks can have it."""
    size = next(((width, height) for width, height in sizes), (0, 1))
    return size[0] if len(sizes) == 1 and size[0] == size[1] and size[0] in IMAGE_SIZES else None


def _greys(greys: int, images: int) -> Iterator[str]:
    if greys:
        yield f"gray: {greys:,} of {images:,} images have no colors"


def _bad(checks: Sequence[ShardCheck], number: int) -> Iterator[str]:
    examples = [one for check in checks for one in check.bad][:_TOLD]
    told = "".join(f"; {name}: {reason}" for name, reason in examples)
    yield f"unreadable: {count(number, 'image')}{told}" if number else "unreadable: none"


def _duplicates(index: Index, found: Duplicates) -> Iterator[str]:
    if not len(found.copies):
        yield "exact duplicates: none"
        return
    example = " is ".join(_name(index, int(rows[0])) for rows in found)
    yield f"exact duplicates: {count(len(found.copies), 'image')} that repeat an earlier one; for example {example}"
    splits = np.array([said_split(Place(shard)) for shard in index.shards])
    apart = np.flatnonzero(splits[index.shard[found.copies]] != splits[index.shard[found.first]])
    if len(apart):
        copy, first = (_name(index, int(rows[apart[0]])) for rows in found)
        yield (
            f"duplicates in two splits: {len(apart):,} of them repeat an image of another split, for example {copy} is "
            f"{first}: what is measured on one of the splits has been trained on in the other"
        )
    labels = np.flatnonzero(index.label[found.copies] != index.label[found.first])
    if len(labels):
        copy, first = (_name(index, int(rows[labels[0]])) for rows in found)
        yield f"duplicates of two classes: {len(labels):,} of them have another class, for example {copy} and {first}"


def _name(index: Index, sample: int) -> str:
    """`SHARD: KEY.jpg`, after the folder of the shard where there are several, in which shards may have one name."""
    folder = Place(index.shards[index.shard[sample]]).parent
    several = any(Place(shard).parent != folder for shard in index.shards)
    return f"{folder.name}/{index.names(sample)}" if several else index.names(sample)


def _odd(checks: Iterable[ShardCheck]) -> Iterator[str]:
    numbers: Counter[Kind] = Counter()
    examples: dict[Kind, str] = {}
    for check in checks:
        for kind, number, example in check.odd:
            numbers[kind] += number
            examples.setdefault(kind, f"{Place(check.index.shard).name}: {shown(example)}")
    for kind, number in numbers.most_common():
        yield f"{number:,} {kind[number != 1]}, {'for example ' if number != 1 else ''}{examples[kind]}"


def _too_many_bad(good: NDArray[np.bool_]) -> Iterator[str]:
    bad, limit = int((~good).sum()), DataSettings().max_bad_fraction
    if not good.any():
        yield "no image can be decoded"
    elif bad > limit * len(good):
        yield (
            f"{bad:,} of {len(good):,} images cannot be decoded, more than data.max_bad_fraction {limit:g} allows: "
            "repair or leave out the files, or give a run another limit"
        )
