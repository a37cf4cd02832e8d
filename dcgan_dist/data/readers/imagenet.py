"""ImageNet of 2012 (Russakovsky et al. 2015) in the archives that it comes in, which stay as they are.

The publisher's training pictures are a tar of 1,000 tars, one for each class. They are listed by the headers of these,
and read in place. Hugging Face's older archives are compressed: each is unpacked once to list its pictures, and once
more to read them, always from its beginning. Folders of unpacked pictures are another reader's.

The class of a picture is the rank of its WordNet name among all, as in torchvision and in Hugging Face's labels.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dcgan_dist.data.readers.imagenet_devkit import DEVKIT, read_devkit
from dcgan_dist.data.readers.imagenet_files import (
    HOME,
    archives_in,
    choose_splits,
    find_archives,
    split_of_archive,
    split_of_first,
)
from dcgan_dist.data.readers.imagenet_labels import number_classes, wnids_of
from dcgan_dist.data.readers.imagenet_names import NO_CLASS, SPLITS, VAL, class_of_tar
from dcgan_dist.data.readers.imagenet_pictures import Pictures, Progress, find_tars, first_name, list_pictures
from dcgan_dist.data.readers.published import told
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.data.readers.tars import fetch_packed_members, is_packed
from dcgan_dist.data.splits import TEST, TRAIN
from dcgan_dist.errors import DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place

CLASSES = 1000
COUNTS = {TRAIN: 1_281_167, VAL: 50_000, TEST: 100_000}
"""Classes, and pictures of each split, as published."""


def open_imagenet(addresses: Sequence[Place], request: Request) -> Source:
    """List the pictures.

    Keys are the publisher's names, the same for all packings: `n01440764/n01440764_10026.JPEG` for a training picture,
    `ILSVRC2012_val_00000293.JPEG`. Validation pictures get their classes by the numbers in these names, from the
    development kit, or from the name of their class where that is appended. Test pictures have no classes.

    Args:
        addresses: a folder that holds the archives, see `find_archives`, or these.
        request: its splits are train, val and test.

    Raises:
        DataError: archives are missing, damaged or not whole, or do not hold what they should; there are no labels.
        SettingsError: ImageNet has no such split, or scipy is not installed.
    """
    where = told(addresses)
    found = find_archives(addresses, first_name)
    splits = choose_splits(tuple(found.by_split), request.splits, where)
    files = [file for split in splits for file in found.by_split[split]]
    packed = [is_packed(file) for file in files]
    if len(set(packed)) > 1:
        for file in files:
            first_name(file)  # a page of HTML is told as that
        raise DataError(
            f"{files[packed.index(True)]} is compressed and {files[packed.index(False)]} is not: prepare them "
            "one after the other, with --split"
        )
    kit = read_devkit(found.devkit) if found.devkit else None
    listed: dict[str, Pictures] = {}
    wnids = {}
    notes = list(found.notes)
    progress = Progress(request.seen)
    # Small splits first: what is wrong with their labels is found before the training pictures are listed.
    for split in reversed(splits):
        archives = []
        for file in found.by_split[split]:
            tars, others = find_tars(file, files.index(file), split)
            archives += tars
            notes += others
        listed[split], passed = list_pictures(archives, progress)
        notes += passed
        at = told(found.by_split[split])
        wnids[split] = wnids_of(split, listed[split].wnid, listed[split].number, kit, at, HOME)
    classes, labels = number_classes(wnids, kit)
    parts = [listed[split] for split in splits]
    rows = [len(part) for part in parts]
    key = pa.concat_arrays([part.key for part in parts])
    if twice := repeated(key):
        raise DataError(f"{where} has {twice} more than once: of archives that hold the same pictures, give one")
    samples = Samples(
        key=key,
        file=np.concatenate([part.file for part in parts]),
        offset=np.concatenate([part.offset for part in parts]),
        size=np.concatenate([part.size for part in parts]),
        split=np.repeat(np.arange(len(splits), dtype=np.int16), rows),
        label=np.concatenate([labels[split] for split in splits]),
    )
    fetch = fetch_packed_members if packed[0] else fetch_ranges
    notes += differences(dict(zip(splits, rows, strict=True)), classes)
    return Source(where, tuple(files), samples, fetch, splits, classes, tuple(notes), streamed=packed[0])


def repeated(keys: pa.Array) -> str:
    """A key that is there more than once; "" where there is none."""
    # Sorted and not counted, for which pyarrow takes ten times the memory.
    ordered = keys.take(pc.sort_indices(keys))
    at = pc.index(pc.equal(ordered[1:], ordered[:-1]), value=True).as_py()
    return str(ordered[at]) if at >= 0 else ""


def differences(counts: Mapping[str, int], classes: Sequence[str] | None) -> list[str]:
    """Lines about what is not as published: pictures of each split, and classes."""
    lines = [
        f"{split} has {count(number, 'picture')}, ImageNet as published {COUNTS[split]:,}"
        for split, number in counts.items()
        if number != COUNTS[split]
    ]
    if classes is not None and len(classes) != CLASSES:
        lines.append(f"there are {count(len(classes), 'class', 'classes')}, in ImageNet as published {CLASSES:,}")
    return lines


def recognize_imagenet(place: Place) -> str:
    """What there is of ImageNet at an address."""
    try:
        if place.is_folder():
            archives = [archive for archive in archives_in(place) if _is_imagenet(archive)]
            there = {split_of_archive(archive.name) for archive in archives}
            return f"ImageNet's archives of {', '.join(split for split in SPLITS if split in there)}" if there else ""
        if split_of_archive(place.name) or place.name == DEVKIT:
            return "ImageNet's archives" if _is_imagenet(place) else ""
        is_nested = place.name.endswith(".tar") and class_of_tar(first_name(place)) != NO_CLASS
        return "a tar of tars of ImageNet's classes" if is_nested else ""
    except DataError:
        return ""  # such as for a name that is no UTF-8, which a folder of pictures may have


IMAGENET = Reader(
    about="ImageNet of 2012: ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and the development kit, or their folder",
    open=open_imagenet,
    recognize=recognize_imagenet,
)


def _is_imagenet(archive: Place) -> bool:
    """Whether an archive is what its name says: others may have given theirs the names that Hugging Face gave."""
    return archive.name.startswith("ILSVRC2012_") or bool(split_of_first(first_name(archive)))
