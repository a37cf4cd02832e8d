"""Waiting for machines that are still to join a cluster, and requesting them from its autoscaler if it has one."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from dcgan_dist.cluster.connect import has_address
from dcgan_dist.cluster.placement import READER_CPUS, ClusterFacts, gather_facts, takes_gpus
from dcgan_dist.cluster.ray_internals import machines_under_way
from dcgan_dist.errors import ClusterError
from dcgan_dist.numerals import count
from dcgan_dist.settings import Settings

Decision = TypeVar("Decision")
Bundle = Mapping[str, float]

LOOK_S = 1.0
LONGEST_S = 1800.0
"""How long to wait for machines that are being started: some never arrive."""


def wait_for_room(
    settings: Settings,
    place: Callable[[ClusterFacts], Decision],
    wanted: Callable[[ClusterFacts], Sequence[Bundle]],
    say: Callable[[str], None],
) -> tuple[ClusterFacts, Decision]:
    """Let `place` decide on what the cluster has.

    Where that is too little, it decides again and again, as long as `Patience` of `workers.wait_s` seconds lasts:
    machines of a cluster come one after the other. What was started on this machine has all that it ever will.

    Args:
        place: raises `ClusterError` where there is too little.
        wanted: what the autoscaler is asked for, see `asking`.
        say: is told once that it waits, and for what.

    Returns:
        what the cluster has, and what was decided.

    Raises:
        ClusterError: there was too little, all the time.
    """
    facts = gather_facts()
    try:
        return facts, place(facts)
    except ClusterError as error:
        if not has_address(settings.workers.address):
            raise
        patience = Patience(settings.workers.wait_s)
        say(f"waiting for machines, {patience}: {error}")
    with asking(wanted(facts)):
        while True:
            time.sleep(LOOK_S)
            facts = gather_facts()
            try:
                return facts, place(facts)
            except ClusterError as error:
                if patience.is_over():
                    raise ClusterError(f"{error} (waited {patience.waited_s:.0f} s)") from error


class Patience:
    """A limit for waiting, which starts over while the autoscaler is starting machines, up to `LONGEST_S` in all."""

    def __init__(self, wait_s: float, option: str = "--workers.wait-s") -> None:
        """`option`: the option that makes it longer, for messages."""
        self._wait_s, self._option = wait_s, option
        self._start = self._begin = time.monotonic()

    def __str__(self) -> str:
        return f"at most {self._wait_s:g} s ({self._option}) unless some are being started"

    @property
    def waited_s(self) -> float:
        """Seconds waited so far."""
        return time.monotonic() - self._start

    def is_over(self) -> bool:
        """Whether the limit is reached; call it again and again."""
        if self.waited_s < LONGEST_S and machines_under_way():
            self._begin = time.monotonic()
        return time.monotonic() - self._begin > self._wait_s


def wait_for_free(what: str, bundles: Sequence[Bundle], wait_s: float, say: Callable[[str], None]) -> None:
    """Wait until the cluster has all of these free at the same time, as long as `Patience` of `wait_s` seconds lasts.

    Args:
        what: needs one of the bundles, which are equal, each; in the singular.
        say: is told once that it waits.

    Raises:
        ClusterError: it had not, all the time.
    """
    patience, told = Patience(wait_s, "--wait-s"), False
    with asking(bundles) as groups:
        lacking = list(groups)
        while lacking := [group for group in lacking if not group.wait(LOOK_S / len(lacking))]:
            need = (
                f"{count(len(bundles), what)} with {_describe(bundles[0])} each need more than the cluster has free, "
                f"which is room for {len(bundles) - len(lacking)}: use fewer, or give each less"
            )
            if not told:
                told = True
                say(f"waiting for machines, {patience}: {need}")
            if patience.is_over():
                raise ClusterError(f"{need} (waited {patience.waited_s:.0f} s)")


def require_resource(name: str, number: int) -> None:
    """See that the cluster's machines offer as much of a resource of their own; raises `ClusterError`."""
    import ray

    has = ray.cluster_resources().get(name, 0.0)
    if has < number:
        raise ClusterError(
            f"evaluation needs {number} of the resource {name} but the cluster has {has:g}: use fewer actors, or start "
            "machines that offer it"
        )


@contextmanager
def asking(bundles: Sequence[Bundle]) -> Iterator[Sequence[Any]]:
    """Within the block, request these resources from the autoscaler, if the cluster has one; yields their groups.

    Each bundle is a placement group of its own: those that can be had come, also where not all can, and all are given
    back when the block or the driver ends. `ray.autoscaler.sdk.request_resources` would take the place of what others
    have requested, and outlive the driver.
    """
    from ray.util.placement_group import placement_group, remove_placement_group

    taken = [{name: number for name, number in bundle.items() if number} for bundle in bundles]
    groups = [placement_group([bundle]) for bundle in taken if bundle]
    try:
        yield groups
    finally:
        for group in groups:
            remove_placement_group(group)


def bundles_of(settings: Settings, facts: ClusterFacts) -> list[Bundle]:
    """Bundles of all that a run would use: all its workers, reading, evaluation actors."""
    probe = settings.probe
    actors = actor_bundles(probe.actors, probe.cpus, probe.gpus, probe.resource) if probe.tasks else []
    return worker_bundles(settings, facts) + actors


def worker_bundles(settings: Settings, facts: ClusterFacts) -> list[Bundle]:
    """The same without evaluation actors."""
    workers = settings.workers
    bundles: list[Bundle] = [{"CPU": workers.cpus, "GPU": float(takes_gpus(settings, facts))}] * workers.number
    return [*bundles, {"CPU": float(READER_CPUS)}]


def actor_bundles(actors: int, cpus: float, gpus: float, resource: str) -> list[Bundle]:
    """Bundles of evaluation actors. `resource`: see `ProbeSettings`."""
    return [{"CPU": cpus, "GPU": gpus} | ({resource: 1.0} if resource else {})] * actors


def _describe(bundle: Bundle) -> str:
    return " and ".join(f"{number:g} {name}" for name, number in bundle.items() if number)
