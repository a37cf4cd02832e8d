"""What a cluster has, and what is wrong with its machines:

python -m dcgan_dist.preflight
python -m dcgan_dist.preflight --doctor --storage s3://bucket/runs

What a run would take of it is told by `python -m dcgan_dist.train ... --dry-run`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.cli.arguments import read
from dcgan_dist.cli.invocation import prog
from dcgan_dist.cluster.connect import connected, describe_connecting, has_address, set_environment
from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.errors import ClusterError, at_work
from dcgan_dist.evaluation.service.options import status_of
from dcgan_dist.monitoring.sinks.terminal import Line
from dcgan_dist.numerals import count
from dcgan_dist.storage import place

arg = tyro.conf.arg


@dataclass(frozen=True, kw_only=True)
class PreflightOptions:
    """Show what a cluster has, and check its machines."""

    doctor: bool = False
    """Check each machine: versions, clock, connections to all others, disks, GPUs, the token, an all-reduce."""
    storage: Annotated[str, arg(metavar="ADDRESS")] = ""
    """Storage of runs: every machine writes there, and reads what the others have written."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: `$RAY_ADDRESS`, or if that is unset, one started on this machine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, 2 for wrong input, 1 for what the doctor finds, 130 after Ctrl-C."""

    def act(line: Line) -> None:
        options = read(PreflightOptions, arguments, prog=prog("doctor"))
        set_environment(options.address)
        if options.doctor:
            print(describe_connecting(options.address), flush=True)
        with connected(options.address, local_cores()):
            if options.doctor:
                with at_work():
                    _examine(options.storage, line, ours=not has_address(options.address))
            else:
                _list()

    return status_of(act, "left")


def _list() -> None:
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    width = max(len(node["NodeManagerHostname"]) for node in nodes)
    for node in sorted(nodes, key=lambda node: str(node["NodeManagerHostname"])):
        has = node["Resources"]
        print(
            f"{node['NodeManagerHostname']:{width}}  {node['NodeManagerAddress']:15}  "
            f"{count(has.get('CPU', 0), 'CPU')}, {count(has.get('GPU', 0), 'GPU')}, "
            f"object store {has.get('object_store_memory', 0) / 2**30:.1f} GiB"
        )


def _examine(storage: str, line: Line, *, ours: bool) -> None:
    """Print what was found.

    Args:
        ours: whether this Ray was started by the command, with a token that nobody else has.

    Raises:
        ClusterError: something failed.
    """
    import ray

    from dcgan_dist.cluster.doctor import Doctor, asks_for_token, describe

    line.say("examining")
    doctor = Doctor()
    try:
        doctor.examine(place(storage) if storage else None)
    finally:
        doctor.close()
    line.clear()
    width = max(len(host.name) for host in doctor.hosts)
    for host in doctor.hosts:
        print(describe(host, width))
    for reduced in doctor.reduced:
        print(reduced)
    print(f"storage: {storage}" if storage else "storage: not tested, name it with --storage")
    asks = asks_for_token(ray.get_runtime_context().gcs_address)
    if ours and asks:
        print("cluster: none; this Ray was started for the check (name a cluster with --address or $RAY_ADDRESS)")
    else:
        print("token: required" if asks else "token: NOT required, anyone who can reach the cluster can run code on it")
    failed = [host.name for host in doctor.hosts if host.failed]
    if failed:
        raise ClusterError(f"something is wrong with {', '.join(failed)}: see above")
    if not asks:
        raise ClusterError("the cluster requires no token: start Ray with RAY_AUTH_MODE=token on all machines")


if __name__ == "__main__":
    sys.exit(main())
