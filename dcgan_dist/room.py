"""Waiting for machines that a cluster is still to bring, and asking for them where it has an autoscaler."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from dcgan_dist.cluster import has_address
from dcgan_dist.errors import ClusterError
from dcgan_dist.placement import READER_CPUS, ClusterFacts, gather_facts, takes_gpus
from dcgan_dist.settings import Settings

Found = TypeVar("Found")
Bundle = Mapping[str, float]

LOOK_S = 1.0


def wait_for_room(
    settings: Settings,
    place: Callable[[ClusterFacts], Found],
    wanted: Callable[[ClusterFacts], Sequence[Bundle]],
    say: Callable[[str], None],
    *,
    free: bool = False,
) -> tuple[ClusterFacts, Found]:
    """Let `place` decide on what the cluster has.

    Where that is too little, it decides again and again for `workers.wait_s` seconds: machines of a cluster come one
    after the other. What was started on this machine has all that it ever will.

    Args:
        place: raises `ClusterError` where there is too little.
        wanted: what the autoscaler is asked for, see `asking`.
        say: is told once that it waits, and for what.
        free: only what nobody uses counts.

    Returns:
        what the cluster has, and what was decided.

    Raises:
        ClusterError: there was too little, all the time.
    """
    start, facts = time.monotonic(), gather_facts(free=free)
    try:
        return facts, place(facts)
    except ClusterError as error:
        if not has_address(settings):
            raise
        patience_s = settings.workers.wait_s
        say(f"waiting for machines, at most {patience_s:g} s: {error}")
    with asking(wanted(facts)):
        while True:
            time.sleep(LOOK_S)
            facts = gather_facts(free=free)
            try:
                return facts, place(facts)
            except ClusterError as error:
                if time.monotonic() - start > patience_s:
                    raise ClusterError(f"{error} (waited {patience_s:g} s)") from error


@contextmanager
def asking(bundles: Sequence[Bundle]) -> Iterator[None]:
    """Within the block the autoscaler, if the cluster has one, sees that these resources are wanted.

    Each bundle is a placement group of its own: those that can be had come, also where not all can, and all are given
    back when the block or the driver ends. `ray.autoscaler.sdk.request_resources` would take the place of what others
    have requested, and outlive the driver.
    """
    from ray.util.placement_group import placement_group, remove_placement_group

    taken = [{name: number for name, number in bundle.items() if number} for bundle in bundles]
    groups = [placement_group([bundle]) for bundle in taken if bundle]
    try:
        yield
    finally:
        for group in groups:
            remove_placement_group(group)


def bundles_of(settings: Settings, facts: ClusterFacts) -> list[Bundle]:
    """What a run would like to have: all its workers, reading, evaluation actors."""
    workers, probe = settings.workers, settings.probe
    bundles: list[Bundle] = [{"CPU": workers.cpus, "GPU": float(takes_gpus(settings, facts))}] * workers.number
    bundles.append({"CPU": float(READER_CPUS)})
    return bundles + (actor_bundles(probe.actors, probe.cpus, probe.gpus) if probe.tasks else [])


def actor_bundles(actors: int, cpus: float, gpus: float) -> list[Bundle]:
    """What evaluation actors would like to have."""
    return [{"CPU": cpus, "GPU": gpus}] * actors
