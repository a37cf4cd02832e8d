"""What is used of Ray beyond its documented interface."""

import json
import os
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


@pytest.mark.ray
def test_ray_data_finds_its_actors_and_processes_for_read_tasks(start_ray: Callable[[int], None]) -> None:
    start_ray(READERS + 1)
    prepared = set(ray.get(start_data_processes("dcgan_dist.data.splits")))

    named = {actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True)}
    assert {"AutoscalingCoordinator", "datasets_stats_actor"} <= named
    # Of tasks as the controller of a run submits them: with Ray Train's variables, and of one as this process does.
    from ray.train.v2._internal.constants import get_env_vars_to_propagate

    as_controller = {"env_vars": {"RAY_WARN_BLOCKING_GET_INSIDE_ASYNC": "0"} | get_env_vars_to_propagate()}

    def serve() -> int:
        time.sleep(1)  # so that each is served by a process of its own
        return os.getpid()

    task = ray.remote(num_cpus=0)(serve)
    assert prepared & set(ray.get([task.options(runtime_env=as_controller).remote() for _ in range(READERS)]))
    assert ray.get(task.remote()) not in prepared, "only such processes have been prepared"
