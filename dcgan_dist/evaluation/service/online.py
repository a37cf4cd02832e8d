"""Probes beside training: a thread of the driver has each new checkpoint evaluated, the newest first.

In runs that are compared with others, the checkpoints at certain numbers of images are evaluated instead.

Training never waits for it. A checkpoint that is being evaluated stays until that is done, and the best one stays for
good. One that comes and is pushed out while another one is being evaluated is skipped, and named in the run's record.
Results are files, so that a resumed run evaluates only checkpoints without one.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from dcgan_dist.errors import CheckpointError, DcganDistError
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.coverage import sampler_of
from dcgan_dist.evaluation.encoders.discriminator import of_discriminator
from dcgan_dist.evaluation.fidelity.measure import doubts
from dcgan_dist.evaluation.service.checkpoint_evaluator import CheckpointEvaluator
from dcgan_dist.evaluation.service.job import FOLDER, FidelityJob, Job, ProbeJob, read_result, score, worth
from dcgan_dist.evaluation.tables import measured
from dcgan_dist.evaluation.task import Task
from dcgan_dist.evaluation.tasks.fidelity import FidelityTask
from dcgan_dist.extensions import NO_CODE, Code
from dcgan_dist.monitoring.sinks.curves import Measured, Probed, read_measured, read_probed
from dcgan_dist.run_folder.checkpoint import Checkpoint, load_checkpoint, manifests, mark
from dcgan_dist.storage import Place

logger = logging.getLogger(__name__)

FEATURES = "discriminator"
"""Name of the features that are evaluated."""
SEED = 0
"""Of z: the same samples of every checkpoint and every run, so that results can be compared."""
POLL_S = 1.0
"""Between two looks for a new checkpoint."""


def first_after(at: Sequence[int], images: int, batch_size: int) -> int | None:
    """The largest of these numbers of images that the step which ends at `images` is the first to reach; None: none."""
    return max((mark for mark in at if images - batch_size < mark <= images), default=None)


class _Abandoned(Exception):
    """The evaluation under way is no longer wanted."""


class LiveProbe:
    """Evaluates the checkpoints of a run. `start`, then `close`.

    Attributes:
        failure: why nothing is evaluated any more, in a line; "" as long as all is well.
    """

    def __init__(
        self,
        run: Place,
        evaluator: CheckpointEvaluator,
        tasks: Sequence[Task | FidelityTask],
        dtype: torch.dtype,
        say: Callable[[str], None],
        take: Callable[[Probed | Measured], None],
        code: Code = NO_CODE,
        wanted: Callable[[int], bool] | None = None,
    ) -> None:
        """
        Args:
            evaluator: of every checkpoint.
            tasks: on which every checkpoint is evaluated, without draws of few labels where there are all; the first
                one says which is the best.
            dtype: of the features that are kept.
            say: a line for people.
            take: a result for the curves.
            code: makes the run's networks, where they are a user's own.
            wanted: whether the checkpoint at a number of images is evaluated: each of them is then, in order. None:
                the newest one is, and those before it as far as there is time.
        """
        self.failure = ""
        self._run, self._evaluator, self._wanted = run, evaluator, wanted
        self._tasks = [
            replace(task, few=None) if isinstance(task, Task) and task.all_labels else task for task in tasks
        ]
        self._dtype, self._say, self._take, self._code = dtype, say, take, code
        self._seen: set[str] = set()
        self._evaluated: set[str] = set()
        self._unreadable: set[str] = set()
        self._recipes: set[str] = set()
        self._held: set[str] = set()
        self._doubts: set[str] = set()
        self._looked_s = 0.0
        self._best: tuple[float, dict[str, Any]] | None = None
        self._closing, self._abandoned = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run_thread, name="probe", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, *, finish: bool) -> None:
        """End it; `finish`: when the newest checkpoint is evaluated, or all that are wanted."""
        if not finish:
            self.abandon()
        self._closing.set()
        self._thread.join()

    def abandon(self) -> None:
        """Evaluate nothing any more, and leave the evaluation under way."""
        self._abandoned.set()

    def record(self) -> dict[str, Any]:
        """Its entry in `run.json`."""
        return {
            "judged": len(self._evaluated),
            "best": None if self._best is None else self._best[1],
            "skipped": sorted(self._seen - self._evaluated),
        }

    def _go_on(self) -> None:
        """Called again and again during an evaluation: what comes meanwhile and is wanted must not be pushed out."""
        if self._abandoned.is_set():
            raise _Abandoned
        if self._wanted is not None and time.monotonic() - self._looked_s > POLL_S:
            self._look()

    def _run_thread(self) -> None:
        try:
            missing = self._missing_from_curves()
            while not self._abandoned.is_set():
                closing = self._closing.is_set()
                name = self._choose(newest_only=closing)
                if name is None and closing:
                    return
                if name is None:
                    self._closing.wait(POLL_S)
                    continue
                self._evaluate(name)
                # By now the curves of this attempt have begun, and it is known which results are of a probe's recipe.
                for result in missing:
                    if result["recipe_sha256"] in self._recipes:
                        self._add(result)
                missing = []
        except _Abandoned:
            pass
        except Exception as error:
            # Of an error that came from another process, its last line is what it was.
            self.failure = (str(error).strip() or type(error).__name__).splitlines()[-1]
            self._say(f"probes have failed: {error}")
            if not isinstance(error, DcganDistError):
                logger.exception("probes have failed")  # a defect of ours keeps its traceback

    def _missing_from_curves(self) -> list[dict[str, Any]]:
        """Results that the curves lack: they are written some seconds later, which a driver may not live to see."""
        logged = {(line["task"], FEATURES, line["checkpoint"]) for line in read_probed(self._run)}
        for one in read_measured(self._run):
            task, by, _ = one["metric"].split("/")
            logged.add((task, by, one["checkpoint"]))
        newest = max(manifests(self._run), default="")
        results = [read_result(file) for file, _ in (self._run / FOLDER).files()]
        return [
            result
            for result in results
            if result is not None
            # Random ones have the same recipe, `memorised` has none.
            and (result.get("features_of") == FEATURES or "measures" in result)
            and (result["task"], result["features_of"], result["checkpoint"]) not in logged
            and result["checkpoint"] <= newest  # what comes after it is of a lineage that has ended
        ]

    def _choose(self, *, newest_only: bool) -> str | None:
        """The checkpoint to evaluate next, of those that have not been evaluated."""
        there = sorted(self._look(), reverse=True)
        if self._wanted is not None:
            return min(self._held - self._evaluated - self._unreadable, default=None)
        wanted = there[:1] if newest_only else there
        return next((name for name in wanted if name not in self._evaluated | self._unreadable), None)

    def _look(self) -> Mapping[str, Any]:
        """The checkpoints that are there; those that are wanted stay until it is their turn."""
        there = manifests(self._run)
        self._looked_s = time.monotonic()
        self._seen.update(there)
        for name in sorted(there.keys() - self._held) if self._wanted is not None else ():
            if self._wanted is not None and self._wanted(int(there[name]["images"])):
                self._held.add(name)
                mark(self._run, name, "reads")
        return there

    def _evaluate(self, name: str) -> None:
        mark(self._run, name, "reads")
        try:
            checkpoint = replace(load_checkpoint(self._run, name), code=self._code)
        except CheckpointError as error:
            self._unreadable.add(name)
            mark(self._run, name, None)
            self._say(f"probe: {error}")
            return
        results = []
        for task in self._tasks:
            job = self._job(task, checkpoint)
            self._recipes.add(job.recipe_sha256)
            result = job.read()
            if result is None:
                result = self._evaluator.compute(job, self._go_on)
                self._tell(result)
            results.append(result)
        self._evaluated.add(name)
        self._choose_best(results[0], name)

    def _job(self, task: Task | FidelityTask, checkpoint: Checkpoint) -> Job:
        """The evaluation of a checkpoint on a task."""
        about = (self._run / FOLDER, self._run.name, checkpoint.name, checkpoint.step, checkpoint.images)
        if isinstance(task, FidelityTask):
            return FidelityJob(*about, task, task.by.of(checkpoint), sampler_of(checkpoint, "auto", SEED))
        return ProbeJob(*about, task, FEATURES, of_discriminator(checkpoint), self._dtype, Linear(task.costs))

    def _tell(self, result: Mapping[str, Any]) -> None:
        if "measures" in result:
            found = ", ".join(f"{name} {measured(one)}" for name, one in result["measures"].items())
        else:
            estimate = score(result)
            half = 50 * (estimate["high"] - estimate["low"])
            found = f"{100 * estimate['accuracy']:.1f} % (±{half:.1f})"
        seconds = sum(result["seconds"].values())
        self._say(f"probe {result['task']} of checkpoint {result['checkpoint']}: {found}, in {seconds:.0f} s")
        for doubt in doubts(result["samples"], result["features"]) if "measures" in result else ():
            if doubt not in self._doubts:
                self._doubts.add(doubt)
                self._say(f"probe {result['task']}: {doubt}")
        self._add(result)

    def _add(self, result: Mapping[str, Any]) -> None:
        """Give a result to the curves."""
        now, task = round(time.time(), 3), result["task"]
        checkpoint, step, images = result["checkpoint"], result["step"], result["images"]
        if "measures" in result:
            for name, one in result["measures"].items():
                line: Measured = {
                    "time": now,
                    "checkpoint": checkpoint,
                    "step": step,
                    "images": images,
                    "metric": f"{task}/{name}",
                    "value": one["value"],
                }
                if "low" in one:
                    line |= {"low": one["low"], "high": one["high"]}
                self._take(line)
            return
        estimate = score(result)
        self._take(
            {
                "time": now,
                "checkpoint": checkpoint,
                "step": step,
                "images": images,
                "task": task,
                "accuracy": estimate["accuracy"],
                "low": estimate["low"],
                "high": estimate["high"],
            }
        )

    def _choose_best(self, result: Mapping[str, Any], name: str) -> None:
        """Mark the best checkpoint; the one before, and one that is not, may go."""
        what, value, good = worth(result)
        if self._best is not None and self._best[0] >= good:
            mark(self._run, name, None)
            return
        mark(self._run, name, "best")
        if self._best is not None:
            mark(self._run, self._best[1]["checkpoint"], None)
        self._best = good, {"checkpoint": name, what: value}
