import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.report import (
    Bar,
    Report,
    Table,
    conditions,
    finish,
    interleave,
    machine,
    medians,
    publish,
    ratio,
    write,
)
from dcgan_dist.errors import DataError

REPORT = Report(
    command="python -m benchmarks.example",
    tables={"example": Table(["what", "images/s"], [["ours", 1234.5], ["theirs", 600]])},
    ratios={"ours over theirs": 2.06},
    rates={"ours_images_per_s": 1234.5},
    samples={"ours": [1200.0, 1234.5, 1300.0]},
    bars=[Bar("over theirs", 2.06, at_least=5.0), Bar("delay, s", 0.1, at_most=1.0)],
)


def test_contenders_take_turns() -> None:
    turns: list[str] = []

    def contender(name: str, rate: float) -> float:
        turns.append(name)
        return rate

    samples = interleave({"a": lambda: contender("a", 2.0), "b": lambda: contender("b", 1.0)}, rounds=2)
    assert turns == ["a", "b", "a", "b"]
    assert samples == {"a": [2.0, 2.0], "b": [1.0, 1.0]}


def test_medians_and_ratios_are_taken_over_rounds() -> None:
    # The second round was disturbed as a whole, which the ratio of that round does not show.
    samples = {"a": [20.0, 4.0, 22.0], "b": [10.0, 2.0, 10.0]}
    assert medians(samples) == {"a": 20.0, "b": 10.0}
    assert ratio(samples, "a", "b") == 2.0


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("b", 5.0, at_least=5.0), True),
        (Bar("b", 4.9, at_least=5.0), False),
        (Bar("b", 1.0, at_most=1.0), True),
        (Bar("b", 1.1, at_most=1.0), False),
        (Bar("b", 1.1, at_least=1.0, at_most=1.2), True),
        (Bar("b", math.nan, at_most=1.0), False),
        (Bar("b", math.nan), False),
    ],
)
def test_a_bar_is_met_within_its_limits(bar: Bar, met: bool) -> None:
    assert bar.met is met
    assert bar.to_json()["met"] is met


def test_the_json_holds_what_readers_and_renderers_need(tmp_path: Path) -> None:
    file = tmp_path / "results" / "example.json"
    publish(REPORT, file)
    content = json.loads(file.read_text())
    assert set(content) == {"command", "machine", "ratios", "rates", "samples", "bars", "tables"}
    assert content["ratios"] == {"ours over theirs": 2.06}
    assert content["tables"]["example"]["rows"] == [["ours", 1234.5], ["theirs", 600]]
    assert [bar["met"] for bar in content["bars"]] == [False, True]


def test_the_machine_is_named(tmp_path: Path) -> None:
    made = machine()
    assert made["cores"] >= 1
    assert set(made["versions"]) == {"python", "torch", "ray", "numpy", "dcgan-dist"}
    assert all(made[name] for name in ("processor", "commit", "date"))
    line = conditions(REPORT.to_json())
    assert REPORT.command in line
    assert made["processor"] in line


def test_without_a_file_the_report_is_only_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    publish(REPORT, None)
    assert not list(tmp_path.iterdir())
    printed = capsys.readouterr().out
    assert "| ours | 1,234 |" in printed
    assert "| over theirs | at least 5 | 2.06 | **no** |" in printed
    assert "| delay, s | at most 1 | 0.1 | yes |" in printed


def test_a_number_that_json_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path / "example.json", {"ratios": {"a": math.inf}})
    assert not list(tmp_path.iterdir())


def test_a_table_puts_numbers_right_and_escapes_bars() -> None:
    table = Table(["a|b", "n"], [["x|y", 1_000_000], ["z", 0.12345]])
    assert table.markdown().splitlines() == [
        "| a\\|b | n |",
        "| --- | ---: |",
        "| x\\|y | 1,000,000 |",
        "| z | 0.123 |",
    ]


def raising(error: Exception) -> Callable[[], Report]:
    def find() -> Report:
        raise error

    return find


@pytest.mark.parametrize(
    ("find", "status", "told"),
    [
        (lambda: REPORT, 0, ""),
        (raising(DataError("a.tar is torn")), 2, "error: a.tar is torn\n"),
        (
            raising(subprocess.CalledProcessError(7, ["train", "--name", "a b"])),
            1,
            "error: train --name 'a b' ended with status 7: what it said is above\n",
        ),
    ],
)
def test_a_benchmark_ends_with_its_report_or_a_sentence(
    find: Callable[[], Report], status: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finish(find, tmp_path / "report.json") == status
    output, errors = capsys.readouterr()
    assert errors == told
    assert ("ours over theirs" in (tmp_path / "report.json").read_text()) if status == 0 else output == ""
    assert (tmp_path / "report.json").exists() == (status == 0)


def test_a_defect_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        finish(raising(KeyError("nobody")), tmp_path / "report.json")
