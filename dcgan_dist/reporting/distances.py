"""How near samples come to images, from the results of the tasks `neighbours`, `fidelity` and `mnist-nn`. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from dcgan_dist.reporting.facts import Fact

_NUMBERS = ("samples", "mean", "low", "high")


def distances(evaluations: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """Of each checkpoint, the newest first: how alike samples and held-out images are, the mean distance to the nearest
    of so many samples, and how often that one is of another class."""
    every = [*_measures(evaluations), *_nearest(evaluations), *_errors(evaluations)]
    return [fact for _, fact in sorted(every, key=lambda one: -one[0])]


def _measures(evaluations: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[int, Fact]]:
    """Images of the checkpoint, and what was found."""
    for file, result in evaluations.items():
        if not _has_measures(result):
            continue
        about = f"{result['samples']:,} samples and {result['held_out_images']:,} images ({result['recipe']['images']})"
        for measure, one in result["measures"].items():
            value, low, high = one["value"], one.get("low"), one.get("high")
            lower = low is not None and high is not None
            shown = f"{value:.4g} ({low:.4g} to {high:.4g})" if lower else f"{value:.3f}"
            note = f"{about}; lower is better; a second draw of samples lies in the interval" if lower else about
            name, key = f"{measure} at {result['images']:,} images", f"measures.{measure}.value"
            yield result["images"], Fact(name, value, shown, file, key, low, high, note)


def _nearest(evaluations: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[int, Fact]]:
    """Images of the checkpoint, and the mean distance to the nearest of so many samples."""
    for file, result in evaluations.items():
        if not _is_whole(result):
            continue
        for place, one in enumerate(result["distances"]):
            name = f"Nearest of {one['samples']:,} samples at {result['images']:,} images"
            shown = f"{one['mean']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
            about = f"mean over {result['validation_images']:,} images ({result['recipe']['images']}); lower is better"
            key = f"distances[{place}].mean"
            yield result["images"], Fact(name, one["mean"], shown, file, key, one["low"], one["high"], about)


def _errors(evaluations: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[int, Fact]]:
    """Images of the checkpoint, and how often the nearest of so many samples, or of real images, has another class."""
    for file, result in evaluations.items():
        if not _has_errors(result):
            continue
        about = f"error on {result['test_images']:,} test images; lower is better"
        at, real = f"at {result['images']:,} images", result["real"]
        found = [
            (f"Class by the nearest of {one['samples']:,} samples {at}", f"errors[{place}].error", one)
            for place, one in enumerate(result["errors"])
        ]
        found.append((f"Class by the nearest of {real['images']:,} real images", "real.error", real))
        for name, key, one in found:
            error, low, high = one["error"], one["low"], one["high"]
            shown = f"{100 * error:.2f} % wrong ({100 * low:.2f} to {100 * high:.2f})"
            yield result["images"], Fact(name, error, shown, file, key, low, high, about)


def _has_measures(result: Mapping[str, Any]) -> bool:
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


def _has_errors(result: Mapping[str, Any]) -> bool:
    """Whether a result has errors, and all that is read beside them."""
    every, real = result.get("errors"), result.get("real")
    return (
        isinstance(every, list)
        and all(type(result.get(name)) is int for name in ("images", "test_images"))
        and all(
            isinstance(one, Mapping)
            and type(one.get(number)) is int
            and all(type(one.get(name)) in (int, float) for name in ("error", "low", "high"))
            for one, number in [*((one, "samples") for one in every), (real, "images")]
        )
    )


def _is_whole(result: Mapping[str, Any]) -> bool:
    """Whether a result has distances, and all that is read beside them."""
    every, recipe = result.get("distances"), result.get("recipe")
    return (
        isinstance(every, list)
        and isinstance(recipe, Mapping)
        and "images" in recipe
        and all(type(result.get(name)) is int for name in ("images", "validation_images"))
        and all(
            isinstance(one, Mapping) and all(type(one.get(name)) in (int, float) for name in _NUMBERS) for one in every
        )
    )
