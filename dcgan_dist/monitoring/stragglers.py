"""What each rank does with its time, from its heartbeats; pure."""

from collections.abc import Sequence

from dcgan_dist.monitoring.hangs import LastHeartbeat, slow
from dcgan_dist.monitoring.messages import Heartbeat

CROWDED = 0.35
"""Share of the time in which a rank could compute that it may wait for a processor. On two cores it waited for 14 % of
it with two threads and nothing beside, for 18 % with one beside a busy process, and for 54 % with two."""
PERIOD_S = 60.0
"""Over so long the shares are taken: a checkpoint or a slow disk makes any rank slow for a moment."""


class Ranks:
    """Turns heartbeats into shares of time, once in a while, and names slow ranks, and hosts where too much runs."""

    def __init__(self) -> None:
        self._attempt = 0
        self._before: dict[int, Heartbeat] = {}
        self._reported: set[int | str] = set()

    def hear(self, ranks: Sequence[LastHeartbeat]) -> tuple[dict[str, float], list[str]]:
        """Numbers by metric name, and in words which rank is slow and which hosts are crowded, where that is new; both
        empty until a period is over."""
        heartbeats = {rank.heartbeat["rank"]: rank.heartbeat for rank in ranks}
        attempt = max((heartbeat["attempt"] for heartbeat in heartbeats.values()), default=self._attempt)
        if attempt != self._attempt or heartbeats.keys() - self._before.keys():
            self._attempt, self._before = attempt, heartbeats
            self._reported.clear()
            return {}, []
        if not heartbeats or any(
            _age(heartbeat) - _age(self._before[rank]) < PERIOD_S for rank, heartbeat in heartbeats.items()
        ):
            return {}, []
        values: dict[str, float] = {}
        told = []
        at_work: dict[int, float] = {}
        for rank, heartbeat in sorted(heartbeats.items()):
            shares = _shares(self._before[rank], heartbeat)
            values |= {f"worker/{rank}/{name}": value for name, value in shares.items()}
            if "busy_share" in shares:
                # Waiting for data is no waiting for others.
                at_work[rank] = min(1.0, shares["busy_share"] + shares["data_share"])
            host, crowd = heartbeat["host"], shares.get("crowded_share", 0.0)
            if crowd >= CROWDED and host not in self._reported:
                self._reported.add(host)
                told.append(
                    f"crowded: rank {rank} on {host} waits for a processor for {crowd:.0%} of the time in which it "
                    "could compute: end what else runs there, or resume with fewer --workers.threads "
                    "(numbers then differ in rounding)"
                )
        self._before = heartbeats
        culprit = slow(at_work)
        if culprit is not None and culprit not in self._reported:
            self._reported.add(culprit)
            idle = 1 - max(share for rank, share in at_work.items() if rank != culprit)
            host = heartbeats[culprit]["host"]
            told.append(f"slow: rank {culprit} on {host} keeps the others waiting for {idle:.0%} of the time")
        return values, told


def _age(heartbeat: Heartbeat) -> float:
    return heartbeat["vitals"]["age_s"]


def _shares(before: Heartbeat, now: Heartbeat) -> dict[str, float]:
    old, new = before["vitals"], now["vitals"]
    period_s = new["age_s"] - old["age_s"]
    values = {
        f"{stage}_share": (spent_s - old["stages_s"][stage]) / period_s for stage, spent_s in new["stages_s"].items()
    }
    if old["busy_s"] is not None and new["busy_s"] is not None:
        busy_s = new["busy_s"] - old["busy_s"]
        values["busy_share"] = busy_s / period_s
        if old["ready_s"] is not None and new["ready_s"] is not None and busy_s > 0:
            values["crowded_share"] = (new["ready_s"] - old["ready_s"]) / busy_s
    if new["memory"] is not None:
        values["memory_gib"] = new["memory"] / (1 << 30)
    if new["machine_memory"] is not None:
        values["machine_memory_share"] = new["machine_memory"]
    if new["gpu_memory"] is not None:
        values["gpu_memory_share"] = new["gpu_memory"]
    return values
