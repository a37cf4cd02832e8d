"""What a run may take of a cluster: a table."""

from dataclasses import replace

import pytest

from dcgan_dist.cluster.placement import ClusterFacts, Placement, describe, most_beside, place_workers, set_aside
from dcgan_dist.errors import ClusterError
from dcgan_dist.settings import Settings, WorkerSettings


def facts(cpus: float, gpus: float = 0, nodes: int = 1) -> ClusterFacts:
    """A cluster of equal nodes."""
    hosts = {str(node): (cpus / nodes, gpus / nodes) for node in range(nodes)}
    return ClusterFacts(nodes=nodes, cpus=cpus, gpus=gpus, store_bytes=1e9, hosts=hosts)


def uneven(*hosts: tuple[float, float]) -> ClusterFacts:
    """A cluster of nodes with these CPUs and GPUs."""
    cpus, gpus = (sum(host[i] for host in hosts) for i in range(2))
    return ClusterFacts(
        nodes=len(hosts), cpus=cpus, gpus=gpus, store_bytes=1e9, hosts=dict(zip("abc", hosts, strict=False))
    )


@pytest.mark.parametrize(
    ("workers", "cluster", "placement"),
    [
        (WorkerSettings(number=2), facts(3), Placement(2, 1.0, 0)),
        (WorkerSettings(number=2), facts(16, gpus=2), Placement(2, 1.0, 1)),
        (WorkerSettings(number=2, gpu="off"), facts(16, gpus=2), Placement(2, 1.0, 0)),
        (WorkerSettings(number=1, cpus=0.5), facts(1.5), Placement(1, 0.5, 0)),
        (WorkerSettings(number=10, cpus=0.1), facts(2), Placement(10, 0.1, 0)),
        (WorkerSettings(number=3, at_least=1, cpus=0.1), uneven((0.3, 0), (0.9, 0)), Placement(2, 0.1, 0)),
        (WorkerSettings(number=9, at_least=1, cpus=0.7), uneven((2.1, 0), (2.1, 0)), Placement(4, 0.7, 0)),
        (WorkerSettings(number=8, at_least=2), facts(16), Placement(8, 1.0, 0)),
        (WorkerSettings(number=8, at_least=2), facts(5), Placement(4, 1.0, 0)),
        (WorkerSettings(number=8, at_least=2), facts(16, gpus=3), Placement(3, 1.0, 1)),
        # CPUs without a GPU, and GPUs without a CPU, are no room for a worker.
        (WorkerSettings(number=8, at_least=1), uneven((8, 0), (1, 4), (4, 1)), Placement(2, 1.0, 1)),
        (WorkerSettings(number=3, at_least=1, cpus=2), uneven((3, 0), (3, 0), (1, 0)), Placement(2, 2.0, 0)),
    ],
)
def test_workers_are_placed(workers: WorkerSettings, cluster: ClusterFacts, placement: Placement) -> None:
    assert place_workers(Settings(images=1, workers=workers), cluster) == placement


@pytest.mark.parametrize(
    ("workers", "cluster", "sentence"),
    [
        (
            WorkerSettings(number=8),
            facts(4, nodes=2),
            "the run needs 9 logical CPUs (8 workers with 1 each, 1 to read data) but the cluster has 4 on 2 nodes: "
            "use --workers 3, or add nodes",
        ),
        (
            WorkerSettings(number=4),
            facts(64, gpus=2),
            "the run needs 4 GPUs, one for each worker, but the cluster has 2: use --workers 2, add GPUs, or train on "
            "CPUs with --workers.gpu off",
        ),
        (
            WorkerSettings(number=8, at_least=2),
            facts(2),
            "the run needs 3 logical CPUs (2 workers with 1 each, 1 to read data) but the cluster has 2 on 1 node",
        ),
        (
            WorkerSettings(number=3, cpus=2),
            uneven((3, 0), (3, 0), (1, 0)),
            "the run needs room for 3 workers with 2 CPUs each, but the 3 nodes of the cluster have room for 2",
        ),
        (
            WorkerSettings(gpu="on"),
            facts(64),
            "the run needs 1 GPU, one for each worker, but the cluster has 0: add GPUs, or train on CPUs with "
            "--workers.gpu off",
        ),
        (
            WorkerSettings(cpus=3),
            facts(2),
            "the run needs 4 logical CPUs (1 worker with 3 each, 1 to read data) but the cluster has 2 on 1 node: give "
            "each less by --workers.cpus, or add nodes",
        ),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(workers: WorkerSettings, cluster: ClusterFacts, sentence: str) -> None:
    with pytest.raises(ClusterError) as caught:
        place_workers(Settings(images=1, workers=workers), cluster)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("workers", "cluster", "sentence"),
    [
        (
            WorkerSettings(number=2),
            facts(2),
            "to read data) but the cluster has 2 free on 1 node: use --workers 1, wait until other jobs have ended, or "
            "add nodes",
        ),
        (
            WorkerSettings(number=3, gpu="on"),
            facts(64, gpus=2),
            "one for each worker, but the cluster has 2 free: use --workers 2, wait until other jobs have ended, "
            "add GPUs, or train on CPUs with --workers.gpu off",
        ),
        (
            WorkerSettings(number=3, cpus=2),
            uneven((3, 0), (3, 0), (1, 0)),
            "the 3 nodes of the cluster have room for 2 now: use --workers 2, give each less by --workers.cpus, wait "
            "until other jobs have ended, or add nodes",
        ),
    ],
)
def test_what_others_hold_is_told_apart_from_what_is_missing(
    workers: WorkerSettings, cluster: ClusterFacts, sentence: str
) -> None:
    with pytest.raises(ClusterError) as caught:
        place_workers(Settings(images=1, workers=workers), replace(cluster, free=True))
    assert str(caught.value).endswith(sentence)


@pytest.mark.parametrize(
    ("actors", "sentence"),
    [
        (
            1,
            "the run needs 2 logical CPUs (1 worker with 1 each, 1 to read data) but the cluster has 1 on 1 node "
            "beside 1 evaluation actor with 1 CPU: give evaluation less by --probe.actors or --probe.cpus, or "
            "add nodes",
        ),
        (2, "but the cluster has 0 on 1 node beside 2 evaluation actors with 1 CPU each: give evaluation"),
    ],
)
def test_what_evaluation_takes_is_told_where_too_little_is_left(actors: int, sentence: str) -> None:
    with pytest.raises(ClusterError) as caught:
        place_workers(Settings(images=1), set_aside(facts(2), actors, 1.0, 0.0))
    assert sentence in str(caught.value)


def test_shares_of_a_cpu_or_gpu_are_set_aside_to_the_last() -> None:
    left = set_aside(facts(1, gpus=1), 10, 0.1, 0.1)
    assert (left.cpus, left.gpus) == (0, 0)
    with pytest.raises(ClusterError, match=r"11 evaluation actors with 0\.1 CPUs .* which is room for 10"):
        set_aside(facts(1, gpus=1), 11, 0.1, 0.1)


def test_a_ray_of_our_own_is_told_with_the_cores_that_it_counts_as_more_cpus() -> None:
    told = describe(Placement(1, 2.0, 0), facts(3), cores=2)
    assert told == "cluster: this machine with 3 logical CPUs on 2 cores and 0 GPUs; the run takes 1 worker with 2 CPUs"


def test_the_preflight_is_one_line() -> None:
    told = describe(Placement(2, 1.0, 1), facts(16, gpus=2, nodes=2))
    assert told == "cluster: 2 nodes with 16 CPUs and 2 GPUs; the run takes 2 workers with 1 CPU and 1 GPU each"


@pytest.mark.parametrize(
    ("placement", "cluster", "most"),
    [
        (Placement(3, 1.0, 0), facts(4), 3),
        (Placement(3, 1.0, 0), uneven((2, 0), (1, 0), (1, 0)), 2),
        (Placement(3, 2.0, 0), uneven((3, 0), (3, 0), (3, 0)), 1),
        (Placement(6, 1.0, 1), uneven((64, 2), (64, 4)), 4),
    ],
)
def test_workers_may_all_come_to_lie_where_there_is_room(
    placement: Placement, cluster: ClusterFacts, most: int
) -> None:
    assert most_beside(placement, cluster) == most
