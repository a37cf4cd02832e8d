"""SVHN's .mat files, written here in their format."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.probe import load, probe
from dcgan_dist.evaluation.task import FewLabels, Task
from dcgan_dist.evaluation.tasks.registry import parse_tasks
from dcgan_dist.evaluation.tasks.svhn import open_svhn
from dcgan_dist.storage import Place


def write(folder: Path, file: str, number: int, seed: int, **other: Any) -> np.ndarray:
    """Noise with three bright rows, the lower the higher the class; y is 10 for the digit 0, as in SVHN. The digits."""
    random = np.random.default_rng(seed)
    digits = random.integers(0, 10, number)
    y = np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]
    images = random.integers(0, 60, (32, 32, 3, number))
    for image, row in enumerate(3 * (y[:, 0].astype(int) - 1)):
        images[row : row + 3, :, :, image] += 60
    savemat(folder / file, {"X": images.astype(np.uint8), "y": y, **other}, format="5")
    return digits


def opened(folder: Path, size: int = 32) -> Task:
    few = FewLabels(per_class=10, choosing=2, draws=5)
    return open_svhn("svhn", Place(str(folder)), size, seed=0, held_out=100, few=few)


def test_digits_become_classes_and_images_rows(tmp_path: Path) -> None:
    train = write(tmp_path, "train_32x32.mat", 400, seed=1)
    test = write(tmp_path, "test_32x32.mat", 50, seed=2)
    task = opened(tmp_path)
    assert (len(task.train), len(task.test), task.classes, task.held_out, task.all_labels) == (400, 50, 10, 100, False)
    assert task.train.labels.tolist() == ((train - 1) % 10)[task.train.samples].tolist()
    assert task.test.labels.tolist() == ((test - 1) % 10).tolist()
    bright = task.test.read(np.arange(50)).mean((2, 3)) > 60
    assert [rows.nonzero()[0].tolist() for rows in bright] == [
        [3 * label, 3 * label + 1, 3 * label + 2] for label in task.test.labels
    ]


def test_the_whole_task_runs_by_its_name(tmp_path: Path, here: Callable[..., Any]) -> None:
    write(tmp_path, "train_32x32.mat", 400, seed=1)
    write(tmp_path, "test_32x32.mat", 50, seed=2)
    (named,) = parse_tasks(f"svhn={tmp_path}")
    with pytest.raises(DataError, match="has 400 images but 10,000 alone choose C"):
        named.open(32, resize=False, seed=0)
    task, evaluators = opened(tmp_path), here(2)
    load(evaluators, [task])
    result = probe(evaluators, task, PixelFeatures(), torch.float32, Linear((1e-4, 1e-3)))
    assert "all_labels" not in result
    assert len(result["few_labels"]["draws"]) == 5
    assert result["few_labels"]["accuracy"] > 0.5


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda folder: (folder / "test_32x32.mat").unlink(), r"test_32x32\.mat"),
        (lambda folder: (folder / "test_32x32.mat").write_bytes(b"text"), "is not a .mat file of SVHN"),
        (lambda folder: savemat(folder / "test_32x32.mat", {"X": np.zeros(3)}), "is not a .mat file of SVHN"),
        (
            lambda folder: savemat(folder / "test_32x32.mat", {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": [1, 2]}),
            r"SVHN has uint8 \(32, 32, 3, n\)",
        ),
        (
            lambda folder: savemat(folder / "test_32x32.mat", {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": [0, 2]}),
            "has digits from 0 to 2 but needs 1 to 10",
        ),
    ],
    ids=["missing", "text", "no y", "other numbers", "digit 0"],
)
def test_other_files_are_told(break_it: Callable[[Path], object], sentence: str, tmp_path: Path) -> None:
    write(tmp_path, "train_32x32.mat", 400, seed=1)
    write(tmp_path, "test_32x32.mat", 50, seed=2)
    break_it(tmp_path)
    with pytest.raises(DataError, match=sentence):
        opened(tmp_path)


def test_networks_of_another_size_are_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="32 x 32 pixels but the networks are made for 64 x 64"):
        opened(tmp_path, size=64)
