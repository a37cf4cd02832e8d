from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import dedup_truth
from benchmarks.dedup_changes import COPIES, jpeg, mirrored, same, shifted
from benchmarks.dedup_truth import Planted, cifar, join, photographs, plant, scenes

CHANGES = {"JPEG 75": partial(jpeg, 75), "shifted 2 px of 64": partial(shifted, 2), "mirrored": mirrored}


def pictures(number: int, seed: int) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (number, 34, 36, 3), dtype=np.uint8))


def planted() -> Planted:
    made = {"JPEG 75": np.array([4, 1]), "mirrored": np.array([1]), "shifted 2 px of 64": np.array([0])}
    return plant(pictures(5, 1), 32, made, seed=6, changes=CHANGES)


def test_what_was_planted_is_known() -> None:
    one = planted()
    assert one.pictures.shape == (9, 32, 32, 3)
    assert one.origin.tolist() == [0, 1, 2, 3, 4, 4, 1, 1, 0]
    assert one.kinds == ("",) * 5 + ("JPEG 75", "JPEG 75", "mirrored", "shifted 2 px of 64")
    assert one.rows("JPEG 75").tolist() == [5, 6]
    assert one.groups().tolist() == [0, 1, 2, 3, 4, 4, 1, 7, 0]  # what is mirrored is no copy
    assert np.array_equal(one.pictures[7], one.pictures[1][:, ::-1])
    assert np.array_equal(one.pictures[6], jpeg(75, one.pictures[1], 32))
    assert np.array_equal(planted().pictures, one.pictures)


def test_sets_are_joined_with_their_truth() -> None:
    both = join([planted(), planted()])
    assert both.origin.tolist() == [0, 1, 2, 3, 4, 4, 1, 1, 0, 9, 10, 11, 12, 13, 13, 10, 10, 9]
    assert both.groups()[16] == 16
    assert both.rows("mirrored").tolist() == [7, 16]
    assert np.array_equal(both.thumbnails(), both.pictures)


def test_scenes_are_other_pictures_of_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedup_truth, "SCENES", {"choosing": 20, "measuring": 40})
    one = scenes("choosing")
    assert one.pictures.shape == (40, 64, 64, 3)
    assert one.thumbnails().shape == (40, 32, 32, 3)
    assert one.origin.tolist() == [row - row % 2 for row in range(40)]
    assert set(Counter(one.kinds).values()) == {20, 2}
    assert len(np.unique(one.groups())) == 40
    assert all(not np.array_equal(*one.pictures[row : row + 2]) for row in range(0, 40, 2))
    assert not np.isin(scenes("measuring").pictures.sum(axis=(1, 2, 3)), one.pictures.sum(axis=(1, 2, 3))).any()


def test_no_cifar_image_is_in_both_splits(shared_data: Callable[[str], Path]) -> None:
    shared_data("cifar10")
    choosing, measuring = cifar("choosing"), cifar("measuring")
    assert len(measuring.origin) == 50_000
    originals = [one.pictures[np.array(one.kinds) == ""] for one in (choosing, measuring)]
    assert [len(one) for one in originals] == [23_000, 37_000]
    seen = {image.tobytes() for image in originals[0]}
    assert sum(image.tobytes() in seen for image in originals[1]) < 5  # CIFAR-10 has a few pictures twice
    assert Counter(measuring.kinds) == {"": 37_000, "mirrored": 1_000, **dict.fromkeys(COPIES, 1_000)}
    row = measuring.rows("shifted 2 px of 64")[3]
    moved, original = measuring.pictures[row], measuring.pictures[measuring.origin[row]]
    assert any(np.array_equal(moved, shifted(2, original, 32, turn)) for turn in range(8))


def test_photographs_have_a_copy_of_every_kind(shared_data: Callable[[str], Path]) -> None:
    for name in ("rooms256", "faces", "tinyimagenet64"):
        shared_data(name)
    one = photographs("measuring")
    assert Counter(one.kinds) == {"": 10_617, "mirrored": 617, **dict.fromkeys(COPIES, 617)}
    row = one.rows("shifted 2 px of 64")[0]
    # What a shift brings in is the photograph's own: no two columns or rows at an edge are the same.
    for edges in (one.pictures[row][:, [0, 1, -2, -1]].swapaxes(0, 1), one.pictures[row][[0, 1, -2, -1]]):
        assert not np.array_equal(edges[0], edges[1])
        assert not np.array_equal(edges[2], edges[3])
    assert not np.array_equal(one.pictures[row], same(one.pictures[one.origin[row]], 64))
