"""How many trials fit into a cluster at once: pure arithmetic, so that no trial waits for CPUs that another holds."""

from dataclasses import dataclass

from dcgan_dist.cluster.placement import READER_CPUS, ClusterFacts, place_workers, takes_gpus, times
from dcgan_dist.errors import ClusterError
from dcgan_dist.numerals import count
from dcgan_dist.settings import Settings

DRIVER_MEMORY = 600 << 20
"""Bytes of memory that Ray reserves for the driver of a trial, which takes hardly any CPU."""


@dataclass(frozen=True)
class Capacity:
    """How many trials run at once.

    Attributes:
        at_once: how many.
        sentence: what that follows from, as shown to users.
    """

    at_once: int
    sentence: str


def fit_trials(settings: Settings, facts: ClusterFacts, wanted: int, cap: int) -> Capacity:
    """How many trials run at once.

    Args:
        settings: the settings of a trial; if worker settings are searched, those that take the most of the cluster.
        facts: what evaluation leaves of the cluster.
        wanted: how many the user wants; 0: as many as fit.
        cap: how many are of use at most.

    Raises:
        ClusterError: none fits, or fewer than are wanted.
    """
    place_workers(settings, facts)
    workers = settings.workers
    use_gpu = takes_gpus(settings, facts)
    hosts = [(cpus, gpus if use_gpu else 0.0) for cpus, gpus in facts.hosts.values()]
    needs_gpu = 1.0 if use_gpu else 0.0
    fitting = 0
    most = max(cap, wanted)
    while fitting < most and _take(hosts, workers.cpus, needs_gpu, workers.number):
        fitting += 1
    each = f"{count(workers.cpus, 'CPU')}{' and a GPU' if use_gpu else ''}"
    takes = f"{count(workers.number, 'worker')} of {each}, and {count(READER_CPUS, 'CPU')} to read data"
    has = count(facts.cpus, "CPU") + (f" and {count(facts.gpus, 'GPU')}" if use_gpu else "")
    if not fitting:
        raise ClusterError(
            f"no trial fits: it takes {takes}, and evaluation leaves {has}: use fewer --workers, a smaller "
            "--workers.cpus or --probe.cpus, or add nodes"
        )
    if wanted > fitting:
        raise ClusterError(
            f"at_once is {wanted} but only {fitting} {'fits' if fitting == 1 else 'fit'}: each trial takes {takes}, "
            f"and evaluation leaves {has}: use --at-once {fitting}, or add nodes"
        )
    at_once = wanted or fitting
    return Capacity(at_once, f"{at_once} at once, each with {takes}, of {has} that evaluation leaves")


def _take(hosts: list[tuple[float, float]], cpus: float, gpus: float, workers: int) -> bool:
    """Place a trial's workers and its reader, each on the host with the most left; return whether they fit."""
    left = list(hosts)
    for cpu, gpu in [*([(cpus, gpus)] * workers), (float(READER_CPUS), 0.0)]:
        fitting = [number for number, (has, has_gpu) in enumerate(left) if has >= cpu and has_gpu >= gpu]
        if not fitting:
            return False
        # A reader leaves hosts with GPUs to those who need them.
        best = max(fitting, key=lambda number: (left[number][1] if gpu else -left[number][1], left[number][0]))
        left[best] = round(left[best][0] - cpu, 4), left[best][1] - gpu
    hosts[:] = left
    return True


def on_this_machine(settings: Settings, cores: int, wanted: int, cap: int, actors_cpus: float) -> int:
    """How many trials run at once on a single machine, where Ray is started for the sweep.

    Ray's CPUs are only a number there, so that even one core can train; but trials slow each other down once they need
    more cores than there are.

    Args:
        actors_cpus: CPUs of all evaluation actors.
    """
    workers = settings.workers
    by_cores = times(cores - actors_cpus, workers.number * workers.cpus)
    return wanted or max(1, min(cap, by_cores))


def local_cpus(settings: Settings, at_once: int, actors_cpus: float) -> float:
    """Logical CPUs for a Ray that is started to run this many trials at once."""
    workers = settings.workers
    return at_once * (workers.number * workers.cpus + READER_CPUS) + actors_cpus
