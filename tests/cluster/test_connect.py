"""The Ray that a command starts on this machine."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dcgan_dist.cluster.connect import LATE_NS, connected, cpus_for, describe_connecting, set_driver_environment
from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.errors import ClusterError
from dcgan_dist.settings import ProbeSettings, Settings, WorkerSettings

pytestmark = pytest.mark.ray

PROGRAM = """
import os, sys
from pathlib import Path
from dcgan_dist.cluster.connect import connected, set_environment

before = int(Path("/proc/self/timerslack_ns").read_text())
set_environment("")
with connected("", 3):
    import ray
    import subprocess

    address = ray.get_runtime_context().gcs_address
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
    for given in ({}, {"RAY_AUTH_MODE": "token", "HOME": "/nowhere"}, wrong, {"RAY_AUTH_MODE": "disabled"}):
        command = [sys.executable, "-m", "dcgan_dist.preflight", "--address", address]
        done = subprocess.run(command, env=ours | given, capture_output=True, text=True, timeout=60)
        print(done.returncode, done.stderr.replace(address, "HERE").strip().replace("\\n", "|"))

    slack = ray.remote(lambda: int(Path("/proc/self/timerslack_ns").read_text()))
    print(ray.get(slack.remote()), int(Path("/proc/self/timerslack_ns").read_text()) == before)

    # Longer than a part of a log may be, from a worker.
    print_much = ray.remote(lambda: [print("x" * 1_000_000, flush=True) for _ in range(40)])
    ray.get(print_much.remote())
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    parts = [file.stat().st_size for file in (session / "logs").glob("worker-*.out*")]
    print(sum(parts), os.environ["RAY_AUTH_MODE"], session.exists())
print(session.exists())
"""


WRONG = "that of RAY_AUTH_TOKEN is another one"


@pytest.mark.system
def test_its_logs_are_bounded_it_asks_for_a_token_and_nothing_of_it_stays() -> None:
    # pytest's own folders are too deep for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PATH": "/usr/bin:/bin", "HOME": home, "RAY_TMPDIR": home},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    *refused, late, numbers, left = done.stdout.splitlines()
    written, mode, there = numbers.split()
    for line, has in zip(refused, ["this shell has none"] * 2 + [WRONG, "this shell has none"], strict=True):
        assert line.startswith(f"2 error: the cluster at HERE asks for a token but {has}: put the cluster's own into")
        assert "|" not in line
    assert 0 < int(written) <= 2 * (16 << 20) + 2_000_000
    assert (mode, there, left) == ("token", "True", "False")
    assert late == f"{LATE_NS} True"


def test_one_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def too_slow(**options: object) -> None:
        raise Exception("The current node timed out during startup. It may be\noverloaded.")  # as Ray does

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", too_slow)
    assert describe_connecting("") == "starting Ray on this machine"
    sentence = r"did not start .*timed out during startup.*close other programs"
    with pytest.raises(ClusterError, match=sentence) as raised, connected("", 3):
        raise AssertionError("nobody is connected")
    assert "\n" not in str(raised.value)


def test_that_one_is_joined_is_said_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.7:6379")
    assert describe_connecting("") == "joining the Ray cluster at 192.0.2.7:6379"


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (Settings(images=1), 1.0),
        (Settings(images=1, workers=WorkerSettings(number=3, cpus=2)), 6.0),
        (Settings(images=1, probe=ProbeSettings(tasks="rooms", actors=2, cpus=0.5)), 2.0),
        (Settings(images=1, probe=ProbeSettings(actors=2, cpus=0.5)), 1.0),
    ],
)
def test_a_ray_of_our_own_has_room_for_the_run_and_its_reading(settings: Settings, more: float) -> None:
    assert cpus_for(settings) == local_cores() + more


@pytest.mark.parametrize(("wait_s", "told"), [(90.5, "90.5"), (1e8, "1e+08"), (1e300, "1e+08")])
def test_ray_is_told_how_long_workers_may_take_to_start_in_numbers_that_it_can_count(
    wait_s: float, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {})
    set_driver_environment(wait_s)
    assert os.environ["RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"] == told
