"""Waiting for machines: a real autoscaler, whose machines are Ray nodes on this one."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dcgan_dist.cluster import autoscaling as room

HEAD = "f" * 55 + "0"
CONFIG: dict[str, Any] = {
    "cluster_name": "fake",
    "max_workers": 3,
    "idle_timeout_minutes": 5,
    "upscaling_speed": 1,
    "auth": {},
    "docker": {},
    "file_mounts": {},
    "file_mounts_sync_continuously": False,
    "cluster_synced_files": [],
    "rsync_exclude": [],
    "rsync_filter": [],
    # Nothing is done on any machine.
    "initialization_commands": [],
    "setup_commands": [],
    "head_setup_commands": [],
    "worker_setup_commands": [],
    "head_start_ray_commands": [],
    "worker_start_ray_commands": [],
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": {"CPU": 2}, "node_config": {}, "min_workers": 0, "max_workers": 2},
        "evaluation": {
            "resources": {"CPU": 1, "evaluator": 1}, "node_config": {}, "min_workers": 0, "max_workers": 1
        },
    },
}  # fmt: skip
EVALUATE = """
import sys, threading, time, ray
ray.init(sys.argv[1], logging_level="ERROR", log_to_driver=False)
from dcgan_dist.evaluation.service.pool import Pool
from dcgan_dist.cluster.ray_internals import machines_under_way
pools, most = [], 0
starting = threading.Thread(target=lambda: pools.append(Pool(1, cpus=1, gpus=0, threads=1, resource="evaluator")))
starting.start()
while starting.is_alive():
    most = max(most, machines_under_way())
    starting.join(0.1)
(node,) = pools[0].held_resources()
(offers,) = [one["Resources"] for one in ray.nodes() if one["NodeID"] == node]
# Its autoscaler learns a little later than Ray that it has come.
while machines_under_way():
    time.sleep(0.1)
print("some" if most else "none", "under way, then", offers["evaluator"], "evaluator, and none under way")
"""
WAIT = """
import sys, ray
ray.init(sys.argv[1], logging_level="ERROR", log_to_driver=False)
from dcgan_dist.cluster.autoscaling import wait_for_free
wait_for_free("actor", [{"CPU": 1.0, "evaluator": 1.0}], 170.0, print)
print("came:", ray.get([ray.remote(lambda: 1).options(resources={"evaluator": 1}).remote()], timeout=30))
"""


@pytest.fixture
def scaling_cluster(train_command: Any, tmp_path: Path) -> str:
    """Address of a cluster of one CPU, whose autoscaler brings two more nodes with two each when they are wanted."""
    import ray

    host = ray._private.services.get_node_ip_address()
    with socket.socket() as listening:
        listening.bind((host, 0))
        address = f"{host}:{listening.getsockname()[1]}"
    provider = {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "head_node_id": HEAD,
        "gcs_address": address,
        "launch_multiple": True,
    }
    file = tmp_path / "autoscaler.json"
    file.write_text(json.dumps(CONFIG | {"provider": provider}))
    command = [str(Path(sys.prefix) / "bin" / "ray"), "start", "--head", f"--port={address.partition(':')[2]}"]
    command += ["--num-cpus=1", "--object-store-memory=100000000", "--include-dashboard=false"]
    variables = {
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
    }
    environment = train_command.environment | variables
    subprocess.run(
        [*command, f"--autoscaling-config={file}"], env=environment, check=True, capture_output=True, timeout=120
    )
    return address


@pytest.mark.system
@pytest.mark.ray
def test_a_run_asks_for_the_machines_that_it_lacks_and_waits_for_them(scaling_cluster: str, train_command: Any) -> None:
    status, output = train_command.run(
        "--dry-run", "--workers=4", "--workers.wait-s=170", f"--workers.address={scaling_cluster}"
    )
    assert status == 0, output
    told = (
        "waiting for machines, at most 170 s (--workers.wait-s) unless some are being started: the run needs 5 logical"
    )
    assert told in output
    assert "cluster: 3 nodes with 5 CPUs and 0 GPUs; the run takes 4 workers with 1 CPU each" in output


@pytest.mark.system
@pytest.mark.ray
def test_a_machine_for_evaluation_comes_when_actors_ask_for_its_resource(
    scaling_cluster: str, train_command: Any
) -> None:
    command = [sys.executable, "-c", EVALUATE, scaling_cluster]
    environment = train_command.environment | {"RAY_AUTH_MODE": "disabled", "RAY_enable_autoscaler_v2": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.stdout == "some under way, then 1.0 evaluator, and none under way\n", done.stderr


@pytest.mark.system
@pytest.mark.ray
def test_a_machine_that_came_is_free_for_who_has_waited_for_it(scaling_cluster: str, train_command: Any) -> None:
    command = [sys.executable, "-c", WAIT, scaling_cluster]
    environment = train_command.environment | {"RAY_AUTH_MODE": "disabled", "RAY_enable_autoscaler_v2": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    waiting, came = done.stdout.splitlines()
    assert waiting.startswith("waiting for machines, at most 170 s (--wait-s) unless some are being started: ")
    assert "1 actor with 1 CPU and 1 evaluator each need more than the cluster has free" in waiting
    assert came == "came: [1]"


def test_patience_begins_anew_while_machines_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    now, coming = 0.0, 1
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(room, "machines_under_way", lambda: coming)
    patience = room.Patience(60.0)
    now = 300.0
    assert not patience.is_over()
    coming, now = 0, 359.0
    assert not patience.is_over()
    now = 361.0
    assert patience.is_over()
    assert patience.waited_s == 361.0


def test_patience_ends_where_machines_never_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(room, "machines_under_way", lambda: 1)
    patience = room.Patience(60.0)
    now = room.LONGEST_S - 1
    assert not patience.is_over()
    now = room.LONGEST_S + 60
    assert patience.is_over()
