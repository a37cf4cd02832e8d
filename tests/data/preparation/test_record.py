"""What an earlier call has left in the target."""

from dataclasses import replace
from pathlib import Path

import pytest

from dcgan_dist.data.preparation.record import Record, earlier
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place

ARGUMENTS: dict[str, str | int | float] = {
    "reader": "parquet",
    "split": "train",
    "images_per_shard": 70,
    "holdout": 0.0,
}


@pytest.mark.parametrize(
    ("name", "value", "first", "told"),
    [
        (
            "reader",
            "folder",
            "lsun",
            "the format is 'folder' but {} was started with 'lsun': give lsun before the addresses",
        ),
        ("split", "", "train", "split is '' but {} was started with 'train': give --split train"),
        ("split", "train", "", "split is 'train' but {} was started with '': give no --split"),
        ("images_per_shard", 5, 70, "images_per_shard is 5 but {} was started with 70: give --images-per-shard 70"),
        ("faces", True, False, "faces is True but {} was started with False: give no faces as the first word"),
        ("faces", False, True, "faces is False but {} was started with True: give faces as the first word"),
        (
            "faces.model_sha256",
            "a",
            "b",
            "faces.model_sha256 is 'a' but {} was started with 'b': give the same file by",
        ),
    ],
)
def test_another_argument_is_told_as_it_is_typed(
    name: str, value: str | float, first: str | float, told: str, tmp_path: Path
) -> None:
    target = Place(str(tmp_path))
    Record(ARGUMENTS | {name: first}, "ab", 7).save(target)
    with pytest.raises(SettingsError) as caught:
        earlier(target, Record(ARGUMENTS | {name: value}, "ab", 7))
    assert str(caught.value).startswith(told.format(target))
    assert str(caught.value).endswith(f", choose another target, or delete {target}")


def test_other_pictures_are_refused_with_what_can_be_done(tmp_path: Path) -> None:
    target, record = Place(str(tmp_path)), Record(ARGUMENTS, "ab", 7)
    record.save(target)
    assert earlier(target, record) == record
    with pytest.raises(DataError, match=rf"\(7 then, 8 now\): choose another target, or delete {target}$"):
        earlier(target, replace(record, listing="cd", pictures=8))
