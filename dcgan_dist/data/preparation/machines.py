"""Who does the work: a cluster that was named, else processes of this machine."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dcgan_dist.cluster.connect import connected, describe_connecting, has_address, set_environment
from dcgan_dist.data.preparation.processes import Workers, processes
from dcgan_dist.printing import tell
from dcgan_dist.storage import Place

_MEMORY_RETRIES = 6


@contextmanager
def workers_for(
    address: str, number: int, scratch: Place, witness: Place | None, versions: Mapping[str, str]
) -> Iterator[Workers]:
    """Workers, while the block runs; lines for people about them go to stderr.

    Args:
        address: of a Ray cluster; empty: what $RAY_ADDRESS says, if anything.
        number: of processes of this machine, see `processes`.
        scratch: a folder in that which is written to; what is left there is deleted when the work is done.
        witness: a file that is read, which tells whether a machine finds the others; None: there is none.
        versions: of the packages that decide on the result: machines with others are left out.

    Raises:
        ClusterError: the cluster cannot be joined, or none of its machines finds both and has these versions.
    """
    if not has_address(address):
        with processes(number) as workers:
            yield workers
        return
    set_environment(address)
    # Ray begins what it has killed for memory again without end, whatever `max_retries` is, unless it finds this in the
    # environment of the command before it is imported. It waits a second first, and then twice as long each time.
    os.environ.setdefault("RAY_task_oom_retries", str(_MEMORY_RETRIES))
    tell(describe_connecting(address), sys.stderr)
    with connected(address, 0):
        # Brings Ray with it, which takes seconds.
        from dcgan_dist.data.preparation.ray_workers import RayWorkers

        machines = RayWorkers(scratch, witness, versions)
        for note in machines.notes:
            tell(note, sys.stderr)
        yield machines
