"""What a run may take of a cluster: a table."""

import pytest

from dcgan_dist.errors import ClusterError
from dcgan_dist.preflight import ClusterFacts, Placement, describe, place_workers
from dcgan_dist.settings import Settings, WorkerSettings


def facts(cpus: float, gpus: float = 0, nodes: int = 1) -> ClusterFacts:
    return ClusterFacts(nodes=nodes, cpus=cpus, gpus=gpus, store_bytes=1e9)


@pytest.mark.parametrize(
    ("workers", "cluster", "placement"),
    [
        (WorkerSettings(number=2), facts(3), Placement(2, 1.0, 0)),
        (WorkerSettings(number=2), facts(16, gpus=2), Placement(2, 1.0, 1)),
        (WorkerSettings(number=2, gpu="off"), facts(16, gpus=2), Placement(2, 1.0, 0)),
        (WorkerSettings(number=1, cpus=0.5), facts(1.5), Placement(1, 0.5, 0)),
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
        (WorkerSettings(gpu="on"), facts(64), "the run needs 1 GPU, one for each worker, but the cluster has 0"),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(workers: WorkerSettings, cluster: ClusterFacts, sentence: str) -> None:
    with pytest.raises(ClusterError) as caught:
        place_workers(Settings(images=1, workers=workers), cluster)
    assert str(caught.value).startswith(sentence)


def test_the_preflight_is_one_line() -> None:
    told = describe(Placement(2, 1.0, 1), facts(16, gpus=2, nodes=2))
    assert told == "cluster: 2 nodes with 16 CPUs and 2 GPUs; the run takes 2 workers with 1 CPU and 1 GPU each"
