"""How near samples come to images, from the results of the tasks `neighbours` and `mnist-nn`. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from dcgan_dist.reporting.facts import Fact

_NUMBERS = ("samples", "mean", "low", "high")


def distances(evaluations: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """Of each checkpoint, the newest first: the mean distance to the nearest of so many samples, and how often that one
    is of another class."""
    every = [*_nearest(evaluations), *_errors(evaluations)]
    return [fact for _, fact in sorted(every, key=lambda one: -one[0])]


def _nearest(evaluations: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[int, Fact]]:
    """Images of the checkpoint, and the mean distance to the nearest of so many samples."""
    for file, result in evaluations.items():
        if not _is_whole(result):
            continue
        for place, one in enumerate(result["distances"]):
            name = f"Nearest of {one['samples']:,} samples{_kind(result)} at {result['images']:,} images"
            shown = f"{one['mean']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
            about = f"mean over {result['validation_images']:,} images ({result['recipe']['images']}); lower is better"
            key = f"distances[{place}].mean"
            yield result["images"], Fact(name, one["mean"], shown, file, key, one["low"], one["high"], about)


def _errors(evaluations: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[int, Fact]]:
    """Images of the checkpoint, and how often the nearest of so many samples, or of real images, has another class."""
    for file, result in evaluations.items():
        if not _has_errors(result):
            continue
        tested = f"of {result['test_images']:,} test images have a nearest"
        at, real = f"{_kind(result)} at {result['images']:,} images", result["real"]
        found = [
            (
                f"Error of the nearest of {one['samples']:,} samples{at}",
                f"errors[{place}].error",
                one,
                f"{tested} sample of another class; lower is better",
            )
            for place, one in enumerate(result["errors"])
        ]
        name = f"Error of the nearest of {real['images']:,} real images"
        found.append((name, "real.error", real, f"{tested} real image of another class; to compare with"))
        for name, key, one, about in found:
            error, low, high = one["error"], one["low"], one["high"]
            shown = f"{100 * error:.2f} % ({100 * low:.2f} to {100 * high:.2f})"
            yield result["images"], Fact(name, error, shown, file, key, low, high, about)


def _kind(result: Mapping[str, Any]) -> str:
    """Which generator drew the samples; "" where a result does not say."""
    recipe = result.get("recipe")
    kind = recipe.get("generator") if isinstance(recipe, Mapping) else None
    return f" of the {kind} generator" if kind else ""


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
