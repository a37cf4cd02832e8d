"""Whether all machines of a cluster see the same files: what one writes to a disk of its own, no other ever finds."""

import secrets
from collections.abc import Sequence

from dcgan_dist.cluster.placement import ClusterFacts
from dcgan_dist.errors import DataError, DcganDistError
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, place

ANSWER_S = 60.0
"""How long a machine may take; it starts a process."""


def require_shared(settings: Settings, shards: Sequence[Place], facts: ClusterFacts) -> None:
    """See that machines that read, train or evaluate find the run's storage, and its first shard if there is one.

    Raises:
        DataError: one does not, or this process may not write there.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    names = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes()}
    here = ray.get_runtime_context().get_node_id()
    others = [node for node, has in facts.hosts.items() if any(has) and node != here]
    if not others:
        return
    storage = place(settings.storage)
    mark = storage / f".seen-{secrets.token_hex(8)}"
    mark.write_bytes(b"")
    try:
        wanted = [mark, *([shards[0]] if shards[0].exists() else [])]
        asked = {}
        for node in others:
            where = NodeAffinitySchedulingStrategy(node, soft=False)
            asked[node] = ray.remote(_missing).options(num_cpus=0, scheduling_strategy=where).remote(wanted)
        for node, answer in asked.items():
            try:
                missing = ray.get(answer, timeout=ANSWER_S)
            except (RayError, GetTimeoutError):
                continue  # it has gone, or is about to: the run goes on without it
            if missing is not None:
                number, reason = missing
                what = f"data.path is {settings.data.path}" if number else f"storage is {storage}"
                told = f" ({reason})" if reason else ""
                raise DataError(
                    f"{what} but {names[node]} does not find what {names[here]} has there{told}: give a folder that "
                    "all machines share at the same path, or an s3:// address that all may read"
                )
    finally:
        mark.delete()


def _missing(wanted: Sequence[Place]) -> tuple[int, str] | None:
    """Number of the first that is not there, and why where there is a reason."""
    for number, one in enumerate(wanted):
        try:
            if not one.exists():
                return number, ""
        except DcganDistError as error:
            return number, str(error)
    return None
