"""What commands that compute on evaluation actors share: options, how they start the actors, how they end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.bounds import Above, AtLeast, check_bounds, shows_bounds
from dcgan_dist.cli.signals import STOPPED, status_after, terminable
from dcgan_dist.cluster.autoscaling import actor_bundles, wait_for_free
from dcgan_dist.cluster.connect import connected, describe_connecting, has_address, set_environment
from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.cluster.placement import READER_CPUS, gather_facts, set_aside
from dcgan_dist.errors import DcganDistError, SettingsError, at_work, complain
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.monitoring.sinks.terminal import Line
from dcgan_dist.settings import RAYS_OWN, require_countable

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True, kw_only=True)
class ActorOptions:
    """Evaluation actors of a command."""

    trust_code: bool = False
    """Import your own networks that the run's settings name, which runs their code."""
    actors: Annotated[int, AtLeast(1), arg(metavar="N")] = 1
    """Evaluation actors, which divide the images among them."""
    cpus: Annotated[float, AtLeast(0), arg(metavar="CPUS")] = 1.0
    """Logical CPUs that Ray reserves for each actor."""
    gpus: Annotated[float, AtLeast(0), arg(metavar="GPUS")] = 0.0
    """GPUs per actor; may be a fraction."""
    resource: Annotated[str, arg(metavar="RESOURCE")] = ""
    """Custom Ray resource of which each actor takes one, so that it runs on machines that offer it, and an
    autoscaler starts such machines: `evaluator` in the cluster files. Empty: `evaluator` if the cluster already
    offers it."""
    threads: Annotated[int, AtLeast(0), arg(metavar="THREADS")] = 0
    """PyTorch threads per actor; 0: the cores of its host divided by the actors."""
    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster to join; empty: `$RAY_ADDRESS`, or if that is unset, one started on this machine."""
    wait_s: Annotated[float, Above(0), arg(metavar="SECONDS")] = 60.0
    """How long to wait if that cluster has too few machines; longer while some are being started."""

    def __post_init__(self) -> None:
        check_bounds(self)
        require_countable(self.cpus, self.gpus)
        if self.resource in RAYS_OWN:
            raise SettingsError(
                f"resource is {self.resource} but needs to be one that machines offer by --resources; use cpus "
                "for CPUs, gpus for GPUs"
            )


@contextmanager
def open_pool(options: ActorOptions, say: Callable[[str], None]) -> Iterator[Evaluators]:
    """Evaluation actors, on the cluster at the address or one that is started here; they end with the block.

    Args:
        say: receives a line for each actor that has died, and while machines are waited for.

    Raises:
        ClusterError: there is no room for them, or no cluster.
    """
    actors, cpus, gpus = options.actors, options.cpus, options.gpus
    set_environment(options.address)
    print(describe_connecting(options.address), file=sys.stderr, flush=True)
    # Ray's own handler of SIGTERM prints a stack of its threads.
    with connected(options.address, actors * cpus + max(READER_CPUS, local_cores())), terminable():
        from dcgan_dist.evaluation.service.pool import Pool  # Ray's environment is set by now

        if has_address(options.address):
            wait_for_free("evaluation actor", actor_bundles(actors, cpus, gpus, options.resource), options.wait_s, say)
        else:
            set_aside(gather_facts(free=True), actors, cpus, gpus)  # what was started here has all that it ever will
        pool = Pool(actors, cpus, gpus, options.threads, options.resource)
        pool.say = say
        with at_work():
            yield pool
        pool.close()


def status_of(act: Callable[[Line], None], left: str) -> int:
    """Do what a command does; its status: 0, 2 for wrong input, 1 for what fails later, 130 and 143 after signals.

    Args:
        act: is given the line that says what is being done.
        left: what is said after Ctrl-C or SIGTERM.
    """
    line = Line(sys.stderr)
    try:
        act(line)
    except DcganDistError as error:
        line.clear()
        complain(error)
        return error.status
    except STOPPED as stopped:
        line.clear()
        print(left, file=sys.stderr)
        return status_after(stopped)
    return 0
