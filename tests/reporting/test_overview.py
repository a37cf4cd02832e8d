"""The first screen, from folders whose numbers are known."""

from dataclasses import replace
from typing import Any

import pytest

from dcgan_dist.monitoring.run_status import SILENT_S, Standing
from dcgan_dist.reporting.overview import hours, minutes, overview
from dcgan_dist.run_folder.attempts import Attempt

RECORD = {
    "status": "running",
    "total_images": 6_400,
    "total_steps": 50,
    "epoch_images": 2_000,
    "step": 3,
    "images": 384,
}


def point(attempt: int, step: int, time: float) -> Any:
    return {"time": time, "attempt": attempt, "step": step, "images": 128 * step, "values": {"speed/wait_share": 0.25}}


LINES = [point(1, 5, 1_060.0), point(1, 10, 1_120.0), point(2, 8, 1_300.0), point(2, 13, 1_360.0)]
STANDING = Standing(
    record=RECORD,
    lines=LINES,
    points=[LINES[0], LINES[2], LINES[3]],
    attempts=[Attempt(1, None, 0, 0, 4, 1_000.0), Attempt(2, "000000000640", 5, 640, 2, 1_240.0)],
    checkpoints={"000000000640": {"images": 640, "step": 5}},
    torn=["000000001280"],
)


def named(standing: Standing, now: float, price: float = 0.0) -> dict[str, Any]:
    found = overview(standing, now, price)
    return {fact.name: fact for fact in [*found.facts, *found.losses]}


def test_minutes_hours_cost_and_losses_are_sums_over_the_attempts() -> None:
    # Attempt 1: 60 s to its first point and 60 s more, all redone; 4 workers. Attempt 2: 60 s and 60 s, 2 workers.
    found = named(STANDING, 1_365.0, price=1.5)
    assert (found["Minutes"].value, found["Minutes"].shown) == (4.0, "4.0 min")
    assert found["Worker hours"].value == pytest.approx((4 * 120 + 2 * 120) / 3_600)
    assert found["Cost"].value == pytest.approx(1.5 * 0.2)
    assert "1.5 each" in found["Cost"].note
    assert (found["Attempts"].value, found["Steps done in vain"].value) == (2, 5)
    assert found["Time in steps that were lost"].value == 60.0
    assert found["Time to start up"].value == 120.0
    assert found["Time in steps that count"].value == 60.0
    assert found["Share of time waiting for data"].shown == "25.0 %"
    assert found["Incomplete checkpoints"].value == 1
    assert "Cost" not in named(STANDING, 1_365.0)


@pytest.mark.parametrize(
    ("status", "later_s", "gone", "state", "images", "file"),
    [
        ("running", 5.0, False, "running", 1_664, "metrics.jsonl"),
        ("running", SILENT_S + 1, False, "silent", 640, "checkpoints/000000000640/MANIFEST.json"),
        ("running", 5.0, True, "killed", 640, "checkpoints/000000000640/MANIFEST.json"),
        ("finished", 9_999.0, True, "finished", 384, "run.json"),
        ("stopped", 9_999.0, False, "stopped", 384, "run.json"),
        ("failed", 9_999.0, False, "failed", 384, "run.json"),
    ],
)
def test_the_state_says_where_progress_is_read(
    status: str, later_s: float, gone: bool, state: str, images: int, file: str
) -> None:
    standing = replace(STANDING, record=RECORD | {"status": status}, is_driver_gone=gone)
    found = overview(standing, 1_360.0 + later_s)
    assert found.state.value == state
    assert ("last update" in found.state.note) == (status == "running")
    assert (found.facts[0].value, found.facts[0].file) == (images, file)
    assert found.facts[0].shown == f"{images:,} of 6,400 ({100 * images // 6_400} %)"


def test_a_run_that_has_just_begun_has_no_time_yet() -> None:
    found = named(Standing(RECORD, [], [], [], {}, []), 1_000.0)
    assert (found["Minutes"].value, found["Steps"].value, found["Attempts"].value) == (0.0, 3, 0)
    assert overview(Standing(RECORD, [], [], [], {}, []), 1_000.0).state.value == "starting"


def test_times_for_people() -> None:
    assert [minutes(seconds) for seconds in (90, 5_940, 6_000)] == ["1.5 min", "99.0 min", "1 h 40 min"]
    assert [hours(value) for value in (0.0517, 12.34)] == ["0.052 h", "12.3 h"]
