"""Finds beds, windows, doors, lamps and pictures on samples of rooms: a small network that learned from drawn rooms
where their boxes are; no Ray."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import Truth, draw
from dcgan_dist.studies.judges.boxes import LEAST_PIXELS, Box, boxes_of, overlap
from dcgan_dist.studies.judges.learning import HELD_OUT, SEED, SIZE, convolution, learn, new, read
from dcgan_dist.studies.object_energy import covered

OBJECTS: Final = ("bed", "window", "door", "lamp", "picture")
STATES: Final = ("night", "lamp_lit")
"""Attributes of a room that are no objects, as the truth names them."""
MATCH: Final = 0.5
"""Overlap of a box that is found with the true one (as in the COCO and PASCAL benchmarks)."""

_SCENES, _EPOCHS, _LR, _WIDTH = 10_000, 8, 5e-3, 24


@dataclass(frozen=True, eq=False)
class RoomsSeen:
    """What is seen on pictures of rooms.

    Attributes:
        masks: bool [n, OBJECTS, SIZE, SIZE]: where the boxes of each kind of object are.
        states: bool [n, STATES].
    """

    masks: NDArray[np.bool_]
    states: NDArray[np.bool_]

    @property
    def areas(self) -> NDArray[np.float64]:
        """Share of each picture that each kind of object takes: [n, OBJECTS]."""
        areas: NDArray[np.float64] = self.masks.mean((2, 3))
        return areas

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which kinds of objects each picture shows: [n, OBJECTS]."""
        present: NDArray[np.bool_] = self.masks.sum((2, 3)) >= LEAST_PIXELS
        return present

    def boxes(self, name: str) -> list[list[Box]]:
        """Of one kind, those of each picture."""
        return [boxes_of(mask) for mask in self.masks[:, OBJECTS.index(name)]]


@dataclass(frozen=True, eq=False)
class RoomJudge:
    """Sees what rooms show; make one with `learn`."""

    network: nn.Module

    @classmethod
    def untrained(cls, seed: int = SEED) -> Self:
        """With initial weights."""
        return cls(new(_Network, seed))

    @classmethod
    def learn(cls, scenes: int = _SCENES, epochs: int = _EPOCHS, seed: int = SEED) -> Self:
        """Draw so many rooms, and learn from them."""
        images, masks, states = _drawn(scenes, seed)
        wanted, at = torch.from_numpy(masks), torch.from_numpy(states)

        def loss(network: nn.Module, pixels: Tensor, rows: Tensor) -> Tensor:
            found, state = network(pixels)
            of_masks = F.binary_cross_entropy_with_logits(found, wanted[rows].float())
            # Masks have many pixels, most of them easy: without the weight, states would be all that is learned.
            return 10 * of_masks + F.binary_cross_entropy_with_logits(state, at[rows].float())

        return cls(learn(new(_Network, seed), images, loss, epochs=epochs, lr=_LR, seed=seed))

    def see(self, images: Pixels) -> RoomsSeen:
        """uint8 [n, S, S, 3], S at least 32."""
        masks, states = read(self.network, images)
        return RoomsSeen((masks > 0).numpy(), (states > 0).numpy())

    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3], S at least 32 -> float32 [n, 264]: maps of all sizes, each averaged over its places."""
        assert isinstance(self.network, _Network)
        (features,) = read(self.network.features, images)
        return features

    def tested(self, scenes: int = 1_000, seed: int = HELD_OUT) -> dict[str, Any]:
        """How well it does on rooms that it did not learn from.

        By name of an object or state, the share of right answers whether it is there; and of rooms with exactly the
        true boxes, each found with an overlap of at least `MATCH`.
        """
        images, masks, states = _drawn(scenes, seed)
        seen, there = self.see(images), masks.any((2, 3))
        right = dict(zip(OBJECTS, (seen.present == there).mean(0).tolist(), strict=True))
        right |= dict(zip(STATES, (seen.states == states).mean(0).tolist(), strict=True))
        true = RoomsSeen(masks, states)
        boxes = {name: float(np.mean(matching(seen.boxes(name), true.boxes(name)))) for name in OBJECTS}
        return {"scenes": scenes, "right": right, "boxes": boxes}


def matching(found: list[list[Box]], true: list[list[Box]]) -> list[bool]:
    """Of each picture, whether its boxes are the true ones."""
    return [
        len(ours) == len(theirs) and all(max(overlap(one, other) for other in ours) >= MATCH for one in theirs)
        for ours, theirs in zip(found, true, strict=True)
    ]


def _drawn(number: int, seed: int) -> tuple[Pixels, NDArray[np.bool_], NDArray[np.bool_]]:
    """Rooms, uint8 [n, SIZE, SIZE, 3]; where their objects are; and in which state they are."""
    scenes = [draw("rooms", SIZE, seed, index) for index in range(number)]
    states = [[bool(scene.truth["attributes"][name]) for name in STATES] for scene in scenes]
    masks = np.stack([_masks(scene.truth) for scene in scenes])
    return np.stack([scene.image for scene in scenes]), masks, np.array(states)


def _masks(truth: Truth) -> NDArray[np.bool_]:
    where = covered(truth["objects"], SIZE)
    nowhere = np.zeros((SIZE, SIZE), bool)
    return np.stack([where.get(name, nowhere) for name in OBJECTS])


class _Network(nn.Module):
    """From pixels to masks by way of smaller maps, each size with what the larger one saw (Ronneberger et al., 2015).

    Full size would take most of the time: the first convolution has stride 2, and the last one gives four pixels each.
    """

    def __init__(self, width: int = _WIDTH) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [convolution(3, width, 2), convolution(width, 2 * width, 2), convolution(2 * width, 4 * width, 2)]
        )
        self.deep = convolution(4 * width, 4 * width)
        self.up = nn.ModuleList([convolution(6 * width, 2 * width), convolution(3 * width, width)])
        self.masks = nn.Sequential(nn.Conv2d(width, 4 * len(OBJECTS), 1), nn.PixelShuffle(2))
        self.states = nn.Linear(4 * width * (SIZE // 8) ** 2, len(STATES))

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps on the way down, largest first."""
        seen = []
        for layer in [*self.down, self.deep]:
            x = layer(x)
            seen.append(x)
        return seen

    def features(self, x: Tensor) -> Tensor:
        """Each map averaged over its places."""
        return torch.cat([maps.mean((2, 3)) for maps in self.maps(x)], 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [n, 3, SIZE, SIZE] -> logits [n, OBJECTS, SIZE, SIZE] and [n, STATES]."""
        *seen, x = self.maps(x)
        states = self.states(x.flatten(1))
        for layer, beside in zip(self.up, reversed(seen[:-1]), strict=True):
            x = layer(torch.cat([F.interpolate(x, scale_factor=2.0), beside], 1))
        return self.masks(x), states
