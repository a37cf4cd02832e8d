"""Images from all pieces become a shard."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.preparation.arrange import plan_shards, unite
from dcgan_dist.data.preparation.gather import ShardPlan, find_shard, length_of, sha256_of, write_shard
from dcgan_dist.data.preparation.pieces import Made, order_of, read_table, write_piece
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


def made(row: int) -> Made:
    digest = hashlib.sha256(str(row).encode()).digest()
    return Made(row, order_of(0, f"{row}"), 0, row % 4 - 1, digest, b"%03d" % row * 9, "png", b'{"row": %d}' % row)


@pytest.fixture
def pieces(tmp_path: Path) -> Place:
    """Thirty images in three pieces."""
    folder = Place(str(tmp_path / "pieces"))
    for number in range(3):
        write_piece(folder, number, [made(row) for row in range(number, 30, 3)])
    return folder


def plans_of(pieces: Place, images: int) -> list[ShardPlan]:
    return plan_shards(unite([read_table(pieces, number) for number in range(3)]), ("old",), images)


def test_a_shard_is_what_the_writer_makes_of_its_images(pieces: Place, tmp_path: Path) -> None:
    order = sorted(range(30), key=lambda row: order_of(0, f"{row}"))
    expected = Place(str(tmp_path / "expected"))
    with ShardWriter(expected, "old", 12) as writer:
        for row in order:
            one = made(row)
            label = None if one.label < 0 else one.label
            writer.add(one.image, suffix="png", label=label, meta={"row": row})
    target = Place(str(tmp_path / "out"))
    found = [write_shard(target, pieces, plan) for plan in plans_of(pieces, 12)]
    assert len(found) == len(writer.written) == 3
    for mine, wanted in zip(found, writer.written, strict=True):
        assert Place(mine.shard).read_bytes() == Place(wanted.shard).read_bytes()
        assert mine.sha256 == wanted.sha256 == sha256_of(Place(mine.shard))
        assert mine.label.tolist() == wanted.label.tolist()
    assert [length_of(plan) for plan in plans_of(pieces, 12)] == [shard.shard_bytes for shard in found]


def test_a_shard_that_is_there_is_found_with_its_checksum(pieces: Place, tmp_path: Path) -> None:
    target, plan = Place(str(tmp_path / "out")), plans_of(pieces, 12)[1]
    written = write_shard(target, pieces, plan)
    found = find_shard(target, plan)
    assert found is not None
    assert (found.sha256, found.offset.tolist()) == (written.sha256, written.offset.tolist())
    assert find_shard(target, replace(plan, label=plan.label[::-1])) is None
    assert find_shard(target, replace(plan, image_bytes=plan.image_bytes + 1)) is None


@pytest.mark.parametrize("change", [lambda data: data[:-1_600], lambda data: data[:-512], lambda data: b"left behind"])
def test_what_is_no_shard_of_these_images_is_not_taken_for_it(pieces: Place, tmp_path: Path, change: object) -> None:
    target, plan = Place(str(tmp_path / "out")), plans_of(pieces, 30)[0]
    shard = Place(write_shard(target, pieces, plan).shard)
    shard.write_bytes(change(shard.read_bytes()))  # type: ignore[operator]
    assert find_shard(target, plan) is None


def test_a_torn_piece_is_named(pieces: Place, tmp_path: Path) -> None:
    plan = plans_of(pieces, 30)[0]
    torn = pieces / "000001.images"
    torn.write_bytes(torn.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"000001\.images is damaged: delete \S+pieces, and call the command again"):
        write_shard(Place(str(tmp_path / "out")), pieces, plan)


def test_pieces_and_shards_can_be_on_an_object_store(pieces: Place, tmp_path: Path, s3: Place) -> None:
    for file, _ in pieces.files():
        (s3 / "pieces" / file.name).write_bytes(file.read_bytes())
    for plan in plans_of(pieces, 17):
        here = write_shard(Place(str(tmp_path / "out")), pieces, plan)
        there = write_shard(s3 / "out", s3 / "pieces", plan)
        assert there.sha256 == here.sha256 == sha256_of(s3 / "out" / plan.name)
        assert np.array_equal(index_shard(s3 / "out" / plan.name).size, plan.image_bytes)
