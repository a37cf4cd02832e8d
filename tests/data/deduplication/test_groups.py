import numpy as np
import pytest

from dcgan_dist.data.deduplication.groups import choose, connect


@pytest.mark.parametrize(
    ("n", "pairs", "groups"),
    [
        (0, [], []),
        (3, [], [0, 1, 2]),
        (4, [(1, 3)], [0, 1, 2, 1]),
        (4, [(3, 1), (1, 3), (1, 3)], [0, 1, 2, 1]),
        (3, [(2, 2)], [0, 1, 2]),
        (6, [(4, 5), (2, 4), (3, 1)], [0, 1, 2, 1, 2, 2]),
        (6, [(5, 0), (5, 1), (5, 2), (5, 3), (5, 4)], [0, 0, 0, 0, 0, 0]),
        (7, [(6, 5), (4, 3), (5, 3), (1, 2)], [0, 1, 1, 3, 3, 3, 3]),
    ],
)
def test_images_that_a_chain_of_pairs_connects_are_one_group(
    n: int, pairs: list[tuple[int, int]], groups: list[int]
) -> None:
    assert connect(n, np.array(pairs, np.int64).reshape(-1, 2)).tolist() == groups


@pytest.mark.parametrize("order", ["along", "back", "shuffled", "zigzag"])
def test_long_chains_are_one_group(order: str) -> None:
    n = 100_000
    images = np.arange(n)
    if order == "back":
        images = images[::-1]
    elif order == "shuffled":
        images = np.random.default_rng(5).permutation(n)
    elif order == "zigzag":
        images = np.stack([images[: n // 2], images[n // 2 :]], axis=1).reshape(-1)
    assert not connect(n, np.stack([images[:-1], images[1:]], axis=1)).any()


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_those_of_a_walk_along_the_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 500
    pairs = rng.integers(0, n, (300, 2))
    neighbors: dict[int, set[int]] = {i: set() for i in range(n)}
    for a, b in pairs.tolist():
        neighbors[a].add(b)
        neighbors[b].add(a)
    expected = [-1] * n
    for start in range(n):
        waiting = [start]
        while waiting:
            image = waiting.pop()
            if expected[image] < 0:
                expected[image] = start
                waiting += neighbors[image]
    assert connect(n, pairs).tolist() == expected
    assert connect(n, rng.permutation(pairs)[:, ::-1]).tolist() == expected


@pytest.mark.parametrize(
    ("group", "pixels", "size", "kept"),
    [
        ([], [], [], []),
        ([0, 1, 2], [5, 5, 5], [1, 2, 3], [0, 1, 2]),
        ([0, 0, 2], [5, 6, 5], [9, 1, 9], [1, 1, 2]),
        ([0, 1, 1, 0], [5, 7, 7, 5], [3, 2, 4, 3], [0, 2, 2, 0]),
        ([0, 0, 0, 3, 3], [9, 9, 9, 1, 2], [7, 8, 8, 5, 1], [1, 1, 1, 4, 4]),
        ([0, 1, 0, 1, 0], [1, 4, 3, 2, 3], [1, 1, 1, 9, 2], [4, 1, 4, 1, 4]),
    ],
)
def test_the_largest_image_is_kept_and_of_equal_ones_the_first(
    group: list[int], pixels: list[int], size: list[int], kept: list[int]
) -> None:
    columns = [np.array(column, np.int64) for column in (group, pixels, size)]
    assert choose(*columns).tolist() == kept
