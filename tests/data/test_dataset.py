"""The keep-list of a run before its data is opened: what does not fit is refused, and images are counted without it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data import keep_list
from dcgan_dist.data.dataset import count_images, find_keep, find_shards
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.settings import Settings, scenes32
from dcgan_dist.storage import Place


def with_keep(folder: Path, left_out: list[int], *, ours: bool) -> Settings:
    """Settings with 11 images in shards of 4, of which a keep-list leaves some out."""
    with ShardWriter(Place(str(folder / "data")), "train", 4) as writer:
        for number in range(11):
            writer.add(bytes([number]) * (200 + 131 * number))
    index = concatenate(writer.written, image_size=32)
    if ours:
        index.save(Place(str(folder / "data")))
    instead = np.arange(11)
    instead[left_out] = 10
    keep_list.write(Place(str(folder / "keep.parquet")), index, instead)
    base = scenes32()
    data = replace(base.data, path=f"{folder}/data", keep=f"{folder}/keep.parquet")
    return replace(base, storage=str(folder / "runs"), data=data)


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "foreign"])
def test_images_that_are_left_out_do_not_count(ours: bool, tmp_path: Path) -> None:
    settings = with_keep(tmp_path, [1, 5, 9], ours=ours)
    shards = find_shards(settings)
    told: list[str] = []
    counted = count_images(settings, shards, find_keep(settings, shards), told.append)
    # Of foreign shards it would be a guess from the largest one if there were no keep-list.
    assert (counted.images, counted.exact) == (8, True)
    assert told == [f"keep-list: {tmp_path}/keep.parquet leaves out 3 of 11 images"]
    assert count_images(settings, shards).exact == ours


def test_some_shards_have_some_of_the_images(tmp_path: Path) -> None:
    settings = with_keep(tmp_path, [1, 5, 6], ours=False)
    settings = replace(settings, data=replace(settings.data, path=f"{tmp_path}/data/train-000001.tar"))
    shards = find_shards(settings)
    assert count_images(settings, shards, find_keep(settings, shards)).images == 2


def test_what_does_not_fit_is_refused_before_shards_are_opened(tmp_path: Path) -> None:
    settings = with_keep(tmp_path, [0, 1, 2, 3], ours=False)
    shards = find_shards(settings)
    with pytest.raises(DataError, match=r"keep.parquet leaves out all 4 images of .*train-000000.tar: give the shards"):
        find_keep(settings, shards[:1])
    shards[1].write_bytes(shards[1].read_bytes() + bytes(512))
    with pytest.raises(DataError, match=r"is of a train-000001.tar of [0-9,]+ bytes, but .*/data/train-000001.tar has"):
        find_keep(settings, shards)
    assert find_keep(replace(settings, data=replace(settings.data, keep="")), shards) is None
    with pytest.raises(SettingsError, match=r"data.keep is keep.parquet but data.path is scenes"):
        replace(settings.data, path="scenes", keep="keep.parquet")
