"""What evaluates a run's checkpoints: evaluators of its own, or those that several runs share."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from dcgan_dist.evaluation.probe import load
from dcgan_dist.evaluation.service.evaluator import Evaluators
from dcgan_dist.evaluation.service.job import Job
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.fidelity import FidelityTask


class CheckpointEvaluator(Protocol):
    """Evaluates checkpoints, one at a time."""

    def compute(self, job: Job, go_on: Callable[[], None]) -> dict[str, Any]:
        """Compute a result and write it, see `Job.compute`.

        Args:
            go_on: called again and again meanwhile; what it raises ends the work, and is raised.
        """
        ...


class PoolEvaluator:
    """Evaluates with evaluators that nobody else uses."""

    def __init__(self, evaluators: Evaluators, actors: int, tasks: Sequence[Task | FidelityTask]) -> None:
        """
        Args:
            actors: how many evaluators there are, for the record.
            tasks: of all jobs that will come.
        """
        self._evaluators, self._actors = evaluators, actors
        self._tasks = [task for task in tasks if isinstance(task, Task)]
        self._checksums: dict[str, str] = {}

    def compute(self, job: Job, go_on: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """See `CheckpointEvaluator`. The images are read before the first one."""
        evaluators = _Guarded(self._evaluators, go_on)
        if self._tasks and not self._checksums:
            self._checksums = load(evaluators, self._tasks)
        return job.compute(evaluators, self._checksums, self._actors, lambda text: None)


class _Guarded:
    """Evaluators whose work can be ended between two calls."""

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
