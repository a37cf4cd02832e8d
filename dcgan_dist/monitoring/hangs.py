"""Which rank do the others wait for? Pure rules over heartbeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcgan_dist.monitoring.messages import Heartbeat

ORDER = ("start", "checkpoint", "data", "forward", "all-reduce")
"""Stages in the order in which a rank goes through them: once all is done for a step, the next one's number counts."""
SILENT_S = 5.0
"""A living rank sends heartbeats more often than that."""

SLOW_SHARE = 0.6
"""A rank is slow if no other is at work for a larger part of the time that this one is: two in five wait for it."""
AT_WORK_SHARE = 0.5
"""One that is at work for less itself waits for something else, as the threads of ranks on GPUs do."""


@dataclass(frozen=True)
class LastHeartbeat:
    """The last heartbeat of a rank, and how long ago that was."""

    heartbeat: Heartbeat
    silent_s: float

    @property
    def still_s(self) -> float:
        """How long it has been where it is, as far as anybody knows."""
        return self.heartbeat["stage_s"] + self.silent_s


def stuck(ranks: Sequence[LastHeartbeat], limit_s: float) -> LastHeartbeat | None:
    """The rank that keeps the group from going on, if nobody has gone on for `limit_s`; else None.

    It is one that is silent; else the one that has come least far: the others wait for it in a collective, or for their
    data, which Ray hands to all of them or to none.
    """
    if not ranks or any(rank.still_s < limit_s or rank.heartbeat["stage"] == "done" for rank in ranks):
        return None

    def progress(rank: LastHeartbeat) -> tuple[bool, int, int, float]:
        alive = rank.silent_s < SILENT_S
        return alive, rank.heartbeat["step"], ORDER.index(rank.heartbeat["stage"]), -rank.still_s

    return min(ranks, key=progress)


def describe(rank: LastHeartbeat) -> str:
    """Where it is, for people."""
    heartbeat = rank.heartbeat
    text = f"rank {heartbeat['rank']} on {heartbeat['host']} has been in {heartbeat['stage']} of step "
    text += f"{heartbeat['step']:,} for {rank.still_s:.0f} s"
    return text + (f", and silent for {rank.silent_s:.0f} s" if rank.silent_s >= SILENT_S else "")


def slow(at_work: Mapping[int, float]) -> int | None:
    """The rank that keeps the others waiting though it is alive, if there is one.

    `at_work`: for each rank the share of a while in which it did not wait for the others. All of a group take a step
    together, so that a slow one is seen by what the others do meanwhile: nothing.
    """
    slowest = max(at_work, key=lambda rank: at_work[rank], default=0)
    others = [share for rank, share in at_work.items() if rank != slowest]
    if not others or at_work[slowest] < AT_WORK_SHARE:
        return None
    return slowest if max(others) < SLOW_SHARE * at_work[slowest] else None
