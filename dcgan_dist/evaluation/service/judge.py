"""Who finds the results of a run's checkpoints: evaluators that are the run's alone, or those that runs share."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from dcgan_dist.evaluation.probe import load
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.service.job import ProbeJob
from dcgan_dist.evaluation.task import Task


class Judge(Protocol):
    """Finds results, one at a time."""

    def compute(self, job: ProbeJob, go_on: Callable[[], None]) -> dict[str, Any]:
        """Find a result and write it, see `Job.compute`.

        Args:
            go_on: is called again and again meanwhile; what it raises ends the work, and is raised.
        """
        ...


class PoolJudge:
    """Judges with evaluators that nobody else uses."""

    def __init__(self, evaluators: Evaluators, actors: int, tasks: Sequence[Task]) -> None:
        """
        Args:
            actors: how many evaluators there are, for the record.
            tasks: of all jobs that will come.
        """
        self._evaluators, self._actors, self._tasks = evaluators, actors, tasks
        self._checksums: dict[str, str] = {}

    def compute(self, job: ProbeJob, go_on: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """See `Judge`. The images are read before the first one."""
        evaluators = _Guarded(self._evaluators, go_on)
        self._checksums = self._checksums or load(evaluators, self._tasks)
        return job.compute(evaluators, self._checksums, self._actors, lambda text: None)


class _Guarded:
    """Evaluators between two calls of which the work can be ended."""

    def __init__(self, evaluators: Evaluators, go_on: Callable[[], None]) -> None:
        self._evaluators, self._go_on = evaluators, go_on

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        """`Evaluators.each`."""
        self._go_on()
        return self._evaluators.each(name, *arguments)

    def svm(self, name: str, /, *arguments: Any) -> tuple[torch.Tensor, ...]:
        """`Evaluators.svm`."""
        self._go_on()
        return self._evaluators.svm(name, *arguments)
