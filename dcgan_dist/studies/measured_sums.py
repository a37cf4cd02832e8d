"""How often A - B + C shows what it should, as a judge sees it: by the number of exemplars, and beside sums of pixels.

An overlap of two pictures shows what is on either, so it is also counted how many sums look like samples at all: are as
near to one, by pixels, as all but a few samples are to another.

Many sums are made, each of other exemplars, which are drawn among samples that the judge says show A, B or C. The
exemplars of a sum of few are among those of the same sum of more, and sums of pixels are of the same exemplars; no Ray.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.intervals import wilson
from dcgan_dist.model.randomness import stream
from dcgan_dist.studies.concepts import Concept, shows, words
from dcgan_dist.studies.judges.attributes import Attributes, attributes_of
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.learning import to_tensor
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.sums import NEIGHBORS, around, combine, draw, of_pixels

POOL: Final = 4_000
"""Samples among which exemplars are drawn."""
LEAST: Final = 30
"""Samples that need to show a concept: among fewer, sums of ten are all much the same."""
SUMS: Final = 300
COUNTS: Final = (1, 3, 10)
"""Exemplars of each concept (paper: 1 and 3)."""
LIKE: Final = 0.95
"""A picture looks like a sample if it is as near to one as this part of samples is to another."""
COMPARED: Final = 1_000
"""Samples whose nearest other sample tells how near that is."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples, and what a judge sees on them.

    Attributes:
        judge: itself.
        z: [n, latent_size].
        images: uint8 [n, S, S, 3].
        attributes: of each.
        small: float32 [n, pixels]: the images at the size at which judges see them.
        near: Euclidean distance of these up to which a picture looks like a sample.
    """

    judge: RoomJudge | FaceJudge
    z: Tensor
    images: Pixels
    attributes: Attributes
    small: Tensor
    near: float

    @classmethod
    def of(cls, subject: Subject, judge: RoomJudge | FaceJudge, seed: int, number: int = POOL) -> Self:
        """The first samples of a seed."""
        z = subject.generator.latents(number, seed)
        images = draw(subject, z)
        small = to_tensor(images).flatten(1)
        apart = torch.cdist(small[:COMPARED], small)
        apart.fill_diagonal_(torch.inf)
        near = float(apart.amin(1).quantile(LIKE))
        return cls(judge, z, images, attributes_of(judge, images), small, near)

    def like(self, images: Pixels) -> NDArray[np.bool_]:
        """Which of n pictures look like samples: bool [n]."""
        apart = torch.cdist(to_tensor(images).flatten(1), self.small).amin(1)
        return (apart <= self.near).numpy()

    def sets(self, concept: Concept, number: int, size: int, seed: int) -> NDArray[np.int64]:
        """Sets of samples that show a concept, drawn at random: numbers of the samples, [number, size].

        Raises:
            SettingsError: too few samples show it.
        """
        members = np.flatnonzero(shows(concept, self.attributes))
        least = max(LEAST, size)
        if len(members) < least:
            raise SettingsError(
                f"{len(members)} of {len(self.z):,} samples show '{words(concept)}', but {least} are needed: name "
                "other attributes, or train for longer"
            )
        random = stream(seed, f"exemplars of {words(concept)}")
        return np.stack([random.permutation(members)[:size] for _ in range(number)])


def measure_sums(
    subject: Subject, pool: Pool, sets: Sequence[NDArray[np.int64]], wanted: Concept, seed: int
) -> dict[str, Any]:
    """How often sums show what they should, with 95 % intervals.

    Args:
        subject: that draws.
        pool: of the exemplars.
        sets: exemplars of A, B and C: their numbers in the pool, [number of sums, at least the largest of `COUNTS`].
        wanted: what sums should show.
        seed: of the neighbors.
    """
    counted: dict[str, Any] = {"z": [], "neighbors": [], "pixels": []}
    lengths = []
    for count in COUNTS:
        a, b, c = (pool.z[torch.from_numpy(one[:, :count])].mean(1) for one in sets)
        z = combine(a, b, c)
        near = torch.stack([around(one, seed) for one in z])
        others = [place for place in range(NEIGHBORS + 1) if place != NEIGHBORS // 2]
        pictures = {
            "z": draw(subject, z),
            "neighbors": draw(subject, near[:, others].flatten(0, 1)),
            "pixels": np.stack(
                [of_pixels([pool.images[rows[:count]] for rows in rows3]) for rows3 in zip(*sets, strict=True)]
            ),
        }
        for name, images in pictures.items():
            seen = attributes_of(pool.judge, images)
            right, like = shows(wanted, seen), pool.like(images)
            # The neighbors of one sum are much alike, so that they count as one for the intervals.
            counted[name].append(
                {
                    "exemplars": count,
                    **share(right, len(z)),
                    "like_samples": share(like, len(z)),
                    "both": share(right & like, len(z)),
                    "each": each(wanted, seen),
                }
            )
        lengths.append(float(z.norm(dim=1).mean()))
    return {
        "sums": len(sets[0]),
        "wanted": words(wanted),
        **counted,
        "length_of_z": lengths,
        "by_chance": share(shows(wanted, pool.attributes), len(pool.z)),
    }


def share(right: NDArray[np.bool_], number: int) -> dict[str, float]:
    """Of those that are right, with an interval as of so many independent ones."""
    rate = float(right.mean())
    low, high = wilson(rate, number)
    return {"share": rate, "low": low, "high": high}


def each(wanted: Concept, seen: Attributes) -> dict[str, float]:
    """How many pictures have each attribute as it is wanted."""
    return {name: float((seen[name] == value).mean()) for name, value in wanted.items()}
