"""Which share of pictures shows a bed, a window, a door: a small network that learned it from rooms drawn on the spot.

It reads pictures that a generator drew, which are flatter and noisier than the rooms it learned from. So its own rooms
lose some contrast, get a tint and some noise before it sees them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.rooms import BED_RATE, DOOR_RATE, WINDOW_RATE
from dcgan_dist.model.randomness import stream

REAL_RATES = {"bed": BED_RATE, "window": WINDOW_RATE, "door": DOOR_RATE}
"""Share of the rooms that show each, as the drawing has it."""
ATTRIBUTES = tuple(REAL_RATES)
SIZE = 32
"""Height and width of the pictures it reads."""
SEED = 1_000
"""Of the rooms it learns from; the embedded data set has another."""

_BATCH = 64
_LR = 2e-3
_READ = 500


@dataclass(frozen=True)
class AttributeClassifier:
    """Says of pictures whether they show each of `ATTRIBUTES`; make one with `learn`."""

    network: nn.Module

    @classmethod
    def learn(cls, rooms: int = 5_000, epochs: int = 6, seed: int = SEED) -> Self:
        """Draw `rooms` rooms and learn from them; 10 s on one core with the defaults.

        The caller's global random state is left as it was.
        """
        images, truth = draw_rooms(rooms, seed)
        pixels, wanted = _to_tensor(images), torch.from_numpy(truth.astype(np.float32))
        random = stream(seed, "attribute classifier")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _network()
        optimizer = torch.optim.Adam(network.parameters(), lr=_LR)
        steps = epochs * (rooms // _BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps)
        for _ in range(epochs):
            order = torch.from_numpy(random.permutation(rooms))
            for rows in torch.split(order[: rooms // _BATCH * _BATCH], _BATCH):
                logits = network(_worn(pixels[rows], random))
                loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted[rows])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
        return cls(network.eval())

    @torch.no_grad()
    def find(self, images: Pixels) -> NDArray[np.bool_]:
        """Which of `ATTRIBUTES` each image shows: uint8 [n, 32, 32, 3] -> bool [n, 3].

        Raises:
            ValueError: the images are of another size.
        """
        if images.shape[1:] != (SIZE, SIZE, 3):
            raise ValueError(f"images are {images.shape[1:]} but need to be {(SIZE, SIZE, 3)}")
        parts = [self.network(part) > 0 for part in torch.split(_to_tensor(images), _READ)]
        return torch.cat(parts).numpy()

    def rates(self, images: Pixels) -> dict[str, float]:
        """Share of the images that show each attribute: uint8 [n, 32, 32, 3] -> fractions by name."""
        return dict(zip(ATTRIBUTES, self.find(images).mean(0).tolist(), strict=True))

    def accuracy(self, images: Pixels, truth: NDArray[np.bool_]) -> dict[str, float]:
        """Share of right answers: uint8 [n, 32, 32, 3] and the truth, bool [n, 3] -> fractions by name."""
        return dict(zip(ATTRIBUTES, (self.find(images) == truth).mean(0).tolist(), strict=True))


def draw_rooms(number: int, seed: int) -> tuple[Pixels, NDArray[np.bool_]]:
    """Rooms 0 to `number` of the endless set of `seed`: uint8 [n, 32, 32, 3], and what each shows, bool [n, 3]."""
    scenes = [draw("rooms", SIZE, seed, index) for index in range(number)]
    truth = [[bool(scene.truth["attributes"][name]) for name in ATTRIBUTES] for scene in scenes]
    return np.stack([scene.image for scene in scenes]), np.array(truth)


def furthest(rates: dict[str, float]) -> float:
    """The largest distance of a rate from its real one, a fraction."""
    return max(abs(rates[name] - real) for name, real in REAL_RATES.items())


def _network() -> nn.Module:
    layers: list[nn.Module] = []
    for narrow, wide in ((3, 24), (24, 48), (48, 96)):
        layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.BatchNorm2d(wide), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, len(ATTRIBUTES)))


def _to_tensor(images: Pixels) -> Tensor:
    """uint8 [n, S, S, 3] -> float32 [n, 3, S, S] in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()


def _worn(images: Tensor, random: np.random.Generator) -> Tensor:
    """The images with less contrast, a tint and noise, each by another amount."""
    n = len(images)
    contrast = torch.from_numpy(random.uniform(0.6, 1.1, (n, 1, 1, 1)).astype(np.float32))
    tint = torch.from_numpy(random.normal(0, 0.08, (n, 3, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(random.standard_normal(tuple(images.shape), dtype=np.float32))
    amount = torch.from_numpy(random.uniform(0, 0.15, (n, 1, 1, 1)).astype(np.float32))
    return (images * contrast + tint + amount * noise).clamp(-1, 1)
