"""What is found in one shard."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.checking.oddities import APART, UNSORTED
from dcgan_dist.data.checking.shard import Limits, check_shard
from dcgan_dist.data.shards.passed_over import SECOND
from dcgan_dist.storage import Place
from tests.data.checking.shards import foreign, picture

LIMITS = Limits(max_bytes=5_000, max_pixels=1_000)


def digest(data: bytes) -> list[int]:
    found = hashlib.sha256(data).digest()
    return [int.from_bytes(found[:8], "big"), int.from_bytes(found[8:16], "big")]


def test_every_image_is_read_and_the_bad_ones_are_named(tmp_path: Path) -> None:
    large, wide = picture(3, 30, 60), picture(4, 40, 26)  # more bytes, more pixels than are allowed
    files = [
        picture(1),
        b"no picture",
        picture(2, kind="jpeg", width=9),
        picture(-5),
        large,
        wide,
        picture(6)[:-60],
        b"",
    ]
    members = [(f"{number}.jpg", data) for number, data in enumerate(files)]
    shard = foreign(tmp_path / "a.tar", members)
    found = check_shard(LIMITS, Place(str(shard)))
    assert found.problem == ""
    assert found.sha256 == hashlib.sha256(shard.read_bytes()).hexdigest()
    assert found.good.tolist() == [True, False, True, True, False, False, False, False]
    assert found.sizes == Counter({(20, 16): 2, (9, 16): 1})
    assert found.greys == 1
    assert found.index.size.tolist() == [len(data) for data in files]
    for row in np.flatnonzero(found.good):
        assert found.digest[row].tolist() == digest(files[row])
    names, reasons = zip(*found.bad, strict=True)
    assert names == ("a.tar: 1.jpg", "a.tar: 4.jpg", "a.tar: 5.jpg", "a.tar: 6.jpg", "a.tar: 7.jpg")
    assert f"has {len(large):,} bytes, more than the 5,000" in reasons[1]
    assert "declares 40 x 26 pixels, more than the 1,000" in reasons[2]


def test_what_lies_between_images_is_passed_over_but_counts_for_the_checksum(tmp_path: Path) -> None:
    members = [
        ("b.mp4", bytes(20 << 20)),  # more than is read at once
        ("b.jpg", picture(1)),
        ("b.png", picture(2)),
        ("a.jpg", picture(3)),
        ("b.cls", b"1"),
    ]
    shard = foreign(tmp_path / "a.tar", members)
    found = check_shard(LIMITS, Place(str(shard)))
    assert found.sha256 == hashlib.sha256(shard.read_bytes()).hexdigest()
    assert found.digest.tolist() == [digest(members[1][1]), digest(members[3][1])]
    assert (SECOND, 1, "b.png") in found.index.passed
    assert found.odd == ((UNSORTED, 1, "a.jpg"), (APART, 1, "b.cls"))


def test_of_many_bad_images_all_are_counted_and_some_are_named(tmp_path: Path) -> None:
    shard = foreign(tmp_path / "a.tar", [(f"{number:03}.jpg", b"no") for number in range(50)])
    found = check_shard(LIMITS, Place(str(shard)))
    assert found.good.tolist() == [False] * 50
    assert len(found.bad) == 20


def test_a_torn_shard_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    shard = foreign(tmp_path / "a.tar", [("a.png", picture(1)), ("b.png", picture(2))])
    shard.write_bytes(shard.read_bytes()[:2_500])
    found = check_shard(LIMITS, Place(str(shard)))
    assert found.problem == ""
    assert found.good.tolist() == [True]
    assert "is torn" in str(found.index.torn)
    assert found.sha256 == hashlib.sha256(shard.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html>" * 200, "is not a tar"),
        (b"\x1f\x8b" + bytes(600), "is compressed by gzip"),
        (None, "is not there"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.tar").write_bytes(content)
    found = check_shard(LIMITS, Place(str(tmp_path / "a.tar")))
    assert told in found.problem
    assert found.index.shard == str(tmp_path / "a.tar")
    assert len(found.index) == len(found.digest) == len(found.good) == 0


def test_shards_on_an_object_store_are_read_alike(s3: Place, tmp_path: Path) -> None:
    shard = foreign(tmp_path / "a.tar", [("a.png", picture(1)), ("b.png", b"bad"), ("c.png", picture(-2))])
    (s3 / "a.tar").write_bytes(shard.read_bytes())
    here, there = check_shard(LIMITS, Place(str(shard))), check_shard(LIMITS, s3 / "a.tar")
    assert there.sha256 == here.sha256
    assert there.digest.tolist() == here.digest.tolist()
    assert (there.sizes, there.greys, there.bad) == (here.sizes, here.greys, here.bad)
