"""How much samples differ from each other, and from what they were: measures that a watching person makes by eye."""

import math

from torch import Tensor


def spread(images: Tensor) -> float:
    """How far images [n, 3, S, S] lie from their mean image: the root of the mean square over all pixels.

    0 where all are the same; two unrelated ones of the set lie sqrt(2) times as far from each other. n is at least 2.
    """
    return math.sqrt(images.double().var(0).mean().item())


def drift(images: Tensor, before: Tensor) -> float:
    """How far images [n, 3, S, S] have moved from earlier ones of the same z, over how far unrelated ones lie apart.

    0 where nothing has changed, also if both are one picture n times; 1 where they have nothing in common but their
    place.
    """
    apart = math.sqrt(spread(images) ** 2 + spread(before) ** 2)
    moved = math.sqrt((images.double() - before.double()).square().mean().item())
    return moved / apart if apart else 0.0
