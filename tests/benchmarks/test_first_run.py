import json
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import first_run
from benchmarks.first_run import BEGINS, STAGES, Round, echo, report, until_a_file, watch
from dcgan_dist.errors import DataError

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def made(step_s: float, grid_s: float = 40.0, end_s: float = 200.0) -> Round:
    """A round whose stages take equally long."""
    short = {line: step_s * (number + 1) / len(STAGES) for number, line in enumerate(STAGES)}
    return Round(short, step_s + 7, grid_s, end_s)


@pytest.mark.parametrize(
    ("step_s", "grid_s", "end_s", "met"),
    [
        (14.0, 59.0, 299.0, [True, True, True]),
        (14.0, 61.0, 200.0, [False, True, True]),
        (14.0, 20.0, 301.0, [True, False, True]),
        (16.0, 20.0, 200.0, [True, True, False]),
    ],
)
def test_a_slow_first_run_misses_a_bar(step_s: float, grid_s: float, end_s: float, met: list[bool]) -> None:
    """By the medians: the other two rounds are one far faster and one far slower."""
    found = report([made(1.0, 2.0, 3.0), made(step_s, grid_s, end_s), made(99.0, 999.0, 9999.0)])
    assert [bar.met for bar in found.bars] == met
    assert found.rates == {"minutes": end_s / 60, "first_grid_s": grid_s, "first_step_s": step_s}
    assert [row[1:] for row in found.tables["first-run"].rows] == [
        [step_s + 7, 8.0, 106.0],
        [grid_s, 2.0, 999.0],
        [end_s, 3.0, 9999.0],
        [step_s, 1.0, 99.0],
    ]


def test_the_stages_add_up_to_the_first_step() -> None:
    rows = report([made(18.0)]).tables["first-step"].rows
    assert [row[0] for row in rows] == list(STAGES.values())
    assert [row[1] for row in rows] == [3.0] * 6


def test_each_stage_is_told_by_the_first_line_that_begins_so(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{line} and so on\n" for line in STAGES]
    came = echo([*lines, "training begins, again\n", "no stage: starting Ray\n"])
    assert list(came) == list(STAGES)
    assert all(earlier <= later for earlier, later in pairwise(came.values()))
    assert len(capsys.readouterr().out.splitlines()) == len(STAGES) + 2


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("print('starting Ray')", f"no line of it begins with .*{BEGINS}"),
        (f"print({chr(10).join(STAGES)!r})", "left no samples"),
    ],
)
def test_a_command_that_says_or_leaves_nothing_is_no_measurement(script: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        watch(["-c", script], tmp_path, "first")


def test_a_command_is_watched_from_its_start_to_its_end(tmp_path: Path) -> None:
    script = (
        "import pathlib, time; folder = pathlib.Path('runs/first/samples'); folder.mkdir(parents=True); "
        f"print({chr(10).join(STAGES)!r}, flush=True); (folder / '000000064-raw.png').touch(); time.sleep(1.2)"
    )
    lines, grid_s, end_s = watch(["-c", script], tmp_path, "first")
    assert 0 < lines[BEGINS] < end_s
    assert lines[BEGINS] <= grid_s + first_run.LOOK_S
    assert grid_s < end_s


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
    assert len(content["bars"]) == 3
