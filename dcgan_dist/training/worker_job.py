"""What a worker is given, what it is begun with, and what it gives back.

All of it passes through the process that starts the run and through Ray's controller, neither of which needs PyTorch:
hence a file of its own, that imports none.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from ray.actor import ActorHandle

from dcgan_dist.data.streaming.cache import CachedPictures
from dcgan_dist.extensions import Code
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place


@dataclass(frozen=True)
class WorkerJob:
    """What a worker gets: nothing else reaches it but what lies in the run's folder.

    Attributes:
        total_steps: at which the run is done.
        chunk_steps, lanes: of a chunk of the sequence, and lanes that have all of them together (`source.py`).
        pictures: where they are kept decoded.
        deadline: seconds since 1970 at which it stops even if it is not done.
        init_from: run and checkpoint whose networks it begins with.
        code: networks and loss of the user's own, by value.
        mean_image: of the data, [channels, S, S] from 0 to 1, where new networks begin with it.
    """

    run: Place
    settings: Settings
    total_steps: int
    mailbox: ActorHandle
    chunk_steps: int
    lanes: int = 1
    pictures: CachedPictures | None = None
    deadline: float | None = None
    init_from: tuple[Place, str] | None = None
    code: Code = field(default_factory=dict)
    mean_image: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: how many steps of the run are done, and why it was stopped before the end, if it was."""

    step: int
    stopped: str


def begin_worker(job: WorkerJob) -> Outcome:
    """What Ray Train calls in each worker: `worker.train_worker`, which is imported there alone."""
    from dcgan_dist.training.worker import train_worker

    return train_worker(job)
