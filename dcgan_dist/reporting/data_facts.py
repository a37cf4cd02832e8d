"""What a report says of a run's data: counts, how it was prepared and de-duplicated, and some of its images."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dcgan_dist.data.contact_sheet import SHEET_FILE
from dcgan_dist.data.deduplication import record as dedup
from dcgan_dist.data.image_decoding import BadImage, decode
from dcgan_dist.data.preparation.record import RECORD_FILE as PREPARED
from dcgan_dist.data.preparation.record import Record as Preparation
from dcgan_dist.data.shards.index import Index, find_index, fingerprint
from dcgan_dist.errors import DcganDistError
from dcgan_dist.model.pixels import tiled
from dcgan_dist.reporting.facts import Fact, count_of
from dcgan_dist.reporting.pictures import LARGEST_FILE, MOST_PIXELS, Shot, read_shot
from dcgan_dist.reporting.run_files import RunFiles
from dcgan_dist.run_folder.trained_on import TrainedOn, from_record
from dcgan_dist.storage import MissingFile, Place

SHEET_IMAGES, SHEET_SIDE = 40, 64
"""Of a sheet that is made for the report: images, and pixels of a side at most."""
SHEET_RANK = 1
_FOUND = {
    "images": "Images compared",
    "groups": "Groups of near duplicates",
    "left_out": "Near duplicates left out",
    "unreadable": "Images that cannot be decoded",
}


@dataclass
class DataPart:
    """The data of a run.

    Attributes:
        facts: counts.
        deduplication: what de-duplication found; empty where the run has no keep-list.
        sheet: images of it.
        notes: what could not be found.
    """

    facts: list[Fact] = field(default_factory=list)
    deduplication: list[Fact] = field(default_factory=list)
    sheet: Shot | None = None
    notes: list[str] = field(default_factory=list)


def read_data(files: RunFiles) -> DataPart:
    """What is known of the data of a run; what lies beside its shards only where those can be reached from here."""
    record, settings = files.standing.record, files.settings
    part, trained_on = DataPart(), from_record(record)
    if settings is not None and settings.supervised.task:
        part.facts += _labeled(record, settings.supervised.task, trained_on)
        return part
    if settings is not None:
        part.facts.append(Fact("Data", settings.data.path, settings.data.path, "settings.yaml", "data.path"))
    part.facts.append(count_of("Images of the data", int(record["epoch_images"]), "run.json", "epoch_images"))
    if trained_on is not None:
        part.facts.append(count_of("Shards", len(trained_on.shards), "run.json", "trained_on.shards"))
        part.facts += _before(trained_on)
    bad = {sample for line in files.standing.lines for sample in line.get("bad_images", [])}
    part.facts.append(count_of("Images that could not be decoded", len(bad), "metrics.jsonl", "bad_images"))
    if trained_on is None or not trained_on.shards:
        part.notes.append("run.json does not say which shards the run was trained on: no images of them are shown")
        return part
    shards = [Place(address) for address in trained_on.shards]
    _preparation(part, shards)
    if trained_on.keep is not None:
        _deduplication(part, trained_on.keep.file)
    _sheet(part, shards, trained_on, files.place)
    return part


def _labeled(record: Mapping[str, Any], task: str, trained_on: TrainedOn | None) -> list[Fact]:
    """Of a run that is trained on labels, whose images are not those of `data.path`."""
    facts = [
        Fact("Labeled data", task, task, "settings.yaml", "supervised.task"),
        count_of("Labeled images to learn from", int(record["epoch_images"]), "run.json", "epoch_images"),
    ]
    if type(held_out := record.get("held_out_images")) is int:
        facts.append(count_of("Labeled images held out", held_out, "run.json", "held_out_images"))
    return facts + ([] if trained_on is None else _before(trained_on))


def _before(trained_on: TrainedOn) -> list[Fact]:
    if not trained_on.before:
        return []
    note = "by networks that the run began with, or at other addresses"
    return [count_of("Shards trained on before", len(trained_on.before), "run.json", "trained_on.before", note)]


def _preparation(part: DataPart, shards: Sequence[Place]) -> None:
    folder = shards[0].parent
    try:
        made = Preparation.load(folder)
    except MissingFile:
        return  # not made by `prepare`
    except DcganDistError as error:
        part.notes.append(str(error).partition(":")[0])
        return
    where = str(folder / PREPARED)
    part.facts.append(count_of("Pictures prepared", made.pictures, where, "pictures"))
    part.facts.append(count_of("Pictures left out as bad", len(made.bad), where, "bad"))


def _deduplication(part: DataPart, keep: str) -> None:
    part.deduplication.append(Fact("Keep-list", keep, keep, "run.json", "trained_on.keep.file"))
    folder = Place(keep).parent
    try:
        part.deduplication += deduplication_facts(dedup.load(folder).found, str(folder / dedup.RECORD_FILE))
    except DcganDistError as error:
        part.notes.append(f"what de-duplication found is not known from here: {error}")


def deduplication_facts(found: Mapping[str, Any], where: str) -> list[Fact]:
    """What a record of de-duplication found.

    Args:
        where: its address.
    """
    facts = [count_of(name, int(found[key]), where, f"found.{key}") for key, name in _FOUND.items() if key in found]
    if isinstance(marks := found.get("marks"), Mapping):
        rate, low, high = (float(marks[name]) for name in ("rate", "low", "high"))
        shown = f"{100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        note = f"{marks['false']:,} of {marks['judged']:,} pairs that were judged by eye"
        facts.append(Fact("False among the duplicate pairs", rate, shown, where, "found.marks.rate", low, high, note))
    if isinstance(against := found.get("against"), Mapping):
        note = f"of {against['images']:,} images of another set"
        facts.append(
            count_of(
                "Near copies in another set", int(against["with_copies"]), where, "found.against.with_copies", note
            )
        )
    return facts


def _sheet(part: DataPart, shards: Sequence[Place], trained_on: TrainedOn, run: Place) -> None:
    """The contact sheet that lies beside the shards, else one of images at even distances."""
    beside = shards[0].parent / SHEET_FILE
    try:
        if beside.exists():
            shot = read_shot(beside, str(beside), "images of the data", SHEET_RANK)
            if isinstance(shot, str):
                part.notes.append(shot)
            else:
                part.sheet = shot
            return
        index = find_index(shards) or Index.load(run.parent / "indexes" / fingerprint(shards))
        index = trained_on.kept(index)
        part.sheet = _drawn(index, str(shards[0].parent))
    except DcganDistError as error:
        part.notes.append(f"no images of the data are shown: {error}")


def _drawn(index: Index, folder: str) -> Shot | None:
    """Images at even distances; those that cannot be decoded are passed over, as training does."""
    side = min(index.image_size or SHEET_SIDE, SHEET_SIDE)
    images = []
    for row in np.unique(np.linspace(0, len(index) - 1, SHEET_IMAGES).astype(np.intp)).tolist():
        image = np.zeros((side, side, 3), np.uint8)
        size = int(index.size[row])
        if size <= LARGEST_FILE:
            data = Place(index.shards[index.shard[row]]).read_range(int(index.offset[row]), size)
            with suppress(BadImage):
                decode(data, image, fit="resize", max_pixels=MOST_PIXELS)
                images.append(image)
    if not images:
        return None
    return Shot(folder, f"{len(images)} images of the data, at even distances", tiled(np.stack(images), 10), SHEET_RANK)
