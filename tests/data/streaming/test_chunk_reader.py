"""Reading chunks from real shards: any order, bad pictures, vanished shards, object stores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.chunk_reader import ShardPictures, read_chunk
from dcgan_dist.data.streaming.plan import Plan, cut_slices
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

SIZE = 16


def color(number: int) -> np.ndarray:
    """A plain picture that tells its number: red and green are its digits in base 8, in steps that JPEG keeps apart."""
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[...] = (16 + 32 * (number % 8), 16 + 32 * (number // 8 % 8), 128)
    return picture


def number_of(picture: np.ndarray) -> int:
    red, green, _ = (picture.reshape(-1, 3).mean(0) // 32).astype(int)
    return int(red + 8 * green)


def write(folder: Place, images: int, bad: frozenset[int] = frozenset(), per_shard: int = 20) -> ShardPictures:
    with ShardWriter(folder, "train", per_shard) as writer:
        for number in range(images):
            data = simplejpeg.encode_jpeg(np.ascontiguousarray(color(number)), quality=95, colorsubsampling="444")
            writer.add(b"no picture" if number in bad else data, label=number % 3)
    return ShardPictures(concatenate(writer.written), SIZE, "resize", 1 << 20, 1 << 20)


def read(source: ShardPictures, samples: list[int]) -> tuple[list[int], list[bool]]:
    out = np.empty((len(samples), SIZE, SIZE, 3), np.uint8)
    filled = read_chunk(source, np.array(samples), out, np.arange(len(samples)))
    return [number_of(picture) for picture in out], filled.tolist()


def test_samples_come_in_the_order_asked_for_also_twice(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 64)
    wanted = [*np.random.default_rng(0).permutation(64).tolist(), 5, 5, 63]
    assert read(source, wanted) == (wanted, [False] * len(wanted))


@pytest.mark.parametrize("most", [1, 2_000, 5_000, 1 << 20])
def test_files_are_read_together_up_to_the_longest_range(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcgan_dist.data.streaming.chunk_reader.RANGE_BYTES", most)
    monkeypatch.setattr("dcgan_dist.data.streaming.chunk_reader.GAP_BYTES", 3_000)
    source = write(Place(str(tmp_path)), 60)
    samples = np.array([0, 1, 2, 3, 18, 19, 20, 21, 30, 59])
    parts = list(source._ranges(samples, np.arange(len(samples))))
    assert np.concatenate([wanted for wanted, _, _ in parts]).tolist() == list(range(len(samples)))
    assert all(len(data) <= most or len(wanted) == 1 for wanted, data, _ in parts)
    # Together where they are close, apart where another shard or a gap begins.
    near = [[0, 1, 2, 3], [18, 19], [20, 21], [30], [59]]
    index = source.index
    wanted: list[list[int]] = []
    for run in near:
        wanted.append([])
        for sample in run:
            first = (wanted[-1] or [sample])[0]
            if index.offset[sample] + index.size[sample] - index.offset[first] > most and wanted[-1]:
                wanted.append([])
            wanted[-1].append(sample)
    assert [samples[places].tolist() for places, _, _ in parts] == wanted
    assert read(source, samples.tolist())[0] == samples.tolist()


def test_a_run_over_an_index_without_some_samples_sees_all_others_once_an_epoch(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 60)
    left_out = {0, 7, 31, 58, *range(20, 40)}  # with all of one shard
    source = replace(source, index=source.index.without(sorted(left_out)))
    plan = Plan(cut_slices(source.index.shard, source.index.size, 16), 4, 16, seed=3)
    steps = [rows.sample.tolist() for rows, _ in zip(plan.rows(0), range(2 * (60 - 23) // 4 + 1), strict=False)]
    seen = [picture for step in steps for picture in read(source, step)[0]]
    for epoch in (seen[:37], seen[37:74]):
        assert sorted(epoch) == sorted(set(range(60)) - left_out)


def test_rows_say_where_a_picture_goes(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 4)
    out = np.full((6, SIZE, SIZE, 3), 255, np.uint8)
    read_chunk(source, np.array([3, 1]), out, np.array([5, 0]))
    assert [number_of(out[0]), number_of(out[5])] == [1, 3]
    assert (out[1:5] == 255).all()


def test_a_bad_picture_shows_the_next_good_one_of_the_chunk_and_changes_nothing_else(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 10, bad=frozenset({2, 3, 9}))
    assert read(source, [0, 2, 3, 4, 1, 9]) == ([0, 4, 4, 4, 1, 0], [False, True, True, False, False, True])


def test_a_chunk_without_any_good_picture_is_an_error(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 5, bad=frozenset(range(5)))
    with pytest.raises(DataError, match="none of 5 images in a row can be decoded"):
        read(source, [0, 1, 2, 3, 4])


def test_a_shard_that_was_deleted_is_named(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 40)
    (tmp_path / "train-000001.tar").unlink()
    with pytest.raises(DataError, match=r"train-000001\.tar is gone"):
        read(source, [0, 30])


def test_a_shard_that_was_cut_gives_bad_pictures(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 20)
    shard = tmp_path / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[: int(source.index.offset[10])])
    pictures, filled = read(source, [0, 9, 10, 19])
    assert filled == [False, False, True, True]
    assert pictures[:2] == [0, 9]


def test_a_file_above_the_limit_is_bad_and_not_read(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 3)
    small = ShardPictures(source.index, SIZE, "resize", 1 << 20, int(source.index.size.max()) - 1)
    assert not read(source, [0, 1, 2])[1][0]
    bad = small.read(np.arange(3), np.empty((3, SIZE, SIZE, 3), np.uint8), np.arange(3))
    assert bad.tolist() == (source.index.size > small.max_bytes).tolist()
    assert bad.any()
    exact = ShardPictures(source.index, SIZE, "resize", 1 << 20, int(source.index.size.max()))
    assert not exact.read(np.arange(3), np.empty((3, SIZE, SIZE, 3), np.uint8), np.arange(3)).any()


def test_a_bad_picture_is_named_with_the_reason(tmp_path: Path) -> None:
    source = write(Place(str(tmp_path)), 5, bad=frozenset({3}))
    name = "train-000000.tar: train-0000000"
    assert source.names(3) == f"{name}3.jpg (cannot be decoded: cannot identify image file)"
    assert source.names(2) == f"{name}2.jpg"
    size = int(source.index.size[1])
    assert ShardPictures(source.index, SIZE, "resize", 1 << 20, size).fault(1) is None
    few = ShardPictures(source.index, SIZE, "resize", SIZE * SIZE - 1, 1 << 20)
    assert "pixels" in few.names(2)
    small = ShardPictures(source.index, SIZE, "resize", 1 << 20, 9)
    assert small.names(1) == f"{name}1.jpg (it has {size} bytes, more than the 9 that are allowed)"


def test_an_object_store_gives_the_same_as_a_disk(tmp_path: Path, s3: Place) -> None:
    wanted = np.random.default_rng(1).permutation(64).tolist()
    assert read(write(s3 / "data", 64), wanted) == read(write(Place(str(tmp_path)), 64), wanted)


@pytest.mark.parametrize("name", ["cifar10", "tinyimagenet64"])
def test_real_shards_read_as_single_files_do(name: str, shared_data: Callable[[str], Path]) -> None:
    from dcgan_dist.data.image_decoding import decode
    from dcgan_dist.data.shards.build_index import index_shard

    index = concatenate([index_shard(Place(str(path))) for path in sorted(shared_data(name).glob("train-*.tar"))[:2]])
    samples = np.random.default_rng(2).permutation(len(index))[:500]
    size = 32
    out = np.empty((500, size, size, 3), np.uint8)
    bad = ShardPictures(index, size, "resize", 1 << 20, 1 << 20).read(samples, out, np.arange(500))
    assert not bad.any()
    one = np.empty((size, size, 3), np.uint8)
    for row, sample in enumerate(samples):
        data = Place(index.shards[index.shard[sample]]).read_range(int(index.offset[sample]), int(index.size[sample]))
        decode(data, one, fit="resize", max_pixels=1 << 20)
        assert (out[row] == one).all()
