"""Claims by the whole command: what a killed call left is not repeated, and what claims share is trained once."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FEW = """
import sys
import tuning.claims as claims

small = {
    "images": 960, "data.scenes_images": 640, "networks.image_size": 16, "networks.generator_maps": 4,
    "networks.discriminator_maps": 4, "optimization.batch_size": 32, "optimization.average_images": 0,
    "monitoring.measure_images": 64, "monitoring.steps": 2, "workers.threads": 1,
}
setup = claims.Setup("small rooms", "scenes32", small)
claims.CLAIMS = (
    claims.Claim("lr", "slow is good", "a paper", setup, {}, {"optimization.lr": 0.01}, "spread", seeds=(1, 2, 3)),
    claims.Claim("beta", "0.5 is good", "a blog", setup, {}, {"optimization.beta1": 0.9}, "drift", seeds=(2,)),
)
sys.exit(claims.main(sys.argv[1:]))
"""


def wait_for(what: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def records(folder: Path) -> dict[int, dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in folder.glob("runs/claims/runs/*/records/*.json")]
    return {one["number"]: one for one in found}


def states(folder: Path) -> list[str]:
    return [one["state"] for one in records(folder).values()]


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_killed_call_repeats_nothing_and_claims_share_their_runs(command_in: Any, tmp_path: Path) -> None:
    (tmp_path / "few.py").write_text(FEW)
    command = command_in(tmp_path, "few")
    process = command.start("--only", "lr")
    wait_for(lambda: process.poll() is not None or "finished" in states(tmp_path))
    assert process.poll() is None, process.communicate(timeout=60)[0]
    os.kill(process.pid, signal.SIGKILL)
    told = process.communicate(timeout=60)[0]
    command.end()
    before = records(tmp_path)
    done = {number for number, one in before.items() if one["state"] == "finished"}
    assert done, told
    assert len(done) < 6, told

    status, output = command.run("--only", "lr")
    assert status == 0, output
    after = records(tmp_path)
    assert len(after) == 6
    assert {number: after[number] for number in done} == {number: before[number] for number in done}
    assert [one["values"]["seed"] for _, one in sorted(after.items())] == [1, 1, 2, 2, 3, 3], "pairs come first"
    (found,) = json.loads((tmp_path / "runs" / "claims" / "claims.json").read_text())["claims"]
    assert (found["name"], found["pairs"]) == ("lr", 3)
    assert all(value > 0 for arm in found["measured"].values() for value in arm)
    assert found["verdict"] in ("holds", "does not hold", "cannot tell")

    # The other claim needs the runs of its own arm alone.
    status, output = command.run()
    assert status == 0, output
    assert "small rooms: 7 runs, 1 of them new" in output
    last = records(tmp_path)
    assert {number: last[number] for number in after} == after
    assert last[6]["values"] == {"optimization.beta1": 0.9, "seed": 2}
    assert re.search(r"^beta +drift .* 1 pair of runs, too few$", output, re.MULTILINE)
    table = (tmp_path / "runs" / "claims" / "claims.md").read_text()
    assert "| beta | 0.5 is good | a blog | small rooms | as the setup | beta1 0.9 | drift |" in table

    # All there: nothing is trained, nor is Ray started.
    status, output = command.run()
    assert status == 0, output
    assert "starting Ray" not in output
    assert (tmp_path / "runs" / "claims" / "claims.md").read_text() == table
    assert records(tmp_path) == last
