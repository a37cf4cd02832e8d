"""What a cluster has, what a run needs, what is missing: decided before anything expensive starts.

The decision is a pure function of facts; only `gather_facts` asks Ray.
"""

from dataclasses import dataclass

from dcgan_dist.errors import ClusterError
from dcgan_dist.settings import Settings


@dataclass(frozen=True)
class ClusterFacts:
    """What the cluster has.

    Attributes:
        nodes: number of hosts (or Ray nodes) that are alive.
        cpus: logical CPUs that Ray may give out.
        gpus: GPUs that Ray may give out.
        store_bytes: object store of the smallest node.
    """

    nodes: int
    cpus: float
    gpus: float
    store_bytes: float


@dataclass(frozen=True)
class Placement:
    """What the workers take.

    Attributes:
        workers: how many there are.
        cpus: logical CPUs of each.
        gpus: of each: 1 or 0.
    """

    workers: int
    cpus: float
    gpus: int


READER_CPUS = 1
"""Logical CPUs that must stay free for reading data: without one the run would wait for ever."""


def place_workers(settings: Settings, facts: ClusterFacts) -> Placement:
    """Decide what the workers take of the cluster.

    Raises:
        ClusterError: the cluster has too little, with what is missing in one line.
    """
    workers = settings.workers
    use_gpu = workers.gpu == "on" or (workers.gpu == "auto" and facts.gpus > 0)
    placement = Placement(workers.number, workers.cpus, int(use_gpu))
    if use_gpu and facts.gpus < workers.number:
        raise ClusterError(
            f"the run needs {_count(workers.number, 'GPU')}, one for each worker, but the cluster has {facts.gpus:g}: "
            f"use --workers {max(1, int(facts.gpus))}, add GPUs, or train on CPUs with --workers.gpu off"
        )
    needed = workers.number * workers.cpus + READER_CPUS
    if facts.cpus < needed:
        most = max(1, int((facts.cpus - READER_CPUS) // workers.cpus))
        raise ClusterError(
            f"the run needs {needed:g} logical CPUs ({_count(workers.number, 'worker')} with {workers.cpus:g} each, "
            f"{READER_CPUS} to read data) but the cluster has {facts.cpus:g} on {_count(facts.nodes, 'node')}: "
            f"use --workers {most}, or add nodes"
        )
    return placement


def describe(placement: Placement, facts: ClusterFacts) -> str:
    """One line for people: what the cluster has and what the run takes of it."""
    has = f"{_count(facts.nodes, 'node')} with {_count(facts.cpus, 'CPU')} and {_count(facts.gpus, 'GPU')}"
    takes = f"{_count(placement.workers, 'worker')} with {_count(placement.cpus, 'CPU')}"
    if placement.gpus:
        takes += f" and {_count(placement.gpus, 'GPU')}"
    return f"cluster: {has}; the run takes {takes}{' each' if placement.workers > 1 else ''}"


def gather_facts() -> ClusterFacts:
    """Ask the Ray that this process is connected to."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    total = ray.cluster_resources()
    return ClusterFacts(
        nodes=len(nodes),
        cpus=total.get("CPU", 0.0),
        gpus=total.get("GPU", 0.0),
        store_bytes=min(node["Resources"].get("object_store_memory", 0.0) for node in nodes),
    )


def _count(number: float, thing: str) -> str:
    return f"{number:g} {thing}{'' if number == 1 else 's'}"
