"""Points of the curves from the numbers of steps."""

from typing import Any

import pytest
import torch
import torch.distributed as dist

from dcgan_dist.training import step_metrics
from dcgan_dist.training.step_metrics import StepMetrics


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [50.0]
    monkeypatch.setattr(step_metrics.time, "perf_counter", lambda: now[0])
    return now


def fill(metrics: StepMetrics, clock: list[float]) -> None:
    """Two steps in 4 seconds, of which one was waiting."""
    metrics.begin()
    for loss in (1.0, 2.0):
        with metrics.waiting():
            clock[0] += 0.5
        clock[0] += 1.5
        metrics.add({"loss/generator": torch.tensor(loss)})


def test_a_point_has_means_speed_and_the_share_of_waiting(clock: list[float]) -> None:
    metrics = StepMetrics(24, None)
    metrics.add({"loss/generator": torch.tensor(9.0)})  # forgotten by `begin`
    fill(metrics, clock)
    assert metrics.take() == pytest.approx(
        {"loss/generator": 1.5, "speed/images_per_second": 12.0, "speed/wait_share": 0.25}
    )
    # The next point begins where this one ends.
    clock[0] += 2.0
    metrics.add({"loss/generator": torch.tensor(4.0)})
    assert metrics.take() == pytest.approx(
        {"loss/generator": 4.0, "speed/images_per_second": 12.0, "speed/wait_share": 0.0}
    )


def test_several_workers_are_averaged_and_a_batch_is_that_of_all(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Control:
        def size(self) -> int:
            return 2

    def all_reduce(sums: torch.Tensor, group: Any) -> None:
        sums += torch.tensor([3.5, 0.75, 8.0], dtype=torch.float64)  # loss, share of waiting, seconds of the other one

    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    metrics = StepMetrics(24, Control())  # type: ignore[arg-type]
    fill(metrics, clock)
    assert metrics.take() == pytest.approx(
        {"loss/generator": 2.5, "speed/images_per_second": 8.0, "speed/wait_share": 0.5}
    )
