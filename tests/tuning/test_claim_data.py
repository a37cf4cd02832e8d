"""Data that are made for claims."""

from pathlib import Path

import numpy as np

from dcgan_dist.data import keep_list
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.index import find_index
from dcgan_dist.storage import Place
from tuning.claim_data import HELD_OUT, REPEATED, ROOMS, TIMES, copies, make, of_repeated, rooms, write_shards


def test_repeated_rooms_are_in_shards_as_often_as_is_said(tmp_path: Path) -> None:
    known, origin = write_shards(Place(str(tmp_path)))
    assert np.bincount(origin).tolist() == [TIMES] * REPEATED + [1] * (ROOMS - REPEATED)
    index = {split: find_index(expand(f"{tmp_path}/{split}-*.tar")) for split in ("train", "test")}
    assert [0 if one is None else len(one) for one in index.values()] == [len(origin), HELD_OUT]
    assert np.array_equal(known, rooms())
    shown = np.concatenate([known[:30], known[-10:]])
    assert of_repeated(shown, known) == 0.75


def test_the_keep_list_leaves_each_room_once_and_is_made_once(tmp_path: Path) -> None:
    said: list[str] = []
    make(Place(str(tmp_path)), said.append)
    assert len(said) == 1
    keep = tmp_path / "duplicates" / "keep.parquet"
    assert keep_list.load(Place(str(keep))).kept.sum() == ROOMS
    written = keep.stat().st_mtime_ns
    make(Place(str(tmp_path)), said.append)
    assert len(said) == 1
    assert keep.stat().st_mtime_ns == written


def test_copies_are_nearer_to_repeated_rooms_than_other_rooms_are() -> None:
    drawn = rooms(ROOMS + HELD_OUT)
    noise = np.random.default_rng(5)
    near = np.clip(drawn[:60] + noise.integers(-9, 10, drawn[:60].shape), 0, 255).astype(np.uint8)
    assert copies(near) == 1
    assert copies(drawn[ROOMS:]) == 0.01, "of those held out themselves, by definition"
    once = drawn[REPEATED:ROOMS]
    assert copies(once) < 0.05
    assert copies(np.concatenate([near, once[:60]])) == (60 + (copies(once[:60]) * 60)) / 120
