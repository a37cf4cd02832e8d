"""How far reading runs ahead of training.

By default, Ray reads until a quarter of the object store is full, and then polls its finished tasks in a busy loop
until their blocks can be taken: on a small machine that is one core of two, for as long as the run lasts. Here a read
task is not started before there is room for its blocks, and the executor sleeps when it has nothing to do.

Ray reserves CPUs for executions that ask for more, and shares the rest of each machine in whole numbers. Some then get
none, and read only once their consumers starve. Lanes share what is free by themselves.

What this relies on in Ray: the setting `backpressure_policies.enabled` of a `DataContext` names the policies that an
execution asks before it starts a task, and the executor asks again without waiting if no task runs.
"""

import math
import time

import ray
from ray.data import DataContext
from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES,
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
)
from ray.data._internal.execution.backpressure_policy.backpressure_policy import BackpressurePolicy
from ray.data._internal.execution.backpressure_policy.resource_budget_backpressure_policy import (
    ResourceBudgetBackpressurePolicy,
)
from ray.data._internal.execution.interfaces import PhysicalOperator
from ray.data._internal.execution.operators.input_data_buffer import InputDataBuffer

AHEAD_CHUNKS = 4
"""Chunks that are ready, over all lanes, when no further one is started; those that are being read come on top. Half of
them are still ready when reading starts again. All cores then read at once: if they also train, all threads of a step
are held up together, and not one after the other, with the others waiting for it each time."""
IDLE_S = 0.05
"""Seconds that the executor sleeps before a step when nothing is read: each of its steps takes a millisecond of CPU,
and waits for tasks alone."""
LOOK_S = 2.0
"""Seconds between two looks at how many CPUs are free."""
CHUNK_BLOCKS, LANES, LANE_CPUS = "dcgan_dist.chunk_blocks", "dcgan_dist.lanes", "dcgan_dist.lane_cpus"
"""Names under which policies find how many blocks a chunk has, the number of lanes, and CPUs that one uses at most."""


def pace(context: DataContext, blocks: int, lanes: int = 1, cpus: float = 0.0) -> None:
    """Limit read-ahead under this context.

    Args:
        blocks: of a chunk.
        lanes: that share `AHEAD_CHUNKS`, of which each keeps at least one, and CPUs.
        cpus: that reading uses at most over all lanes, where there are several; 0: all that are free.
    """
    context.set_config(CHUNK_BLOCKS, blocks)
    context.set_config(LANES, lanes)
    context.set_config(LANE_CPUS, max(1.0, cpus / lanes) if cpus else math.inf)
    policies = [ReadAhead, *ENABLED_BACKPRESSURE_POLICIES]
    if lanes > 1:
        policies[policies.index(ResourceBudgetBackpressurePolicy)] = FreeCpus
    context.set_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY, policies)


class ReadAhead(BackpressurePolicy):  # type: ignore[misc]
    """Holds read tasks back while enough chunks are ready.

    It comes before Ray's own policies, of which none is asked after one that holds an operator back.
    """

    _holding = _asked = False

    def max_task_output_bytes_to_read(self, op: PhysicalOperator) -> int | None:
        """No limit; called once for each operator when a step of the executor begins.

        Sleeps if the step before could have started a task and none runs: enough is ready, or Ray leaves this execution
        no CPU, since others have them.
        """
        if self._asked and _reads(op) and not any(other.num_active_tasks() for other in self._topology):
            time.sleep(IDLE_S)
        return None

    def can_add_input(self, op: PhysicalOperator) -> bool:
        """Whether the operator may start another task; called in every step of the executor.

        Only reading is held back. The operator that hands out blocks must not be, or ready blocks would wait for it.
        """
        if not _reads(op):
            return True
        self._asked = self._topology[op].has_pending_bundles()
        ready = sum(
            state.total_enqueued_output_blocks()
            for other, state in self._topology.items()
            if not isinstance(other, InputDataBuffer)
        )
        chunks = ready // self._data_context.get_config(CHUNK_BLOCKS)
        most = max(1, AHEAD_CHUNKS // self._data_context.get_config(LANES))
        self._holding = chunks > most // 2 if self._holding else chunks >= most
        return not self._holding


class FreeCpus(BackpressurePolicy):  # type: ignore[misc]
    """Lets a lane use its share of the CPUs that are free, and one at least, for which a task may have to wait."""

    _most, _looked = 1, -math.inf

    def can_add_input(self, op: PhysicalOperator) -> bool:
        """Whether the operator may start another task."""
        if not _reads(op):
            return True
        tasks = op.num_active_tasks()
        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            free = ray.available_resources().get("CPU", 0.0) / self._data_context.get_config(LANES)
            self._most = int(min(self._data_context.get_config(LANE_CPUS), max(1, tasks + math.ceil(free))))
        return bool(tasks < self._most)


def _reads(op: PhysicalOperator) -> bool:
    return any(isinstance(other, InputDataBuffer) for other in op.input_dependencies)
