import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.readers import stream as module
from dcgan_dist.data.readers.stream import blocks, inflated, skip, stream
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

CONTENT = np.random.default_rng(5).integers(0, 60, 10_000, np.uint8).tobytes()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 777)


def put(folder: Path, data: bytes) -> Place:
    (folder / "file").write_bytes(data)
    return Place(str(folder / "file"))


def test_blocks_are_what_lies_between_two_bytes(tmp_path: Path) -> None:
    file = put(tmp_path, CONTENT)
    assert b"".join(blocks(file)) == CONTENT
    pieces = list(blocks(file, 100, 2_000))
    assert b"".join(pieces) == CONTENT[100:2_000]
    assert max(map(len, pieces)) == 777
    assert b"".join(blocks(file, 100, 100 + 777 + 1)) == CONTENT[100:878]
    with pytest.raises(DataError, match="ends at byte 10,000, before byte 10,001"):
        list(blocks(file, 9_990, 10_001))


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(zlib.compress(CONTENT), id="zlib"),
        pytest.param(gzip.compress(CONTENT), id="gzip"),
        pytest.param(gzip.compress(CONTENT[:1]) + gzip.compress(CONTENT[1:]), id="two members"),
        pytest.param(gzip.compress(CONTENT) + bytes(100), id="zeros behind"),
    ],
)
def test_what_is_compressed_is_inflated_in_pieces(packed: bytes, tmp_path: Path) -> None:
    file = put(tmp_path, b"ahead" + packed + b"behind")
    pieces = list(inflated(file, 5, 5 + len(packed)))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= 777


def test_a_bomb_is_inflated_no_further_than_it_is_read(tmp_path: Path) -> None:
    file = put(tmp_path, zlib.compress(bytes(1 << 26), 9))
    pieces = inflated(file)
    assert len(next(pieces)) == 777


@pytest.mark.parametrize("end", [1, 2, 300, -5, -1])
def test_what_ends_early_is_said(end: int, tmp_path: Path) -> None:
    file = put(tmp_path, gzip.compress(CONTENT)[:end])
    with pytest.raises(DataError, match=f"{file} ends in the middle of what is compressed"):
        list(inflated(file))


@pytest.mark.parametrize("at", [0, 2, 1_000, -8])
def test_damage_is_said(at: int, tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(CONTENT))
    packed[at] ^= 0xFF
    with pytest.raises(DataError, match=r"file is damaged \(Error -3"):
        list(inflated(put(tmp_path, bytes(packed))))


def test_a_stream_reads_and_skips_across_pieces() -> None:
    file = stream(CONTENT[i : i + 13] for i in range(0, 1_000, 13))
    assert file.read(5) == CONTENT[:5]
    skip(file, 900)
    assert file.read(50) == CONTENT[905:955]
    skip(file, 10_000)
    assert file.read(1) == b""
