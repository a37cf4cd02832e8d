"""How alike samples and held-out images are, from the results of the task `fidelity`: a table for each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_dist.reporting.facts import Fact

WORDS = {
    "frechet": ("Fréchet distance, squared", "lower"),
    "kernel": ("kernel distance, squared", "lower"),
    "precision": ("precision", "higher"),
    "recall": ("recall", "higher"),
    "density": ("density", "higher, to about 1"),
    "coverage": ("coverage", "higher"),
}
"""Of each measure: what people call it, and which end is the better one."""


@dataclass(frozen=True)
class Measure:
    """A row: its name in words, the value, and which end of it is better; "" where that is not known."""

    name: str
    fact: Fact
    better: str


@dataclass(frozen=True)
class FidelityTable:
    """The measures of a checkpoint, by one kind of features.

    Attributes:
        images: that the checkpoint has seen.
        about: what was compared, and what intervals cover.
        source: file and key that hold all its values.
        rows: in the order of the file.
    """

    images: int
    about: str
    source: str
    rows: Sequence[Measure]


def fidelity_tables(evaluations: Mapping[str, Mapping[str, Any]]) -> list[FidelityTable]:
    """A table for each result and its features, newest checkpoint first; results that are not whole have none.

    Args:
        evaluations: contents of results by file.
    """
    found = [
        _table(file, result, features)
        for file, result in evaluations.items()
        if _is_whole(result)
        for features in dict.fromkeys(_parts(name)[0] for name in result["measures"])
    ]
    return sorted(found, key=lambda table: -table.images)


def _table(file: str, result: Mapping[str, Any], features: str) -> FidelityTable:
    recipe, images = result["recipe"], result["images"]
    rows = []
    for name, one in result["measures"].items():
        of, measure = _parts(name)
        if of != features:
            continue
        words, better = WORDS.get(measure, (measure, ""))
        value, low, high = one["value"], one.get("low"), one.get("high")
        bounded = low is not None and high is not None
        shown = f"{value:.4g} ({low:.4g} to {high:.4g})" if bounded else f"{value:.3f}"
        about = f"{words}, by {features}, at {images:,} images"
        note = f"{better} is better" if better else ""
        rows.append(Measure(words, Fact(about, value, shown, file, f"measures.{name}.value", low, high, note), better))
    kind = f" of the {recipe['generator']} generator" if "generator" in recipe else ""
    intervals = ""
    if any(row.fact.low is not None for row in rows):
        numbers = result.get("features")
        if type(numbers) is int and result["samples"] < numbers:
            intervals = f" Of fewer samples than the {numbers:,} features, the intervals are too narrow."
        else:
            intervals = " A second draw of as many samples lies in the interval in 95 % of cases."
    return FidelityTable(
        images,
        f"{result['samples']:,} samples{kind} after {images:,} images, beside {result['held_out_images']:,} held-out "
        f"images ({recipe['images']}), by features of {features}.{intervals}",
        f"{file}: measures",
        rows,
    )


def _parts(name: str) -> tuple[str, str]:
    """Features and measure of a name such as `efficientnet_lite0/frechet`."""
    features, _, measure = name.rpartition("/")
    return features, measure


def _is_whole(result: Mapping[str, Any]) -> bool:
    """Whether a result has measures, and all that is read beside them."""
    every, recipe = result.get("measures"), result.get("recipe")
    return (
        isinstance(every, Mapping)
        and isinstance(recipe, Mapping)
        and "images" in recipe
        and all(type(result.get(name)) is int for name in ("images", "samples", "held_out_images"))
        and all(isinstance(one, Mapping) and type(one.get("value")) in (int, float) for one in every.values())
        and all(type(bound) in (int, float) for one in every.values() for bound in one.values())
    )
