"""A run whose checkpoints are evaluated beside it: an evaluation actor is killed while it works, and then all of it."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.monitoring.sinks.curves import read_probed
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.run_folder.trained_on import contents
from dcgan_dist.storage import Place

pytestmark = [pytest.mark.system, pytest.mark.ray, pytest.mark.timeout(600)]

IMAGES, BETWEEN = 32_000, 3_200
SETTINGS = [
    "--storage=runs",
    f"--images={IMAGES}",
    "--data.scenes-images=640",
    "--batch-size=64",
    "--workers.threads=1",
    "--networks.generator-maps=16",
    "--networks.discriminator-maps=16",
    f"--checkpoints.images={BETWEEN}",
    "--probe.cpus=0.5",
]


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    """Three classes that differ in a band, enough of them that an evaluation takes some seconds."""
    random = np.random.default_rng(0)
    for split, number in (("train", 4_000), ("test", 1_000)):
        with ShardWriter(Place(str(tmp_path / "bands")), split, 4_000) as writer:
            for label in random.integers(0, 3, number).tolist():
                image = random.integers(0, 160, (32, 32, 3))
                image[10 * label : 10 * label + 10] += random.integers(0, 20)
                writer.add(simplejpeg.encode_jpeg(image.astype(np.uint8), quality=95), label=label)
    return tmp_path / "bands"


def under_evaluation(run: Place, done: set[str]) -> str | None:
    """The checkpoint that is being evaluated now, unless it is one of those that were seen before."""
    names = (name for name, manifest in manifests(run).items() if manifest.get("probe") == "reads")
    return next((name for name in names if name not in done), None)


def results(run: Path) -> dict[str, dict[str, Any]]:
    """By checkpoint, and with the time at which they were written."""
    found = {}
    for file in (run / "evaluation").glob("*.json"):
        found[file.name.partition("-")[0]] = json.loads(file.read_text()) | {"mtime": file.stat().st_mtime_ns}
    return found


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_an_evaluation_that_is_killed_is_done_once_all_the_same(
    train_command: Any, labeled: Path, tmp_path: Path
) -> None:
    process = train_command.start(*SETTINGS, "--name=run", f"--probe=bands={labeled}")
    folder = tmp_path / "runs" / "run"
    run = Place(str(folder))

    first = wait_for(lambda: under_evaluation(run, set()))
    (actor,) = (pid for pid, command in train_command.left().items() if command.startswith("ray::_Actor"))
    os.kill(actor, signal.SIGKILL)
    result = wait_for(lambda: results(folder).get(first))
    assert 1 / 3 < result["all_labels"]["accuracy"] <= 1
    (others,) = (pid for pid, command in train_command.left().items() if command.startswith("ray::_Actor"))
    assert others != actor
    assert len(attempts(run)) == 1, "training has not been disturbed"

    second = wait_for(lambda: under_evaluation(run, set(results(folder))))
    os.kill(process.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert "evaluation actor 0 has died" in output
    train_command.end()
    before = results(folder)
    assert second not in before

    status, output = train_command.run("--resume=run", "--storage=runs")
    assert status == 0, output
    assert re.search(
        r"^cluster: this machine with \d+ logical CPUs on \d+ cores? and 0 GPUs; the run takes", output, re.M
    )
    after = results(folder)
    assert {name: after[name]["mtime"] for name in before} == {name: one["mtime"] for name, one in before.items()}
    assert {second, f"{IMAGES:012d}"} <= set(after)
    told = read_probed(run)
    assert sorted(one["checkpoint"] for one in told) == sorted(after)
    assert {one["checkpoint"]: one["accuracy"] for one in told} == {
        name: one["all_labels"]["accuracy"] for name, one in after.items()
    }
    assert re.search(rf"probe bands of checkpoint {IMAGES:012d}: [0-9.]+ % \(±[0-9.]+\), in \d+ s", output)
    about = json.loads((folder / "run.json").read_text())
    (drawn,) = (tmp_path / "runs" / "data").glob("*/*.tar")
    assert about["trained_on"] == {"shards": contents([str(drawn)])}, "known though it was drawn after the beginning"
    record = about["probe"]
    best = {name: one["all_labels"]["accuracy"] for name, one in after.items() if name in manifests(run)}
    assert record["best"]["accuracy"] == max(best.values()) == best[record["best"]["checkpoint"]]
    assert not set(record["skipped"]) & set(after)
    marks = {name: manifest.get("probe") for name, manifest in manifests(run).items()}
    assert marks.pop(record["best"]["checkpoint"]) == "best"
    assert set(marks.values()) <= {None}
