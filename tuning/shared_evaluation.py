"""One pool of evaluation actors for all trials of a sweep: an actor owns it, and evaluates in the order of requests."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayTaskError

from dcgan_dist.errors import DcganDistError
from dcgan_dist.evaluation.service.checkpoint_evaluator import PoolEvaluator
from dcgan_dist.evaluation.service.job import Job
from dcgan_dist.evaluation.service.pool import Pool
from dcgan_dist.settings import Settings
from dcgan_dist.training.launch import open_tasks

POLL_S = 0.5
"""Seconds between two checks whether a trial still wants the result."""


class _EvaluationActor:
    """Owns the pool. If it dies, it is restarted with a new pool, which then serves the pending requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    # Not in `__init__`: callers would see what that raises only in Ray's report.
    @cached_property
    def _pool(self) -> Pool:
        probe = self._settings.probe
        return Pool(probe.actors, probe.cpus, probe.gpus, probe.threads, probe.resource)

    @cached_property
    def _evaluator(self) -> PoolEvaluator:
        return PoolEvaluator(self._pool, self._settings.probe.actors, open_tasks(self._settings, None))

    def held_resources(self) -> dict[str, tuple[float, float]]:
        """CPUs and GPUs that the pool holds, by node."""
        return self._pool.held_resources()

    def compute(self, job: Job) -> dict[str, Any]:
        """See `CheckpointEvaluator.compute`; a result that exists already is read, not computed again."""
        return job.read() or self._evaluator.compute(job)


class SharedEvaluation:
    """A trial's handle to the evaluation actor: a `CheckpointEvaluator` that can be sent to any process."""

    def __init__(self, actor: ActorHandle) -> None:
        self._actor = actor

    @classmethod
    def start(cls, settings: Settings) -> Self:
        """Start the pool; when this returns, it holds the resources that it needs.

        Args:
            settings: settings of the trials; folders of tasks are absolute, since other machines have to find them.

        Raises:
            ClusterError: there is no room for it.
        """
        options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
        actor = ray.remote(_EvaluationActor).options(**options).remote(settings)
        _get(actor.held_resources.remote())
        return cls(actor)

    def compute(self, job: Job, go_on: Callable[[], None]) -> dict[str, Any]:
        """See `CheckpointEvaluator`. A trial that no longer wants the result stops waiting for it."""
        reference = self._actor.compute.remote(job)
        while not ray.wait([reference], timeout=POLL_S)[0]:
            go_on()
        result: dict[str, Any] = _get(reference)
        return result


def _get(reference: "ray.ObjectRef[Any]") -> Any:
    try:
        return ray.get(reference)
    except RayTaskError as error:
        # Ray's own error shows a traceback instead of the message.
        if isinstance(error.cause, DcganDistError):
            raise error.cause from error
        raise
