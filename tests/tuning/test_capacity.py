"""How many trials run at once: a table of clusters, from a laptop to 200 CPUs."""

from dataclasses import replace

import pytest

from dcgan_dist.cluster.placement import ClusterFacts, set_aside
from dcgan_dist.errors import ClusterError
from dcgan_dist.settings import Settings, cifar32
from tuning.capacity import fit_trials, local_cpus, on_this_machine


def cluster(*hosts: tuple[float, float]) -> ClusterFacts:
    names = {f"host-{number}": host for number, host in enumerate(hosts)}
    return ClusterFacts(len(hosts), sum(c for c, _ in hosts), sum(g for _, g in hosts), 1e9, names)


def settings(workers: int = 1, cpus: float = 1.0, gpu: str = "auto") -> Settings:
    base = cifar32()
    return replace(base, workers=replace(base.workers, number=workers, cpus=cpus, gpu=gpu))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hosts", "workers", "cpus", "actors", "fitting"),
    [
        ([(2.0, 0.0)], 1, 1.0, 0, 1),
        ([(2.0, 0.0)], 1, 0.5, 1, 0),  # what is left of two CPUs reads no data
        ([(3.0, 0.0)], 1, 1.0, 1, 1),
        ([(4.0, 0.0)], 1, 1.0, 0, 2),
        ([(4.0, 0.0)], 2, 1.0, 0, 1),
        ([(16.0, 0.0)], 3, 1.0, 4, 3),
        ([(200.0, 0.0)], 1, 1.0, 4, 98),
        ([(200.0, 0.0)], 8, 1.0, 4, 21),
        ([(8.0, 0.0)] * 25, 1, 1.0, 4, 98),
        ([(8.0, 0.0)] * 25, 4, 2.0, 0, 21),
        ([(8.0, 1.0)] * 8 + [(32.0, 0.0)], 1, 2.0, 4, 8),
        ([(8.0, 4.0)] * 4, 4, 2.0, 0, 3),
        ([(1.0, 0.0)] * 6, 2, 1.0, 0, 2),
        ([(1.3, 0.0)], 3, 0.1, 0, 1),
    ],
)
def test_trials_fit_with_their_readers_beside_the_evaluators(
    hosts: list[tuple[float, float]], workers: int, cpus: float, actors: int, fitting: int
) -> None:
    left = set_aside(cluster(*hosts), actors, 1.0, 0.0) if actors else cluster(*hosts)
    if not fitting:
        with pytest.raises(ClusterError):
            fit_trials(settings(workers, cpus), left, 0, 1_000)
        return
    assert fit_trials(settings(workers, cpus), left, 0, 1_000).at_once == fitting
    assert fit_trials(settings(workers, cpus), left, fitting, 1_000).at_once == fitting
    with pytest.raises(ClusterError, match=f"only {fitting} fits?: .* use --at-once {fitting}|only {fitting} fit"):
        fit_trials(settings(workers, cpus), left, fitting + 1, 1_000)


def test_no_more_run_at_once_than_there_are() -> None:
    found = fit_trials(settings(), cluster((200.0, 0.0)), 0, 12)
    assert found.at_once == 12
    assert (
        found.sentence
        == "12 at once, each with 1 worker of 1 CPU, and 1 CPU to read data, of 200 CPUs that evaluation leaves"
    )


def test_a_trial_that_fits_nowhere_is_told_before_anything_starts() -> None:
    with pytest.raises(ClusterError, match="the run needs room for 2 workers"):
        fit_trials(settings(2, 5.0), cluster((4.0, 0.0), (8.0, 0.0)), 0, 10)
    with pytest.raises(ClusterError, match="no trial fits: it takes 2 workers of 4 CPUs"):
        fit_trials(settings(2, 4.0), cluster((4.0, 0.0), (4.0, 0.0), (0.5, 0.0), (0.5, 0.0)), 0, 10)


@pytest.mark.parametrize(
    ("cores", "workers", "actors_cpus", "wanted", "at_once"),
    [
        (2, 1, 1.0, 0, 1),
        (2, 1, 0.0, 0, 2),
        (1, 1, 1.0, 0, 1),
        (8, 2, 1.0, 0, 3),
        (2, 1, 1.0, 3, 3),
        (64, 1, 1.0, 0, 10),
    ],
)
def test_a_machine_of_ones_own_runs_as_many_as_it_has_cores(
    cores: int, workers: int, actors_cpus: float, wanted: int, at_once: int
) -> None:
    assert on_this_machine(settings(workers), cores, wanted, 10, actors_cpus) == at_once


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_a_ray_that_is_started_has_room_for_what_is_to_run(workers: int, at_once: int) -> None:
    cpus = -(-local_cpus(settings(workers), at_once, 1.0) // 1)
    left = set_aside(cluster((cpus, 0.0)), 1, 1.0, 0.0)
    assert fit_trials(settings(workers), left, at_once, 100).at_once == at_once
