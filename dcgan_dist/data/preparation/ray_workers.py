"""The machines of a Ray cluster that do the work: those that find source and target, and make the same bytes."""

import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dcgan_dist.data.preparation.packages import what_differs
from dcgan_dist.errors import ClusterError, DataError, DcganDistError
from dcgan_dist.storage import Place

T = TypeVar("T")

# A task that a machine or a process was lost with is begun again on another; one that kills every process is given up.
_RETRIES = 3
_ANSWER_S = 60.0
_LOOK_S = 30.0
_MACHINES_TOLD = 4


class RayWorkers:
    """Tasks on machines of a cluster, one per logical CPU; a `Workers`.

    Attributes:
        notes: lines for people: which machines do the work, where not all do.
    """

    def __init__(self, scratch: Place, witness: Place | None, versions: Mapping[str, str]) -> None:
        """Find the machines.

        Args:
            scratch: a folder in that which is written to; what is left there is deleted when the work is done.
            witness: a file of the source, if it has any: a machine that has it, with the same size, is taken to
                have the source.
            versions: of the packages that decide on the bytes of images: a machine with others is left out.

        Raises:
            ClusterError: there is no machine that finds both and has these versions.
        """
        self._versions = versions
        self._nodes, self.notes = _who_can(scratch, witness, versions)

    def each(self, function: Callable[..., T], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """As `Workers` has it; a machine that is lost is done without. One that has joined since, with other versions,
        raises `ClusterError`."""
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": _RETRIES, "name": function.__name__}
        if self._nodes is not None:
            options["label_selector"] = {"ray.io/node-id": f"in({','.join(self._nodes)})"}
        task = ray.remote(_with_same_versions).options(**options)
        shared = ray.put(common)
        waiting = iter(arguments)
        under_way: list[ray.ObjectRef[T]] = []
        try:
            while True:
                # Twice as many as can run: none waits for this process, and an autoscaler sees that more are wanted.
                room = 2 * self.number - len(under_way)
                for given in waiting if room > 0 else ():
                    under_way.append(task.remote(function, self._versions, shared, *given))
                    room -= 1
                    if room <= 0:
                        break
                if not under_way:
                    return
                done, under_way = self._wait(under_way)
                yield _result(done[0])
        finally:
            for one in under_way:
                ray.cancel(one, force=True)

    @property
    def number(self) -> int:
        """Logical CPUs of the machines that do the work now, at least 1."""
        return max(1, int(sum(node["Resources"].get("CPU", 0) for node in self._alive())))

    def _alive(self) -> list[dict[str, Any]]:
        return [
            node for node in ray.nodes() if node["Alive"] and (self._nodes is None or node["NodeID"] in self._nodes)
        ]

    def _wait(self, under_way: "list[ray.ObjectRef[T]]") -> "tuple[list[ray.ObjectRef[T]], list[ray.ObjectRef[T]]]":
        """The next task that ends, and the others; raises `ClusterError` where no machine is left to end one."""
        while True:
            done, others = ray.wait(under_way, num_returns=1, timeout=_LOOK_S)
            if done:
                return done, others
            if not self._alive():
                raise ClusterError(
                    "all machines that find the source and the target have left the cluster: run the command again "
                    "when they, or others that find both, are back"
                )


def _result(task: Any) -> Any:
    try:
        return ray.get(task)
    except RayTaskError as error:
        # Ray's own error shows the traceback in the place of its text.
        if isinstance(error.cause, DcganDistError):
            raise error.cause from error
        raise
    except RayError as error:
        raise DataError(what_was_lost(error)) from error


def what_was_lost(error: RayError) -> str:
    """What is said of a task that Ray has given up."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, OutOfMemoryError):
        return (
            f"memory ran out on a machine of the cluster, however often the same pictures were begun again ({reason}): "
            "start Ray on it with fewer CPUs (ray start --num-cpus), or end what else takes its memory, and run the "
            "command again to continue"
        )
    return (
        f"a process that decodes pictures was lost {_RETRIES + 1} times ({reason}), perhaps because memory ran out or "
        "its machine went: run the command again to continue"
    )


def _with_same_versions(function: Callable[..., T], versions: Mapping[str, str], common: Any, *given: Any) -> T:
    """What the function returns, on a machine where it makes the same bytes; raises `ClusterError` on others."""
    if told := what_differs(versions):
        raise ClusterError(
            f"{socket.gethostname()}, which has joined the cluster, {told}, so that it may make other bytes: install "
            "the same versions on all machines, and run the command again to continue"
        )
    return function(common, *given)


def _who_can(
    scratch: Place, witness: Place | None, versions: Mapping[str, str]
) -> tuple[list[str] | None, tuple[str, ...]]:
    """The machines that find a file of the source and one that is written into the target, and have these versions;
    None: any machine does, also one that comes later."""
    names = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    if any(place is not None and place.is_local for place in (witness, scratch)):
        # Where a call that is killed now leaves nothing that a later one does not delete.
        mark = scratch / f"seen-{secrets.token_hex(8)}"
        mark.write_bytes(b"seen")
        try:
            files = [(place, place.info().size) for place in (mark, witness) if place is not None]
            missing = _ask(list(names), files, versions)
        finally:
            mark.delete()
        any_other = False  # nobody knows what one that comes later finds
    else:
        missing = _ask(list(names), [], versions)
        any_other = True
    seen = [node for node, what in missing.items() if not what]
    if len(seen) == len(names):
        return None if any_other else seen, ()
    lacking = sorted({names[node]: what for node, what in missing.items() if what}.items())
    told = "; ".join(f"{name}: {what}" for name, what in lacking[:_MACHINES_TOLD])
    if not seen:
        raise ClusterError(
            f"no machine of the cluster finds both the source and {scratch.parent}, and has the versions of this "
            f"machine ({told}): give folders that all machines share at the same path, or addresses such as "
            "s3://BUCKET/..., and install the same versions on all machines"
        )
    do = f"the work is done by {len(seen)} of {len(names)} machines, which find source and target"
    return seen, (f"{do}, and have the versions of this machine ({told})",)


def _ask(nodes: Sequence[str], files: Sequence[tuple[Place, int]], versions: Mapping[str, str]) -> dict[str, str]:
    """What each machine lacks, see `_missing`."""
    asked = {
        node: ray.remote(_missing)
        .options(num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        .remote(files, versions)
        for node in nodes
    }
    return {node: _answer(answer) for node, answer in asked.items()}


def _answer(answer: Any) -> str:
    try:
        return str(ray.get(answer, timeout=_ANSWER_S))
    except (RayError, GetTimeoutError):
        return "does not answer"


def _missing(wanted: Sequence[tuple[Place, int]], versions: Mapping[str, str]) -> str:
    """What this machine does not find, or finds with another size, or has in other versions; "" where it has all."""
    try:
        for place, size in wanted:
            if place.info().size != size:
                return f"has another {place}"
        return what_differs(versions)
    except DcganDistError as error:
        return str(error)
