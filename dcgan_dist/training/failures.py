"""Why a worker group ended: an error that the user can fix, a loss that the run survives, or a bug.

How many losses of a kind it survives is counted here too.
"""

import re
from collections.abc import Iterator, Mapping

from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.train import WorkerGroupError

from dcgan_dist.errors import ClusterError, DcganDistError, TrainingError
from dcgan_dist.settings import Settings

# What the others of a group say of a rank that is gone; gloo has no kind of error of its own.
_PEER_GONE = ("gloo", "connection closed", "connection reset", "nccl")

_NO_INTERFACE = re.compile(r"Unable to find address for: (\S+)")
"""The end of gloo's message."""

_STARTS = ("WorkerGroupStartupTimeoutError", "WorkerGroupStartupFailedError", "WorkerHealthCheckTimeoutError")


def explain(error: BaseException, settings: Settings) -> DcganDistError | None:
    """The error in `error`, or in what caused it, that the user can fix; None if there is none."""
    import torch  # which whoever starts a run does without, until something fails

    for found in causes(error):
        if isinstance(found, DcganDistError):
            # A sentence of ours is one line. Ray Data writes advice of its own below what a read task raised.
            return type(found)(str(found).partition("\n")[0])
        if isinstance(found, torch.OutOfMemoryError):
            return ClusterError(
                f"a worker ran out of GPU memory with optimization.batch_size {settings.optimization.batch_size} over "
                f"{settings.workers.number} workers: use a smaller batch, more workers, or networks with fewer maps"
            )
        if isinstance(found, RuntimeError) and (match := _NO_INTERFACE.search(str(found))):
            return ClusterError(
                f"a machine has no network interface {match[1]}, which GLOO_SOCKET_IFNAME named when Ray was "
                "started there: restart Ray there with another one, or without the variable"
            )
    return None


def of_a_step(error: BaseException, settings: Settings) -> TrainingError:
    """The error of a step that was tried with these settings before any training."""
    known = explain(error, settings) or loss(error) or _first_sentence(next(causes(error), error))
    return TrainingError(f"a step with these settings fails, as it would in the run: {known}")


def loss(error: BaseException, hosts: Mapping[int, str] | None = None) -> str | None:
    """Which part of the cluster was lost, in words, if `error` comes from that; else None.

    A process that ends takes the group with it: what its peers raise then, and in which order, is chance.

    Args:
        hosts: of the ranks of the group, as far as they are known.
    """
    from torch.distributed import DistError  # as in `explain`

    for who, cause in _lost(error, hosts or {}):
        return _in_words(cause, who)
    everything = list(causes(error))
    for cause in everything:
        if isinstance(cause, DistError) or (
            isinstance(cause, RuntimeError) and any(word in str(cause).lower() for word in _PEER_GONE)
        ):
            return f"the connection between workers broke ({_first_sentence(cause)})"
    for cause in everything:
        if type(cause).__name__ in _STARTS:
            return f"the workers could not be started ({_first_sentence(cause)})"
    return None


def _lost(error: BaseException, hosts: Mapping[int, str]) -> Iterator[tuple[str, RayError]]:
    """What Ray reports as lost, and which rank that is; the best known first.

    What a rank's own task raised is of a process that it waited for; else it is the rank itself.
    """
    groups = [cause for cause in causes(error) if isinstance(cause, WorkerGroupError)]
    ranks = [one for group in groups for one in sorted(group.worker_failures.items())]
    for own in (True, False):
        for rank, failure in ranks:
            who = f"the worker of rank {rank}" + (f" on {hosts[rank]}" if rank in hosts else "")
            if isinstance(failure, RayTaskError) != own:
                yield from ((who if own else f"a process that {who} needs", cause) for cause in _of_ray(failure))
    yield from (("a process of the run", cause) for cause in _of_ray(error))


def _of_ray(error: BaseException) -> list[RayError]:
    return [cause for cause in causes(error) if isinstance(cause, RayError) and not isinstance(cause, RayTaskError)]


def _in_words(error: RayError, who: str) -> str:
    """What happened to it."""
    if isinstance(error, OutOfMemoryError):
        return f"{who} was killed by Ray, because its machine ran out of memory: use fewer workers per machine"
    if isinstance(error, NodeDiedError):
        return f"the machine of {who} is gone ({_ending_of(error)})"
    if isinstance(error, ActorUnavailableError):
        return f"{who} cannot be reached any more ({_ending_of(error)})"
    if isinstance(error, RayActorError | WorkerCrashedError):
        ending = _ending_of(error)
        return f"{who} died" + (f" ({ending})" if ending else ": it was killed, or crashed")
    if isinstance(error, ObjectLostError):
        return f"data that {who} needed was lost with a machine or a process ({_first_sentence(error)})"
    return f"{who} was lost ({_first_sentence(error)})"


def _ending_of(error: RayError) -> str:
    """Ray's words on how a process ended, without its advice; "" if there are none."""
    text = str(error)
    if match := re.search(r"Worker exit detail: (.+?)(?:\. |\.?$)", text, re.MULTILINE):
        return "" if "connection error" in match[1] else match[1]  # Ray saw no more than that it was gone
    fields = r"(class_name|actor_id|pid|name|namespace|ip): "
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    plain = [line for line in lines if line != ActorDiedError.BASE_ERROR_MSG and not re.match(fields, line)]
    return plain[0].rstrip(".") if plain else ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that led to it, the nearest first; for a worker group, the error of each rank."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if any(found is other for other in seen):
            continue
        seen.append(found)
        if isinstance(found, RayTaskError):  # also an instance of its cause, with a traceback in the place of the text
            waiting += [found.cause] if isinstance(found.cause, BaseException) else []
        else:
            yield found
        if isinstance(found, WorkerGroupError):
            waiting += found.worker_failures.values()
        # Of a worker whose process is gone; the class is none that Ray documents.
        health = getattr(found, "health_check_failure", None)
        waiting += [cause for cause in (health, found.__cause__, found.__context__) if cause is not None]


def _first_sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
