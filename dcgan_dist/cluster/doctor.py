"""What is wrong with the machines of a cluster: each is checked by itself, and against all others.

Nothing is repaired. A failure says what was tried and what happened, so that it can be tried again manually.
"""

import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dcgan_dist.cluster.ray_internals import session_folder
from dcgan_dist.errors import ClusterError, DataError
from dcgan_dist.numerals import count
from dcgan_dist.storage import Place
from dcgan_dist.versions import versions

ANSWER_S = 60.0
"""How long a machine may take for one check; the first one starts a process on it, which imports torch."""
CONNECT_S = 5.0
LEAST_DISK, LEAST_SHM = 5 << 30, 1 << 30
"""Bytes that logs and spilled objects, and batches on their way, need."""
CLOCK_S = 1.0
"""Clocks that are further apart make logs and heartbeats of several machines hard to compare."""
REDUCED = 1 << 20
"""float32 values of the all-reduce."""


@dataclass
class Host:
    """What was found of a machine.

    Attributes:
        name: of the machine.
        address: its own.
        counted: GPUs that Ray gives out.
        cpus: CPUs that Ray gives out.
        cores: that a process may use there.
        versions: of what runs on it.
        clock_s: by how much its clock is ahead of ours, and how unsure that is.
        disk_bytes: free in Ray's folder.
        shm_bytes: free in /dev/shm.
        gpus: names that nvidia-smi tells.
        torch_gpus: how many torch sees.
        failed: checks, each with what came of it.
    """

    name: str
    address: str
    counted: int = 0
    cpus: float = 0.0
    cores: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    clock_s: tuple[float, float] = (0.0, 0.0)
    disk_bytes: int = 0
    shm_bytes: int = 0
    gpus: Sequence[str] = ()
    torch_gpus: int = 0
    failed: list[str] = field(default_factory=list)


def faults(host: Host, ours: Mapping[str, str]) -> list[str]:
    """What is wrong with a host, by its numbers.

    Args:
        ours: versions where the command runs.
    """
    found = []
    for name, version in ours.items():
        theirs = host.versions.get(name, "missing")
        if theirs != version:
            found.append(f"{name} is {theirs} there and {version} here: install the same")
    ahead, unsure = host.clock_s
    if abs(ahead) - unsure > CLOCK_S:
        found.append(f"its clock is {ahead:+.1f} s off: synchronize it (chrony, systemd-timesyncd)")
    if host.disk_bytes < LEAST_DISK:
        found.append(f"Ray's folder has {host.disk_bytes / 2**30:.1f} GiB free: give it {LEAST_DISK >> 30} (df)")
    if host.shm_bytes < LEAST_SHM:
        found.append(
            f"/dev/shm has {host.shm_bytes / 2**30:.2f} GiB free and Ray would put images on a disk: give it "
            f"{LEAST_SHM >> 30} (df)"
        )
    if len(host.gpus) < host.counted:
        found.append(f"nvidia-smi -L shows {len(host.gpus)} GPUs but Ray gives out {host.counted}")
    elif host.torch_gpus < host.counted:
        found.append(
            f"torch sees {host.torch_gpus} GPUs but Ray gives out {host.counted}: its CUDA is not the driver's"
        )
    return found


def backends(host: Host) -> list[str]:
    """That it can add up tensors with. Heads and machines that read have no GPU, while others of their cluster do."""
    return ["gloo", "nccl"] if host.torch_gpus else ["gloo"]


def describe(host: Host, width: int) -> str:
    """For people: one line a host, and one more for each thing that failed."""
    head = f"{host.name:{width}}  {host.address:15}"
    verdict = "FAILED" if host.failed else "ok"
    if not host.versions:
        return f"{head}  {verdict:6}  {host.failed[0]}"
    facts = ", ".join(f"{name} {host.versions[name]}" for name in ("python", "ray", "torch"))
    gpus = f"{len(host.gpus)} x {host.gpus[0]}" if host.gpus else "no GPU"
    # Ray counts what it was told to: workers that share a core are no faster than one.
    cores = count(host.cores, "core")
    cores += f" (Ray counts {host.cpus:g} CPUs)" if host.cpus != host.cores else ""
    disks = f"free: disk {host.disk_bytes / 2**30:.0f}, shm {host.shm_bytes / 2**30:.1f} GiB"
    lines = [f"{head}  {verdict:6}  {facts}; clock {host.clock_s[0]:+.2f} s; {cores}; {disks}; {gpus}"]
    return "\n".join(lines + [f"{'':{width}}  {text}" for text in host.failed])


class Examiner:
    """Looks at the machine that it runs on, and from it at the others."""

    def look(self) -> dict[str, Any]:
        """Versions, cores, disks and GPUs."""
        import torch

        gpus: list[str] = []
        with suppress(OSError, subprocess.SubprocessError):  # a machine without GPUs has no such program
            told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20).stdout
            gpus = [text.partition(": ")[2].partition(" (")[0] for text in told.splitlines() if text.startswith("GPU ")]
        return {
            "versions": own_versions(),
            "disk_bytes": shutil.disk_usage(session_folder()).free,
            "shm_bytes": shutil.disk_usage("/dev/shm").free if os.path.isdir("/dev/shm") else 0,
            "cores": len(os.sched_getaffinity(0)),
            "gpus": gpus,
            "torch_gpus": torch.cuda.device_count(),
        }

    def clock(self) -> float:
        """Now."""
        return time.time()

    def listen(self) -> int:
        """A port on which connections are taken from now on."""
        server = socket.create_server(("", 0))
        threading.Thread(target=_take, args=(server,), daemon=True).start()
        return int(server.getsockname()[1])

    def connect(self, others: Sequence[tuple[str, str, int]]) -> list[str]:
        """Connect to others (name, address, port); what failed."""
        failed = []
        for name, address, port in others:
            try:
                with socket.create_connection((address, port), timeout=CONNECT_S) as connection:
                    if connection.recv(2) != b"ok":
                        failed.append(f"connect to {name} ({address}:{port}): somebody else answered")
            except OSError as error:
                failed.append(f"connect to {name} ({address}:{port}): {error}: open all ports between the machines")
        return failed

    def write(self, folder: Place, name: str) -> str:
        """Write a file of that name; what failed."""
        try:
            (folder / name).write_bytes(name.encode())
        except DataError as error:
            return f"write to the storage: {error}"
        return ""

    def read(self, folder: Place, names: Sequence[str]) -> list[str]:
        """Read files that others have written; what failed."""
        failed = []
        for name in names:
            try:
                if (folder / name).read_bytes() != name.encode():
                    failed.append(f"read {folder / name}: it holds something else")
            except DataError as error:
                failed.append(f"read what {name} has written to the storage: {error}; name one that all machines share")
        return failed

    def free_port(self) -> int:
        """A port that nobody uses at the moment."""
        with socket.create_server(("", 0)) as server:
            return int(server.getsockname()[1])

    def all_reduce(self, backend: str, rank: int, number: int, address: str, port: int) -> float:
        """Add up a tensor over machines, as training does; seconds. Raises what went wrong."""
        import torch
        import torch.distributed as dist

        limit = timedelta(seconds=ANSWER_S / 2)
        dist.init_process_group(backend, f"tcp://{address}:{port}", limit, number, rank)
        try:
            value = torch.full((REDUCED,), float(rank), device="cuda" if backend == "nccl" else "cpu")
            began = time.monotonic()
            dist.all_reduce(value)
            if not bool((value == number * (number - 1) / 2).all()):
                raise ValueError("the sum is wrong")
            return time.monotonic() - began
        finally:
            dist.destroy_process_group()


class Doctor:
    """Examines all machines of the cluster that this process is connected to.

    Attributes:
        hosts: what was found so far.
        reduced: what all-reduces took, or why there was none, a line each.
    """

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.reduced: list[str] = []
        self._examiners: dict[str, Any] = {}
        # An examiner takes no GPU, which a run may hold, and yet sees it.
        environment = {"env_vars": {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}}
        for node in sorted(ray.nodes(), key=lambda node: str(node["NodeManagerHostname"])):
            if node["Alive"]:
                name, address = node["NodeManagerHostname"], node["NodeManagerAddress"]
                has = node["Resources"]
                self.hosts.append(Host(name, address, int(has.get("GPU", 0)), has.get("CPU", 0.0)))
                where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                actor = ray.remote(Examiner).options(num_cpus=0, scheduling_strategy=where, runtime_env=environment)
                self._examiners[node["NodeID"]] = actor.remote()
        self._by_node = dict(zip(self._examiners, self.hosts, strict=True))

    def examine(self, storage: Place | None) -> None:
        """All checks.

        Args:
            storage: of runs; None: it is not tried.
        """
        for host, found in self._ask("look"):
            for name, value in found.items():
                setattr(host, name, value)
        self._compare_clocks()
        ports = {node: int(port) for node, port in self._answers("listen")}
        others = [(host.name, host.address, ports[node]) for node, host in self._by_node.items() if node in ports]
        apart = False
        for host, failed in self._ask("connect", others):
            host.failed += failed
            apart = apart or bool(failed)
        if storage is not None:
            self._try_storage(storage)
        for backend in () if apart else ("gloo", "nccl"):
            self._all_reduce(backend)
        if apart:
            self.reduced.append("all-reduce: not tested, because not all machines reach each other")
        ours = own_versions()
        for host in self.hosts:
            if host.versions:
                host.failed += faults(host, ours)

    def close(self) -> None:
        """Leave nothing behind."""
        for actor in self._examiners.values():
            ray.kill(actor)

    def _compare_clocks(self) -> None:
        for node, actor in list(self._examiners.items()):
            began = time.time()
            try:
                theirs = ray.get(actor.clock.remote(), timeout=ANSWER_S)
            except (RayError, GetTimeoutError) as error:
                self._give_up(node, "clock", error)
                continue
            ended = time.time()
            self._by_node[node].clock_s = theirs - (began + ended) / 2, (ended - began) / 2

    def _try_storage(self, storage: Place) -> None:
        folder = storage / f".doctor-{secrets.token_hex(8)}"
        names = {node: f"{number}-{host.name}" for number, (node, host) in enumerate(self._by_node.items())}
        wrote = []
        try:
            asked = {node: actor.write.remote(folder, names[node]) for node, actor in self._examiners.items()}
            for node, failed in self._wait("write", asked):
                if failed:
                    self._by_node[node].failed.append(failed)
                else:
                    wrote.append(names[node])
            for host, failed in self._ask("read", folder, wrote):
                host.failed += failed
        finally:
            with suppress(DataError):  # where it could not be written either
                folder.delete()

    def _all_reduce(self, backend: str) -> None:
        there = [node for node in self._examiners if backend in backends(self._by_node[node])]
        if len(there) < 2:
            return
        first = self._by_node[there[0]]
        try:
            port = ray.get(self._examiners[there[0]].free_port.remote(), timeout=ANSWER_S)
        except (RayError, GetTimeoutError) as error:
            self._give_up(there[0], "free_port", error)
            return
        asked = {
            node: self._examiners[node].all_reduce.remote(backend, rank, len(there), first.address, port)
            for rank, node in enumerate(there)
        }
        seconds = [second for _, second in self._wait("all_reduce", asked)]
        if len(seconds) == len(there):
            size = f"{REDUCED * 4 >> 20} MiB over {len(there)} machines"
            self.reduced.append(f"all-reduce of {size} by {backend}: {max(seconds):.2f} s")

    def _ask(self, name: str, *arguments: Any) -> list[tuple[Host, Any]]:
        return [(self._by_node[node], found) for node, found in self._answers(name, *arguments)]

    def _answers(self, name: str, *arguments: Any) -> list[tuple[str, Any]]:
        """Of one method on all machines at the same time."""
        asked = {node: getattr(actor, name).remote(*arguments) for node, actor in self._examiners.items()}
        return self._wait(name, asked)

    def _wait(self, name: str, asked: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Answers; who gives none is asked no more."""
        found = []
        for node, reference in asked.items():
            try:
                found.append((node, ray.get(reference, timeout=ANSWER_S)))
            except (RayError, GetTimeoutError) as error:
                self._give_up(node, name, error)
        return found

    def _give_up(self, node: str, name: str, error: Exception) -> None:
        reason = (str(error).strip() or f"no answer within {ANSWER_S:g} s").splitlines()[-1]
        self._by_node[node].failed.append(f"{name}: {reason}")
        ray.kill(self._examiners.pop(node))


def own_versions() -> dict[str, str]:
    """Of this process."""
    return {"python": platform.python_version()} | versions("torch", "ray", "numpy", "pyarrow")


def asks_for_token(address: str) -> bool:
    """Whether the cluster turns away who has no token.

    Args:
        address: HOST:PORT of its GCS.

    Raises:
        ClusterError: it is not known, since nobody answers.
    """
    look = f"from dcgan_dist.cluster.ray_internals import require_accepted as ask; ask({address!r}, {ANSWER_S})"
    without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", look],
            env=without | {"RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"a client without a token got no answer from {address} within {ANSWER_S:g} s") from error
    if done.returncode and "AuthenticationError" not in done.stderr:
        raise ClusterError(
            f"who has no token cannot ask {address}: {(done.stderr.strip() or 'it ended').splitlines()[-1]}"
        )
    return done.returncode != 0


def _take(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        with suppress(OSError), connection:  # who connects may leave at once
            connection.sendall(b"ok")
