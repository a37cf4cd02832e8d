"""What a cluster has, what a run needs, what is missing: decided before anything expensive starts.

The decision is a pure function of facts; only `gather_facts` and what stands below it ask Ray.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

from dcgan_dist.cluster.ray_internals import free_resources, leaving_nodes
from dcgan_dist.errors import ClusterError
from dcgan_dist.numerals import count
from dcgan_dist.settings import Settings


@dataclass(frozen=True)
class ClusterFacts:
    """What the cluster has.

    Attributes:
        nodes: number of hosts (or Ray nodes) that are alive.
        cpus: logical CPUs that Ray may give out.
        gpus: GPUs that Ray may give out.
        store_bytes: object store of the smallest node.
        hosts: CPUs and GPUs of each node, by Ray's name for it: a worker has both on the same one.
        free: whether these are only the CPUs and GPUs that nobody uses at the moment.
        beside: what has been set aside of them, for people; empty: nothing.
    """

    nodes: int
    cpus: float
    gpus: float
    store_bytes: float
    hosts: Mapping[str, tuple[float, float]]
    free: bool = False
    beside: str = ""


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


ANSWER_S = 1.0
"""How long a live node may take to answer."""
READER_CPUS = 1
"""Logical CPUs that must stay free for reading data: without one the run would wait for ever."""


def times(has: float, each: float) -> int:
    """How many times `each`, at least 1/10,000, is in what there is.

    Counted as Ray counts resources, in steps of 1/10,000: of binary fractions, 0.1 is only nine times in 1.
    """
    return round(has * 10_000) // round(each * 10_000)


def takes_gpus(settings: Settings, facts: ClusterFacts) -> bool:
    """Whether each worker takes a GPU of such a cluster."""
    return settings.workers.gpu == "on" or (settings.workers.gpu == "auto" and facts.gpus > 0)


def place_workers(settings: Settings, facts: ClusterFacts) -> Placement:
    """Decide what the workers take of the cluster: `workers.number`, or as many as fit from `workers.at_least` on.

    Raises:
        ClusterError: the cluster has too little, with what is missing in one line.
    """
    workers, use_gpu = settings.workers, takes_gpus(settings, facts)
    free, beside = " free" if facts.free else "", f" beside {facts.beside}" if facts.beside else ""
    others = ["wait until other jobs have ended"] if facts.free else []
    others += ["give evaluation less by --probe.actors or --probe.cpus"] if facts.beside else []
    if use_gpu and facts.gpus < workers.fewest:
        raise ClusterError(
            f"the run needs {count(workers.fewest, 'GPU')}, one for each worker, but the cluster has {facts.gpus:g}"
            f"{free}{beside}: " + _advice(int(facts.gpus), *others, "add GPUs", "train on CPUs with --workers.gpu off")
        )
    less = ["give each less by --workers.cpus"] if workers.cpus > 1 else []
    by_cpus = times(facts.cpus - READER_CPUS, workers.cpus)
    if by_cpus < workers.fewest:
        needed = workers.fewest * workers.cpus + READER_CPUS
        raise ClusterError(
            f"the run needs {needed:g} logical CPUs ({count(workers.fewest, 'worker')} with {workers.cpus:g} each, "
            f"{READER_CPUS} to read data) but the cluster has {facts.cpus:g}{free} on "
            f"{count(facts.nodes, 'node')}{beside}: " + _advice(by_cpus, *less, *others, "add nodes")
        )
    by_hosts = sum(
        min(times(cpus, workers.cpus), int(gpus) if use_gpu else workers.number) for cpus, gpus in facts.hosts.values()
    )
    placement = Placement(min(workers.number, by_cpus, by_hosts), workers.cpus, int(use_gpu))
    if by_hosts < workers.fewest:
        raise ClusterError(
            f"the run needs room for {count(workers.fewest, 'worker')} with {_takes(placement)} each, but the "
            f"{count(facts.nodes, 'node')} of the cluster have room for {by_hosts}"
            f"{' now' if facts.free else ''}{beside}: " + _advice(by_hosts, *less, *others, "add nodes")
        )
    return placement


def most_beside(placement: Placement, facts: ClusterFacts) -> int:
    """Workers that may come to lie on one host: Ray Train puts as many together as it can."""
    room = [
        min(times(cpus, placement.cpus), int(gpus // placement.gpus) if placement.gpus else placement.workers)
        for cpus, gpus in facts.hosts.values()
    ]
    return max(1, min(placement.workers, max(room, default=1)))


def _advice(room_for: int, *others: str) -> str:
    """What to do where there is room for fewer workers than are needed; none is no number of workers to advise."""
    *first, last = [*([f"use --workers {room_for}"] if room_for > 0 else []), *others]
    return f"{', '.join(first)}, or {last}" if first else last


def set_aside(facts: ClusterFacts, actors: int, cpus: float, gpus: float) -> ClusterFacts:
    """What is left for others when evaluation actors have found room, each on the host with the most of it.

    Args:
        facts: of what is free.
        cpus: of each actor.
        gpus: of each actor.

    Raises:
        ClusterError: naming how many there is room for.
    """
    hosts = dict(facts.hosts)
    for actor in range(actors):
        fitting = [name for name, (has_cpus, has_gpus) in hosts.items() if has_cpus >= cpus and has_gpus >= gpus]
        if not fitting:
            raise ClusterError(
                f"{count(actors, 'evaluation actor')} with {count(cpus, 'CPU')} and {count(gpus, 'GPU')} each need "
                f"more than the cluster has free, which is room for {actor}: use fewer, or give each less"
            )
        most = max(fitting, key=lambda name: hosts[name])
        hosts[most] = round(hosts[most][0] - cpus, 4), round(hosts[most][1] - gpus, 4)
    left = without(
        facts, {name: (had[0] - hosts[name][0], had[1] - hosts[name][1]) for name, had in facts.hosts.items()}
    )
    each = count(cpus, "CPU") + (f" and {count(gpus, 'GPU')}" if gpus else "")
    return replace(left, beside=f"{count(actors, 'evaluation actor')} with {each}{' each' if actors > 1 else ''}")


def without(facts: ClusterFacts, held: Mapping[str, tuple[float, float]]) -> ClusterFacts:
    """What is left when CPUs and GPUs of some hosts are held by others."""
    hosts = {
        name: (cpus - held.get(name, (0.0, 0.0))[0], gpus - held.get(name, (0.0, 0.0))[1])
        for name, (cpus, gpus) in facts.hosts.items()
    }
    sums = [sum(column) for column in zip(*hosts.values(), strict=True)] or [0.0, 0.0]
    return replace(facts, cpus=sums[0], gpus=sums[1], hosts=hosts)


def describe(placement: Placement, facts: ClusterFacts, cores: int | None = None, taker: str = "the run") -> str:
    """One line for people: what the cluster has and what the run takes of it.

    Args:
        cores: of this machine, where the cluster is a Ray that was started here, which counts as many CPUs as the run
            needs, of which reading hardly uses one; None: of any other.
        taker: what takes the workers.
    """
    if cores is not None:
        cpus = f"{count(facts.cpus, 'logical CPU')} on {count(cores, 'core')}"
        has = f"this machine with {cpus} and {count(facts.gpus, 'GPU')}"
    else:
        has = f"{count(facts.nodes, 'node')} with {count(facts.cpus, 'CPU')} and {count(facts.gpus, 'GPU')}"
    takes = f"{count(placement.workers, 'worker')} with {_takes(placement)}"
    return f"cluster: {has}; {taker} takes {takes}{' each' if placement.workers > 1 else ''}"


def _takes(placement: Placement) -> str:
    return count(placement.cpus, "CPU") + (f" and {count(placement.gpus, 'GPU')}" if placement.gpus else "")


def gather_facts(*, free: bool = False) -> ClusterFacts:
    """Ask the Ray that this process is connected to. `free`: only what nobody uses at the moment.

    Nodes that have been given notice are left out.
    """
    import ray

    leaving = leaving_nodes()
    nodes = {
        node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"] and node["NodeID"] not in leaving
    }
    resources = free_resources() if free else nodes
    found = {node: resources.get(node, {}) for node in nodes}
    hosts = {node: (host.get("CPU", 0.0), host.get("GPU", 0.0)) for node, host in found.items()}
    return ClusterFacts(
        nodes=len(nodes),
        cpus=float(sum(cpus for cpus, _ in hosts.values())),
        gpus=float(sum(gpus for _, gpus in hosts.values())),
        store_bytes=min((node.get("object_store_memory", 0.0) for node in nodes.values()), default=0.0),
        hosts=hosts,
        free=free,
    )


def any_gone(nodes: frozenset[str]) -> bool:
    """Whether one of these nodes has died, also where Ray has not noticed yet: that takes it a quarter of a minute."""
    import ray

    known = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    if nodes - known.keys():
        return True
    return not all(_answers(known[node]["NodeManagerAddress"], known[node]["NodeManagerPort"]) for node in nodes)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=ANSWER_S).close()
    except OSError:
        return False
    return True
