"""Evaluation actors: each holds its part of a task; sums travel, images and features never do.

An actor that dies is replaced, and the calls that made its state are repeated on the new one: the calls in force
(`actor_state.py`).
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
import torch
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from dcgan_dist.cluster.autoscaling import LOOK_S, Patience
from dcgan_dist.cluster.connect import carry_code, worker_environment
from dcgan_dist.errors import ClusterError, DcganDistError
from dcgan_dist.evaluation.actor_state import CLASSIFIER, Call, effect_of, in_force
from dcgan_dist.evaluation.classifiers.svm import Part
from dcgan_dist.evaluation.service.evaluator import Evaluator
from dcgan_dist.numerals import count

MAX_DEATHS = 3
"""Deaths of one actor during one call: what kills it so often is the call."""
RESOURCE = "evaluator"
"""Ray's name for machines that are there for evaluation: `ray start --resources '{"evaluator": 4}'`."""


class _Located:
    """Says where an actor is."""

    def node(self) -> str:
        """Ray's name for its host."""
        return str(ray.get_runtime_context().get_node_id())

    def pid(self) -> int:
        """Its process."""
        return os.getpid()


class Pool:
    """`number` evaluation actors, which live until `close`, or as long as this driver.

    Attributes:
        replaced: how many have died and were replaced.
        say: receives a line for each that has died.
    """

    def __init__(
        self,
        number: int,
        cpus: float,
        gpus: float,
        threads: int,
        resource: str = "",
        wait_s: float = 60.0,
        kind: type[Evaluator] = Evaluator,
    ) -> None:
        """Start them.

        Args:
            cpus: logical CPUs of each.
            gpus: of each; may be a fraction.
            threads: of each one's tensor operations.
            resource: see `ProbeSettings`.
            wait_s: how long they may take to find room, where no machine is under way.
            kind: of evaluator that each of them is.

        Raises:
            ClusterError: there was no room for them.
        """
        self._number, self._threads, self._kind = number, threads, kind
        carry_code()
        environment = {"env_vars": worker_environment()}
        self._options: dict[str, Any] = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "max_restarts": 0,
            "runtime_env": environment,
        }
        if not resource and ray.cluster_resources().get(RESOURCE):
            resource = RESOURCE
        if resource:
            self._options["resources"] = {resource: 1}
        # What is left for this process is small, and threads of it would spin on cores that actors compute on.
        torch.set_num_threads(1)
        self._in_force: list[Call] = []
        self.replaced = 0
        self.say: Callable[[str], None] = lambda text: None
        self._actors = [self._start(part) for part in range(number)]
        # They hold what they need from now on: what comes later would take it.
        nodes = [actor.node.remote() for actor in self._actors]
        patience = Patience(wait_s)
        while len(ray.wait(nodes, num_returns=number, timeout=LOOK_S)[0]) < number:
            if patience.is_over():
                self.close()
                raise ClusterError(
                    f"{count(number, 'evaluation actor')} could not be placed within {patience.waited_s:.0f} s: others "
                    "use the CPUs or GPUs, or the machines are too busy to start them; wait, or use fewer actors"
                )
        self._nodes: list[str] = ray.get(nodes)

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        """Call a method of every evaluator; their results in order.

        Raises:
            DcganDistError: one of them raises an error that a user can fix, or dies repeatedly.
            TypeError: the method does not declare what it makes.
        """
        effect = effect_of(getattr(Part, arguments[0]) if name == CLASSIFIER else getattr(self._kind, name))
        # What is large lies in the object store, once for all of them.
        shared = tuple(argument if isinstance(argument, str) else ray.put(argument) for argument in arguments)
        waiting = [getattr(actor, name).remote(*shared) for actor in self._actors]
        results = [self._result(part, reference, name, shared) for part, reference in enumerate(waiting)]
        self._in_force = in_force(self._in_force, Call(name, shared, effect))
        return results

    def svm(self, name: str, /, *arguments: Any) -> tuple[Any, ...]:
        """`svm.Reduce` over all parts."""
        results = self.each(CLASSIFIER, name, *arguments)
        return tuple(sum(column[1:], column[0]) for column in zip(*results, strict=True))

    def held_resources(self) -> dict[str, tuple[float, float]]:
        """CPUs and GPUs that the actors hold, by the node that they are on."""
        counts = Counter(self._nodes)
        cpus, gpus = self._options["num_cpus"], self._options["num_gpus"]
        return {node: (count * cpus, count * gpus) for node, count in counts.items()}

    def pids(self) -> list[int]:
        """Processes of the actors."""
        return [ray.get(actor.pid.remote()) for actor in self._actors]

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def _result(self, part: int, reference: Any, name: str, arguments: tuple[Any, ...]) -> Any:
        deaths = 0
        repeated: list[Any] = []
        while True:
            try:
                ray.get(repeated)  # what fails now that did not before would be a defect of the call that follows
                return ray.get(reference)
            except RayActorError as error:
                deaths += 1
                if deaths > MAX_DEATHS:
                    raise ClusterError(
                        f"evaluation actor {part} died {deaths} times during the call {name} ({_first(error)}): "
                        "give it more memory, or share the images between more actors"
                    ) from error
                repeated = self._replace(part)
                reference = getattr(self._actors[part], name).remote(*arguments)
            except RayTaskError as error:
                if isinstance(error.cause, DcganDistError):
                    raise error.cause from error
                raise

    def _start(self, part: int) -> ActorHandle:
        actor = type("_Actor", (_Located, self._kind), {})
        return ray.remote(actor).options(**self._options).remote(part, self._number, self._threads)

    def _replace(self, part: int) -> list[Any]:
        """A new actor in the place of one that has died, in the state in which that one was; what its calls return."""
        self.replaced += 1
        self.say(f"evaluation actor {part} has died; a new one takes over its images")
        actor = self._actors[part] = self._start(part)
        # An actor takes its calls in order.
        repeated = [getattr(actor, call.name).remote(*call.arguments) for call in self._in_force]
        with suppress(RayActorError):  # the call that follows reports it
            self._nodes[part] = ray.get(actor.node.remote())
        return repeated


def _first(error: Exception) -> str:
    """First line of Ray's message: the others help only those who look for the cause."""
    return str(error).strip().partition("\n")[0].rstrip(".")
