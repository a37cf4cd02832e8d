"""What is said of tasks that a cluster has lost."""

import re

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, WorkerCrashedError

from dcgan_dist.data.preparation.ray_workers import what_was_lost


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OutOfMemoryError("2 workers were killed\nTop processes:"),
            r"memory ran out on a machine .* \(2 workers were killed\): start Ray on it with fewer CPUs .* to continue",
        ),
        (WorkerCrashedError(), r"a process that decodes pictures was lost 4 times \(The worker died .* to continue"),
        (
            NodeDiedError(""),
            r"a process that decodes pictures was lost 4 times \(NodeDiedError\), .* to continue",
        ),
    ],
)
def test_what_was_lost_is_told_in_a_sentence_with_what_to_do(error: RayError, told: str) -> None:
    assert re.fullmatch(told, what_was_lost(error))
