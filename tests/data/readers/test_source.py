"""Pictures that are named but not read yet."""

import pickle

import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.source import Item


class Fetch:
    """Reads a file where it is called, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        return b"12345"


def test_a_picture_is_its_bytes_or_reads_them_when_it_is_asked() -> None:
    fetch = Fetch()
    assert Item("a", "train", 5, b"12345").read(5) == b"12345"
    item = Item("b", "train", 5, fetch, 3, {"age": 7})
    assert fetch.calls == 0
    assert item.read(5) == b"12345"
    assert fetch.calls == 1
    assert pickle.loads(pickle.dumps(item)).read(5) == b"12345"


def test_a_picture_that_is_too_large_is_not_read() -> None:
    fetch = Fetch()
    with pytest.raises(BadImage, match="has 1,005 bytes, more than the 1,004 that are allowed"):
        Item("a", "train", 1_005, fetch).read(1_004)
    assert fetch.calls == 0


@pytest.mark.parametrize("data", [b"", bytes])
def test_an_empty_file_is_no_picture(data: object) -> None:
    with pytest.raises(BadImage, match="is empty"):
        Item("a", "train", 0, data).read(9)  # type: ignore[arg-type]
