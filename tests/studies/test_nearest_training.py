"""The nearest training images, against a search by hand."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.studies.nearest_training import BLOCK, near_duplicates, nearest_training

TRAIN = BLOCK * 2 + 76


def noise(number: int, seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (number, 8, 8, 3), np.uint8)


def labeled(images: Pixels, rows: Integers | None = None) -> Labeled:
    rows = np.arange(len(images)) if rows is None else rows
    return Labeled(ArrayPictures(images, "noise"), rows, np.zeros(len(rows), np.int64))


@dataclass(frozen=True, eq=False)
class Damaged(ArrayPictures):
    """Of these pictures, some cannot be decoded: they are left as whatever was there."""

    bad: tuple[int, ...] = ()

    def read(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
        bad = np.isin(samples, self.bad)
        out[rows[~bad]] = self.images[samples[~bad]]
        return bad


def test_all_training_images_are_compared_and_distances_are_in_levels() -> None:
    train, images = noise(TRAIN, 1), noise(40, 2)
    images[3] = train[TRAIN - 1]
    rows, told = np.arange(TRAIN)[::-1].copy(), list[int]()
    found = nearest_training(labeled(train, rows), images, tell=told.append)
    away = np.sqrt(((images[:, None].astype(float) - train[rows]) ** 2).mean(axis=(2, 3, 4)))
    assert found.places.tolist() == away.argmin(1).tolist()
    assert found.levels == pytest.approx(away.min(1))
    assert np.array_equal(found.images, train[rows][found.places])
    # Equal images are at no distance at all, whatever float32 makes of their squares.
    assert (found.places[3], found.levels[3]) == (0, 0)
    assert told == [0, BLOCK, 2 * BLOCK]


def test_a_training_image_is_not_compared_with_itself_but_with_its_copies() -> None:
    train = noise(30, 1)
    train[20] = train[4]
    own = np.array([4, 20, 7, -1])
    images = np.concatenate([train[[4, 20, 7]], train[[9]]])
    found = nearest_training(labeled(train), images, own)
    assert found.places[[0, 1, 3]].tolist() == [20, 4, 9]
    assert found.places[2] != 7
    assert found.levels[[0, 1, 3]].tolist() == [0, 0, 0]
    assert found.levels[2] > 10


def test_what_cannot_be_decoded_is_passed_over() -> None:
    train, places = noise(TRAIN, 1), np.arange(TRAIN)
    damaged = Damaged(train, "noise", bad=(5, *range(BLOCK, 2 * BLOCK)))
    found = nearest_training(Labeled(damaged, places, places * 0), train[[5, 6, BLOCK + 1, TRAIN - 1]])
    assert found.places[[1, 3]].tolist() == [6, TRAIN - 1]
    assert not set(found.places[[0, 2]]) & set(damaged.bad)
    gone = Damaged(train, "noise", tuple(range(TRAIN)))
    sentence = "of 1,100 training images 0 can be decoded, too few .* for example image 0 of noise: replace the damaged"
    with pytest.raises(DataError, match=sentence):
        nearest_training(Labeled(gone, places, places * 0), train[:2])
    with pytest.raises(DataError, match="of 1 training images 1 can be decoded, too few to compare others with"):
        nearest_training(labeled(train[:1]), train[:1], np.array([0]))


def test_near_duplicates_are_told_pair_by_pair() -> None:
    rooms = np.stack([draw("rooms", 16, 5, index).image for index in range(6)])
    others = rooms.copy()
    others[:3] = (rooms[:3] * 0.97).astype(np.uint8)
    others[3:] = rooms[[4, 5, 3]]
    assert near_duplicates(rooms, others).tolist() == [True, True, True, False, False, False]
