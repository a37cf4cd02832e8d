"""What a step sends over the network: two workers on two hosts, several speeds, gradients in all ways and weights.

python -m benchmarks.wire --json benchmarks/results/wire.json

The hosts are namespaces of this machine (`tests/harness/hosts.py`), so that bytes are those of any two machines, and
seconds those of lines of this speed between machines that share two cores. How training scales is not seen here.

Where workers step on their own, steps, exchanges and alignments are measured apart, and a table's step of K is made of
them; one whole cycle of four steps is measured beside it.
"""

import argparse
import json
import shutil
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.batchnorm import set_process_group
from dcgan_dist.model.dcgan import build_networks, count_parameters
from dcgan_dist.model.local_steps import LocalSteps
from dcgan_dist.model.reductions import FIRST_STEPS, Gradients, distribute
from dcgan_dist.settings import lsun64
from dcgan_dist.training.schedule import ALIGNED_EXCHANGES
from tests.harness.hosts import ROOT, Hosts, HostsError

HOSTS = ("one", "two")
SPEEDS = {"as it goes": None, "1 Gbit/s": 1_000_000_000, "100 Mbit/s": 100_000_000}
GRADIENTS: tuple[Gradients, ...] = typing.get_args(Gradients)
WEIGHTS = {"weights": False, "weights in bf16": True}
"""What workers that step on their own exchange, and whether it is rounded."""
EXCHANGE_STEPS = (4, 16, 64)
CYCLE = 4
"""Steps of the cycle that is measured as a whole."""
BATCH = 8
"""Of both workers: what is sent hardly depends on it, and what is computed is not what is asked here."""
WARM, STEPS = 2, 5
PORT = 29_500
WAIT_S = 900.0
SENT = Path("/sys/class/net/eth0/statistics/tx_bytes")


@dataclass(frozen=True)
class Traffic:
    """Of one worker.

    Attributes:
        bytes: sent in a step, or an exchange, or whatever it is.
        seconds: of it.
    """

    bytes: float
    seconds: float


Found = Mapping[str, Traffic]
"""Of `step`; where workers step on their own also of `exchange`, `alignment` and `cycle`."""


def work(rank: int, address: str, way: str) -> dict[str, Traffic]:
    """What each host runs: steps of the networks of `lsun64`, as a Train worker has them."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://{address}:{PORT}", rank=rank, world_size=len(HOSTS))
    settings = lsun64()
    optimization = replace(settings.optimization, batch_size=BATCH, precision="fp32", schedule="both")
    apart = way in WEIGHTS
    statistics = None if apart else _new_group()
    networks: list[torch.nn.Module] = []
    for network in build_networks(settings.networks, 1, torch.device("cpu"), torch.float32, optimization.channels_last):
        if apart:
            networks.append(network)
            continue
        set_process_group(network, statistics)
        networks.append(distribute(network, typing.cast(Gradients, way)))
    step = AdversarialStep(networks[0], networks[1], optimization, 1_000, workers=len(HOSTS))
    size, mine = settings.networks.image_size, BATCH // len(HOSTS)
    real = torch.randint(0, 256, (mine, 3, size, size), dtype=torch.uint8)
    z = torch.rand(mine, settings.networks.latent_size) * 2 - 1
    number = iter(range(1_000))

    def steps(times: int) -> None:
        for _ in range(times):
            step(real, z, next(number))

    if not apart:
        steps(WARM + (FIRST_STEPS if way == "powersgd" else 0))
        found = {"step": _traffic(partial(steps, STEPS), STEPS)}
    else:
        local = LocalSteps(step, _new_group(), lr=1.0, momentum=0.0, bf16=WEIGHTS[way])

        def cycle() -> None:
            steps(CYCLE)
            local.exchange()

        steps(WARM)
        local.exchange()
        local.align()
        found = {
            "step": _traffic(partial(steps, STEPS), STEPS),
            "exchange": _traffic(local.exchange, 1),
            "alignment": _traffic(local.align, 1),
            "cycle": _traffic(cycle, CYCLE),
        }
    dist.destroy_process_group()
    return found


def _new_group() -> dist.ProcessGroup:
    group = dist.new_group()
    assert isinstance(group, dist.ProcessGroup)
    return group


def _traffic(do: Callable[[], object], times: int) -> Traffic:
    """Of each of so many times that something does."""
    dist.barrier()
    sent, began = int(SENT.read_text()), time.perf_counter()
    do()
    dist.barrier()  # what was sent has left when the other has it
    seconds = time.perf_counter() - began
    return Traffic((int(SENT.read_text()) - sent) / times, seconds / times)


def measure(hosts: Hosts, way: str) -> list[Found]:
    """Two workers, one a host."""
    address = hosts.addresses[HOSTS[0]]
    command = ["python", "-m", "benchmarks.wire", "--address", address, "--way", way, "--rank"]
    variables = {"PYTHONPATH": "/root/code", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    processes = [hosts.start(name, *command, str(rank), variables=variables) for rank, name in enumerate(HOSTS)]
    found: list[Found] = []
    for process in processes:
        output, errors = process.communicate(timeout=WAIT_S)
        if process.returncode:
            raise HostsError(f"a worker ended with {process.returncode}: {errors}")
        found.append({name: Traffic(**one) for name, one in json.loads(output.splitlines()[-1]).items()})
    return found


def step_of(found: Found, exchange_steps: int) -> Traffic:
    """A step in the mean of workers that exchange weights after so many."""
    step, exchange, alignment = (found[name] for name in ("step", "exchange", "alignment"))

    def mean(of: Callable[[Traffic], float]) -> float:
        return of(step) + (of(exchange) + of(alignment) / ALIGNED_EXCHANGES) / exchange_steps

    return Traffic(mean(lambda one: one.bytes), mean(lambda one: one.seconds))


def report(found: Mapping[tuple[str, str], Sequence[Found]], gradients: int) -> Report:
    """The table, and what each way buys.

    Args:
        found: by line and way, of both workers.
        gradients: bytes of the gradients, or the weights, of both networks in float32.
    """
    rows: list[list[Cell]] = []
    ratios: dict[str, float] = {}
    for speed in SPEEDS:
        ways: dict[str, Traffic] = {way: found[speed, way][0]["step"] for way in GRADIENTS}
        for way in WEIGHTS:
            ways |= {f"{way} every {k} steps": step_of(found[speed, way][0], k) for k in EXCHANGE_STEPS}
        plain = ways["fp32"].seconds
        for way, one in ways.items():
            of_gradients, images = one.bytes / gradients, BATCH / one.seconds
            rows.append([speed, way, one.bytes / 1e6, of_gradients, f"{one.seconds:.2f}", images, plain / one.seconds])
            if way != "fp32":
                ratios[f"{speed}: step with {way} over fp32, in speed"] = plain / one.seconds
    freely = {way: found["as it goes", way][0] for way in (*GRADIENTS, *WEIGHTS)}
    ratios |= {f"{way}: bytes sent over bytes of gradients": freely[way]["step"].bytes / gradients for way in GRADIENTS}
    for way in WEIGHTS:
        for part in ("exchange", "alignment"):
            ratios[f"{way}: bytes of an {part} over those of the weights"] = freely[way][part].bytes / gradients
    cycles = {
        f"{speed}, {way}: cycle of {CYCLE} over its parts": one["cycle"].seconds
        / (one["step"].seconds + one["exchange"].seconds / CYCLE)
        for speed in SPEEDS
        for way in WEIGHTS
        for one in found[speed, way][:1]
    }
    return Report(
        command="python -m benchmarks.wire --json benchmarks/results/wire.json",
        tables={
            "wire": Table(
                [
                    "line",
                    "what is sent",
                    "MB a step and host",
                    "of the gradients' bytes",
                    "s a step",
                    "images/s",
                    "speed over fp32",
                ],
                rows,
            )
        },
        ratios=ratios | cycles,
        rates={"gradients_mb": gradients / 1e6},
        samples={
            f"{speed}, {way}": [{name: asdict(part) for name, part in one.items()} for one in both]
            for (speed, way), both in found.items()
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; with --rank it is one of the workers."""
    options: argparse.ArgumentParser = parser("What a step sends over the network.")
    for name, kind in (("--rank", int), ("--address", str), ("--way", str)):
        options.add_argument(name, type=kind, help=argparse.SUPPRESS)
    given: Any = options.parse_args(arguments)
    if given.rank is not None:
        found = work(given.rank, given.address, given.way)
        print(json.dumps({name: asdict(part) for name, part in found.items()}))
        return 0
    measured = {}
    with Hosts("laptop", *HOSTS) as hosts:
        for name in HOSTS:
            for package in ("benchmarks", "dcgan_dist", "tests"):
                ignored = shutil.ignore_patterns("__pycache__", "results")
                shutil.copytree(ROOT / package, hosts.home(name) / "code" / package, ignore=ignored)
        for speed, bits in SPEEDS.items():
            for name in HOSTS:
                hosts.limit(name, bits)
            for way in (*GRADIENTS, *WEIGHTS):
                measured[speed, way] = measure(hosts, way)
                print(f"{speed}, {way}: {measured[speed, way][0]}", file=sys.stderr)
    networks = build_networks(lsun64().networks, 1, torch.device("cpu"), torch.float32, False)
    publish(report(measured, 4 * sum(map(count_parameters, networks))), given.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
