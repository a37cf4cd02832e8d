"""Waiting for Ray tasks, with progress; our own errors in them are raised as they are."""

from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from dcgan_dist.errors import DcganDistError

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts of it are done, and how many there are."""


def wait_for(tasks: "Sequence[ray.ObjectRef[Any]]", what: str, progress: Progress) -> None:
    """Wait until all tasks are done; raises the error of the first one that fails."""
    waiting = list(tasks)
    while waiting:
        progress(what, len(tasks) - len(waiting), len(tasks))
        done, waiting = ray.wait(waiting, num_returns=1, fetch_local=False)
        try:
            ray.get(done)
        except RayTaskError as error:
            # Ray's own error shows a traceback instead of the message.
            if isinstance(error.cause, DcganDistError):
                raise error.cause from error
            raise
    progress(what, len(tasks), len(tasks))
