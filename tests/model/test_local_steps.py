"""Which workers step on their own. What comes of it: tests/test_workers.py."""

import pytest

from dcgan_dist.model.local_steps import exchange_weights
from dcgan_dist.settings import WorkerSettings


@pytest.mark.parametrize(
    ("settings", "number", "expected"),
    [
        (WorkerSettings(), 4, False),
        (WorkerSettings(gradients="bf16"), 4, False),
        (WorkerSettings(exchange_steps=8), 4, True),
        (WorkerSettings(exchange_steps=8), 1, False),
        (WorkerSettings(exchange_steps=8, outer_lr=0.7), 1, True),
        (WorkerSettings(exchange_steps=8, outer_momentum=0.6), 1, True),
    ],
)
def test_weights_are_averaged_where_workers_step_on_their_own(
    settings: WorkerSettings, number: int, expected: bool
) -> None:
    assert exchange_weights(settings, number) == expected
