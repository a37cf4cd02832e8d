from pathlib import Path

import numpy as np

from benchmarks.dedup_memorised import HELD_OUT, REPEATED, ROOMS, TIMES, of_repeated, write_shards
from benchmarks.dedup_scenes import copies, draw, wrong
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.index import find_index


def test_rooms_are_found_at_another_size_and_their_copies_counted(tmp_path: Path) -> None:
    for size in (32, 64):
        draw(tmp_path / f"few-{size}", size, 40)
    room, instead = copies(tmp_path, ["few-32", "few-64"], 40)
    assert (instead[:40] == instead[40:]).mean() > 0.95
    assert len(wrong(room, instead)) == 0
    instead[3] = 5
    assert wrong(room, instead).tolist() == [3]


def test_repeated_rooms_are_in_shards_as_often_as_is_said(tmp_path: Path) -> None:
    rooms, origin = write_shards(tmp_path)
    assert np.bincount(origin).tolist() == [TIMES] * REPEATED + [1] * (ROOMS - REPEATED)
    index = {split: find_index(expand(f"{tmp_path}/{split}-*.tar")) for split in ("train", "test")}
    assert [0 if one is None else len(one) for one in index.values()] == [len(origin), HELD_OUT]
    shown = np.concatenate([rooms[:30], rooms[-10:]])
    assert of_repeated(shown, rooms) == 0.75
