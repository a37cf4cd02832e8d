"""What lies in a sweep's folder."""

from pathlib import Path

import pytest

from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.storage import Place
from tuning.folder import SweepFolder, run_name


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(Place(str(tmp_path / "sweep")))


def test_records_say_what_trials_were_given_and_how_they_ended(folder: SweepFolder) -> None:
    assert not folder.exists()
    folder.begin(0, {"optimization.lr": 1e-4})
    folder.begin(1, {"optimization.lr": 1e-3})
    folder.end(1, "unfinished", "", 10.0)
    folder.end(1, "cut", "", 2.5)
    first, second = folder.records()
    assert (first.number, first.state, first.values) == (0, "unfinished", {"optimization.lr": 1e-4})
    assert (second.state, second.seconds) == ("cut", 12.5)
    assert folder.exists()


def test_the_newest_run_of_a_trial_counts(folder: SweepFolder, tmp_path: Path) -> None:
    assert run_name(7, 0) == "007"
    assert folder.run_of(7) == "007"
    for name in ("007", "007.1", "007.10", "007.2", "0071", "070", "data"):
        (tmp_path / "sweep" / "trials" / name).mkdir(parents=True)
    assert folder.attempts(7) == [0, 1, 2, 10]
    assert folder.run_of(7) == "007.10"


def test_what_is_no_sweep_gets_one_sentence(folder: SweepFolder, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no sweep in "):
        folder.read_plan()
    folder.write_plan({"trials": 3}, "images: 1\n")
    assert folder.read_plan() == ({"trials": 3}, "images: 1\n")
    (tmp_path / "sweep" / "sweep.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        folder.read_plan()
    (tmp_path / "sweep" / "sweep.json").write_text('{"format": 2}')
    with pytest.raises(CheckpointError, match="another version"):
        folder.read_plan()
