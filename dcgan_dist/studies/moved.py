"""What a direction of z moves, as a judge sees it on both sides of many z; no Ray.

Random directions move attributes too, each by another amount: some attributes follow almost any step. So what a
direction moves is measured in terms of what random ones do, and named where none of these moves any attribute as far.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.studies.judges.attributes import attributes_of
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.rooms import RoomJudge
from dcgan_dist.studies.subject import Subject
from dcgan_dist.studies.sums import draw

FAR: Final = 2.0
"""How far from z, to each side, in standard deviations of a component: further away, most attributes are all or none
of the pictures, whatever the direction."""
YAW: Final = "yaw"
_SURE: Final = 1.96


@dataclass(frozen=True, eq=False)
class Moved:
    """What some directions move.

    Attributes:
        names: of the attributes, and of the yaw where there is one.
        by: difference of the rate of each attribute, and of the mean yaw in standard deviations, from one side of z to
            the other: [directions, names].
        half: of the 95 % interval of these: [directions, names].
    """

    names: tuple[str, ...]
    by: NDArray[np.float64]
    half: NDArray[np.float64]


def moved(subject: Subject, judge: RoomJudge | FaceJudge, along: Tensor, z: Tensor, sd: float) -> Moved:
    """Look at both sides of each z, [n, latent_size], along each direction, [k, latent_size].

    Args:
        subject: that draws.
        judge: of what it draws.
        along: of length 1.
        z: around which it is measured.
        sd: standard deviation of a component of z.
    """
    here = _values(judge, draw(subject, z))
    scale = {name: float(values.std()) or 1.0 if name == YAW else 1.0 for name, values in here.items()}
    by, half = [], []
    for one in along.float():
        low, high = (_values(judge, draw(subject, z + side * FAR * sd * one)) for side in (-1, 1))
        changes = np.stack([(high[name] - low[name]) / scale[name] for name in here])
        by.append(changes.mean(1))
        half.append(_SURE * changes.std(1) / len(z) ** 0.5)
    return Moved(tuple(here), np.array(by), np.array(half))


def named(found: Moved, random: Moved) -> list[str | None]:
    """What each direction moves most, by what random directions do; None where one of these moves something as far."""
    usual = np.sqrt((random.by**2).mean(0))
    # What no random direction moves at all has no scale: nothing can be said of it.
    known = usual > 0
    if not known.any():
        return [None] * len(found.by)
    usual = np.where(known, usual, np.inf)
    limit = (np.abs(random.by) / usual).max()
    far = np.abs(found.by) / usual
    return [found.names[int(one.argmax())] if one.max() > limit else None for one in far]


def numbers(found: Moved, names: Sequence[str | None]) -> list[dict[str, Any]]:
    """For each direction what it moves most, and by how much it moves everything, with half of the 95 % interval."""
    return [
        {
            "most": name,
            "by": dict(zip(found.names, by.tolist(), strict=True)),
            "half_interval": dict(zip(found.names, half.tolist(), strict=True)),
        }
        for name, by, half in zip(names, found.by, found.half, strict=True)
    ]


def in_words(one: Mapping[str, Any]) -> str:
    """What a direction moves, in a few words."""
    name = one["most"]
    if name is None:
        return "none surely"
    if name == YAW:
        return f"{name} by {one['by'][name]:+.1f} SD"
    return f"{name} by {100 * one['by'][name]:+.0f} points"


def _values(judge: RoomJudge | FaceJudge, images: Pixels) -> dict[str, NDArray[np.float64]]:
    values = {name: has.astype(float) for name, has in attributes_of(judge, images).items()}
    if isinstance(judge, FaceJudge):
        values[YAW] = judge.see(images).yaw
    return values
