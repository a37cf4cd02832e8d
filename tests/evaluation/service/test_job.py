"""Where results lie, and which of them are read again."""

import json
from pathlib import Path

import pytest
import torch

from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.fidelity.features import ComparedBy
from dcgan_dist.evaluation.fidelity.measure import doubts
from dcgan_dist.evaluation.service.job import FidelityJob, ProbeJob
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.fidelity import open_fidelity
from dcgan_dist.model.dcgan import Generator
from dcgan_dist.settings import scenes32
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


@pytest.mark.parametrize(("samples", "noted"), [(119, True), (120, False)])
def test_a_fidelity_that_was_found_before_has_the_notes_of_its_numbers(
    samples: int, noted: bool, tmp_path: Path
) -> None:
    settings = scenes32()
    task = open_fidelity(None, settings, None, ComparedBy("own_discriminator", None), samples, resize=False)
    sampler = Sampler(Generator(settings.networks), "raw", settings.networks, 24, seed=5)
    made = FidelityJob(Place(str(tmp_path)), "one", NAME, 10, 640, task, PixelFeatures(), sampler)
    found = {"recipe_sha256": "x", "samples": samples, "features": 120, "notes": ["of an earlier version"]}
    made.file.write_bytes(json.dumps(found).encode())
    read = made.read()
    assert read is not None
    assert read["notes"] == [*task.notes, *doubts(samples, 120)]
    assert len(read["notes"]) == 1 + noted
