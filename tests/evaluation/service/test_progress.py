"""What was compared so far is read as it was written, or refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.nearest_label import Found
from dcgan_dist.evaluation.service.progress import Progress, read_progress
from dcgan_dist.storage import Place


def some() -> Progress:
    numbers = torch.arange(6).reshape(2, 3)
    return Progress(Found(numbers / 7, numbers + 40, numbers % 4), 17, np.array([2.5, 9.25]))


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = Place(str(tmp_path / "so-far.npz"))
    some().write(file)
    read = read_progress(file, 2, 3)
    assert read.blocks == 17
    assert read.seconds.tolist() == [2.5, 9.25]
    for name in ("distances", "places", "labels"):
        assert torch.equal(getattr(read.found, name), getattr(some().found, name))


def test_without_a_file_nothing_was_compared(tmp_path: Path) -> None:
    read = read_progress(Place(str(tmp_path / "none.npz")), 2, 3)
    assert read.blocks == 0
    assert read.found.distances.isinf().all()
    assert read.found.labels.shape == (2, 3)


@pytest.mark.parametrize("torn", ["half", "empty", "other", "images"])
def test_what_is_none_is_refused(torn: str, tmp_path: Path) -> None:
    path = tmp_path / "so-far.npz"
    some().write(Place(str(path)))
    images = 4 if torn == "images" else 3
    if torn == "half":
        path.write_bytes(path.read_bytes()[:300])
    if torn == "empty":
        path.write_bytes(b"")
    if torn == "other":
        np.savez(path, blocks=np.int64(17))
    with pytest.raises(DataError, match=r"so-far\.npz does not hold what was compared so far \(.*\): delete it"):
        read_progress(Place(str(path)), 2, images)
