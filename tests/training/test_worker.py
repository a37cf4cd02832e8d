"""What the loop decides. That it trains is in test_workers.py, test_resume.py and test_train.py."""

import pytest

from dcgan_dist.training.worker import FIRST_GRID_S, grid_is_due


@pytest.mark.parametrize(
    ("images", "last", "waited_s", "due"),
    [
        (960, False, None, True),  # a multiple of 320
        (968, False, None, True),  # just past one
        (976, False, None, False),
        (976, True, None, True),
        (16, False, 3.5, False),
        (16, False, FIRST_GRID_S, True),  # nobody waits for long to see whether anything is learned
        (16, False, 99.0, True),
    ],
)
def test_when_a_grid_of_samples_is_drawn(images: int, last: bool, waited_s: float | None, due: bool) -> None:
    assert grid_is_due(images, 16, 320, last, waited_s) is due
