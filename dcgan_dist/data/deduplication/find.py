"""The work itself: from shards to the keep-list, the record and the page."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from dcgan_dist import __version__
from dcgan_dist.data import keep_list
from dcgan_dist.data.deduplication.autoencoder import Autoencoder, fit, load
from dcgan_dist.data.deduplication.candidates import find_copies
from dcgan_dist.data.deduplication.code_store import make_codes, open_codes
from dcgan_dist.data.deduplication.groups import choose, connect
from dcgan_dist.data.deduplication.leaks import write_leaks
from dcgan_dist.data.deduplication.originals import pixels_of
from dcgan_dist.data.deduplication.pairs import Looking, Pairs, Side, file_of, find_pairs, read_pairs, write_flags
from dcgan_dist.data.deduplication.record import KEEP_FILE, LEAKS_FILE, Record
from dcgan_dist.data.deduplication.sealed_files import require_whole
from dcgan_dist.data.deduplication.search_plan import plan_search
from dcgan_dist.data.deduplication.thumbnail_files import Limits, ThumbnailFiles, Unit, make_thumbnails, part
from dcgan_dist.data.deduplication.work import MODEL_FILE, Images, Work, radius_of
from dcgan_dist.data.preparation.processes import Workers
from dcgan_dist.data.preparation.progress import Progress
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place
from dcgan_dist.versions import versions


@dataclass(frozen=True, eq=False)
class Seen:
    """A data set whose thumbnails are there.

    Attributes:
        images: of which data.
        thumbnails: of all.
        good: bool [n], which images could be decoded.
        digests: uint64 [n], of the thumbnails.
    """

    images: Images
    thumbnails: ThumbnailFiles
    good: NDArray[np.bool_]
    digests: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Found:
    """What came of it.

    Attributes:
        seen, against: the data, and the other data set.
        autoencoder: that made the codes.
        pairs: duplicates, and pairs that are just none, within the data.
        leaks: the same between the other data set (`query`) and the data (`table`).
        instead: int64 [n], which image is kept in stead of each, its own number where it is kept.
    """

    seen: Seen
    against: Seen | None
    autoencoder: Autoencoder
    pairs: Pairs
    leaks: Pairs | None
    instead: NDArray[np.int64]


def find_duplicates(work: Work, workers: Workers) -> Found:
    """Do what is missing of the work, and write the keep-list.

    Raises:
        DataError: no image can be decoded, or a store fails.
    """
    seen = see(work, work.images, workers)
    against = see(work, work.against, workers) if work.against else None
    autoencoder = _autoencoder(work, seen)
    for one in filter(None, (seen, against)):
        _make_codes(work, one, autoencoder, workers)
    pairs = _pairs(work, seen, autoencoder, workers)
    leaks = _leaks(work, seen, against, autoencoder, workers) if against else None
    duplicates = duplicates_of(pairs, work.asked.threshold)
    group = connect(len(seen.good), np.stack([duplicates.query, duplicates.table], axis=1))
    index = work.images.index
    instead = choose(group, pixels_of(index, group, workers), index.size)
    keep_list.write(work.asked.out / KEEP_FILE, index, instead)
    if leaks is not None and work.against is not None:
        leaked = duplicates_of(leaks, work.asked.threshold)
        write_leaks(work.asked.out / LEAKS_FILE, leaked, work.against.index, index)
    return Found(seen, against, autoencoder, pairs, leaks, instead)


def duplicates_of(pairs: Pairs, threshold: float | None) -> Pairs:
    """Those pairs that are duplicates."""
    return pairs if threshold is None else pairs.take(np.flatnonzero(pairs.difference <= threshold))


def see(work: Work, images: Images, workers: Workers) -> Seen:
    """Make the thumbnails that are missing; raises `DataError` where no image at all can be decoded."""
    folder = work.asked.cache / "thumbnails"
    there = _whole(folder, images.units, workers)
    missing = [unit for unit in images.units if unit.name not in there]
    made = sum(unit.images for unit in images.units if unit.name in there)
    data = DataSettings()
    index = images.index
    tasks = ((unit, part(index, unit)) for unit in missing)
    with Progress("decoded", "images", len(index), made) as progress:
        limits = Limits(data.max_image_bytes, data.max_image_pixels)
        for number, bad in workers.each(make_thumbnails, (folder, limits), tasks):
            progress.add(number, bad)
    thumbnails = ThumbnailFiles(folder, images.units)
    good, digests = thumbnails.tails()
    if not good.any():
        raise DataError(f"none of {len(good):,} images of {images.address} can be decoded")
    return Seen(images, thumbnails, good, digests)


def _whole(folder: Place, units: Sequence[Unit], workers: Workers) -> set[str]:
    """Names of the units whose files an earlier call has left in a folder; raises `DataError` where one is damaged."""
    there = {unit.name for unit in units} & set(folder.names())
    if not there:
        return there
    with Progress("checked", "files", len(there)) as progress:
        for _ in workers.each(require_whole, folder, ((name,) for name in sorted(there))):
            progress.add(1)
    return there


def _autoencoder(work: Work, seen: Seen) -> Autoencoder:
    """What makes the codes: given, fitted by an earlier call, or fitted now on some images."""
    file = work.asked.out / MODEL_FILE
    if file.exists():
        return load(file)
    model = work.asked.autoencoder
    if model is None:
        recipe, rows = work.asked.recipe, np.flatnonzero(seen.good)
        randomness = np.random.default_rng(recipe.seed)
        chosen = np.sort(randomness.choice(rows, min(recipe.sample, len(rows)), replace=False))
        with Progress("fitted", "parts of the autoencoder", 100) as progress:
            model = fit(seen.thumbnails.read(chosen), recipe, lambda share: progress.reach(round(100 * share), 100))
    model.save(file)
    return model


def _make_codes(work: Work, seen: Seen, model: Autoencoder, workers: Workers) -> None:
    folder = _codes(work, model)
    units = seen.thumbnails.units
    there = _whole(folder, units, workers)
    missing = [number for number, unit in enumerate(units) if unit.name not in there]
    done = len(seen.good) - sum(units[number].images for number in missing)
    common = (folder, model, seen.thumbnails)
    with Progress("coded", "images", len(seen.good), done) as progress:
        for number in workers.each(make_codes, common, ((number,) for number in missing)):
            progress.add(number)


def _pairs(work: Work, seen: Seen, model: Autoencoder, workers: Workers) -> Pairs:
    """All pairs within the data."""
    codes, _ = open_codes(_codes(work, model), seen.thumbnails.units, model.views_each)
    # Bad images, whose thumbnails are all alike, are none of each other's copies.
    first, copy = find_copies(codes, seen.digests)
    kept = seen.good[first] & seen.good[copy]
    first, copy = first[kept], copy[kept]
    takes_part = seen.good.copy()
    takes_part[copy] = False
    side = _side(work, seen, model, takes_part)
    found = _search(work, side, None, model, workers)
    return found.with_same(first, copy, work.asked.threshold)


def _leaks(work: Work, seen: Seen, against: Seen, model: Autoencoder, workers: Workers) -> Pairs:
    """All pairs between another data set (`query`) and the data (`table`): each is looked up in the other."""
    sides = [_side(work, one, model, one.good) for one in (seen, against)]
    found = _search(work, sides[0], sides[1], model, workers)
    if not model.views_each:
        return found
    return found.united(_search(work, sides[1], sides[0], model, workers).swapped())


def _codes(work: Work, model: Autoencoder) -> Place:
    return work.asked.cache / "codes" / model.checksum[:24]


def _side(work: Work, seen: Seen, model: Autoencoder, takes_part: NDArray[np.bool_]) -> Side:
    name = sha256(seen.images.identity.encode() + takes_part.tobytes()).hexdigest()[:24]
    file = work.pairs / f"{name}.flags"
    write_flags(file, takes_part)
    return Side(seen.thumbnails, _codes(work, model), file)


def _search(work: Work, table: Side, queries: Side | None, model: Autoencoder, workers: Workers) -> Pairs:
    """Pairs of all partitions; those that an earlier call has left are not looked for again."""
    asked = table if queries is None else queries
    plan = plan_search(len(table.thumbnails), len(asked.thumbnails), radius_of(work.asked), 1 + model.views_each)
    what = [
        asdict(plan), model.checksum, __version__, table.takes_part.name, queries.takes_part.name if queries else "",
    ]  # fmt: skip
    folder = work.pairs / sha256(json.dumps(what).encode()).hexdigest()[:16]
    looking = Looking(table, queries, model.views_each, plan, work.asked.threshold, folder)
    there = set(folder.names())
    missing = [number for number in range(plan.partitions) if file_of(number) not in there]
    with Progress("compared", "partitions", plan.partitions, plan.partitions - len(missing)) as progress:
        for _ in workers.each(find_pairs, looking, ((number,) for number in missing)):
            progress.add(1)
    return read_pairs(folder, range(plan.partitions))


def found_of(work: Work, found: Found) -> Record:
    """The complete record."""
    duplicates = duplicates_of(found.pairs, work.asked.threshold)
    left_out = int(np.count_nonzero(found.instead != np.arange(len(found.instead))))
    groups = np.bincount(found.instead, minlength=len(found.instead))
    sizes = np.bincount(groups[groups > 1])
    content: dict[str, object] = {
        "images": len(found.instead),
        "unreadable": int((~found.seen.good).sum()),
        "candidates": found.pairs.candidates,
        "pairs": len(duplicates),
        "groups": int((groups > 1).sum()),
        "left_out": left_out,
        "groups_by_size": {str(size): int(number) for size, number in enumerate(sizes) if number},
        "not_compared": found.pairs.not_compared,
        "not_reported": found.pairs.not_reported,
        "versions": versions("numpy", "pillow", "simplejpeg", "torch"),
    }
    if found.leaks is not None and found.against is not None:
        leaked = duplicates_of(found.leaks, work.asked.threshold)
        content["against"] = {
            "images": len(found.against.good),
            "with_copies": len(np.unique(leaked.query)),
            "pairs": len(leaked),
        }
    return Record(work.record.asked, content)
