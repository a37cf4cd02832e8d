"""What a run would be trained on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dcgan_dist.data.checking.opening import find_given
from dcgan_dist.data.checking.training import find_trained_on, refusal
from tests.data.checking.shards import foreign, ours, picture

FILES = [("a.png", picture(1))]


@pytest.mark.parametrize(
    ("files", "given", "data", "shards"),
    [
        (["00000", "00001"], "", "", ["00000", "00001"]),
        (["train-0", "train-1", "test-0"], "", "/train-*.tar", ["train-0", "train-1"]),
        (["train-0", "train-1", "test-0"], "/test-*.tar", "/test-*.tar", ["test-0"]),
        (["train-0", "train-1", "test-0"], "/t*.tar", "/t*.tar", ["test-0", "train-0", "train-1"]),
        (
            ["part0-training", "part1-training", "part0-val"],
            "",
            "/*-training.tar",
            ["part0-training", "part1-training"],
        ),
        (["photos_1", "photos_2", "paintings_1"], "", "/paintings_1.tar", ["paintings_1"]),
        (["train/0", "train/1", "val/0"], "", "/train", ["train/0", "train/1"]),
        (["val/0", "test/0"], "", "/val", ["val/0"]),
        (["._train-0", "train-0", "train-1"], "", "/train-*.tar", ["train-0", "train-1"]),
        (["._0", "0", "1"], "", "/*.tar", ["0", "1"]),
    ],
)
def test_the_training_split_is_chosen_unless_all_shards_can_be_read(
    files: Sequence[str], given: str, data: str, shards: Sequence[str], tmp_path: Path
) -> None:
    for name in files:
        foreign(tmp_path / f"{name}.tar", FILES)
    address = f"{tmp_path}{given}"
    found = find_trained_on(address, find_given(address).shards)
    assert found.data == f"{tmp_path}{data}"
    assert [str(shard) for shard in found.shards] == [f"{tmp_path}/{name}.tar" for name in shards]
    assert refusal(found) == ""


def test_what_train_says_is_said(tmp_path: Path) -> None:
    folder = ours(tmp_path, {"train": [(picture(number), 0) for number in range(6)]})
    with (folder / "train-000001.tar").open("ab") as file:
        file.write(bytes(512))
    found = find_trained_on(str(folder), find_given(str(folder)).shards)
    assert "train-000001.tar has " in refusal(found)
    assert "copy it again" in refusal(found)


@pytest.mark.parametrize(
    ("files", "doubt"),
    [
        (["bedrooms-0", "original-0"], "the names of the shards say bedrooms, original, none of them a known split"),
        (["0", "original-0"], "the names of the shards say no name, original, none of them a known split"),
        (["train-0", "original-0"], ""),
        (["test-0", "original-0"], ""),
        (["bedrooms-0", "bedrooms-1"], ""),
    ],
)
def test_shards_that_are_left_out_by_names_which_are_no_splits_are_told(
    files: Sequence[str], doubt: str, tmp_path: Path
) -> None:
    for name in files:
        foreign(tmp_path / f"{name}.tar", FILES)
    found = find_trained_on(str(tmp_path), find_given(str(tmp_path)).shards)
    assert found.doubt.partition(":")[0] == doubt
