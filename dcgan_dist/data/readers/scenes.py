"""The built-in scenes as a source: any number of them, drawn where they are needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dcgan_dist.data.readers.source import Request, Samples, Source
from dcgan_dist.data.scenes import Kind, draw, truth
from dcgan_dist.data.scenes.builtin import SEED
from dcgan_dist.data.shards.attributes import columns, joined
from dcgan_dist.data.splits import TRAIN
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place

_PLANNED = 10_000
_SMALLEST, _LARGEST = 16, 256


def open_scenes(kind: Kind, number: int, size: int, request: Request) -> Source:
    """The first scenes of a kind: those that a run draws that is given no data, with their attributes.

    Args:
        kind: `rooms` or `faces`.
        number: of scenes, at least 1.
        size: height and width in pixels, 16 to 256. A scene shows the same at every size, but is not scaled.
        request: they are of one split, `train` or the one that is asked for.

    Raises:
        SettingsError: one of them is something else, or more than one split is asked for.
    """
    if kind not in get_args(Kind):
        raise SettingsError(f"scenes is {kind!r} but needs to be one of {', '.join(get_args(Kind))}")
    if number < 1:
        raise SettingsError(f"the number of scenes is {number} but needs to be at least 1")
    if not _SMALLEST <= size <= _LARGEST:
        raise SettingsError(f"size is {size} but scenes are drawn at {_SMALLEST} to {_LARGEST} pixels")
    if len(request.splits) > 1:
        raise SettingsError(f"split is {','.join(request.splits)!r} but scenes are one split: give one name, or none")
    numbers = np.arange(number, dtype=np.int64)
    parts = []
    for first in range(0, number, _PLANNED):
        planned = range(first, min(first + _PLANNED, number))
        parts.append(("", columns([truth(kind, SEED, scene)["attributes"] for scene in planned])))
        request.seen(planned.stop, number)
    samples = Samples(
        key=pc.binary_join_element_wise(
            pa.scalar(kind, pa.large_string()),
            pc.utf8_lpad(pc.cast(pa.array(numbers), pa.large_string()), 8, "0"),
            pa.scalar("-", pa.large_string()),
        ),
        file=np.zeros(number, np.int32),
        offset=numbers,
        size=np.full(number, 3 * size * size, np.int64),
        split=np.zeros(number, np.int16),
        label=np.full(number, -1, np.int32),
        attributes=joined(parts),
    )
    return Source(f"{number:,} {kind}", (), samples, DrawScenes(kind, size), request.splits or (TRAIN,))


@dataclass(frozen=True)
class DrawScenes:
    """A `Fetch` that reads no file: `offset` is the number of the scene."""

    kind: Kind
    size: int

    def __call__(self, files: Sequence[Place], samples: Samples) -> Iterator[NDArray[np.uint8]]:
        """The pixels of each scene, uint8 [size, size, 3]."""
        for number in samples.offset.tolist():
            yield draw(self.kind, self.size, SEED, number).image
