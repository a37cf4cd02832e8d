"""Groups of duplicates from pairs of them, and which image of each group is kept."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def connect(n: int, pairs: Integers) -> Integers:
    """The group of each image: images are in one group where a chain of pairs leads from one to the other.

    In each round, every group joins the lowest one that it has a pair with. One that is lower than all of its neighbors
    stays, but a neighbor joins it, or joins a lower one, which it joins itself in the next round. So two rounds at
    least halve the number of groups that have pairs left, and the time is that of sorting the pairs.

    Args:
        n: number of images.
        pairs: int64 [k, 2], in any order, from 0 to n - 1.

    Returns:
        int64 [n], the lowest image of each one's group: its own number where it is in no pair.
    """
    group = np.arange(n)
    if len(pairs) == 0:
        return group
    image, number = np.unique(pairs, return_inverse=True)
    parent = np.arange(len(image))
    first, second = number.reshape(-1, 2).T
    while len(first):
        np.minimum.at(parent, np.maximum(first, second), np.minimum(first, second))
        while (parent != parent[parent]).any():
            parent = parent[parent]
        first, second = parent[first], parent[second]
        apart = first != second
        first, second = first[apart], second[apart]
    group[image] = image[parent]
    return group


def choose(group: Integers, pixels: Integers, size: Integers) -> Integers:
    """Which image is kept of each group: the one with most pixels, of these the one of most bytes, then the first.

    Args:
        group: int64 [n], see `connect`.
        pixels: int64 [n], of the original images.
        size: int64 [n], bytes of the original images.

    Returns:
        int64 [n], the image that is kept in each one's stead: its own number where it is kept itself.
    """
    kept = np.arange(len(group))
    others = np.flatnonzero(group != kept)
    members = np.concatenate([np.unique(group[others]), others])
    members = members[np.lexsort((members, -size[members], -pixels[members], group[members]))]
    begins = np.diff(group[members], prepend=-1) != 0
    kept[members] = members[begins][np.cumsum(begins) - 1]
    return kept
