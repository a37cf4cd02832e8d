"""A run that is broken and resumed ends as the unbroken one: the same tensors, bit for bit, and the same samples.

Its networks know classes, so that labels come through it all, too.

Its checkpoints are evaluated beside it, which the unbroken one's are not: an evaluation actor is killed while it works.
"""

import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch

from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.monitoring.sinks.curves import read_probed
from dcgan_dist.run_folder.attempts import Attempt, attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.trained_on import contents
from dcgan_dist.storage import Place
from dcgan_dist.training.schedule import ends_a_quarter

pytestmark = [pytest.mark.system, pytest.mark.ray, pytest.mark.timeout(600)]

BATCH, EPOCH_IMAGES, STEPS, WORKERS, BETWEEN = 64, 640, 500, 2, 50
IMAGES = BATCH * STEPS
SETTINGS = [
    "--storage=runs",
    f"--images={IMAGES}",
    f"--data.scenes-images={EPOCH_IMAGES}",
    f"--batch-size={BATCH}",
    f"--workers={WORKERS}",
    "--workers.threads=1",
    # One chunk is 20 steps, two epochs; the run is 25 chunks.
    "--data.window=1280",
    "--data.label=bed,window,door",
    "--networks.classes=8",
    "--networks.generator-maps=8",
    "--networks.discriminator-maps=8",
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


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def wait_for_step(run: Path, step: int) -> None:
    wait_for(lambda: (run / "audit").is_dir() and any(line["step"] >= step for line in audit(run)))


def under_evaluation(run: Path, done: set[str]) -> str | None:
    """The checkpoint that is being evaluated now, unless it is one of those that were seen before."""
    marks = manifests(Place(str(run)))
    return next((name for name, found in marks.items() if found.get("probe") == "reads" and name not in done), None)


def results(run: Path) -> dict[str, dict[str, Any]]:
    """By checkpoint, and with the time at which they were written."""
    found = {}
    for file in (run / "evaluation").glob("*.json"):
        found[file.name.partition("-")[0]] = json.loads(file.read_text()) | {"mtime": file.stat().st_mtime_ns}
    return found


def state(run: Path) -> dict[str, Any]:
    newest = max(path.name for path in (run / "checkpoints").iterdir())
    assert int(newest) == IMAGES
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
    for first in range(0, IMAGES, EPOCH_IMAGES):
        assert sorted(shown[first : first + EPOCH_IMAGES]) == list(range(EPOCH_IMAGES))


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that differ in a band, enough of them that an evaluation takes a second."""
    folder, random = tmp_path_factory.mktemp("labeled") / "bands", np.random.default_rng(0)
    for split, number in (("train", 1_600), ("test", 400)):
        with ShardWriter(Place(str(folder)), split, 4_000) as writer:
            for label in random.integers(0, 3, number).tolist():
                image = random.integers(0, 160, (32, 32, 3))
                image[10 * label : 10 * label + 10] += random.integers(0, 20)
                writer.add(simplejpeg.encode_jpeg(image.astype(np.uint8), quality=95), label=label)
    return folder


@dataclass(frozen=True)
class Broken:
    """A run that was stopped, whose evaluation actor was killed, that was killed itself, and that has then ended.

    Attributes:
        told: what each of its three processes said.
        reached: the last step of the first two attempts.
        undisturbed: attempts when the evaluation actor had been replaced.
        first: what came of the evaluation whose actor was killed.
        results: when the run was killed.
        second: the checkpoint that was being evaluated then.
    """

    folder: Path
    told: list[str]
    reached: list[int]
    undisturbed: list[Attempt]
    first: dict[str, Any]
    results: dict[str, dict[str, Any]]
    second: str


@pytest.fixture(scope="module")
def broken(command_in: Any, tmp_path_factory: pytest.TempPathFactory, labeled: Path) -> Broken:
    """Read it, and change nothing."""
    folder = tmp_path_factory.mktemp("broken")
    command, run = command_in(folder, "dcgan_dist.train"), folder / "runs" / "broken"

    def actor() -> int:
        (pid,) = (pid for pid, name in command.left().items() if name.startswith("ray::_Actor"))
        return int(pid)

    rng = random.Random(11)
    process = command.start("--name=broken", *SETTINGS, f"--probe=bands={labeled}", "--probe.cpus=0.5")
    wait_for_step(run, rng.randrange(BETWEEN + 3, 2 * BETWEEN - 3))
    os.kill(process.pid, signal.SIGINT)
    told = [process.communicate(timeout=120)[0]]
    assert process.returncode == 130, told
    reached = [max(line["step"] for line in audit(run))]
    assert reached[0] < STEPS // 2, "the run was nearly over before it was stopped"

    # Once: `benchmarks/faults.py` kills drivers at three drawn steps, and compares in the same way.
    process = command.start("--resume=broken", "--storage=runs")
    before = set(results(run)) | ({stale} if (stale := under_evaluation(run, set())) else set())
    first = wait_for(lambda: len(attempts(Place(str(run)))) == 2 and under_evaluation(run, before))
    killed = actor()
    os.kill(killed, signal.SIGKILL)
    result = wait_for(lambda: results(run).get(first))
    assert actor() != killed
    undisturbed = attempts(Place(str(run)))
    second = wait_for(lambda: under_evaluation(run, set(results(run))))
    os.kill(process.pid, signal.SIGKILL)
    told.append(process.communicate(timeout=60)[0])
    command.end()
    reached.append(max(line["step"] for line in audit(run)))
    assert reached[1] < STEPS - 1, "the run was over before it was killed"
    done = results(run)
    assert second not in done

    status, output = command.run("--resume=broken", "--storage=runs")
    assert status == 0, output
    return Broken(run, [*told, output], reached, undisturbed, result, done, second)


def test_a_run_ends_the_same_however_often_it_was_broken(broken: Broken, train_command: Any) -> None:
    status, output = train_command.run("--name=unbroken", *SETTINGS)
    assert status == 0, output
    unbroken = train_command.folder / "runs" / "unbroken"
    assert_each_sample_once(unbroken)

    stopped, killed = broken.reached
    assert "--resume broken" in broken.told[0]
    assert list((broken.folder / "samples").glob(f"{(stopped + 1) * BATCH:09}-*.png")), "no grid at the stop"
    begun = attempts(Place(str(broken.folder)))
    assert [attempt.number for attempt in begun] == [1, 2, 3]
    assert begun[1].step == stopped + 1, "a step was lost though the run was stopped in order"
    assert stopped < begun[2].step <= killed
    assert begun[2].step % BETWEEN == 0 or ends_a_quarter(begun[2].step, STEPS)
    assert_same(state(broken.folder), state(unbroken))
    assert_each_sample_once(broken.folder)


def test_an_evaluation_that_is_killed_is_done_once_all_the_same(broken: Broken) -> None:
    folder, (_, second, last) = broken.folder, broken.told
    assert 1 / 3 < broken.first["all_labels"]["accuracy"] <= 1
    assert len(broken.undisturbed) == 2, "training has not been disturbed"
    assert "evaluation actor 0 has died" in second
    assert re.search(
        r"^cluster: this machine with \d+ logical CPUs on \d+ cores? and 0 GPUs; the run takes", last, re.M
    )
    run, after = Place(str(folder)), results(folder)
    assert {name: after[name]["mtime"] for name in broken.results} == {
        name: one["mtime"] for name, one in broken.results.items()
    }
    assert {broken.second, f"{IMAGES:012d}"} <= set(after)
    told = read_probed(run)
    assert sorted(one["checkpoint"] for one in told) == sorted(after)
    assert {one["checkpoint"]: one["accuracy"] for one in told} == {
        name: one["all_labels"]["accuracy"] for name, one in after.items()
    }
    assert re.search(rf"probe bands of checkpoint {IMAGES:012d}: [0-9.]+ % \(±[0-9.]+\), in \d+ s", last)
    about = json.loads((folder / "run.json").read_text())
    (drawn,) = (folder.parent / "data").glob("*/*.tar")
    assert about["trained_on"] == {"shards": contents([str(drawn)])}, "known though it was drawn after the beginning"
    record = about["probe"]
    best = {name: one["all_labels"]["accuracy"] for name, one in after.items() if name in manifests(run)}
    assert record["best"]["accuracy"] == max(best.values()) == best[record["best"]["checkpoint"]]
    assert not set(record["skipped"]) & set(after)
    marks = {name: manifest.get("probe") for name, manifest in manifests(run).items()}
    assert marks.pop(record["best"]["checkpoint"]) == "best"
    assert set(marks.values()) <= {None}
