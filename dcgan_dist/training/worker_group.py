"""One worker group, from the call of Ray Train to its end."""

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import ray
from numpy.typing import NDArray
from ray.actor import ActorHandle
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from dcgan_dist.cluster.connect import carry_code, worker_environment
from dcgan_dist.cluster.environment import ascii_name
from dcgan_dist.cluster.placement import Placement
from dcgan_dist.data.streaming.cache import CachedPictures
from dcgan_dist.data.streaming.source import Reading, SequenceConfig, dataset_name, lanes_for
from dcgan_dist.extensions import Code
from dcgan_dist.run_folder.attempts import first_step
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place
from dcgan_dist.training.process_group import ProcessGroup
from dcgan_dist.training.worker_job import Outcome, WorkerJob, begin_worker


@dataclass(frozen=True)
class Group:
    """What every worker group of a run is made from.

    Attributes:
        reading: what read tasks need; put into the object store once.
        deadline: seconds since 1970 at which the run stops even if it is not done.
        init_from: run and checkpoint whose networks the run begins with.
        code: networks and loss of the user's own.
        mean_image: of the data, where new networks begin with it.
    """

    run: Place
    settings: Settings
    total_steps: int
    mailbox: ActorHandle
    reading: Reading
    shared_reading: "ray.ObjectRef[Reading]"
    deadline: float | None = None
    init_from: tuple[Place, str] | None = None
    code: Code = field(default_factory=dict)
    mean_image: NDArray[np.float32] | None = None

    def train(self, placement: Placement) -> Outcome:
        """Start workers, which go on from the newest checkpoint, and wait for their end.

        Raises:
            TrainingFailedError: a worker failed, or was lost.
        """
        pictures = self.reading.pictures
        cached = pictures if isinstance(pictures, CachedPictures) else None
        chunk_steps = self.reading.plan.chunk_steps
        lanes = lanes_for(placement.workers, chunk_steps)
        job = WorkerJob(
            self.run,
            self.settings,
            self.total_steps,
            self.mailbox,
            chunk_steps,
            lanes,
            cached,
            self.deadline,
            self.init_from,
            self.code,
            self.mean_image,
        )
        carry_code()
        sequence = SequenceConfig(
            self.shared_reading,
            self.reading.plan,
            self.reading.row_bytes,
            self.total_steps,
            partial(first_step, self.run),
            self.settings.data.cpus,
            lanes,
        )
        resources = {"CPU": placement.cpus} | ({"GPU": placement.gpus} if placement.gpus else {})
        # Ray keeps its own record of a run here. Ours is complete without it, so it is not in the run's folder, where a
        # torn record would forbid every later run of that name.
        with tempfile.TemporaryDirectory(prefix="dcgan-dist-ray-", ignore_cleanup_errors=True) as scratch:
            trainer = DataParallelTrainer(
                begin_worker,
                train_loop_config=job,
                backend_config=ProcessGroup("nccl" if placement.gpus else "gloo"),
                scaling_config=ScalingConfig(
                    num_workers=placement.workers, use_gpu=bool(placement.gpus), resources_per_worker=resources
                ),
                run_config=RunConfig(
                    name=ascii_name(self.settings.name),
                    storage_path=scratch,
                    worker_runtime_env={"env_vars": worker_environment()},
                    # Ray's own retries know neither whether there was progress nor how many workers fit by now.
                    failure_config=FailureConfig(max_failures=0, controller_failure_limit=0),
                ),
                datasets={dataset_name(lane): ray.data.range(1) for lane in range(lanes)},
                dataset_config=sequence,
            )
            outcome: Outcome = trainer.fit().return_value
            return outcome


class Attempted:
    """A call of `Group.train` in a thread of its own, so that the main thread keeps the signals.

    Attributes:
        outcome: of the group that has ended in order.
        error: what it ended with otherwise.
    """

    def __init__(self, train: Callable[[], Outcome]) -> None:
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(train,), name="attempt", daemon=True)
        self._thread.start()

    def _run(self, train: Callable[[], Outcome]) -> None:
        try:
            self.outcome = train()
        except BaseException as error:  # explained by the main thread
            self.error = error

    def lasts(self, wait_s: float) -> bool:
        """Wait for the end at most that long; whether it is still to come."""
        self._thread.join(wait_s)
        return self._thread.is_alive()
