"""The adversarial step as a CUDA graph: recorded once, then replayed, so that a GPU waits for no launch.

A step of the paper's networks is hundreds of small kernels, which a fast GPU works off sooner than Python can launch
them (docs/lab/benchmarks.md). A replay is one launch. It repeats the same kernels on the same memory, so whatever
changes from step to step lies in tensors: the images, z, and the learning rate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dcgan_dist.model.adversarial_step import AdversarialStep, Updates

Step = Callable[..., dict[str, Tensor]]
"""Updates the networks on real images and z of a step, see `AdversarialStep.__call__`; one that is replayed takes no
classes."""
WARM_UP = 3
"""Steps of each kind that are launched before one is recorded: libraries load, and Adam makes its moments."""


def replayed(step: AdversarialStep, wanted: bool) -> Step:
    """`step` by replays where it is `wanted` and can be, else as it is.

    It can be where one worker trains on a GPU. Reductions over several workers are not recorded: that was tried on no
    machine with several GPUs. fp64 is for exact comparisons, and Adam's kernel reads a learning rate from memory as
    float32 only. Masks of dropout, and a momentum that changes, are not recorded either.
    """
    alone = step.generator is step.bare_generator
    constant = step.settings.optimizer == "adam" and not step.has_dropout
    if wanted and alone and constant and step.device.type == "cuda" and step.precision.weights == torch.float32:
        return ReplayedStep(step)
    return step


@dataclass(frozen=True)
class _Recording:
    """A graph, where it reads its input, and where it leaves its results, which the next replay overwrites."""

    graph: torch.cuda.CUDAGraph
    real: Tensor
    z: Tensor
    names: list[str]
    values: Tensor


class ReplayedStep:
    """An `AdversarialStep` of one worker on a GPU, called as it is. All batches need to have the shape of the first."""

    def __init__(self, step: AdversarialStep) -> None:
        self._step = step
        self._launched: dict[Updates, int] = {}
        self._recordings: dict[Updates, _Recording] = {}
        # Autograd ties gradients to the stream that a step ran on, and the default one cannot be recorded.
        self._stream = torch.cuda.Stream(step.device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        for optimizer in (step.generator_optimizer, step.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=step.device)
                group["capturable"] = True

    def __call__(self, real: Tensor, z: Tensor, step: int) -> dict[str, Tensor]:
        """As `AdversarialStep.__call__`; raises `RuntimeError` where the shape of a batch changes."""
        self._step.set_learning_rate(step)
        updates = self._step.updates(step)
        if updates not in self._recordings:
            launched = self._launched.get(updates, 0)
            if launched < WARM_UP:
                self._launched[updates] = launched + 1
                return self._launch(real, z, updates)
            self._recordings[updates] = self._record(real, z, updates)
        recording = self._recordings[updates]
        if real.shape != recording.real.shape:
            raise RuntimeError(f"a batch is {tuple(real.shape)} but {tuple(recording.real.shape)} was recorded")
        recording.real.copy_(real, non_blocking=True)
        recording.z.copy_(z, non_blocking=True)
        recording.graph.replay()
        return dict(zip(recording.names, recording.values.clone().unbind(), strict=True))

    def _launch(self, real: Tensor, z: Tensor, updates: Updates) -> dict[str, Tensor]:
        current = torch.cuda.current_stream(self._step.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            metrics = self._step.update(real, z, updates)
        current.wait_stream(self._stream)
        return metrics

    def _record(self, real: Tensor, z: Tensor, updates: Updates) -> _Recording:
        """Record an update; nothing is computed."""
        real, z = torch.empty_like(real, device=self._step.device), torch.empty_like(z, device=self._step.device)
        graph = torch.cuda.CUDAGraph()
        # What other threads ask of the GPU meanwhile, as how much memory is free, is none of the recording's business.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            metrics: Mapping[str, Tensor] = self._step.update(real, z, updates)
            values = torch.stack(list(metrics.values()))
        return _Recording(graph, real, z, list(metrics), values)
