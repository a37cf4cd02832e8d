"""What is used of Ray beyond its documented interface: look here first when Ray's version changes.

`data/streaming/backpressure.py`, `data/streaming/source.py` and `tuning/scheduling.py` rely on more of it: they have
classes that inherit from Ray's. `training/worker_group.py` uses the class that `TorchTrainer` inherits from, which does
the same without PyTorch, and `training/process_group.py` what that class expects of a backend. Each function here
imports Ray by itself, for Ray's environment has to be set before (`connect.py`).
"""

import json
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any


def session_folder() -> Path:
    """Folder of the sockets and logs of the Ray that this process is connected to.

    If Ray changes this, the logs of a Ray that a run has started stay in /tmp, and `doctor` cannot tell the free disk.
    """
    import ray

    return Path(ray._private.worker._global_node.get_session_dir_path())


READERS = 2
"""Processes for read tasks that are started before there is anything to read."""


def start_data_processes(to_import: str) -> list[Any]:
    """Start now what Ray Data would start one by one when it first reads: two actors, and processes for read tasks.

    Each takes a second to import what it needs, which a machine with few cores has to spare only before training. A
    process serves tasks of its own environment alone: that of read tasks is what the controller of a run sets. If Ray
    changes any of this, a run on this machine begins later.

    Args:
        to_import: the module that read tasks need.

    Returns:
        `READERS` references to the ID of a process that is ready, the same twice where the first was so before the
        second had started.
    """
    import ray
    from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import (
        get_or_create_autoscaling_coordinator,
    )
    from ray.data._internal.stats import get_or_create_stats_actor
    from ray.train.v2._internal.constants import (
        DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE,
        RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR,
        get_env_vars_to_propagate,
    )

    get_or_create_autoscaling_coordinator()
    get_or_create_stats_actor()
    warned = {RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR: DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE}
    ours = {"env_vars": warned | get_env_vars_to_propagate()}

    def begin() -> int:
        import_module(to_import)
        return os.getpid()

    task = ray.remote(begin).options(num_cpus=0, runtime_env=ours)
    return [task.remote() for _ in range(READERS)]


def free_resources() -> dict[str, dict[str, float]]:
    """What nobody uses at the moment, by the node's ID: `ray.available_resources` only has the sum.

    If Ray changes this, nothing can be placed beside what others hold.
    """
    import ray

    found: dict[str, dict[str, float]] = ray._private.state.available_resources_per_node()
    return found


def leaving_nodes() -> frozenset[str]:
    """IDs of the nodes that have been given notice: preempted, or drained by hand.

    If Ray changes this, workers get no time for a checkpoint before their machine is taken.
    """
    import ray

    return frozenset(ray._private.state.state.get_draining_nodes())


def require_accepted(address: str, timeout_s: float) -> None:
    """Ask the GCS at HOST:PORT anything, without connecting to the cluster: `ray.init` tries for minutes.

    Raises:
        ray.exceptions.AuthenticationError: it does not take the token of this process. If Ray changes this, a missing
            token is only told by `ray.init`, or `doctor` cannot tell whether a cluster asks for one.
        ray.exceptions.RpcError, RuntimeError, ConnectionError: anything else is wrong.
    """
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    GcsClient(address=address).internal_kv_exists(b"", b"", timeout=timeout_s)


def machines_under_way() -> int:
    """How many the cluster's autoscaler has asked for that have not joined yet; 0 where it has none.

    If Ray changes this, machines that take longer than `workers.wait_s` to start are given up.
    """
    import ray
    from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
    from ray.autoscaler.v2.sdk import get_cluster_status
    from ray.autoscaler.v2.utils import is_autoscaler_v2
    from ray.exceptions import RpcError
    from ray.experimental.internal_kv import _internal_kv_get

    try:
        if is_autoscaler_v2():
            status = get_cluster_status(ray.get_runtime_context().gcs_address)
            return len(status.pending_nodes) + sum(int(launch.count) for launch in status.pending_launches)
        return under_way_of(_internal_kv_get(DEBUG_AUTOSCALING_STATUS))
    except RpcError:  # the head is away: whoever waits looks again
        return 0


def under_way_of(status: bytes | None) -> int:
    """The same, from what the older autoscaler, which `cluster/onprem.yaml` has, leaves with the head."""
    report = json.loads(status).get("autoscaler_report") if status else None
    return sum(report["pending_launches"].values()) + len(report["pending_nodes"]) if report else 0


def placement_groups() -> Sequence[Any]:
    """The cluster's table of placement groups, each a `PlacementGroupTableData` that says whether its creator is dead.

    If Ray changes this, a sweep does not get back what a trial that died held.
    """
    import ray
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData

    table = ray._private.state.state._connect_and_get_accessor().get_placement_group_table()
    return [PlacementGroupTableData.FromString(data) for data in table]
