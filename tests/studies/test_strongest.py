"""The images to which features respond most: however images are parted, the same."""

import numpy as np
import pytest

from dcgan_dist.studies.strongest import Strongest, merge, strongest

RESPONSES = np.random.default_rng(3).integers(0, 6, (41, 4)).astype(np.float32)
"""Of 41 images and 4 features, with many that are equal."""
NUMBERS = np.random.default_rng(5).permutation(41) * 10


def wanted(k: int) -> list[list[int]]:
    return [
        [number for _, number in sorted(zip(-RESPONSES[:, feature], NUMBERS.tolist(), strict=True))[:k]]
        for feature in range(4)
    ]


@pytest.mark.parametrize("k", [1, 7, 100])
@pytest.mark.parametrize("size", [1, 3, 40, 41])
def test_batches_of_any_size_give_the_same(k: int, size: int) -> None:
    found = strongest(((NUMBERS[i : i + size], RESPONSES[i : i + size]) for i in range(0, 41, size)), k)
    assert found is not None
    assert found.numbers.tolist() == wanted(k)
    places = np.argsort(NUMBERS)[found.numbers // 10]
    assert np.array_equal(found.responses, np.take_along_axis(RESPONSES.T, places, 1))
    assert found.responses.dtype == np.float32


def test_parts_are_merged_in_any_order() -> None:
    parts = [strongest([(NUMBERS[i::3], RESPONSES[i::3])], 7) for i in range(3)]
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        assert merge([parts[i] for i in order], 7).numbers.tolist() == wanted(7)  # type: ignore[misc]


def test_features_by_their_largest_response() -> None:
    found = Strongest(np.array([[2, 1], [5, 0], [5, 4], [-1, -2]], np.float32), np.zeros((4, 2), np.int64))
    assert found.features(3) == [1, 2, 0]
    assert found.features(9) == [1, 2, 0, 3]


def test_no_images() -> None:
    assert strongest([], 3) is None
