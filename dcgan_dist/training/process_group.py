"""The process group of a run's workers, set up by a process that does without PyTorch.

Ray's own `TorchConfig` imports PyTorch wherever it is unpickled, and so into the controller of every run: a second
before the workers of a run can start, and memory beside each run and each trial of a sweep. This does the same from a
controller that has imported nothing but Ray; what needs PyTorch runs in the workers.
"""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig

LONGEST_REDUCTION_S = 1800.0
"""After which workers give up waiting for each other; hangs are noticed long before (`monitoring/hangs.py`)."""
LEAVE_S = 30.0
"""How long workers may take to leave the group, before they are ended."""


@dataclass
class ProcessGroup(BackendConfig):  # type: ignore[misc]
    """What Ray Train is given in place of a `TorchConfig`.

    Attributes:
        backend: `gloo` between CPUs, `nccl` between GPUs.
    """

    backend: str

    @property
    def backend_cls(self) -> type[Backend]:
        """What Ray Train calls when workers have started, and before they end."""
        return ProcessGroupBackend


class ProcessGroupBackend(Backend):  # type: ignore[misc]
    """Lets workers join one process group, and leave it."""

    share_cuda_visible_devices = True
    """As of Ray's own: NCCL reaches the other GPUs of a machine only where they are visible."""

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Let all workers join; raises as their processes do."""
        assert isinstance(backend_config, ProcessGroup)
        url, number = worker_group.execute_single(0, meeting_url), len(worker_group)
        joining = [
            worker_group.execute_single_async(rank, join, backend_config.backend, url, rank, number)
            for rank in range(number)
        ]
        ray.get(joining)

    def on_shutdown(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Let all workers leave, as far as they can: their processes end after this in any case."""
        if len(worker_group) > 1:
            leaving = worker_group.execute_async(leave)
            ray.wait(leaving, num_returns=len(leaving), timeout=LEAVE_S)


def meeting_url() -> str:
    """Where the workers of a group meet: at this one, on a port that is free."""
    address = ray.util.get_node_ip_address()
    family, host = (socket.AF_INET6, f"[{address}]") if ":" in address else (socket.AF_INET, address)
    with socket.create_server(("", 0), family=family) as server:
        return f"tcp://{host}:{server.getsockname()[1]}"


def join(backend: str, url: str, rank: int, number: int) -> None:
    """Join the process group as this rank of that many workers."""
    import torch.distributed as dist

    if backend == "nccl" and "TORCH_NCCL_BLOCKING_WAIT" not in os.environ:
        # As Ray's own does: where a reduction takes too long, the worker ends with an error.
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    limit = timedelta(seconds=LONGEST_REDUCTION_S)
    dist.init_process_group(backend, init_method=url, rank=rank, world_size=number, timeout=limit)


def leave() -> None:
    """Leave the process group."""
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
