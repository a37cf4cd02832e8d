"""What a person sees of a sweep, as a log."""

import io

from tuning.objective import Objective
from tuning.table import LINE_S, Board, Entries, Entry, rows, summary

OBJECTIVE = Objective("probe/rooms/accuracy", "max")


def entries() -> Entries:
    found = Entries(OBJECTIVE, 90_000, 12)
    found.by_number = {
        0: Entry(0, {"optimization.lr": 2e-4}, "finished", 90_048, {10_000: 0.4, 90_000: 0.613}, 150.0, 610.0),
        1: Entry(1, {"optimization.lr": 1e-3}, "cut", 10_048, {10_000: 0.7}, 140.0, 71.0),
        2: Entry(2, {"optimization.lr": 0.00031}, "running", 20_000),
    }
    return found


def test_trials_are_lines_of_a_table() -> None:
    found = entries()
    assert rows(list(found.by_number.values()), OBJECTIVE, 90_000) == [
        "trial       lr  state     images         probe/rooms/accuracy  compared at  images/s         time",
        "    0   0.0002  finished  90,048  100 %               61.30 %       90,000       150  10 min 10 s",
        "    1    0.001  cut       10,048   11 %               70.00 %       10,000       140   1 min 11 s",
        "    2  0.00031  running   20,000   22 %                                                       0 s",
    ]
    assert rows([], OBJECTIVE, 90_000) == []


def test_the_best_is_named_with_its_values() -> None:
    told = "2 of 12 trials ended, 1 running; best 61.30 % at 90,000 images by trial 0 (lr 0.0002)  1 min 15 s"
    assert summary(entries(), 75) == told, "trial 1 has a better value, but of fewer images"
    least = entries()
    least.objective = Objective("loss/generator", "min")
    least.by_number[1].objective_values[90_000] = 0.1
    assert [entry.number for entry in least.ranked()] == [1, 0]
    found = entries()
    found.compared = False
    assert "best" not in summary(found, 1)
    assert summary(Entries(OBJECTIVE, 1, 3), 1) == "0 of 3 trials ended, 0 running  1 s"


def test_a_log_gets_lines_at_intervals_and_no_signs_of_a_terminal() -> None:
    now = [0.0]
    stream = io.StringIO()
    board = Board(stream, entries(), lambda: now[0])
    for _ in range(100):
        board.tick()
        now[0] += LINE_S / 50
    board.say("trial 1 is cut")
    board.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[-1] == "trial 1 is cut"
    assert "\x1b" not in stream.getvalue()
