"""Results as JSON that any reader takes: what is not known is null; NaN and infinity, which JSON lacks, are refused."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.errors import DataError


def encode(result: Mapping[str, Any], about: str) -> bytes:
    """A result's file.

    Args:
        about: whose result it is, for the message.

    Raises:
        DataError: a number in it is not finite.
    """
    try:
        return json.dumps(result, indent=1, allow_nan=False).encode()
    except ValueError as error:
        raise DataError(
            f"the result of {about} holds a number that is not finite, so that it is not written: the networks have "
            "probably diverged; take an earlier checkpoint"
        ) from error


def recipe_sha256(recipe: Mapping[str, Any]) -> str:
    """SHA-256 of a recipe, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def accuracy_by_class(counts: NDArray[np.int64]) -> list[float | None]:
    """Accuracy of each class of a confusion matrix [true, predicted]; None for a class of which there are no images."""
    return [
        int(right) / int(number) if number else None
        for right, number in zip(counts.diagonal(), counts.sum(1), strict=True)
    ]
