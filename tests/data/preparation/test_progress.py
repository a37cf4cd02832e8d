"""What is shown while a step goes on."""

import os

import pytest

from dcgan_dist.data.preparation import progress
from dcgan_dist.data.preparation.progress import Progress


@pytest.mark.parametrize(("total", "of"), [(1_500, " of 1,500"), (None, "")])
def test_a_log_gets_a_line_now_and_then(
    total: int | None, of: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Progress("listed", "pictures", total, 1_000) as shown:
        shown.add(1)
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(progress, "_LINE_S", 0)
        shown.add(2, bad=1)
        shown.reach(1_009, total)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" a second")[0].rpartition(", ")[0] for line in lines] == [
        f"listed 1,003{of} pictures, 1 bad",
        f"listed 1,009{of} pictures, 1 bad",
    ]


def test_a_line_has_the_rate_of_this_call_and_the_time_left() -> None:
    with Progress("written", "shards", 50, 10) as shown:
        shown.add(0)
        shown.add(1)
        assert shown.line(seconds=0) == "written 11 of 50 shards"
        shown.add(8)
        assert shown.line(seconds=4) == "written 19 of 50 shards, 2 a second, 16 s left"
    with Progress("listed", "pictures", None) as shown:
        shown.add(1)
        shown.add(30)
        assert shown.line(seconds=4) == "listed 31 pictures, 8 a second"


def test_a_terminal_gets_a_bar_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("converted", "pictures", 9) as shown:
        assert "converted:   0%" in capsys.readouterr().err
        shown.add(5)
    with Progress("converted", "pictures", 9, 4) as shown:
        shown.add(3, bad=2)
        shown.reach(8, 16)
    told = capsys.readouterr().err
    assert "converted:  50%" in told
    assert "2 bad" in told


def test_the_speed_of_a_bar_counts_from_the_first_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    now = 100.0
    for clock in ("tqdm.std.time", "time.time"):
        monkeypatch.setattr(clock, lambda: now)
    with Progress("converted", "pictures", 1_000) as shown:
        now += 60
        shown.add(50)
        now += 10
        capsys.readouterr()
        shown.add(100)
        assert "[00:10<01:25, 10.00 pictures/s]" in capsys.readouterr().err


def test_a_terminal_without_room_gets_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.fileno", lambda: 2)
    monkeypatch.setattr(progress, "_LINE_S", 0)
    for size, told in (((0, 24), "converted 5 of 9 pictures\n"), ((80, 0), "5 of 9 pictures\n"), ((80, 24), ":  56%")):
        monkeypatch.setattr("os.get_terminal_size", lambda number, size=size: os.terminal_size(size))
        with Progress("converted", "pictures", 9) as shown:
            shown.add(5)
        assert told in capsys.readouterr().err
