"""What the table of bytes on the wire says of what was found."""

import pytest

from benchmarks.wire import GRADIENTS, SPEEDS, WEIGHTS, Traffic, report, step_of
from dcgan_dist.training.schedule import ALIGNED_EXCHANGES

OWN = {"step": Traffic(0.0, 0.5), "exchange": Traffic(1e8, 8.0), "alignment": Traffic(2e8, 24.0)}


def test_a_step_has_its_part_of_an_exchange_and_of_an_alignment() -> None:
    found = step_of(OWN, 16)
    assert found.bytes == pytest.approx((1e8 + 2e8 / ALIGNED_EXCHANGES) / 16)
    assert found.seconds == pytest.approx(0.5 + (8 + 24 / ALIGNED_EXCHANGES) / 16)


def test_bytes_are_told_in_those_of_the_gradients_and_speed_over_fp32() -> None:
    steps = {"fp32": Traffic(1e8, 2.0), "bf16": Traffic(5e7, 1.0), "powersgd": Traffic(4e6, 0.8)}
    own = OWN | {"cycle": Traffic(2.5e7, 3.0)}
    found = {
        (speed, way): [{"step": steps[way]} if way in steps else own] * 2
        for speed in SPEEDS
        for way in (*GRADIENTS, *WEIGHTS)
    }
    made = report(found, 10**8)
    assert made.tables["wire"].rows[:3] == [
        ["as it goes", "fp32", 100.0, 1.0, "2.00", 4.0, 1.0],
        ["as it goes", "bf16", 50.0, 0.5, "1.00", 8.0, 2.0],
        ["as it goes", "powersgd", 4.0, 0.04, "0.80", 10.0, 2.5],
    ]
    assert [row[1] for row in made.tables["wire"].rows[3:9]] == [
        f"{way} every {k} steps" for way in WEIGHTS for k in (4, 16, 64)
    ]
    assert made.ratios["powersgd: bytes sent over bytes of gradients"] == 0.04
    assert made.ratios["weights: bytes of an alignment over those of the weights"] == 2
    assert made.ratios["100 Mbit/s: step with bf16 over fp32, in speed"] == 2
    assert made.ratios["1 Gbit/s, weights: cycle of 4 over its parts"] == pytest.approx(3 / (0.5 + 2))
