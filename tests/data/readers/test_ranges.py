"""Samples that lie in files as ranges of bytes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers import ranges
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


def samples(places: list[tuple[int, int, int]]) -> Samples:
    """Of file, offset and size."""
    table = np.array(places)
    number = len(table)
    return Samples(
        pa.array([str(i) for i in range(number)], pa.large_string()),
        table[:, 0].astype(np.int32),
        table[:, 1],
        table[:, 2],
        np.zeros(number, np.int16),
        np.zeros(number, np.int32),
    )


PLACES = [(0, 5, 10), (0, 20, 0), (0, 20, 30), (0, 900, 50), (1, 0, 7), (1, 7, 993)]


@pytest.fixture
def contents() -> list[bytes]:
    return [np.random.default_rng(seed).bytes(1_000) for seed in (1, 2)]


@pytest.mark.parametrize(
    ("gap", "most", "requests"), [(64 << 10, 16 << 20, 2), (100, 16 << 20, 3), (64 << 10, 40, 5), (0, 1, 6)]
)
def test_neighbors_are_read_together(
    tmp_path: Path, contents: list[bytes], monkeypatch: pytest.MonkeyPatch, gap: int, most: int, requests: int
) -> None:
    monkeypatch.setattr(ranges, "_GAP_BYTES", gap)
    monkeypatch.setattr(ranges, "_MOST_BYTES", most)
    files = [Place(str(tmp_path / name)) for name in "ab"]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    asked = []
    read_range = Place.read_range

    def counted(self: Place, offset: int, size: int) -> bytes:
        asked.append((offset, size))
        return read_range(self, offset, size)

    monkeypatch.setattr(Place, "read_range", counted)
    found = list(fetch_ranges(files, samples(PLACES)))
    assert found == [contents[file][offset : offset + size] for file, offset, size in PLACES]
    assert len(asked) == requests


def test_files_can_be_on_an_object_store(s3: Place, contents: list[bytes]) -> None:
    files = [s3 / "a", s3 / "b"]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    found = list(fetch_ranges(files, samples(PLACES)))
    assert found == [contents[file][offset : offset + size] for file, offset, size in PLACES]


def test_places_that_overlap_are_read_as_they_are(tmp_path: Path, contents: list[bytes]) -> None:
    file = Place(str(tmp_path / "a"))
    file.write_bytes(contents[0])
    places = [(0, 5, 100), (0, 50, 10), (0, 50, 20)]
    assert list(fetch_ranges([file], samples(places))) == [contents[0][at : at + size] for _, at, size in places]


def test_a_file_that_became_shorter_is_named(tmp_path: Path, contents: list[bytes]) -> None:
    file = Place(str(tmp_path / "a"))
    file.write_bytes(contents[0])
    with pytest.raises(DataError, match="a has become shorter since it was listed: it ends before byte 1,001"):
        list(fetch_ranges([file], samples([(0, 900, 101)])))


def test_what_is_too_large_for_a_picture_is_not_read(
    tmp_path: Path, contents: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "DataSettings", lambda: SimpleNamespace(max_image_bytes=300))
    file = Place(str(tmp_path / "a"))
    file.write_bytes(contents[0])
    read_range = Place.read_range
    read = []

    def counted(self: Place, offset: int, size: int) -> bytes:
        read.append(size)
        return read_range(self, offset, size)

    monkeypatch.setattr(Place, "read_range", counted)
    # The last one is not even there.
    places = samples([(0, 0, 300), (0, 300, 301), (0, 601, 7), (0, 900, 1 << 40)])
    first, second, third, last = fetch_ranges([file], places)
    assert (first, third) == (contents[0][:300], contents[0][601:608])
    assert [str(one) for one in (second, last) if isinstance(one, BadImage)] == [
        "has 301 bytes, more than the 300 that are allowed",
        "has 1,099,511,627,776 bytes, more than the 300 that are allowed",
    ]
    assert max(read) <= 608
    assert len(list(fetch_ranges([file], places, beside=1))) == 4
    assert list(fetch_ranges([file], places, beside=1))[1] == contents[0][300:601]
