"""All ranks stop at the same step; with real ranks in test_workers.py and test_resume.py."""

from typing import Any

import pytest
import torch
import torch.distributed as dist

from dcgan_dist.training.stop_consensus import REASONS, StopConsensus


def test_ranks_tell_each_other_about_once_a_second() -> None:
    consensus = StopConsensus(48, None)
    assert [consensus.reach(step, 1) for step in (1, 2, 3)] == [1, 1, 1], "its speed is not known yet"
    consensus.pace(240.0)  # 5 steps a second
    assert [step for step in range(1, 16) if consensus.reach(step, 2)] == [5, 10, 15]
    consensus.pace(10.0)  # 5 seconds a step
    assert all(consensus.reach(step, 1) for step in range(1, 16))


@pytest.mark.parametrize(
    ("mine", "others", "reached"), [(0, [0, 0], 0), (0, [1, 0], 1), (1, [2, 0], 2), (2, [1, 1], 2), (1, [1, 1], 1)]
)
def test_the_reason_of_any_rank_is_that_of_all(
    mine: int, others: list[int], reached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_reduce(flags: torch.Tensor, group: Any) -> None:
        assert group == "control"
        for flag in others:
            flags[flag] += 1

    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    assert StopConsensus(16, "control").reach(4, mine) == reached  # type: ignore[arg-type]
    assert REASONS[0] == ""
