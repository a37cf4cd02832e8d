"""The task that needs no data."""

from typing import Any

import numpy as np

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import SEED
from dcgan_dist.evaluation.tasks.registry import parse_tasks
from dcgan_dist.evaluation.tasks.rooms import FIRST, TEST, TRAIN, open_rooms


def test_rooms_are_labeled_by_what_they_show() -> None:
    (named,) = parse_tasks("rooms")
    task = named.open(16, resize=False, seed=0)
    assert (len(task.train), len(task.test), task.classes) == (TRAIN, TEST, 8)
    learned = np.bincount(task.train.labels[: -task.held_out], minlength=8)
    assert learned.min() >= 2
    assert learned.max() < 0.4 * TRAIN
    for labeled, first, place in ((task.train, FIRST, 5), (task.test, FIRST + TRAIN, 7)):
        room = draw("rooms", 16, SEED, first + int(labeled.samples[place]))
        shown: Any = room.truth["attributes"]
        assert labeled.labels[place] == shown["bed"] + 2 * shown["window"] + 4 * shown["door"]
        assert (labeled.read(np.array([place]))[0] == room.image).all()


def test_the_order_is_the_seeds() -> None:
    first, again, other = (open_rooms(16, seed=seed) for seed in (0, 0, 1))
    assert (first.train.samples == again.train.samples).all()
    assert not (first.train.samples == other.train.samples).all()
