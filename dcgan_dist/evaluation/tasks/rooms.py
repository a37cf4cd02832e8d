"""A task that needs no data: rooms of the built-in data set that no run is trained on, classified by what they show."""

from typing import Final

import numpy as np

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import SEED, VERSION
from dcgan_dist.evaluation.task import ArrayPictures, Labeled, Task, order

NAME: Final = "rooms"
"""Name of the task."""
TRAIN, TEST, HELD_OUT = 300, 2_000, 60
"""Numbers of images. Few are for training, so that features differ: with 4,000, random features classify 95 % of the
rooms, and trained ones 99 %."""
FIRST = 1 << 40
"""Number of the first room, far beyond those that runs are trained on."""
ATTRIBUTES = ("bed", "window", "door")
"""Objects that are in a room or not: eight classes."""


def open_rooms(size: int, *, seed: int) -> Task:
    """Draw the rooms.

    Args:
        size: height and width of the networks' images, in pixels.
        seed: seed of the order of the training images.
    """
    images = np.empty((TRAIN + TEST, size, size, 3), np.uint8)
    labels = np.zeros(len(images), np.int64)
    for number in range(len(images)):
        room = draw("rooms", size, SEED, FIRST + number)
        images[number] = room.image
        labels[number] = sum(bool(room.truth["attributes"][name]) << bit for bit, name in enumerate(ATTRIBUTES))
    train, test = ArrayPictures(images[:TRAIN], "the rooms"), ArrayPictures(images[TRAIN:], "the rooms")
    samples = order(TRAIN, seed)
    return Task(
        NAME,
        f"rooms v{VERSION}, {TRAIN} and {TEST} from {FIRST} on, by {', '.join(ATTRIBUTES)}",
        Labeled(train, samples, labels[:TRAIN][samples]),
        Labeled(test, np.arange(TEST), labels[TRAIN:]),
        classes=1 << len(ATTRIBUTES),
        held_out=HELD_OUT,
        seed=seed,
    )
