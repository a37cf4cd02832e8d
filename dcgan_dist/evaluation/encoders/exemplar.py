"""Exemplar CNN: a network that learns to tell patches from each other, however distorted (Dosovitskiy et al., 2014).

A patch, picked where there is much to see, and its random views (`distortion.py`) are one surrogate class; the small
network of the paper, 64c5-64c5-128f, learns to tell the classes. Images are twice as large as a patch, and enlarged to
64 pixels, as the paper's are for CIFAR-10; features are the largest responses of each map of all layers in the four
quadrants of an image.

From two detailed reviews of the paper: the network, dropout, the number of classes and views, momentum, the first
learning rate, and features. Our reading, or choice: one patch an image at most, views that are drawn anew in each pass,
when the rate is cut, and that features are standardized.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.encoders.distortion import gradient_energy, principal_colors, views
from dcgan_dist.model.randomness import stream

PATCH, SIDE = 32, 64
"""Height and width of a view, and those that an image is enlarged to."""
CLASSES, VIEWS, PASSES = 8_000, 100, 10
"""The paper's number of surrogate classes, and of views of each in a pass; passes are ours."""
BATCH, RATE, MOMENTUM, DROPOUT = 128, 0.01, 0.9, 0.5
CUTS = (0.6, 0.85)
"""Parts of the training after which the rate is a third."""
TOGETHER = 128
"""Images whose features are made at once."""


class SmallNetwork(nn.Module):
    """Two convolutions with pooling, and a fully connected layer, which goes over larger images as a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 64, 5, padding=2), nn.Conv2d(64, 64, 5, padding=2)
        self.third = nn.Conv2d(64, 128, PATCH // 4)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Images [n, 3, S, S] in [0, 1], S at least `PATCH` -> maps [n, C, H, W] of all layers, pooled."""
        one = F.max_pool2d(F.relu(self.first(2 * images - 1)), 2)
        two = F.max_pool2d(F.relu(self.second(one)), 2)
        return [one, two, F.relu(self.third(two))]


@dataclass(frozen=True, eq=False)
class Seeds:
    """Patches that classes are made of.

    Attributes:
        keys: float64 [n], the larger ones are taken.
        images: uint8 [n, S, S, 3].
        centers: float32 [n, 2], x and y from -1 to 1.
    """

    keys: NDArray[np.float64]
    images: Pixels
    centers: NDArray[np.float32]

    def best(self, number: int) -> "Seeds":
        """The `number` with the largest keys, those first."""
        order = np.argsort(-self.keys, kind="stable")[:number]
        return Seeds(self.keys[order], self.images[order], self.centers[order])


@dataclass(frozen=True, eq=False)
class ExemplarFeatures:
    """Features of a network that has learned so many classes in so many passes; it is None until it is fitted."""

    classes: int
    passes: int
    network: SmallNetwork | None = None

    standardized = True

    @property
    def fitted(self) -> bool:
        return self.network is not None

    @property
    def recipe(self) -> dict[str, Any]:
        """See `Encoder`."""
        return {"classes": self.classes, "views": VIEWS, "passes": self.passes, "network": "64c5-64c5-128f"}

    def to(self, device: torch.device) -> Self:
        """See `Encoder`."""
        return self if self.network is None else replace(self, network=self.network.to(device))

    def gather(self, batches: Iterable[Pixels]) -> Seeds | None:
        """The best seeds of a part: those of all parts are among them."""
        best: Seeds | None = None
        for batch in batches:
            drawn = draw_seeds(batch)
            best = drawn if best is None else joined([best, drawn])
            best = best.best(self.classes)
        return best

    def combine(self, parts: Sequence[Seeds | None]) -> Self:
        """The network, which learns here: some minutes to hours."""
        seeds = joined([part for part in parts if part is not None]).best(self.classes)
        return replace(self, network=learn(seeds, self.passes))

    @torch.no_grad()
    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, 1024], before they are standardized."""
        if self.network is None:
            raise RuntimeError("features need a network: fit the encoder first")
        found = []
        for first in range(0, len(images), TOGETHER):
            x = _to_unit(images[first : first + TOGETHER]).to(next(self.network.parameters()).device)
            x = F.interpolate(x, size=SIDE, mode="bilinear", align_corners=False)
            pooled = [F.adaptive_max_pool2d(one, 2).flatten(1) for one in self.network.maps(x)]
            found.append(torch.cat(pooled, 1).cpu())
        return torch.cat(found)


def draw_seeds(images: Pixels) -> Seeds:
    """A patch of each image, at a random place, with keys by which patches are picked with a probability in proportion
    to their mean squared gradient (Efraimidis and Spirakis, 2006). Depends on the images alone."""
    side, number = images.shape[1] * PATCH // SIDE, len(images)
    random = stream(zlib.crc32(images.tobytes()), "exemplars")
    places = images.shape[1] - side + 1
    top, left = random.integers(0, places, (2, number))
    energy = gradient_energy(images, side)[np.arange(number), top, left]
    with np.errstate(divide="ignore"):
        keys = np.log(random.random(number)) / energy  # -inf of a patch without any gradient: the last one to be taken
    centers = (2 * np.stack([left, top], 1) + side) / images.shape[1] - 1
    return Seeds(keys, images, centers.astype(np.float32))


def joined(parts: Sequence[Seeds]) -> Seeds:
    """All of them."""
    keys, images, centers = ([getattr(part, name) for part in parts] for name in ("keys", "images", "centers"))
    return Seeds(np.concatenate(keys), np.concatenate(images), np.concatenate(centers))


def learn(seeds: Seeds, passes: int) -> SmallNetwork:
    """A network that tells the classes of these seeds, on a GPU if there is one; returned on the CPU."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, centers = _to_unit(seeds.images), torch.from_numpy(seeds.centers)
    colors, number = principal_colors(images), len(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SmallNetwork()
        head = nn.Linear(128, number)
    whole = nn.ModuleList([network, head]).to(device)
    optimizer = torch.optim.SGD(whole.parameters(), RATE, momentum=MOMENTUM)
    steps = max(1, passes * number * VIEWS // BATCH)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE / 3 ** sum(step >= cut * steps for cut in CUTS)
        random = stream(0, "views of exemplars", step)
        labels = torch.from_numpy(random.integers(0, number, BATCH))
        shown = views(images[labels], centers[labels], PATCH / SIDE, PATCH, colors, random).to(device)
        kept = torch.from_numpy(random.random((BATCH, 128)) >= DROPOUT).to(device)
        hidden = network.maps(shown)[-1].flatten(1) * kept / (1 - DROPOUT)
        optimizer.zero_grad()
        torch.autograd.backward(F.cross_entropy(head(hidden), labels.to(device)))
        optimizer.step()
    return network.cpu().eval()


def _to_unit(images: Pixels) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
