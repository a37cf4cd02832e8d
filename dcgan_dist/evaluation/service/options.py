"""What commands that compute on evaluation actors share: how they start the actors, how they end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dcgan_dist.cli.signals import STOPPED, status_after, terminable
from dcgan_dist.cluster.autoscaling import actor_bundles, wait_for_free
from dcgan_dist.cluster.connect import connected, describe_connecting, has_address, set_environment
from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.cluster.placement import READER_CPUS, gather_facts, set_aside
from dcgan_dist.errors import DcganDistError, at_work, complain
from dcgan_dist.evaluation.service.actor_options import ActorOptions
from dcgan_dist.evaluation.service.evaluator import Evaluator, Evaluators
from dcgan_dist.monitoring.sinks.terminal import Line


@contextmanager
def open_pool(
    options: ActorOptions, say: Callable[[str], None], kind: type[Evaluator] = Evaluator
) -> Iterator[Evaluators]:
    """Evaluation actors, on the cluster at the address or one that is started here; they end with the block.

    Args:
        say: receives a line for each actor that has died, and while machines are waited for.
        kind: of evaluator that each of them is.

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
        pool = Pool(actors, cpus, gpus, options.threads, options.resource, kind=kind)
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
