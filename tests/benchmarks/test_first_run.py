import json
import threading
from pathlib import Path

import pytest

from benchmarks.first_run import echo, report, until_a_file

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.mark.parametrize(
    ("grid_s", "ends_s", "met"),
    [(59.0, 479.0, [True, True]), (61.0, 200.0, [False, True]), (20.0, 481.0, [True, False])],
)
def test_a_slow_first_run_misses_a_bar(grid_s: float, ends_s: float, met: list[bool]) -> None:
    found = report(15.0, grid_s, ends_s)
    assert [bar.met for bar in found.bars] == met
    assert found.rates == {"minutes": ends_s / 60, "first_grid_s": grid_s}
    assert [row[1] for row in found.tables["first-run"].rows] == [15.0, grid_s, ends_s]


def test_the_first_step_is_told_by_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["starting 1 worker\n", "training begins, after 2 s of reading\n", "training begins, again\n"]
    assert echo(lines[:1]) is None
    first = echo(lines)
    later = echo(lines)
    assert first is not None
    assert later is not None
    assert later > first
    assert capsys.readouterr().out == "".join([*lines[:1], *lines, *lines])


def test_the_first_picture_is_waited_for_until_the_end_of_the_run(tmp_path: Path) -> None:
    found: list[float] = []
    until_a_file(tmp_path / "samples", found, lambda: True)
    assert found == []
    thread = threading.Thread(target=until_a_file, args=(tmp_path / "samples", found, lambda: False))
    thread.start()
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "000000064-raw.png").touch()
    thread.join(60)
    assert len(found) == 1


def test_the_committed_report_meets_its_bars() -> None:
    content = json.loads((RESULTS / "first_run.json").read_text())
    assert [bar["name"] for bar in content["bars"] if not bar["met"]] == []
    assert len(content["bars"]) == 2
