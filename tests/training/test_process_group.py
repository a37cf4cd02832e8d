"""The process group of a run's workers, without Ray: in three processes, and as the controller gets it."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import ray
from ray import cloudpickle
from ray.actor import ActorHandle

from dcgan_dist.settings import scenes32
from dcgan_dist.storage import place
from dcgan_dist.training import process_group
from dcgan_dist.training.process_group import ProcessGroup, ProcessGroupBackend, join, leave, meeting_url
from dcgan_dist.training.worker_job import Outcome, WorkerJob, begin_worker

ADD_UP = """
import sys, torch, torch.distributed as dist
from dcgan_dist.training.process_group import join, leave
url, rank = sys.argv[1], int(sys.argv[2])
join("gloo", url, rank, 3)
value = torch.tensor([10.0 + rank])
dist.all_reduce(value)
print(value.item(), dist.get_rank(), dist.get_world_size())
leave()
assert not dist.is_initialized()
leave()  # as after an attempt that failed before it joined
"""


def test_workers_meet_and_add_up() -> None:
    url = f"tcp://127.0.0.1:{meeting_url().rpartition(':')[2]}"
    started = [[sys.executable, "-c", ADD_UP, url, str(rank)] for rank in range(3)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in started]
    assert [worker.communicate(timeout=60)[0].split() for worker in workers] == [
        ["33.0", str(rank), "3"] for rank in range(3)
    ]
    assert [worker.returncode for worker in workers] == [0, 0, 0]


@pytest.mark.parametrize(("address", "host"), [("10.1.2.3", "10.1.2.3"), ("fd00::7", "[fd00::7]")])
def test_workers_meet_at_the_first_by_either_kind_of_address(
    address: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: address)
    scheme, slashes, rest = meeting_url().partition("://")
    name, _, port = rest.rpartition(":")
    assert (scheme + slashes, name) == ("tcp://", host)
    assert 1024 < int(port) < 65536


class Workers:
    """As much of Ray Train's worker group as a backend uses, in this process."""

    def __init__(self, number: int) -> None:
        self.number, self.called = number, list[tuple[Any, ...]]()

    def __len__(self) -> int:
        return self.number

    def execute_single(self, rank: int, function: Callable[..., Any]) -> Any:
        self.called.append((rank, function))
        return "tcp://here:7"

    def execute_single_async(self, rank: int, function: Callable[..., Any], *arguments: Any) -> str:
        self.called.append((rank, function, *arguments))
        return f"joining {rank}"

    def execute_async(self, function: Callable[..., Any]) -> list[str]:
        self.called.append(("all", function))
        return ["leaving"] * self.number


def test_the_controller_lets_all_join_the_first_and_all_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[Sequence[str]] = []
    monkeypatch.setattr(process_group.ray, "get", waited.append)
    monkeypatch.setattr(process_group.ray, "wait", lambda leaving, **options: waited.append((leaving, options)))
    group, backend = cast(Any, Workers(2)), ProcessGroup("nccl").backend_cls()
    backend.on_start(group, ProcessGroup("nccl"))
    assert group.called == [
        (0, meeting_url),
        (0, join, "nccl", "tcp://here:7", 0, 2),
        (1, join, "nccl", "tcp://here:7", 1, 2),
    ]
    backend.on_shutdown(group, ProcessGroup("nccl"))
    assert group.called[3:] == [("all", leave)]
    assert waited == [
        ["joining 0", "joining 1"],
        (["leaving", "leaving"], {"num_returns": 2, "timeout": process_group.LEAVE_S}),
    ]


def test_a_worker_that_is_alone_has_nobody_to_leave() -> None:
    group = cast(Any, Workers(1))
    ProcessGroupBackend().on_shutdown(group, ProcessGroup("gloo"))
    assert group.called == []


def test_what_passes_through_the_controller_brings_no_pytorch(tmp_path: Path) -> None:
    """It would be imported there: a second of the first minute, and memory beside every run."""
    job = WorkerJob(place(str(tmp_path)), scenes32(), 7, cast(ActorHandle, None), chunk_steps=3)
    given = tmp_path / "given"
    given.write_bytes(cloudpickle.dumps([ProcessGroup("gloo"), job, begin_worker, Outcome(3, "time")]))
    look = (
        f"import sys; from ray import cloudpickle; given = cloudpickle.loads(open({str(given)!r}, 'rb').read()); "
        "import dcgan_dist.data.streaming.source; given[0].backend_cls(); print({'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
