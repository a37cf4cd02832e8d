"""Which maps are large where an object is."""

import numpy as np
import pytest
import torch

from dcgan_dist.studies.judges.boxes import Box
from dcgan_dist.studies.position_regression import inside, simplest, weights_of


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], []),
        ([(0, 0, 0.25, 0.25)], [(0, 0)]),
        ([(0.125, 0.125, 0.126, 0.126)], [(0, 0)]),
        ([(0.13, 0, 0.374, 1)], []),
        ([(0.3, 0, 0.7, 0.2)], [(0, 1), (0, 2)]),
        ([(0, 0, 0.25, 0.25), (0.75, 0.75, 1, 1)], [(0, 0), (3, 3)]),
        ([(0, 0.5, 0.25, 1)], [(2, 0), (3, 0)]),
    ],
)
def test_positions_are_inside_where_their_centers_are(boxes: list[Box], expected: list[tuple[int, int]]) -> None:
    assert [tuple(place) for place in np.argwhere(inside(boxes, 4)).tolist()] == expected


def made(seed: int) -> tuple[torch.Tensor, np.ndarray]:  # type: ignore[type-arg]
    """Samples with a square somewhere: map 0 is large in it, map 1 small, 2 and 3 know nothing, 4 is always 0."""
    random = np.random.default_rng(seed)
    maps, where = random.random((60, 5, 8, 8)).astype(np.float32), np.zeros((60, 8, 8), bool)
    for number, (row, column) in enumerate(random.integers(0, 6, (60, 2))):
        where[number, row : row + 3, column : column + 3] = True
    maps[:, 0] += 0.8 * where
    maps[:, 1] -= 0.4 * where
    maps[:, 4] = 0
    return torch.from_numpy(maps), where


def test_weights_tell_for_and_against() -> None:
    weights = weights_of(*made(3), seed=1)
    assert weights.dtype == torch.float64
    assert int(weights.argmax()) == 0
    assert int(weights.argmin()) == 1
    assert float(weights[0]) > 4 * float(weights[2:].abs().max())
    assert float(weights[4]) == 0


def test_weights_are_the_same_for_the_same_seed_and_do_not_depend_on_the_scale_of_a_map() -> None:
    maps, where = made(4)
    first = weights_of(maps, where, seed=2)
    assert torch.equal(first, weights_of(maps, where, seed=2))
    assert not torch.equal(first, weights_of(maps, where, seed=3))
    scaled = maps * torch.tensor([100.0, 1, 1, 0.01, 1])[:, None, None]
    assert torch.allclose(first, weights_of(scaled, where, seed=2), atol=1e-3)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([[3, 3, 3, 3], [2, 2, 2, 2], [1, 1, 1, 1]], 2),
        ([[1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]], 0),
        ([[1, 1, 1, 1], [1, 1, 1, 1], [3, 3, 3, 3]], 1),
        # The standard error of 0, 1, 2, 3 is 0.645.
        ([[0, 1, 2, 3], [2.1, 2.1, 2.1, 2.1], [2.2, 2.2, 2.2, 2.2]], 1),
        ([[9, 9, 9, 9], [0, 1, 2, 3], [2.1, 2.1, 2.1, 2.1]], 2),
    ],
)
def test_the_strongest_penalty_within_a_standard_error_of_the_best_is_taken(
    losses: list[list[float]], expected: int
) -> None:
    assert simplest(losses) == expected
