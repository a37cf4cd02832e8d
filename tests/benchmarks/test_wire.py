"""What the table of bytes on the wire says of what was found."""

from benchmarks.wire import HOOKS, SPEEDS, Traffic, report


def test_bytes_are_told_in_those_of_the_gradients_and_speed_over_no_hook() -> None:
    one = {"none": Traffic(bytes=1e8, seconds=2.0, gradients=10**8), "bf16": Traffic(5e7, 1.0, 10**8)}
    made = report({(speed, hook): [one[hook]] * 2 for speed in SPEEDS for hook in HOOKS})
    assert made.tables["wire"].rows[:2] == [
        ["as it goes", "none", 100.0, 1.0, "2.00", 1.0],
        ["as it goes", "bf16", 50.0, 0.5, "1.00", 2.0],
    ]
    assert made.ratios["bytes sent over bytes of gradients"] == 1.0
    assert made.ratios["100 Mbit/s: step with bf16 over without, in speed"] == 2.0
