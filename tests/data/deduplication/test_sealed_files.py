"""A file of the cache is whole, or is refused."""

import pytest

from dcgan_dist.data.deduplication.sealed_files import SEAL_BYTES, read_sealed, require_whole, write_sealed
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

CONTENT = bytes(range(40))


@pytest.fixture
def folder(tmp_path: object) -> Place:
    write_sealed(Place(str(tmp_path)) / "codes", CONTENT)
    return Place(str(tmp_path))


def test_the_content_comes_first(folder: Place) -> None:
    require_whole(folder, "codes")
    assert read_sealed(folder / "codes") == CONTENT
    written = (folder / "codes").read_bytes()
    assert (written[:40], len(written)) == (CONTENT, 40 + SEAL_BYTES)


def test_any_other_bit_or_length_is_damage(folder: Place) -> None:
    written = (folder / "codes").read_bytes()
    others = [written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :] for at in range(len(written))]
    for other in (*others, written[:-1], written[1:], written + b"\0", CONTENT, b"", bytes(SEAL_BYTES)):
        (folder / "codes").write_bytes(other)
        with pytest.raises(DataError, match=r"codes is damaged: delete it, and run the command again$"):
            require_whole(folder, "codes")
