"""Which rank do the others wait for? A pure rule over the ranks' last signs of life."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcgan_dist.monitoring.messages import Beat

ORDER = ("start", "checkpoint", "data", "forward", "all-reduce")
"""Stages in the order in which a rank goes through them: once all is done for a step, the next one's number counts."""
SILENT_S = 5.0
"""A living rank is heard of more often than that."""


@dataclass(frozen=True)
class Heard:
    """The last sign of a rank, and how long ago that was."""

    beat: Beat
    silent_s: float

    @property
    def still_s(self) -> float:
        """How long it has been where it is, as far as anybody knows."""
        return self.beat["stage_s"] + self.silent_s


def stuck(ranks: Sequence[Heard], limit_s: float) -> Heard | None:
    """The rank that keeps the group from going on, if nobody has gone on for `limit_s`; else None.

    It is one that is silent; else the one that has come least far: the others wait for it in a collective, or for their
    data, which Ray hands to all of them or to none.
    """
    if not ranks or any(rank.still_s < limit_s or rank.beat["stage"] == "done" for rank in ranks):
        return None

    def progress(rank: Heard) -> tuple[bool, int, int, float]:
        alive = rank.silent_s < SILENT_S
        return alive, rank.beat["step"], ORDER.index(rank.beat["stage"]), -rank.still_s

    return min(ranks, key=progress)


def describe(rank: Heard) -> str:
    """Where it is, for people."""
    beat = rank.beat
    text = f"rank {beat['rank']} on {beat['host']} has been in {beat['stage']} of step {beat['step']:,} for "
    text += f"{rank.still_s:.0f} s"
    return text + (f", and silent for {rank.silent_s:.0f} s" if rank.silent_s >= SILENT_S else "")
