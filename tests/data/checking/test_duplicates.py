import numpy as np
import pytest

from dcgan_dist.data.checking.duplicates import find_duplicates


@pytest.mark.parametrize(
    ("digest", "known", "copies", "first"),
    [
        ([], [], [], []),
        ([(1, 1)], [True], [], []),
        ([(1, 2), (2, 1), (1, 1), (2, 2)], [True] * 4, [], []),
        ([(9, 9), (1, 1), (9, 9), (1, 1), (9, 9)], [True] * 5, [2, 3, 4], [0, 1, 0]),
        ([(5, 1), (5, 2), (5, 1)], [True] * 3, [2], [0]),
        ([(1, 5), (2, 5), (1, 5)], [True] * 3, [2], [0]),
        ([(0, 0), (7, 7), (0, 0), (7, 7)], [False, True, False, True], [3], [1]),
        ([(7, 7), (7, 7), (7, 7)], [False, True, True], [2], [1]),
    ],
)
def test_each_copy_is_found_with_the_first(
    digest: list[tuple[int, int]], known: list[bool], copies: list[int], first: list[int]
) -> None:
    found = find_duplicates(np.array(digest, np.uint64).reshape(-1, 2), np.array(known, bool))
    assert found.copies.tolist() == copies
    assert found.first.tolist() == first


def test_the_same_is_found_as_by_comparing_all() -> None:
    digest = np.random.default_rng(3).integers(0, 6, (200, 2)).astype(np.uint64)
    known = np.random.default_rng(4).random(200) < 0.7
    rows = [tuple(row) for row in digest.tolist()]
    seen: dict[tuple[int, ...], int] = {}
    expected = {}
    for number, row in enumerate(rows):
        if known[number]:
            if row in seen:
                expected[number] = seen[row]
            seen.setdefault(row, number)
    found = find_duplicates(digest, known)
    assert dict(zip(found.copies.tolist(), found.first.tolist(), strict=True)) == expected
    assert len(expected) > 50
