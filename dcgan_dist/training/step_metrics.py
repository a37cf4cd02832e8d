"""The numbers of some steps as one point of the curves: means over all workers, speed, and the share of waiting."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


class StepMetrics:
    """Means of the numbers of some steps over all workers, with the speed and the share of time that was waiting."""

    def __init__(self, batch_size: int, control: dist.ProcessGroup | None) -> None:
        self._batch_size, self._control = batch_size, control
        self.begin()

    def begin(self) -> None:
        """Begin a point now; what was added before is forgotten."""
        self._metrics: dict[str, list[Tensor]] = {}
        self._steps, self._waited_s, self._began = 0, 0.0, time.perf_counter()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent in here is waiting for data."""
        start = time.perf_counter()
        yield
        self._waited_s += time.perf_counter() - start

    def add(self, metrics: dict[str, Tensor]) -> None:
        """Take the numbers of a step; nothing is computed or waited for."""
        for name, value in metrics.items():
            self._metrics.setdefault(name, []).append(value)
        self._steps += 1

    def take(self) -> dict[str, float]:
        """The point, by one tiny all-reduce; the next one begins."""
        names = list(self._metrics)
        means = torch.stack([torch.stack(values).double().mean() for values in self._metrics.values()]).cpu()
        elapsed = time.perf_counter() - self._began
        sums = torch.cat([means, torch.tensor([self._waited_s / elapsed, elapsed], dtype=torch.float64)])
        if self._control is not None:
            dist.all_reduce(sums, group=self._control)
            sums /= self._control.size()
        *values, wait_share, mean_elapsed = sums.tolist()
        point = dict(zip(names, values, strict=True))
        point["speed/images_per_second"] = self._steps * self._batch_size / mean_elapsed
        point["speed/wait_share"] = wait_share
        self.begin()
        return point
