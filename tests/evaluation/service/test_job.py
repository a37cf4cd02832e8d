"""Where results lie, and which of them are read again."""

from pathlib import Path

import pytest
import torch

from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.service.job import ProbeJob
from dcgan_dist.evaluation.task import Task
from dcgan_dist.storage import Place

NAME = "000000000640"


def job(folder: Path, run: str, checkpoint: str, task: Task, features: str = "random") -> ProbeJob:
    dtype, classifiers = torch.float32, Linear((0.5,))
    return ProbeJob(Place(str(folder)), run, checkpoint, 10, 640, task, features, PixelFeatures(), dtype, classifiers)


@pytest.mark.parametrize(
    ("folder", "run", "checkpoint", "begins"),
    [
        ("runs/one/evaluation", "one", NAME, f"{NAME}-bands-random-"),
        ("results", "one", NAME, f"one-{NAME}-bands-random-"),
        ("runs/two/evaluation", "one", NAME, f"one-{NAME}-bands-random-"),
        ("one/results", "one", NAME, f"one-{NAME}-bands-random-"),
        ("results", "", "", "bands-random-"),
        ("runs/one/evaluation", "", "", "bands-random-"),
    ],
)
def test_a_file_is_named_after_what_its_folder_does_not_say(
    folder: str, run: str, checkpoint: str, begins: str, bands: Task, tmp_path: Path
) -> None:
    made = job(tmp_path / folder, run, checkpoint, bands)
    assert made.file.parent.address == f"{tmp_path}/{folder}"
    assert made.file.name == f"{begins}{made.recipe_sha256[:8]}.json"


def test_a_result_of_one_run_is_not_read_as_that_of_another(bands: Task, tmp_path: Path) -> None:
    one, two = (job(tmp_path, run, NAME, bands) for run in ("one", "two"))
    one.file.write_bytes(b'{"recipe_sha256": "x", "run": "one"}')
    assert one.read() == {"recipe_sha256": "x", "run": "one"}
    assert two.read() is None
