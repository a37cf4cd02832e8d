"""Workers that step on their own between exchanges: a run that was killed ends as the unbroken one, bit for bit."""

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.storage import Place
from dcgan_dist.training.schedule import ALIGNED_EXCHANGES, ends_a_quarter
from tests.test_resume import BATCH, SETTINGS, STEPS, assert_each_sample_once, assert_same, audit, state, wait_for_step

pytestmark = [pytest.mark.system, pytest.mark.ray, pytest.mark.timeout(600)]

EXCHANGE = 8
LOCAL = [
    *SETTINGS,
    f"--workers.exchange-steps={EXCHANGE}",
    "--workers.outer-lr=0.7",
    "--workers.outer-momentum=0.6",
    "--workers.gradients=bf16",
]


def test_a_run_that_was_killed_between_exchanges_ends_the_same(
    command_in: Any, train_command: Any, tmp_path: Path
) -> None:
    command, run = command_in(tmp_path, "dcgan_dist.train"), tmp_path / "runs" / "broken"
    aligned = EXCHANGE * ALIGNED_EXCHANGES
    process = command.start("--name=broken", *LOCAL)
    # In the middle of steps of their own, and past the first checkpoint that is neither at a quarter nor at a stop.
    wait_for_step(run, aligned + EXCHANGE * random.Random(3).randrange(2, 6) + 3)
    os.kill(process.pid, signal.SIGKILL)
    told = process.communicate(timeout=60)[0]
    command.end()
    reached = max(line["step"] for line in audit(run))
    assert reached < STEPS - 1, told

    status, output = command.run("--resume=broken", "--storage=runs")
    assert status == 0, output
    begun = attempts(Place(str(run)))
    assert [attempt.number for attempt in begun] == [1, 2]
    assert 0 < begun[1].step <= reached
    assert begun[1].step % aligned == 0 or ends_a_quarter(begun[1].step, STEPS)
    assert_each_sample_once(run)

    status, output = train_command.run("--name=unbroken", *LOCAL)
    assert status == 0, output
    unbroken = train_command.folder / "runs" / "unbroken"
    assert_same(state(run), state(unbroken))
    assert set(state(run)["outer"]), "the momentum of exchanges is part of it"
    for folder in (run, unbroken):
        steps = [int(name) // BATCH for name in manifests(Place(str(folder)))]
        assert steps
        assert all(step % aligned == 0 or ends_a_quarter(step, STEPS) for step in steps)

    # Numbers depend on how workers exchange: another value of it is another run.
    status, output = command.run("--resume=broken", "--storage=runs", "--workers.exchange-steps=4", "--images=64000")
    assert status == 2
    assert "workers.exchange_steps" in output
