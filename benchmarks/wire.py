"""What a step sends over the network: two workers on two hosts, several speeds, gradients as they are or in bf16.

python -m benchmarks.wire --json benchmarks/results/wire.json

The hosts are namespaces of this machine (`tests/harness/hosts.py`), so that bytes are those of any two machines, and
seconds those of lines of this speed between machines that share two cores. How training scales is not seen here.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
from torch.nn.parallel import DistributedDataParallel

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.batchnorm import set_process_group
from dcgan_dist.model.dcgan import build_networks, count_parameters
from dcgan_dist.settings import lsun64
from tests.harness.hosts import ROOT, Hosts, HostsError

HOSTS = ("one", "two")
SPEEDS = {"as it goes": None, "1 Gbit/s": 1_000_000_000, "100 Mbit/s": 100_000_000}
HOOKS = ("none", "bf16")
BATCH = 8
"""Of both workers: what is sent hardly depends on it, and what is computed is not what is asked here."""
WARM, STEPS = 2, 5
PORT = 29_500
WAIT_S = 600.0
SENT = Path("/sys/class/net/eth0/statistics/tx_bytes")


@dataclass(frozen=True)
class Traffic:
    """Of one worker.

    Attributes:
        bytes: sent in a step.
        seconds: of a step.
        gradients: bytes of the gradients of both networks in float32.
    """

    bytes: float
    seconds: float
    gradients: int


def work(rank: int, address: str, hook: str) -> Traffic:
    """What each host runs: steps of the networks of `lsun64`, wrapped as a Train worker wraps them."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://{address}:{PORT}", rank=rank, world_size=len(HOSTS))
    settings = lsun64()
    optimization = replace(settings.optimization, batch_size=BATCH, precision="fp32", schedule="both")
    statistics = dist.new_group()
    assert isinstance(statistics, dist.ProcessGroup)
    networks = []
    gradients = 0
    for network in build_networks(settings.networks, 1, torch.device("cpu"), torch.float32, optimization.channels_last):
        set_process_group(network, statistics)
        gradients += 4 * count_parameters(network)
        wrapped = DistributedDataParallel(network)
        if hook == "bf16":
            wrapped.register_comm_hook(None, default_hooks.bf16_compress_hook)
        networks.append(wrapped)
    step = AdversarialStep(networks[0], networks[1], optimization, WARM + STEPS)
    size, mine = settings.networks.image_size, BATCH // len(HOSTS)
    real = torch.randint(0, 256, (mine, 3, size, size), dtype=torch.uint8)
    z = torch.rand(mine, settings.networks.latent_size) * 2 - 1
    for number in range(WARM):
        step(real, z, number)
    dist.barrier()
    sent, began = int(SENT.read_text()), time.perf_counter()
    for number in range(WARM, WARM + STEPS):
        step(real, z, number)
    dist.barrier()  # what was sent has left when the other has it
    seconds = time.perf_counter() - began
    found = Traffic((int(SENT.read_text()) - sent) / STEPS, seconds / STEPS, gradients)
    dist.destroy_process_group()
    return found


def measure(hosts: Hosts, hook: str) -> list[Traffic]:
    """Steps of two workers, one a host."""
    address = hosts.addresses[HOSTS[0]]
    command = ["python", "-m", "benchmarks.wire", "--address", address, "--hook", hook, "--rank"]
    variables = {"PYTHONPATH": "/root/code", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    processes = [hosts.start(name, *command, str(rank), variables=variables) for rank, name in enumerate(HOSTS)]
    found = []
    for process in processes:
        output, errors = process.communicate(timeout=WAIT_S)
        if process.returncode:
            raise HostsError(f"a worker ended with {process.returncode}: {errors}")
        found.append(Traffic(**json.loads(output.splitlines()[-1])))
    return found


def report(found: dict[tuple[str, str], list[Traffic]]) -> Report:
    """The table, and what bf16 buys."""
    rows: list[list[Cell]] = []
    ratios: dict[str, float] = {}
    for speed in SPEEDS:
        plain = found[speed, "none"][0]
        for hook in HOOKS:
            one = found[speed, hook][0]
            seconds = f"{one.seconds:.2f}"
            rows.append([speed, hook, one.bytes / 1e6, one.bytes / one.gradients, seconds, plain.seconds / one.seconds])
        ratios[f"{speed}: step with bf16 over without, in speed"] = plain.seconds / found[speed, "bf16"][0].seconds
    gradients = found["as it goes", "none"][0].gradients
    ratios["bytes sent over bytes of gradients"] = found["as it goes", "none"][0].bytes / gradients
    return Report(
        command="python -m benchmarks.wire --json benchmarks/results/wire.json",
        tables={
            "wire": Table(
                ["line", "hook", "MB a step and host", "of the gradients' bytes", "s a step", "speed over no hook"],
                rows,
            )
        },
        ratios=ratios,
        rates={"gradients_mb": gradients / 1e6},
        samples={f"{speed}, {hook}": [vars(one) for one in both] for (speed, hook), both in found.items()},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; with --rank it is one of the workers."""
    options: argparse.ArgumentParser = parser("What a step sends over the network.")
    for name, kind in (("--rank", int), ("--address", str), ("--hook", str)):
        options.add_argument(name, type=kind, help=argparse.SUPPRESS)
    given: Any = options.parse_args(arguments)
    if given.rank is not None:
        print(json.dumps(vars(work(given.rank, given.address, given.hook))))
        return 0
    found = {}
    with Hosts("laptop", *HOSTS) as hosts:
        for name in HOSTS:
            for package in ("benchmarks", "dcgan_dist"):
                ignored = shutil.ignore_patterns("__pycache__", "results")
                shutil.copytree(ROOT / package, hosts.home(name) / "code" / package, ignore=ignored)
        for speed, bits in SPEEDS.items():
            for name in HOSTS:
                hosts.limit(name, bits)
            for hook in HOOKS:
                found[speed, hook] = measure(hosts, hook)
    publish(report(found), given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
