"""What is said of a machine: a table. On real hosts the doctor is tried in tests/cluster_files."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dcgan_dist.cluster.doctor import Host, asks_for_token, backends, describe, faults, own_versions
from dcgan_dist.errors import ClusterError

WELL = Host(
    "w1", "10.0.0.2", counted=2, cpus=4.0, cores=4, versions=own_versions(), clock_s=(0.4, 0.2),
    disk_bytes=50 << 30, shm_bytes=8 << 30, gpus=["NVIDIA L4", "NVIDIA L4"], torch_gpus=2,
)  # fmt: skip


def test_of_one_that_is_well_nothing_is_said() -> None:
    assert faults(WELL, own_versions()) == []
    line = describe(WELL, 4)
    assert line.startswith("w1    10.0.0.2         ok ")
    assert line.endswith("clock +0.40 s; 4 cores; free: disk 50, shm 8.0 GiB; 2 x NVIDIA L4")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"versions": own_versions() | {"torch": "1.0"}}, "torch is 1.0 there and "),
        ({"versions": {name: text for name, text in own_versions().items() if name != "ray"}}, "ray is missing there"),
        ({"clock_s": (-1.6, 0.5)}, "its clock is -1.6 s off"),
        ({"disk_bytes": 1 << 30}, "Ray's folder has 1.0 GiB free: give it 5"),
        ({"shm_bytes": 64 << 20}, "/dev/shm has 0.06 GiB free"),
        ({"gpus": ["NVIDIA L4"]}, "nvidia-smi -L shows 1 GPUs but Ray gives out 2"),
        ({"torch_gpus": 0}, "torch sees 0 GPUs but Ray gives out 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_named_with_what_to_do(changed: dict[str, object], told: str) -> None:
    (found,) = faults(replace(WELL, **changed), own_versions())  # type: ignore[arg-type]
    assert found.startswith(told)


def test_cores_stand_beside_what_ray_counts() -> None:
    assert "; 2 cores (Ray counts 8 CPUs); " in describe(replace(WELL, cores=2, cpus=8.0), 4)
    assert "; 1 core (Ray counts 0.5 CPUs); " in describe(replace(WELL, cores=1, cpus=0.5), 4)


def test_a_clock_that_may_be_right_is_not_blamed() -> None:
    assert faults(replace(WELL, clock_s=(1.9, 1.0)), own_versions()) == []


def test_machines_without_a_gpu_and_others_meet_in_one_group() -> None:
    assert backends(replace(WELL, torch_gpus=0)) == ["gloo"]
    assert backends(WELL) == ["gloo", "nccl"]


def test_one_that_does_not_answer_has_one_line() -> None:
    silent = Host("w2", "10.0.0.3", failed=["look: no answer within 60 s"])
    assert describe(silent, 2) == "w2  10.0.0.3         FAILED  look: no answer within 60 s"


@pytest.mark.ray
def test_a_cluster_that_lets_everybody_in_is_found_out(start_ray: Callable[[int], None]) -> None:
    import ray

    start_ray(1)
    assert not asks_for_token(ray.get_runtime_context().gcs_address)


def test_of_a_cluster_that_does_not_answer_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.cluster.doctor.sys.executable", "/bin/false")
    with pytest.raises(ClusterError, match="who has no token cannot ask"):
        asks_for_token("10.0.0.1:6379")
