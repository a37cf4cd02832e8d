"""What is used of Ray beyond its documented interface."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import ray

from dcgan_dist.cluster.ray_internals import READERS, start_data_processes, under_way_of

PENDING = {"pending_launches": {"gpu": 2}, "pending_nodes": [["10.0.0.2", "gpu", "setting-up"]]}


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (None, 0),
        ({}, 0),
        ({"autoscaler_report": {"pending_launches": {}, "pending_nodes": []}}, 0),
        ({"autoscaler_report": PENDING}, 3),
    ],
)
def test_the_older_autoscaler_tells_what_it_brings(told: dict[str, Any] | None, number: int) -> None:
    assert under_way_of(None if told is None else json.dumps(told).encode()) == number


def within_a_minute(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.ray
def test_ray_data_finds_its_actors_and_processes_for_read_tasks(start_ray: Callable[[int], None]) -> None:
    start_ray(READERS + 1)
    module = "dcgan_dist.data.splits"
    start_data_processes(module)

    def named() -> set[str]:
        return {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}

    within_a_minute(lambda: {"AutoscalingCoordinator", "datasets_stats_actor"} <= named())
    # Of a task as the controller of a run submits it: with Ray Train's variables, and of one as this process does.
    from ray.train.v2._internal.constants import get_env_vars_to_propagate

    as_controller = {"env_vars": {"RAY_WARN_BLOCKING_GET_INSIDE_ASYNC": "0"} | get_env_vars_to_propagate()}
    task = ray.remote(num_cpus=0)(lambda: module in sys.modules)
    ready = task.options(runtime_env=as_controller)
    within_a_minute(lambda: any(ray.get([ready.remote() for _ in range(READERS)])))
    assert not ray.get(task.remote()), "only such processes have been prepared"
