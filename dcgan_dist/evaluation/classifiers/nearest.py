"""Nearest neighbours by Euclidean distance, in blocks; no Ray."""

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 4_096
"""References that are compared at once (published code, metrics)."""
LEAST = 1e-8
"""Added to the squared length of each vector (published code, metrics)."""


def nearest(queries: Tensor, references: Tensor, places: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    """The nearest references of each query.

    Args:
        queries: float32 [q, F].
        references: float32 or float16 [r, F].
        places: int64 [r], what the references are called.
        kept: how many are wanted.

    Returns:
        Distances float32 [q, kept], rising, and places int64 [q, kept]; infinite and -1 where there are too few
        references.
    """
    distances, nearest_places = torch.full((len(queries), kept), torch.inf), torch.full((len(queries), kept), -1)
    lengths = queries.square().sum(1, keepdim=True) + LEAST
    for first in range(0, len(references), BLOCK):
        block, names = references[first : first + BLOCK].float(), places[first : first + BLOCK]
        squares = torch.addmm(lengths + block.square().sum(1) + LEAST, queries, block.T, alpha=-2)
        few, rows = squares.topk(min(kept, len(block)), 1, largest=False)
        distances, nearest_places = merge([(distances, nearest_places), (few.clamp_(min=0).sqrt(), names[rows])], kept)
    return distances, nearest_places


def merge(parts: Sequence[tuple[Tensor, Tensor]], kept: int) -> tuple[Tensor, Tensor]:
    """The nearest of all parts, from what `nearest` found in each."""
    distances, places = (torch.cat(column, 1) for column in zip(*parts, strict=True))
    least, columns = distances.topk(kept, 1, largest=False)
    return least, places.gather(1, columns)
