import io
import os
import pty
import re
import select
import termios

import pytest

from dcgan_dist.monitoring.messages import Scalars, WorkerInfo
from dcgan_dist.monitoring.sinks.terminal import (
    LiveTerminal,
    LogTerminal,
    Progress,
    Totals,
    fitting,
    open_terminal,
    workers_lines,
)

TOTALS = Totals(images=320_000, images_per_epoch=20_000)


def point(images: int, discriminator: float = 0.92, speed: float = 2950.0) -> Scalars:
    values = {
        "loss/discriminator": discriminator,
        "loss/generator": 1.31,
        "speed/images_per_second": speed,
        "speed/wait_share": 0.008,
    }
    return {"kind": "scalars", "attempt": 1, "step": images // 128, "images": images, "values": values}


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_a_log_gets_a_line_at_once_and_then_one_every_line_s() -> None:
    stream, clock = io.StringIO(), Clock()
    terminal = LogTerminal(stream, TOTALS, 10.0, clock)
    terminal.say("run /runs/scenes32")
    terminal.progress([point(1_280)])
    clock.s += 9.0
    terminal.progress([point(80_000, discriminator=0.8, speed=2000.0)])
    clock.s += 1.0
    terminal.progress([point(120_320, discriminator=1.0, speed=3000.0)])
    clock.s += 1.0
    terminal.progress([point(320_000)])
    terminal.close()
    assert stream.getvalue().splitlines() == [
        "run /runs/scenes32",
        "images 1,280 of 320,000 (0 %)  epoch 0.1  loss D 0.92 G 1.31  2,950 images/s  waiting 0.8 %  1 min 48 s left",
        # 2,400 images/s: as long as at 2,000 and at 3,000 for the same number of images each.
        "images 120,320 of 320,000 (37 %)  epoch 6.0  loss D 0.90 G 1.31  2,400 images/s  waiting 0.8 %  "
        "1 min 23 s left",
        # The run has ended, here or anywhere else: no time is left.
        "images 320,000 of 320,000 (100 %)  epoch 16.0  loss D 0.92 G 1.31  2,950 images/s  waiting 0.8 %",
    ]


def test_no_more_time_is_left_than_until_the_run_is_stopped() -> None:
    stream, left = io.StringIO(), [100.0, 38.0]
    terminal = LogTerminal(stream, TOTALS, 0.0, Clock(), time_left=lambda: left.pop(0))
    terminal.progress([point(260_000, speed=1000.0)])
    terminal.progress([point(280_000, speed=1000.0)])
    assert [line.split("  ")[-1] for line in stream.getvalue().splitlines()] == ["1 min 00 s left", "38 s left"]


def test_the_last_step_of_a_run_is_in_no_epoch_that_never_was() -> None:
    stream = io.StringIO()
    terminal = LogTerminal(stream, Totals(images=10_112, images_per_epoch=1_000, batch_size=128), 10.0, Clock())
    terminal.progress([point(10_112)])
    assert "  epoch 10.0  " in stream.getvalue()
    assert Totals(images=5_504, images_per_epoch=1_000, batch_size=128).epochs == pytest.approx(5.504)
    assert Totals(images=640, images_per_epoch=1_000, batch_size=128).epochs == pytest.approx(0.64)


def test_points_that_were_told_are_not_told_again_at_the_end() -> None:
    stream = io.StringIO()
    terminal = LogTerminal(stream, TOTALS, 10.0, Clock())
    terminal.progress([point(1_280)])
    terminal.close()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_line_holds_what_is_known() -> None:
    stream = io.StringIO()
    terminal = LogTerminal(stream, TOTALS, 10.0, Clock())
    terminal.progress([{"kind": "scalars", "attempt": 1, "step": 1, "images": 128, "values": {"loss/generator": 0.5}}])
    assert stream.getvalue() == "images 128 of 320,000 (0 %)  epoch 0.0  loss G 0.50  time left unknown\n"


def test_a_run_on_labels_has_one_loss() -> None:
    stream = io.StringIO()
    terminal = LogTerminal(stream, TOTALS, 10.0, Clock())
    values = {"supervised/loss": 1.236, "speed/images_per_second": 4000.0}
    terminal.progress([{"kind": "scalars", "attempt": 1, "step": 1, "images": 80_000, "values": values}])
    assert (
        stream.getvalue() == "images 80,000 of 320,000 (25 %)  epoch 4.0  loss 1.24  4,000 images/s  1 min 00 s left\n"
    )


def test_what_takes_long_before_a_run_has_lines_in_a_log_too() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, clock)
    for done in range(21):
        progress("drawing rooms", done, 20)
        clock.s += 1.5
    assert stream.getvalue().splitlines() == [
        "drawing rooms ...",
        "drawing rooms: 35 %",
        "drawing rooms: 70 %",
        "drawing rooms: done in 30.0 s",
    ]


def test_files_and_pipes_get_lines() -> None:
    assert isinstance(open_terminal(io.StringIO(), TOTALS, 10.0), LogTerminal)


def test_a_terminal_gets_a_live_bar_with_lines_above_it() -> None:
    controller, terminal_end = pty.openpty()
    termios.tcsetwinsize(terminal_end, (24, 80))
    with open(terminal_end, "w", encoding="utf-8") as stream:
        terminal = open_terminal(stream, TOTALS, 10.0, lambda: 75.0)
        assert isinstance(terminal, LiveTerminal)
        terminal.say("header")
        terminal.progress([point(80_000)])
        terminal.say("checkpoint written")
        terminal.progress([point(160_000)])
        terminal.close()
        terminal.say("the end")
        output = read(controller)
    os.close(controller)
    assert output.index("header") < output.index("25 %|") < output.index("checkpoint written") < output.index("50 %|")
    assert output.index("50 %|") < output.index("the end")
    # 80 columns have room for this much, and no part of a line is cut. It is stopped after 1 min 15 s, before its end;
    # the last state has no time that is left.
    assert re.search(r"\| 1 min 15 s left  80,000 of 320,000  loss D 0\.92 G 1\.31 *\r", output)
    assert re.search(r"\| 160,000 of 320,000  loss D 0\.92 G 1\.31  2,950 images/s *\r*\n", output)
    assert " 0 %|" not in output
    # A carriage return without a new line goes back to the start of the line: that is what makes the bar live.
    assert re.search(r"\r[^\n]*25 %\|", output)
    assert output.count("\n") == 4


def test_a_terminal_without_a_width_gets_lines() -> None:
    controller, terminal_end = pty.openpty()
    with open(terminal_end, "w", encoding="utf-8") as stream:
        assert isinstance(open_terminal(stream, TOTALS, 10.0), LogTerminal)
    os.close(controller)


def read(descriptor: int) -> str:
    """What has been written to a terminal so far."""
    output = b""
    while select.select([descriptor], [], [], 0.2)[0]:
        output += os.read(descriptor, 65536)
    return output.decode()


def test_what_an_encoding_lacks_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    LogTerminal(stream, TOTALS, 10.0).say("Zürich")
    stream.seek(0)
    assert stream.read() == "Z\\xfcrich\n"


@pytest.mark.parametrize(
    ("columns", "line"), [(3, "left"), (10, "left  loss"), (16, "left  loss"), (17, "left  loss  speed")]
)
def test_a_narrow_line_leaves_out_whole_parts(columns: int, line: str) -> None:
    assert fitting(["left", "loss", "speed"], columns) == line


def worker(rank: int, host: str, device: str = "cpu, 2 threads") -> WorkerInfo:
    return {"rank": rank, "node": host, "host": host, "device": device}


def test_the_header_says_what_runs_where() -> None:
    assert workers_lines([worker(0, "host-a")]) == ["1 worker: rank 0 on host-a (cpu, 2 threads)"]
    assert workers_lines([worker(0, "host-a"), worker(1, "host-b")]) == [
        "2 workers: rank 0 on host-a (cpu, 2 threads)",
        "           rank 1 on host-b (cpu, 2 threads)",
    ]


def test_many_workers_of_a_host_share_a_line() -> None:
    workers = [worker(rank, f"host-{'ab'[rank // 8]}", "cuda") for rank in range(16)]
    assert workers_lines(workers) == [
        "16 workers: ranks 0 to 7 on host-a (cuda)",
        "            ranks 8 to 15 on host-b (cuda)",
    ]
