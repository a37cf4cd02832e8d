"""A run to report on, made once: read it, and copy it before you change it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dcgan_dist.evaluation.task import Task
from dcgan_dist.storage import Place
from tests.evaluation.conftest import Here, bands
from tests.reporting.runs import write_labeled_run, write_probe, write_run, write_study

__all__ = ["bands"]


@pytest.fixture(scope="session")
def made_run(bands: Task, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run with two probes, one of them of a baseline, and a study."""
    folder = tmp_path_factory.mktemp("made")
    run = Place(str(folder / "runs" / "rooms"))
    write_run(run, folder)
    threads = torch.get_num_threads()
    task = replace(bands, name="cifar10", few=None)
    write_probe(run, 5_120, task, Here)
    write_probe(run, 2_560, task, Here, "random")
    torch.set_num_threads(threads)
    write_study(run)
    return run


@pytest.fixture
def copied(made_run: Place, tmp_path: Path) -> Callable[[str], Place]:
    """`copied(NAME)` is a copy of that run, in `runs/NAME` of the test's folder."""

    def copy(name: str) -> Place:
        shutil.copytree(made_run.local_path, tmp_path / "runs" / name)
        return Place(str(tmp_path / "runs" / name))

    return copy


@pytest.fixture
def labeled(tmp_path: Path) -> Callable[..., Place]:
    """`labeled(NAME, begin_with=RUN)` is a run that was trained on labels, in `Runs/NAME` of the test's folder."""

    def made(name: str, begin_with: str = "") -> Place:
        run = Place(str(tmp_path / "Runs" / name))
        write_labeled_run(run, tmp_path, begin_with)
        return run

    return made
