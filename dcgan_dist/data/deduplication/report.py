"""What was found, for people: lines, the record and the page."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.deduplication.comparison import difference
from dcgan_dist.data.deduplication.find import Found, Seen, duplicates_of, found_of
from dcgan_dist.data.deduplication.histogram import Histogram, counted
from dcgan_dist.data.deduplication.page import (
    GROUPS,
    LEAKED_PAIRS,
    NEAREST_PAIRS,
    OF_A_GROUP,
    RANDOM_PAIRS,
    Group,
    Leaks,
    Pair,
    Picture,
    Report,
    identity,
    page,
)
from dcgan_dist.data.deduplication.pairs import Pairs, edges_of
from dcgan_dist.data.deduplication.record import KEEP_FILE, PAGE_FILE, RECORD_FILE
from dcgan_dist.data.deduplication.work import Work
from dcgan_dist.data.preset_data import training
from dcgan_dist.intervals import CONFIDENCE
from dcgan_dist.numerals import count
from dcgan_dist.storage import place

_RANDOM_DIFFERENT = 5_000
MEASURE = "difference of thumbnails after alignment"


def report(work: Work, found: Found) -> Report:
    """All that the page shows."""
    threshold, asked = work.asked.threshold, work.record.asked
    randomness = np.random.default_rng(work.asked.options.seed)
    duplicates = duplicates_of(found.pairs, threshold)
    shown = randomness.permutation(len(duplicates))[:RANDOM_PAIRS]
    below, above = nearest(found.pairs, threshold)
    look = _Look(found.seen, found.seen)
    left_out = int(np.count_nonzero(found.instead != np.arange(len(found.instead))))
    return Report(
        data=work.images.address,
        images=len(found.instead),
        left_out=left_out,
        recipe=[(name, str(asked[name])) for name in _SHOWN if asked[name] is not None],
        counts=counts(found, duplicates),
        threshold=threshold,
        measure=MEASURE,
        duplicate_pairs=len(duplicates),
        random_pairs=look.pairs(duplicates.take(shown)),
        groups=look.groups(found.instead),
        below=look.pairs(found.pairs.take(below)),
        above=look.pairs(found.pairs.take(above)),
        histogram=None if threshold is None else _histogram(found, threshold, randomness),
        leaks=_leaks(work, found, threshold),
    )


_SHOWN = ("method", "radius", "threshold", "seed")


def counts(found: Found, duplicates: Pairs) -> list[tuple[str, int]]:
    """What was counted, by name."""
    sizes = np.bincount(found.instead, minlength=len(found.instead))
    counted = [
        ("images", len(found.instead)),
        ("images that cannot be decoded, which are kept", int((~found.seen.good).sum())),
        ("candidate pairs", found.pairs.candidates),
        ("duplicate pairs", len(duplicates)),
        ("groups", int((sizes > 1).sum())),
        ("images in the largest group", int(sizes.max())),
    ]
    if found.pairs.not_compared or found.pairs.not_reported:
        counted += [
            ("pairs that were not compared, since too many images have one key", found.pairs.not_compared),
            ("pairs that were not reported, since one image has too many", found.pairs.not_reported),
        ]
    return counted


def nearest(pairs: Pairs, threshold: float | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs just below a threshold, or on it, and just above it: the nearest first."""
    if threshold is None:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    order = np.argsort(pairs.difference, kind="stable")
    middle = int(np.searchsorted(pairs.difference[order], threshold, "right"))
    return order[max(0, middle - NEAREST_PAIRS) : middle][::-1], order[middle : middle + NEAREST_PAIRS]


def _histogram(found: Found, threshold: float, randomness: np.random.Generator) -> Histogram:
    """Of candidates, and of images that were drawn at random."""
    good = np.flatnonzero(found.seen.good)
    first, second = randomness.choice(good, (2, _RANDOM_DIFFERENT))
    apart = found.instead[first] != found.instead[second]
    first, second = first[apart], second[apart]
    seen = (
        difference(found.seen.thumbnails.read(first), found.seen.thumbnails.read(second))
        if len(first)
        else np.empty(0, np.float32)
    )
    edges = edges_of(threshold)
    return Histogram(edges, found.pairs.histogram, counted(seen, edges))


def _leaks(work: Work, found: Found, threshold: float | None) -> Leaks | None:
    if found.leaks is None or found.against is None or work.against is None:
        return None
    leaked = duplicates_of(found.leaks, threshold)
    some = leaked.take(np.argsort(leaked.difference, kind="stable")[:LEAKED_PAIRS])
    pairs = _Look(found.against, found.seen).pairs(some)
    return Leaks(
        work.against.address,
        len(np.unique(leaked.query)),
        len(found.against.good),
        [Pair(pair.second, pair.first, pair.difference) for pair in pairs],
    )


class _Look:
    """Makes pictures of rows."""

    def __init__(self, query: Seen, table: Seen) -> None:
        self._query, self._table = query, table

    def pairs(self, pairs: Pairs) -> list[Pair]:
        first, second = _pictures(self._query, pairs.query), _pictures(self._table, pairs.table)
        return [Pair(*both) for both in zip(first, second, pairs.difference.tolist(), strict=True)]

    def groups(self, instead: NDArray[np.int64]) -> list[Group]:
        """The largest groups, what is kept first."""
        sizes = np.bincount(instead, minlength=len(instead))
        largest = np.argsort(-sizes, kind="stable")[:GROUPS]
        found = []
        for kept in largest[sizes[largest] > 1].tolist():
            others = np.flatnonzero(instead == kept)
            rows = np.append(kept, others[others != kept])[:OF_A_GROUP]
            found.append(Group(_pictures(self._table, rows), int(sizes[kept])))
        return found


def _pictures(seen: Seen, rows: NDArray[np.int64]) -> list[Picture]:
    index = seen.images.index
    return [
        Picture(one, index.names(row), _caption(index.classes, int(index.label[row])))
        for one, row in zip(seen.thumbnails.read(rows), rows.tolist(), strict=True)
    ]


def _caption(classes: Sequence[str] | None, label: int) -> str:
    if label < 0:
        return ""
    return classes[label] if classes and label < len(classes) else f"class {label}"


def summary(work: Work) -> list[str]:
    """Lines about a complete work, and what to do next."""
    found, out = work.record.found, work.asked.out
    images, left_out = int(str(found["images"])), int(str(found["left_out"]))
    groups, rest = count(int(str(found["groups"])), "group"), images - left_out
    lines = [
        *work.images.index.notes,
        *(work.against.index.notes if work.against else ()),
        f"{left_out:,} of {count(images, 'image')} are near duplicates of others, in {groups}; "
        f"{rest:,} {'is' if rest == 1 else 'are'} kept",
    ]
    if found["unreadable"]:
        unreadable = count(int(str(found["unreadable"])), "image")
        lines.append(f"{unreadable} cannot be decoded; what cannot be decoded is kept, and a run counts it as bad")
    if found["not_compared"] or found["not_reported"]:
        lines.append(
            f"{found['not_compared']:,} pairs of images with alike codes were not compared, and "
            f"{found['not_reported']:,} not reported, since some images have too many of them: see {out / RECORD_FILE}"
        )
    if isinstance(leaks := found.get("against"), dict):
        lines.append(
            f"{leaks['with_copies']:,} of {leaks['images']:,} images of {work.asked.options.against} have near copies "
            f"in {work.asked.options.data}"
        )
    if isinstance(marks := found.get("marks"), dict):
        rate, low, high = (f"{100 * marks[name]:.1f}" for name in ("rate", "low", "high"))
        lines.append(
            f"{marks['false']:,} of {count(int(marks['judged']), 'judged pair')} are false: {rate} %, "
            f"and {low} to {high} % of all pairs at {100 * CONFIDENCE:g} % confidence"
        )
    size = work.images.index.image_size
    if kept := work.asked.options.write_shards:
        lines.append(f"shards of the images that are kept: {place(kept)}")
        command = training(str(place(kept)), "", size)
    else:
        command = training(work.asked.options.data, "", size, str(out / KEEP_FILE))
    return [
        *lines,
        f"look at {out / PAGE_FILE}",
        f"to train: {command}",
    ]


def write_results(work: Work, found: Found) -> Work:
    """Write the page, then the record, whose `found` means that all is there; returns the work with that record."""
    shown = report(work, found)
    (work.asked.out / PAGE_FILE).write_bytes(page(shown))
    record = found_of(work, found)
    record = replace(record, found={**record.found, "page": identity(shown)})
    record.save(work.asked.out)
    return replace(work, record=record)
