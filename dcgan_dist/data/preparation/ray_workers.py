"""The machines of a Ray cluster that do the work: those that find the source and the target."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

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

    def __init__(self, target: Place, witness: Place | None) -> None:
        """Find the machines.

        Args:
            target: folder of the shards.
            witness: a file of the source, if it has any: a machine that has it, with the same size, is taken to
                have the source.

        Raises:
            ClusterError: no machine finds both.
        """
        seen, notes = _who_sees(target, witness)
        self._nodes = seen
        self.notes = notes

    def each(self, function: Callable[..., T], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """As `Workers` has it; a machine that is lost is done without."""
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": _RETRIES}
        if self._nodes is not None:
            options["label_selector"] = {"ray.io/node-id": f"in({','.join(self._nodes)})"}
        task = ray.remote(function).options(**options)
        shared = ray.put(common)
        waiting = iter(arguments)
        under_way: list[ray.ObjectRef[T]] = []
        try:
            while True:
                # Twice as many as can run: none waits for this process, and an autoscaler sees that more are wanted.
                room = 2 * self.number - len(under_way)
                for given in waiting if room > 0 else ():
                    under_way.append(task.remote(shared, *given))
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


def _who_sees(target: Place, witness: Place | None) -> tuple[list[str] | None, tuple[str, ...]]:
    """The machines that find a file of the source and one that is written into the target; None: any machine does."""
    wanted = [place for place in (witness, target) if place is not None and place.is_local]
    if not wanted:
        return None, ()
    names = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    mark = target / f".seen-{secrets.token_hex(8)}"
    mark.write_bytes(b"seen")
    files = [(place, place.info().size) for place in (mark, witness) if place is not None]
    try:
        asked = {
            node: ray.remote(_missing)
            .options(num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
            .remote(files)
            for node in names
        }
        missing = {node: _answer(answer) for node, answer in asked.items()}
    finally:
        mark.delete()
    seen = [node for node, what in missing.items() if not what]
    if len(seen) == len(names):
        return seen, ()  # not those that may come later, of which nobody knows what they find
    lacking = sorted({names[node]: what for node, what in missing.items() if what}.items())
    told = "; ".join(f"{name}: {what}" for name, what in lacking[:_MACHINES_TOLD])
    if not seen:
        raise ClusterError(
            f"no machine of the cluster finds both the source and {target} ({told}): give folders that all machines "
            "share at the same path, or addresses such as s3://BUCKET/..."
        )
    return seen, (f"the work is done by {len(seen)} of {len(names)} machines, which find source and target ({told})",)


def _answer(answer: Any) -> str:
    try:
        return str(ray.get(answer, timeout=_ANSWER_S))
    except (RayError, GetTimeoutError):
        return "does not answer"


def _missing(wanted: Sequence[tuple[Place, int]]) -> str:
    """What this machine does not find, or finds with another size; "" where it finds all."""
    for place, size in wanted:
        try:
            if place.info().size != size:
                return f"has another {place}"
        except DcganDistError as error:
            return str(error)
    return ""
