"""Reading runs ahead of training, but not far: real tasks leave a trace when they begin."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray.data import DataContext
from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES,
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
)
from ray.data._internal.execution.backpressure_policy.resource_budget_backpressure_policy import (
    ResourceBudgetBackpressurePolicy,
)
from ray.data._internal.execution.operators.input_data_buffer import InputDataBuffer

from dcgan_dist.data.streaming import backpressure as pacing
from dcgan_dist.data.streaming.backpressure import AHEAD_CHUNKS, IDLE_S, FreeCpus, ReadAhead, pace
from dcgan_dist.data.streaming.cache import CachedPictures
from dcgan_dist.data.streaming.plan import Plan, cut_slices
from dcgan_dist.data.streaming.source import Part, Reading, split

pytestmark = pytest.mark.ray

CPUS = 2
IMAGES = 64


@pytest.fixture(scope="module", autouse=True)
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(CPUS)


@dataclass(frozen=True, eq=False)
class TracedPlan(Plan):
    """Leaves a file for each chunk that a task has begun."""

    traces: str = ""

    def chunk(self, number: int) -> Any:
        (Path(self.traces) / str(number)).touch()
        return super().chunk(number)


@ray.remote(num_cpus=0)
class Consumer:
    """A worker that takes a block when it is told to."""

    def __init__(self, shard: Any) -> None:
        self._blocks = iter(shard.iter_batches(prefetch_batches=0, batch_size=None))

    def take(self) -> None:
        next(self._blocks)


@pytest.mark.parametrize(("workers", "lanes"), [(1, 1), (3, 1), (2, 2)])
def test_no_more_chunks_are_read_than_lie_ready_or_were_taken(workers: int, lanes: int, tmp_path: Path) -> None:
    slices = cut_slices(np.zeros(IMAGES, np.int64), np.ones(IMAGES, np.int64), 16)
    plan = TracedPlan(slices, 6, 16, 0, traces=str(tmp_path))
    reading = Reading(plan, CachedPictures(8, 3, [], np.zeros(IMAGES, np.bool_)))
    # Of more than one lane the first alone is read here.
    shards = split(ray.put(reading), plan, reading.row_bytes, Part(0, 200, workers, 0, lanes))
    consumers = [Consumer.remote(shard) for shard in shards]  # type: ignore[attr-defined]
    for taken in range(1, 7):
        ray.get([consumer.take.remote() for consumer in consumers], timeout=60)
        time.sleep(0.3)
        begun = len(list(tmp_path.iterdir()))
        # A further block is on its way to each consumer before it asks.
        assert taken <= begun <= taken + 1 + AHEAD_CHUNKS // lanes + CPUS


class Operator:
    """One of an execution, with its state, as far as the policy looks at them."""

    running = ready = 0
    waiting = True

    def __init__(self, *inputs: object) -> None:
        self.input_dependencies = inputs

    def num_active_tasks(self) -> int:
        return self.running

    def has_pending_bundles(self) -> bool:
        return self.waiting

    def total_enqueued_output_blocks(self) -> int:
        return self.ready


class Execution:
    """Two operators, and steps of an executor, of which each notes whether a task may start and whether it slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lanes: int = 1) -> None:
        self._slept: list[float] = []
        monkeypatch.setattr(pacing.time, "sleep", self._slept.append)
        context = DataContext()
        pace(context, blocks=3, lanes=lanes)
        self.reading = Operator(InputDataBuffer(context, []))
        self.dealing = Operator(self.reading)
        self._policy = ReadAhead(context, {one: one for one in (self.reading, self.dealing)}, None)

    def step(self) -> tuple[bool, bool]:
        self._slept.clear()
        for one in (self.reading, self.dealing):
            assert self._policy.max_task_output_bytes_to_read(one) is None
        assert self._slept in ([], [IDLE_S])
        assert self._policy.can_add_input(self.dealing), "what lies ready is dealt out"
        return self._policy.can_add_input(self.reading), bool(self._slept)


@pytest.mark.parametrize(
    ("lanes", "ready", "may_read"),
    [
        (1, (3, 4, 3, 2, 3), (True, False, False, True, True)),
        (2, (1, 2, 1, 1, 2), (True, False, True, True, False)),
        (8, (0, 1, 0, 1, 1), (True, False, True, False, False)),
    ],
)
def test_reading_is_held_back_between_two_bounds(
    lanes: int, ready: Sequence[int], may_read: Sequence[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    execution, answers = Execution(monkeypatch, lanes), []
    # One block waits for those of an earlier chunk, the others for their consumers.
    execution.reading.ready, execution.reading.running = 1, 1
    for chunks in ready:
        execution.dealing.ready = 3 * chunks + 1
        answers.append(execution.step())
    assert answers == [(may, False) for may in may_read]


def test_the_executor_sleeps_where_nothing_is_read_and_nothing_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    execution = Execution(monkeypatch)
    execution.reading.waiting = False
    assert [execution.step() for _ in range(2)] == [(True, False), (True, False)], "it waits for nothing"
    execution.reading.waiting = True
    assert execution.step() == (True, False), "the step may start a task"
    assert execution.step() == (True, True), "and did not, since Ray has no CPU for it"
    execution.reading.running = 1
    assert execution.step() == (True, False), "it waits for the task"
    execution.dealing.ready, execution.reading.running = 3 * AHEAD_CHUNKS, 0
    assert execution.step() == (False, True)


@pytest.mark.parametrize(
    ("lanes", "cpus", "free", "running", "most"),
    [
        (2, 0.0, 10.0, 0, 5),
        (3, 0.0, 10.0, 2, 6),
        (8, 0.0, 3.0, 0, 1),
        (8, 0.0, 0.0, 0, 1),
        (8, 0.0, 0.0, 4, 4),
        (4, 10.0, 100.0, 0, 2),
        (4, 2.0, 100.0, 0, 1),
    ],
)
def test_lanes_share_the_cpus_that_are_free(
    lanes: int, cpus: float, free: float, running: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = DataContext()
    pace(context, 3, lanes, cpus)
    reading = Operator(InputDataBuffer(context, []))
    dealing = Operator(reading)
    policy = FreeCpus(context, {one: one for one in (reading, dealing)}, None)
    monkeypatch.setattr(pacing.ray, "available_resources", lambda: {"CPU": free})
    reading.running = running
    policy.can_add_input(reading)  # looks
    for reading.running in range(most):
        assert policy.can_add_input(reading)
    reading.running = most
    assert not policy.can_add_input(reading)
    assert policy.can_add_input(dealing)


def test_one_execution_leaves_its_share_to_ray() -> None:
    one, several = DataContext(), DataContext()
    pace(one, 3)
    pace(several, 3, lanes=2)
    assert one.get_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY) == [ReadAhead, *ENABLED_BACKPRESSURE_POLICIES]
    assert ResourceBudgetBackpressurePolicy not in several.get_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY)
