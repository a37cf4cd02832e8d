"""The work itself: from the pictures of a source to shards, a contact sheet and an index."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from dcgan_dist.data.contact_sheet import SHEET_FILE, SHEET_IMAGES, contact_sheet
from dcgan_dist.data.preparation.arrange import Everything, none_left, plan_shards, same_in_two, unite
from dcgan_dist.data.preparation.gather import ShardPlan, find_shard, write_shard
from dcgan_dist.data.preparation.make import Making, Part, make_pieces
from dcgan_dist.data.preparation.pieces import FOLDER, cut, piece_names, read_table, together
from dcgan_dist.data.preparation.processes import Workers
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.data.preparation.record import Record
from dcgan_dist.data.preparation.work import Work
from dcgan_dist.data.shards.index import Index, ShardIndex, concatenate
from dcgan_dist.data.splits import TEST
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.numerals import count
from dcgan_dist.printing import tell
from dcgan_dist.storage import Place


def convert(work: Work, workers: Workers) -> tuple[Index, Record]:
    """Make what is missing: pieces, shards, the contact sheet and the index.

    Returns:
        The index of all splits, and the record of all that was done.

    Raises:
        DataError: no picture of a split can be used, or the source or the target fails.
        SettingsError: holding out leaves a split without pictures.
    """
    if work.record.complete:
        return Index.load(work.target), work.record
    numbers, made = make_missing_pieces(work, workers)
    everything = unite([read_table(work.pieces, number) for number in range(numbers)])
    _require_all(work, everything)
    _require_images(work, everything)
    notes = same_in_two(everything, work.splits, work.source.samples.key)
    if work.options.holdout:
        held = np.count_nonzero(everything.columns["split"][everything.order] == len(work.splits) - 1)
        notes.append(
            f"held out: {held:,} of {len(everything.order):,} {'faces' if work.faces else 'pictures'}, as {TEST}"
        )
    for note in notes:
        tell(note, sys.stderr)
    plans = plan_shards(everything, work.splits, work.options.shard_images)
    parts = _write_missing_shards(work, plans, workers, trusted=not made)
    rows = everything.columns["row"][everything.order]
    attributes = {name: column[rows] for name, column in work.source.samples.attributes.items()}
    index = replace(
        concatenate(parts, classes=work.source.classes, image_size=work.options.size), attributes=attributes
    )
    bad = bad_pictures(work, everything)
    without_face = count_without_face(everything) if work.faces else (None, None)
    some = np.arange(min(len(index), SHEET_IMAGES))  # a random choice, as the order is
    (work.target / SHEET_FILE).write_bytes(contact_sheet(index, some, work.options.size))
    index.save(work.target, prepared=description(work, bad, *without_face))
    shards = tuple((Place(part.shard).name, part.sha256, len(part)) for part in parts)
    record = replace(
        work.record,
        complete=True,
        shards=shards,
        bad=tuple(bad),
        without_face=without_face[0],
        without_room=without_face[1],
    )
    record.save(work.target)
    return index, record


def clean(target: Place) -> None:
    """Delete what is needed no more in a complete target, and what calls that were killed have left.

    Nobody may work on the target meanwhile, nor hold its lock, whose file goes as well.
    """
    (target / FOLDER).delete()
    target.delete_unfinished()


def make_missing_pieces(work: Work, workers: Workers) -> tuple[int, int]:
    """Make the pieces that are not there; returns how many there are in all, and how many were made."""
    samples = work.source.samples
    units = cut(samples, streamed=work.source.streamed, size=work.options.size)
    if not work.source.streamed:
        units = together(units, workers.number)
    there = set(work.pieces.names())
    missing = [
        [(number, rows) for number, rows in zip(numbers, unit, strict=True) if piece_names(number)[1] not in there]
        for numbers, unit in zip(numbers_of(units), units, strict=True)
    ]
    done = len(samples) - sum(len(rows) for unit in missing for _, rows in unit)
    if done:
        tell(f"continuing after {done:,} of {len(samples):,} pictures", sys.stderr)
    # One after the other as they are wanted: all of them together would be the list of samples again.
    tasks = (([Part(number, rows.tolist(), samples.take(rows)) for number, rows in unit],) for unit in missing if unit)
    with Progress("converted", "pictures", len(samples), done) as progress:
        for made in workers.each(_make_unit, work.making, tasks):
            for good, bad in made:
                progress.add(good + bad, bad)
    return sum(map(len, units)), sum(map(len, missing))


def numbers_of(units: Sequence[Sequence[object]]) -> list[range]:
    """Numbers of the pieces of each unit, which go on from one to the next."""
    ends = accumulate(map(len, units))
    return [range(end - len(unit), end) for end, unit in zip(ends, units, strict=True)]


def _make_unit(making: Making, parts: Sequence[Part]) -> list[tuple[int, int]]:
    return list(make_pieces(making, parts))


def _write_missing_shards(
    work: Work, plans: Sequence[ShardPlan], workers: Workers, *, trusted: bool
) -> list[ShardIndex]:
    """The index of each shard, of which those that are not there are written.

    Args:
        work: that is done.
        plans: of all shards.
        workers: who do it.
        trusted: whether shards that are there can only be of these pieces, since all of those were there before; of a
            target that was complete, those are trusted that have the checksum of then.
    """
    there = set(work.target.names())
    checksums = {name: digest for name, digest, _ in work.record.shards}
    tasks = [
        (plan, plan.name in there and (trusted or plan.name in checksums), checksums.get(plan.name)) for plan in plans
    ]
    found: dict[str, ShardIndex] = {}
    with Progress("written", "shards", len(plans)) as progress:
        for part in workers.each(_shard, (work.target, work.pieces), tasks):
            found[Place(part.shard).name] = part
            progress.add(1)
    return [found[plan.name] for plan in plans]


def _shard(places: tuple[Place, Place], plan: ShardPlan, is_there: bool, checksum: str | None) -> ShardIndex:
    target, pieces = places
    found = find_shard(target, plan) if is_there else None
    if found is None or (checksum is not None and found.sha256 != checksum):
        return write_shard(target, pieces, plan)
    return found


def _require_all(work: Work, everything: Everything) -> None:
    """See that the pieces have every sample of the source, each once where one gives one image; raises `DataError`."""
    rows = everything.columns["row"]
    samples = len(work.source.samples)
    if len(np.unique(rows)) != samples or not (work.faces or len(rows) == samples):
        raise DataError(
            f"the pieces in {work.pieces} are not those of this source: delete {work.pieces}, and call again"
        )


def bad_pictures(work: Work, everything: Everything) -> list[tuple[str, str, str]]:
    """Key and split of each picture that was left out, and why, in the order of the source."""
    keys, rows, splits = work.source.samples.key, everything.columns["row"], everything.columns["split"]
    found = sorted((int(rows[row]), int(splits[row]), reason) for row, reason in everything.reasons.items())
    return [(keys[row].as_py(), work.splits[split], reason) for row, split, reason in found]


def count_without_face(everything: Everything, split: int | None = None) -> tuple[int, int]:
    """Photographs of all splits, or of one, that give no image although they are not bad: those that show no face, and
    those whose faces have no room for their squares."""
    columns = everything.columns
    none = columns["image_bytes"] == 0
    none[list(everything.reasons)] = False
    if split is not None:
        none &= columns["split"] == split
    room = int(np.count_nonzero(none & (columns["without_room"] != 0)))
    return int(np.count_nonzero(none)) - room, room


def description(
    work: Work, bad: Sequence[tuple[str, str, str]], without_face: int | None, without_room: int | None
) -> dict[str, object]:
    """What `dataset.json` says of how the shards were made."""
    return {
        "source": work.source.where,
        "options": work.record.arguments,
        "filter": "bilinear with antialiasing (Pillow); JPEGs of at least twice the size are halved while decoding",
        "versions": work.versions,
        "pictures": work.record.pictures,
        **({} if without_face is None else {"without_face": without_face, "without_room": without_room}),
        "left_out": [{"source": key, "split": split, "reason": reason} for key, split, reason in bad],
    }


def _require_images(work: Work, everything: Everything) -> None:
    """See that every split has an image; raises `DataError`, or `SettingsError` where holding out is to blame."""
    splits = everything.columns["split"]
    keys = work.source.samples.key
    for number, split in enumerate(work.splits):
        if (splits[everything.order] == number).any():
            continue
        if work.options.holdout and len(everything.order):
            told = none_left(work.options.holdout, len(everything.order), work.source.where, split)
            raise SettingsError(f"{told}, and another target")
        without_face, without_room = count_without_face(everything, number)
        of = f" of {split}" if len(work.splits) > 1 else ""
        if without_room:
            raise DataError(
                f"none of the faces in {count(without_room, 'picture')}{of} in {work.source.where} has room for its "
                f"square, which is larger than the picture, and {without_face:,} show no face: give pictures that show "
                "more around faces, or a smaller --faces.margin"
            )
        if without_face:
            raise DataError(
                f"no face was found in any of {count(without_face, 'picture')}{of} in {work.source.where}: give "
                "photographs of people, or a smaller --size or --faces.least for smaller faces"
            )
        lost = [row for row in everything.reasons if splits[row] == number] or list(everything.reasons)
        key, reason = keys[int(everything.columns["row"][lost[0]])], everything.reasons[lost[0]]
        raise DataError(
            f"none of {count(len(lost), 'picture')}{of} in {work.source.where} can be used, for example {key}: {reason}"
        )
