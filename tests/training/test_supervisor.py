"""Machines that come and go: several Ray nodes on this machine, and the command as a user gives it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.data.shards.index import Index
from dcgan_dist.data.streaming.plan import Plan, cut_slices
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.randomness import latents
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.run_folder.attempts import Attempt, attempts
from dcgan_dist.settings import Settings, from_yaml
from dcgan_dist.storage import Place
from dcgan_dist.training.launch import open_pictures
from tests.harness.processes import give_notice

pytestmark = [pytest.mark.system, pytest.mark.ray, pytest.mark.timeout(600)]

BATCH, BETWEEN, IMAGES = 48, 10, 960
SETTINGS = [
    "--workers=1:3",
    "--workers.cpus=2",
    "--workers.threads=1",
    # A larger one turns the rounding of float64 into more than 1e-9 within some hundred steps.
    "--lr=1e-5",
    f"--data.scenes-images={IMAGES}",
    f"--batch-size={BATCH}",
    "--data.window=480",
    "--data.cache=off",
    "--networks.generator-maps=16",
    "--networks.discriminator-maps=16",
    "--optimization.precision=fp64",
    f"--checkpoints.images={BATCH * BETWEEN}",
    "--monitoring.steps=1",
    "--monitoring.audit",
]


class Nodes:
    """A Ray cluster whose head runs the driver and reads data; workers need a node with 2 CPUs of their own."""

    def __init__(self, folder: str) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "temp_dir": folder}
        )
        self.address: str = self._cluster.address

    def add(self) -> Any:
        return self._cluster.add_node(num_cpus=2)

    def kill(self, node: Any) -> None:
        self._cluster.remove_node(node, allow_graceful=False)

    def give_notice(self, node: Any, seconds: int) -> None:
        give_notice(self.address, node, seconds)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    # pytest's own folders are too deep for Ray's sockets.
    scratch = tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
    with scratch as home, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HOME": home,
            "RAY_TMPDIR": home,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONWARNINGS": "ignore",
        }.items():
            patch.setenv(name, value)
        # Ray writes the cluster's address there, and makes no folder for it.
        (Path(home) / "ray").mkdir()
        cluster = Nodes(home)
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
        cluster.shutdown()


class Run:
    """A run of the command, from its beginning to its end."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.cwd, self.folder = folder, folder / "runs" / "run"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dcgan_dist.train", "--name=run", "--images=100000000", *SETTINGS, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def audit(self) -> list[dict[str, Any]]:
        """What all ranks of all attempts wrote down; a line that a kill cut off is none."""
        lines = []
        for file in sorted((self.folder / "audit").glob("*.jsonl")):
            rank = int(file.stem.split("-")[1])
            for line in file.read_text().splitlines():
                if line.endswith("}"):
                    lines.append(json.loads(line) | {"rank": rank})
        return lines

    def attempts(self) -> list[Attempt]:
        return attempts(Place(str(self.folder)))

    def wait(self, what: str, there: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not there():
            assert self.process.poll() is None, f"{what}: the command has ended\n{self.process.communicate()[0]}"
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{what}: not within {seconds} s\n{self.process.communicate()[0]}")
            time.sleep(0.05)

    def wait_for_steps(self, attempt: int, workers: int, steps: int) -> None:
        """Until that attempt, with so many workers, is so many steps old."""

        def there() -> bool:
            begun = self.attempts() if (self.folder / "attempts").is_dir() else []
            if len(begun) < attempt:
                return False
            assert begun[attempt - 1].workers == workers
            mine = [line["step"] for line in self.audit() if line["attempt"] == attempt]
            return bool(mine) and max(mine) >= begun[attempt - 1].step + steps

        self.wait(f"{steps} steps of attempt {attempt} with {workers} workers", there)

    def worker_of(self, rank: int) -> int:
        """Process that has this rank's audit open."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                opened = [os.readlink(file) for file in (process / "fd").iterdir()]
            except OSError:  # it has just ended, or belongs to somebody else
                continue
            newest = f"{len(self.attempts()):06d}-{rank:04d}.jsonl"
            if str(self.folder / "audit" / newest) in opened:
                return int(process.name)
        raise AssertionError(f"no process has the audit of rank {rank} open")

    def interrupt(self) -> str:
        os.kill(self.process.pid, signal.SIGINT)
        output, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 130, output
        return output

    def surviving(self) -> dict[int, list[int]]:
        """Samples of every step along the lineage that survived, of all ranks in order; each step is whole."""
        begun = self.attempts()
        ends = [later.step for later in begun[1:]] + [1 << 62]
        steps: dict[int, list[tuple[int, int, list[int]]]] = {}
        for line in self.audit():
            attempt = begun[line["attempt"] - 1]
            if attempt.step <= line["step"] < ends[attempt.number - 1]:
                steps.setdefault(line["step"], []).append((line["rank"], attempt.workers, line["samples"]))
        for ranks in steps.values():
            assert sorted(rank for rank, _, _ in ranks) == list(range(ranks[0][1]))
        return {
            step: [sample for _, _, samples in sorted(ranks) for sample in samples] for step, ranks in steps.items()
        }

    def settings(self) -> Settings:
        return from_yaml((self.folder / "settings.yaml").read_text(), "settings.yaml")

    def index(self) -> Index:
        (data,) = (self.folder.parent / "data").iterdir()
        return Index.load(Place(str(data)))

    def plan(self) -> Plan:
        index, settings = self.index(), self.settings()
        slices = cut_slices(index.shard, index.size, settings.data.window)
        return Plan(slices, BATCH, settings.data.window, settings.seed)

    def values_of(self, batches: list[list[int]]) -> Iterator[dict[str, torch.Tensor]]:
        """What steps on these samples, one after another from the beginning, measure without Ray and other workers."""
        settings = self.settings()
        networks = settings.networks
        built = build_networks(networks, settings.seed, torch.device("cpu"), torch.float64, channels_last=True)
        step = AdversarialStep(*built, settings.optimization, len(batches))
        pictures = open_pictures(self.index(), settings)
        pixels = np.empty((BATCH, networks.image_size, networks.image_size, 3), np.uint8)
        for number, samples in enumerate(batches):
            assert not pictures.read(np.array(samples), pixels, np.arange(BATCH)).any()
            real = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            yield step(real, latents(networks, BATCH, settings.seed, "latents", number), number)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start the command in an empty folder; what a failed test leaves of it is ended."""
    runs: list[Run] = []

    def begin(*arguments: str) -> Run:
        runs.append(Run(tmp_path, *arguments))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.communicate()


def test_a_run_goes_on_while_machines_come_and_go(nodes: Nodes, start: Callable[..., Run]) -> None:
    first, second, third = nodes.add(), nodes.add(), nodes.add()
    # That machines are lost says nothing against the workers.
    run = start("--workers.max_failures=0")
    run.wait_for_steps(attempt=1, workers=3, steps=BETWEEN + 3)
    for node in (first, third):
        nodes.kill(node)
    run.wait_for_steps(attempt=2, workers=1, steps=BETWEEN + 3)
    fourth = nodes.add()
    run.wait_for_steps(attempt=3, workers=2, steps=BETWEEN + 3)
    nodes.give_notice(fourth, 12)
    run.wait_for_steps(attempt=4, workers=1, steps=5)
    output = run.interrupt()
    nodes.kill(fourth)
    nodes.kill(second)

    begun = run.attempts()
    assert [attempt.workers for attempt in begun] == [3, 1, 2, 1]
    reached = {n: max(line["step"] for line in run.audit() if line["attempt"] == n) + 1 for n in range(1, 5)}
    # Nothing is lost where machines come, or go with a notice; where they are killed, what came after a checkpoint.
    lost = [reached[attempt.number - 1] - attempt.step for attempt in begun[1:]]
    assert lost[1:] == [0, 0], output
    assert 0 < lost[0] < 2 * BETWEEN
    assert "with 2 workers, 1 before; nothing rolled back" in output
    assert "with 1 worker, 3 before; " in output
    assert "(raylet)" not in output
    assert "lost: " in output
    assert "notice: 1 node of this run will be taken away" in output

    samples, steps = run.surviving(), reached[4]
    expected = [row.sample.tolist() for row in islice(run.plan().rows(0), steps)]
    assert [samples[step] for step in range(steps)] == expected

    # The losses are those of a loop here that nothing happened to.
    points = read_points(Place(str(run.folder)))
    assert len(points) == steps
    for point, values in zip(points, run.values_of(expected), strict=True):
        for name in ("loss/discriminator", "loss/generator", "score/real", "score/generated_after"):
            assert point["values"][name] == pytest.approx(values[name].item(), abs=1e-9), (point["step"], name)


def test_losses_and_hangs_are_outlived_until_there_are_too_many(nodes: Nodes, start: Callable[..., Run]) -> None:
    machines = [nodes.add(), nodes.add()]
    budgets = ["--workers.max_failures=1", "--workers.max_hangs=1", "--checkpoints.images=0"]
    run = start("--workers=2", "--workers.hang_s=10", *budgets)
    run.wait_for_steps(attempt=1, workers=2, steps=3)
    os.kill(run.worker_of(rank=0), signal.SIGKILL)
    stopped = []
    # Twice: the last signs of the first group must not stand for those of the second. No checkpoint comes between,
    # so the second one is more than a run may have.
    for attempt in (2, 3):
        run.wait_for_steps(attempt=attempt, workers=2, steps=3)
        stopped.append(run.worker_of(rank=1))
        os.kill(stopped[-1], signal.SIGSTOP)
    output, _ = run.process.communicate(timeout=120)
    for machine in machines:
        nodes.kill(machine)
    assert run.process.returncode == 1, output
    assert len(re.findall("^lost: ", output, re.MULTILINE)) == 2, output
    said = r"stuck: rank 1 on \S+ has been in (data|forward|all-reduce) of step \d+ for \d+ s"
    assert len(re.findall(said, output)) == 2, output
    assert "no rank made progress for 10 s, which is workers.hang_s" in output
    assert output.splitlines()[-1].startswith("error: "), output
    assert "workers.max_hangs" in output.splitlines()[-1], output
    assert not any(Path(f"/proc/{pid}").exists() for pid in stopped), "a stopped process is still there"
    record = json.loads((run.folder / "run.json").read_text())
    assert (record["status"], record["attempts"]) == ("failed", 3)
