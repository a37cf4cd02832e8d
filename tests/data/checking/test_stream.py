import hashlib
from pathlib import Path

import pytest

from dcgan_dist.data.checking.stream import Stream
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place

DATA = bytes(range(256)) * 5


@pytest.fixture
def file(tmp_path: Path) -> Place:
    (tmp_path / "file").write_bytes(DATA)
    return Place(str(tmp_path / "file"))


@pytest.mark.parametrize("window", [1, 7, 64, 4_096])
@pytest.mark.parametrize(
    "places",
    [
        [],
        [(0, 10), (10, 20), (30, 1_250)],
        [(3, 100), (50, 60), (50, 1), (900, 380)],
        [(0, 1), (1_279, 1), (1_280, 5)],
        [(1_000, 0), (1_000, 5_000)],
    ],
)
def test_places_are_read_and_the_checksum_is_that_of_the_whole_file(
    file: Place, window: int, places: list[tuple[int, int]]
) -> None:
    stream = Stream(file, window)
    assert stream.length == 1_280
    for at, size in places:
        assert stream.read(at, size) == DATA[at : at + size]
    assert stream.sha256() == hashlib.sha256(DATA).hexdigest()


def test_no_more_is_held_than_a_window_and_what_was_asked_for(file: Place) -> None:
    stream = Stream(file, 16)
    for at in range(0, 1_200, 100):
        stream.read(at, 30)
        assert len(stream._data) <= 30 + 16
    stream.sha256()
    assert len(stream._data) <= 16


def test_a_file_that_is_cut_while_it_is_read_is_told(file: Place) -> None:
    stream = Stream(file, 16)
    stream.read(0, 10)
    file.write_bytes(DATA[:100])
    with pytest.raises(DataError, match="became shorter than 1,280 bytes while it was read"):
        stream.sha256()


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        Stream(Place(str(tmp_path / "file")))
