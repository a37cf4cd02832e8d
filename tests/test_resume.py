"""A run that is broken and resumed ends as the unbroken one: the same tensors, bit for bit, and the same samples."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.storage import Place

pytestmark = [pytest.mark.system, pytest.mark.ray, pytest.mark.timeout(600)]

BATCH, EPOCH_IMAGES, STEPS, WORKERS, BETWEEN = 64, 640, 200, 2, 25
SETTINGS = [
    "--storage=runs",
    f"--images={BATCH * STEPS}",
    f"--data.scenes-images={EPOCH_IMAGES}",
    f"--batch-size={BATCH}",
    f"--workers={WORKERS}",
    "--workers.threads=1",
    "--networks.generator-maps=16",
    "--networks.discriminator-maps=16",
    "--optimization.average-images=1000",
    f"--checkpoints.images={BATCH * BETWEEN}",
    "--monitoring.steps=1",
    "--monitoring.audit",
]


def audit(run: Path) -> list[dict[str, Any]]:
    """What all ranks of all attempts wrote down; a line that a kill cut off is none."""
    lines = []
    for file in sorted((run / "audit").glob("*.jsonl")):
        rank = int(file.stem.split("-")[1])
        for line in file.read_text().splitlines():
            if line.endswith("}"):
                lines.append(json.loads(line) | {"rank": rank})
    return lines


def wait_for_step(run: Path, step: int, attempt: int = 1) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (run / "audit").is_dir() and any(line["attempt"] == attempt and line["step"] >= step for line in audit(run)):
            return
        time.sleep(0.005)
    raise TimeoutError(f"step {step} of attempt {attempt} was not reached")


def state(run: Path) -> dict[str, Any]:
    newest = max(path.name for path in (run / "checkpoints").iterdir())
    assert int(newest) == BATCH * STEPS
    loaded: dict[str, Any] = torch.load(run / "checkpoints" / newest / "state.pt", weights_only=True)
    return loaded


def assert_same(one: Any, other: Any, where: str = "") -> None:
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    else:
        assert one == other, where


def assert_each_sample_once(run: Path) -> None:
    """Along the surviving lineage, every step of every rank is there once, and every epoch is whole."""
    begun = attempts(Place(str(run)))
    ends = [later.step for later in begun[1:]] + [STEPS]
    survived = {attempt.number: range(attempt.step, end) for attempt, end in zip(begun, ends, strict=True)}
    lines = [line for line in audit(run) if line["step"] in survived[line["attempt"]]]
    assert sorted((line["step"], line["rank"]) for line in lines) == [
        (step, rank) for step in range(STEPS) for rank in range(WORKERS)
    ]
    steps: dict[int, list[int]] = {step: [] for step in range(STEPS)}
    for line in lines:
        steps[line["step"]] += line["samples"]
    assert all(len(samples) == BATCH for samples in steps.values())
    shown = [sample for _, samples in sorted(steps.items()) for sample in samples]
    for first in range(0, BATCH * STEPS, EPOCH_IMAGES):
        assert sorted(shown[first : first + EPOCH_IMAGES]) == list(range(EPOCH_IMAGES))


def test_a_run_ends_the_same_however_often_it_was_broken(train_command: Any) -> None:
    runs = train_command.folder / "runs"
    # One chunk is 20 steps, two epochs; the run is ten chunks.
    settings = [*SETTINGS, "--data.window=1280"]
    status, output = train_command.run("--name=unbroken", *settings)
    assert status == 0, output
    assert_each_sample_once(runs / "unbroken")
    unbroken = state(runs / "unbroken")

    rng = random.Random(11)
    # Once: `benchmarks/faults.py` kills drivers at three drawn steps, and compares in the same way.
    process = train_command.start("--name=broken", *settings)
    wait_for_step(runs / "broken", rng.randrange(BETWEEN + 3, 2 * BETWEEN - 3))
    os.kill(process.pid, signal.SIGKILL)
    train_command.end()
    process.communicate(timeout=60)
    before = max(line["step"] for line in audit(runs / "broken"))
    assert before < STEPS - 1, "the run was over before it was killed"

    process = train_command.start("--resume=broken", "--storage=runs")
    wait_for_step(runs / "broken", rng.randrange(before + 3, before + 20), attempt=2)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "--resume broken" in output
    stopped = max(line["step"] for line in audit(runs / "broken"))
    assert list((runs / "broken" / "samples").glob(f"{(stopped + 1) * BATCH:09}-*.png")), "no grid at the stop"

    status, output = train_command.run("--resume=broken", "--storage=runs")
    assert status == 0, output
    begun = attempts(Place(str(runs / "broken")))
    assert [attempt.number for attempt in begun] == [1, 2, 3]
    assert 0 < begun[1].step <= before
    assert begun[1].step % BETWEEN == 0
    assert begun[2].step == stopped + 1, "a step was lost though the run was stopped in order"
    assert_same(state(runs / "broken"), unbroken)
    assert_each_sample_once(runs / "broken")
