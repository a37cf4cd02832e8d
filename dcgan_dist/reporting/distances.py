"""How near samples come to images, from the results of the task `neighbours`. Pure."""

from collections.abc import Mapping
from typing import Any

from dcgan_dist.reporting.facts import Fact

_NUMBERS = ("samples", "mean", "low", "high")


def distances(evaluations: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """Mean distance to the nearest of so many samples, newest checkpoint first."""
    found = []
    of = {file: result for file, result in evaluations.items() if _is_whole(result)}
    for file, result in sorted(of.items(), key=lambda one: -one[1]["images"]):
        for place, one in enumerate(result["distances"]):
            name = f"Nearest of {one['samples']:,} samples at {result['images']:,} images"
            shown = f"{one['mean']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
            about = f"mean over {result['validation_images']:,} images ({result['recipe']['images']}); lower is better"
            key = f"distances[{place}].mean"
            found.append(Fact(name, one["mean"], shown, file, key, one["low"], one["high"], about))
    return found


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
