"""Sizes of originals are read of those images alone that are in a group, each for its own row."""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.data.deduplication import originals
from dcgan_dist.data.deduplication.originals import pixels_of
from dcgan_dist.data.preparation.processes import ThisProcess
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIZES = [(8, 9), (5, 4), (30, 2), (7, 7), (6, 1), (11, 3), (2, 2)]
GROUP = np.array([0, 1, 0, 3, 1, 5, 1])
"""Images 3 and 5 are alone."""
IN_GROUPS = [72, 20, 60, 0, 6, 0, 4]


class Backwards(ThisProcess):
    """Ends calls in another order than that in which they began; notes what they were for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def each(self, function: Callable[..., Any], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        given = list(arguments)
        self.asked = [one[0].tolist() for one in given]
        return super().each(function, common, reversed(given))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Three images in the first shard, four in the second: of all kinds."""
    for number, rows in enumerate((range(3), range(3, 7))):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as shard:
            for row in rows:
                file = io.BytesIO()
                kind = ("png", "jpeg", "webp")[row % 3]
                Image.new("RGB", SIZES[row]).save(file, kind)
                member = tarfile.TarInfo(f"{row}.{kind}")
                member.size = len(file.getvalue())
                shard.addfile(member, io.BytesIO(file.getvalue()))
    return concatenate([index_shard(Place(str(tmp_path / f"{number}.tar"))) for number in range(2)])


def test_each_image_in_a_group_has_its_own_pixels(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pixels_of(index, GROUP, ThisProcess()).tolist() == IN_GROUPS
    monkeypatch.setattr(originals, "_AT_ONCE", 2)
    backwards = Backwards()
    assert pixels_of(index, GROUP, backwards).tolist() == IN_GROUPS
    assert backwards.asked == [[0, 1], [2, 4], [6]]


def test_nothing_is_read_where_nothing_is_to_be_told_apart(index: Index) -> None:
    gone = replace(index, shards=("/nothing/0.tar", "/nothing/1.tar"))
    assert pixels_of(gone, np.arange(7), ThisProcess()).tolist() == [0] * 7
    assert pixels_of(replace(gone, image_size=64), GROUP, ThisProcess()).tolist() == [0] * 7
    with pytest.raises(DataError, match=r"/nothing/0\.tar"):
        pixels_of(gone, GROUP, ThisProcess())
