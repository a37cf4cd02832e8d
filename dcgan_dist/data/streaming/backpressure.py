"""How far reading runs ahead of training.

By default, Ray reads until a quarter of the object store is full, and then polls its finished tasks in a busy loop
until their blocks can be taken: on a small machine that is one core of two, for as long as the run lasts. Here a read
task is not started before there is room for its blocks, and the executor sleeps when it has nothing to do.

What this relies on in Ray: the setting `backpressure_policies.enabled` of a `DataContext` names the policies that an
execution asks before it starts a task, and the executor asks again without waiting if no task runs.
"""

import time

from ray.data import DataContext
from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES,
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
)
from ray.data._internal.execution.backpressure_policy.backpressure_policy import BackpressurePolicy
from ray.data._internal.execution.interfaces import PhysicalOperator
from ray.data._internal.execution.operators.input_data_buffer import InputDataBuffer

AHEAD_CHUNKS = 4
"""Chunks that are ready when no further one is started; those that are being read come on top."""
AGAIN_CHUNKS = 2
"""Chunks that are still ready when reading starts again. All cores then read at once: if they also train, all threads
of a step are held up together, and not one after the other, with the others waiting for it each time."""
IDLE_S = 0.05
"""Seconds that the executor sleeps when nothing is read and enough is ready: each of its steps takes a millisecond of
CPU."""
CHUNK_BLOCKS = "dcgan_dist.chunk_blocks"
"""Name under which the policy finds how many blocks a chunk has."""


def pace(context: DataContext, blocks: int) -> None:
    """Limit read-ahead under this context to `AHEAD_CHUNKS` chunks; `blocks`: blocks of a chunk."""
    context.set_config(CHUNK_BLOCKS, blocks)
    context.set_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY, [*ENABLED_BACKPRESSURE_POLICIES, ReadAhead])


class ReadAhead(BackpressurePolicy):  # type: ignore[misc]
    """Holds read tasks back while enough chunks are ready."""

    _holding = False

    def can_add_input(self, op: PhysicalOperator) -> bool:
        """Whether the operator may start another task; called in every step of the executor. Sleeps if no task runs.

        Only reading is held back. The operator that hands out blocks must not be, or ready blocks would wait for it.
        """
        if not any(isinstance(other, InputDataBuffer) for other in op.input_dependencies):
            return True
        ready = sum(
            state.total_enqueued_output_blocks()
            for other, state in self._topology.items()
            if not isinstance(other, InputDataBuffer)
        )
        chunks = ready // self._data_context.get_config(CHUNK_BLOCKS)
        self._holding = chunks > AGAIN_CHUNKS if self._holding else chunks >= AHEAD_CHUNKS
        if not self._holding:
            return True
        if not any(other.num_active_tasks() for other in self._topology):
            time.sleep(IDLE_S)
        return False
