"""What was made: lines for people, and what to do next."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.data.contact_sheet import SHEET_FILE
from dcgan_dist.data.preparation.naming import FACES
from dcgan_dist.data.preparation.record import Record, split_of_shard
from dcgan_dist.data.preparation.work import Work
from dcgan_dist.data.preset_data import training
from dcgan_dist.data.shards.index import DATASET_FILE, Index
from dcgan_dist.data.splits import TEST, TRAIN
from dcgan_dist.numerals import count

_CLASSES_TOLD = 12


def summary(work: Work, record: Record, index: Index) -> list[str]:
    """Lines that say what was converted and what was left out, by split and class.

    Args:
        work: that was done.
        record: of what was done.
        index: of all splits.
    """
    names = work.source.classes or ()
    of = f" of {len(names):,} classes" if names else ""
    bad = f"; {count(len(record.bad), 'picture')} left out as bad, all named in {DATASET_FILE}" if record.bad else ""
    if record.without_face is not None:
        least = work.options.faces.least_side(work.options.size)
        bad += f"; {record.without_face:,} of {count(record.pictures, 'photograph')} show no face of {least} pixels"
    if record.without_room:
        bad += f"; {record.without_room:,} more only faces whose square is larger than the photograph"
    lines = [f"{len(index):,} images{of} in {count(len(index.shards), 'shard')} in {work.target}{bad}"]
    label_of = _labels(work, [key for key, _, _ in record.bad])
    for split in work.splits:
        numbers = [number for number, (file, _, _) in enumerate(record.shards) if split_of_shard(file) == split]
        labels = index.label[np.isin(index.shard, numbers)]
        there = Counter(labels.tolist())
        lost = Counter(label_of[key] for key, its, _ in record.bad if its == split)
        if len(work.splits) > 1 or names:
            lines.append(
                f"{split}: {len(labels):,} images in {count(len(numbers), 'shard')}"
                + (f", {count(lost.total(), 'picture')} left out" if lost else "")
                + _by_class(names, there, lost)
            )
        all_bad = [name for label, name in enumerate(names) if lost[label] and not there[label]]
        if all_bad:
            lines.append(f"{split}: all pictures of {_some(all_bad)} are bad")
        none = [name for label, name in enumerate(names) if not lost[label] and not there[label]]
        if none and len(none) < len(names):
            lines.append(f"{split}: no pictures of {_some(none)}")
    return lines


def _labels(work: Work, keys: Sequence[str]) -> dict[str, int]:
    """Class number of samples by their keys."""
    samples = work.source.samples
    rows = pc.index_in(pa.array(keys, samples.key.type), value_set=samples.key).to_pylist()
    return {key: int(samples.label[row]) for key, row in zip(keys, rows, strict=True)}


def _by_class(names: Sequence[str], there: Mapping[int, int], lost: Mapping[int, int]) -> str:
    """How many images of each class, or the least and the most where they are many."""
    counts = [there.get(label, 0) for label in range(len(names))]
    if not sum(counts):
        return ", without classes" if names else ""
    if len(names) > _CLASSES_TOLD:
        least, most = f"{min(counts):,}", f"{max(counts):,}"
        return f", {least if least == most else f'{least} to {most}'} of each class"
    left_out = [f" ({lost[label]:,} left out)" if lost.get(label) else "" for label in range(len(names))]
    told = (f"{name} {number:,}{out}" for name, number, out in zip(names, counts, left_out, strict=True))
    return f": {', '.join(told)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _CLASSES_TOLD
    return ", ".join(names[:_CLASSES_TOLD]) + (f" and {more:,} other classes" if more > 0 else "")


def next_commands(work: Work) -> list[str]:
    """Lines with what to do next, which can be pasted."""
    shards = f"{work.target}/{work.splits[0]}-*.tar"
    word = FACES if work.faces else str(work.record.arguments["reader"])
    # Other lines begin with the name of a split, which has no blanks.
    lines = [f"look at {work.target / SHEET_FILE}", f"to train: {training(shards, word, work.options.size)}"]
    if work.source.classes and TRAIN in work.splits and {TEST, "val"} & set(work.splits):
        lines.append(f"to evaluate: {command_line('evaluate', 'mine', '--tasks', f'pictures={work.target}')}")
    return lines
