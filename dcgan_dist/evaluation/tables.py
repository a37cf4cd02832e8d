"""The paper's tables with our rows in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """A row of a published table: accuracies in percent, with all labels and with few; "" where there is none."""

    method: str
    all_labels: str
    few_labels: str
    source: str


CIFAR10 = (
    Published("1-layer K-means, 4800 maps", "80.6", "63.7 (±0.7)", "paper, table 1"),
    Published("3-layer K-means, learned fields, 3200 maps", "82.0", "70.7 (±0.7)", "paper, table 1"),
    Published("view-invariant K-means, 6400 maps", "81.9", "72.6 (±0.7)", "paper, table 1"),
    Published("exemplar CNN, 1024 maps", "84.3", "77.4 (±0.2)", "paper, table 1"),
    Published("DCGAN trained on ImageNet-1k, 512 maps", "82.8", "73.8 (±0.4)", "paper, table 1"),
)
SVHN = tuple(
    Published(method, "", f"{100 - error:.2f}", f"paper, table 2: {error:.2f} % wrong")
    for method, error in (
        ("KNN", 77.93),
        ("TSVM", 66.55),
        ("M1+KNN", 65.63),
        ("M1+TSVM", 54.33),
        ("M1+M2", 36.02),
        ("SWWAE without dropout", 27.83),
        ("SWWAE with dropout", 23.56),
        ("DCGAN", 22.48),
        ("supervised CNN of the same networks, on validation images", 28.87),
    )
)
TABLES: Mapping[str, tuple[str, Sequence[Published]]] = {"cifar10": ("400", CIFAR10), "svhn": ("100", SVHN)}
"""For each task that has a table in the paper: images of a class where labels are few, and the rows."""


@dataclass(frozen=True)
class PublishedError:
    """Error in percent of the nearest neighbor among so many images, from the paper's table."""

    method: str
    images: int
    error: str
    source: str


_REVIEW, _UNVERIFIED = "as a review of the paper quotes it", "quoted from memory, not verified"
MNIST = (
    PublishedError("DCGAN", 50_000, "2.98", _REVIEW),
    PublishedError("DCGAN", 10_000_000, "1.48", _REVIEW),
    PublishedError("GAN", 50_000, "6.28", _UNVERIFIED),
    PublishedError("GAN", 10_000_000, "5.65", _UNVERIFIED),
    PublishedError("real images", 50_000, "3.1", _UNVERIFIED),
    PublishedError("InfiMNIST", 10_000_000, "2.6", _UNVERIFIED),
    PublishedError("AlignMNIST", 10_000_000, "1.4", _UNVERIFIED),
)
"""Test errors on MNIST (paper, supplementary)."""


def table(task: str, results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines for people: results on one task, and what the paper says."""
    notes = [f"note: {note}" for note in dict.fromkeys(note for result in results for note in result.get("notes", ()))]
    if "distances" in results[0]:
        return [*(line for result in results for line in _distances(result)), *notes]
    if "measures" in results[0]:
        return [*(line for result in results for line in _measures(result)), *notes]
    if "errors" in results[0]:
        return [*_errors(results), *notes]
    title = f"{task}: classifiers on frozen features"
    few, published = TABLES.get(task, ("", ()))
    of_few = next((str(result["few_labels"]["per_class"]) for result in results if "few_labels" in result), few)
    header = ("features", "accuracy, %", f"{of_few} a class, %" if of_few else "", "setting", "numbers", "s")
    rows = [header]
    for result in results:
        every, less = result.get("all_labels"), result.get("few_labels")
        rows.append(
            (
                _name(result),
                percent(every) if every else "",
                percent(less) if less else "",
                ", ".join(setting(part) for part in (every, less) if part),
                f"{result['features']:,}" if result["features"] else "",
                f"{sum(result['seconds'].values()):.0f}",
            )
        )
    rows += [
        (f"{row.method} ({row.source})", row.all_labels, of_others(row.few_labels, few, of_few), "", "", "")
        for row in published
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    kept = [column for column, width in enumerate(widths) if width]
    lines = ["  ".join(_aligned(row[column], widths[column], column) for column in kept).rstrip() for row in rows]
    return [title, *lines, *notes]


def of_others(few_labels: str, few: str, of_few: str) -> str:
    """A published accuracy with `few` labels of a class, in a column of `of_few`: how many, where these are others."""
    return f"{few_labels}, {few} a class" if few_labels and few != of_few else few_labels


def _distances(result: Mapping[str, Any]) -> list[str]:
    """How near samples come to images."""
    return [
        f"{result['task']}: mean distance of {result['validation_images']:,} images ({result['recipe']['images']}) to "
        f"the nearest sample of {result['run']} at {result['images']:,} images, {_generator(result)}; lower is better",
        *(
            f"{one['samples']:>9,} samples  {one['mean']:.3f} (±{(one['high'] - one['low']) / 2:.3f})"
            for one in result["distances"]
        ),
    ]


def _measures(result: Mapping[str, Any]) -> list[str]:
    """How alike samples and held-out images are."""
    width = max(map(len, result["measures"]))
    return [
        f"{result['task']}: {result['samples']:,} samples of {result['run']} at {result['images']:,} images, "
        f"{_generator(result)}, beside {result['held_out_images']:,} images ({result['recipe']['images']})",
        *(f"  {name:{width}}  {measured(one)}" for name, one in result["measures"].items()),
    ]


def measured(one: Mapping[str, Any]) -> str:
    """A measure with half the width of its interval, where it has one, and which end of it is better."""
    if "low" not in one:
        return f"{one['value']:.4f}"
    return f"{one['value']:.4g} (±{(one['high'] - one['low']) / 2:.2g}); lower is better"


def _errors(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """How often the nearest neighbor has another class."""
    rows = [("nearest neighbor among", "images", "error, %")]
    for result in results:
        rows += [(name, f"{images:,}", error) for name, images, error in error_rows(result)]
    rows += [(f"{row.method} (paper, MNIST; {row.source})", f"{row.images:,}", row.error) for row in MNIST]
    name, images, error = (max(len(row[column]) for row in rows) for column in range(3))
    return [
        f"{results[0]['task']}: error on {results[0]['test_images']:,} test images; lower is better",
        *(f"{row[0]:{name}}  {row[1]:>{images}}  {row[2]:{error}}".rstrip() for row in rows),
    ]


def error_rows(result: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """What was compared, how many of it, and the error in percent with half the width of its interval."""
    samples = f"samples of {result['run']} at {result['images']:,} images, {_generator(result)}"
    return [
        *((samples, one["samples"], _error(one)) for one in result["errors"]),
        ("its real training images", result["real"]["images"], _error(result["real"])),
    ]


def _error(one: Mapping[str, Any]) -> str:
    return f"{100 * one['error']:.2f} (±{50 * (one['high'] - one['low']):.2f})"


def _generator(result: Mapping[str, Any]) -> str:
    # Results of before it was written down are all of the raw one.
    return f"{result['recipe'].get('generator', 'raw')} generator"


def _name(result: Mapping[str, Any]) -> str:
    if not result["run"]:
        return str(result["features_of"])
    return f"{result['features_of']} of {result['run']} at {result['images']:,} images"


def setting(score: Mapping[str, Any]) -> str:
    """What was chosen for a classifier, by the images held out."""
    if "trained_images" in score:
        return f"{score['trained_images']:,} images"
    return f"C {score['c']:g}" if "c" in score else f"K {score['k']:g}"


def _aligned(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column > 2 else text.ljust(width)


def percent(score: Mapping[str, Any]) -> str:
    """Accuracy with half the width of its interval."""
    return f"{100 * score['accuracy']:.2f} (±{50 * (score['high'] - score['low']):.2f})"
