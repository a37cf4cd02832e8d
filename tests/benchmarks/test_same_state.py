"""Two checkouts are compared tensor by tensor; what was found of the last big change is committed."""

import json
from pathlib import Path

import torch

from benchmarks.same_state import count_lines, difference, flat, report

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "same_state.json"


def test_tensors_are_found_by_their_place_and_compared() -> None:
    state = {
        "generator": {"weight": torch.ones(2)},
        "optimizer": {0: {"step": torch.tensor(3.0)}},
        "list": [torch.zeros(1), 5],
    }
    one = flat(state)
    assert sorted(one) == ["/generator/weight", "/list/0", "/list/1", "/optimizer/0/step"]
    assert difference(one, flat(state)) == 0
    assert difference(one, one | {"/list/0": torch.full((1,), 1e-45)}) == 1
    assert difference(one, {name: value for name, value in one.items() if name != "/list/0"}) == 1
    assert difference(one, one | {"/list/1": torch.tensor(6)}) == 1
    assert difference(one, one | {"/more": torch.zeros(1)}) == 1


def test_lines_are_those_of_python(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.py").write_text("one\n\nthree\n")
    (tmp_path / "b.md").write_text("none\n")
    assert count_lines(tmp_path) == 3


def test_a_difference_misses_the_bar() -> None:
    counted = {"dcgan_dist": (10, 11), "tuning": (5, 4), "tests": (3, 9)}
    found = report("a", "b", 82, {"whole": 0, "half": 2}, counted)
    assert [bar.met for bar in found.bars] == [True, False, True]
    assert found.bars[2].value == 1


def test_the_committed_report_found_no_difference() -> None:
    bars = {bar["name"]: bar for bar in json.loads(RESULTS.read_text())["bars"]}
    equal = [bar for name, bar in bars.items() if name.startswith("tensors that differ")]
    assert len(equal) == 2
    assert all(bar["value"] == 0 for bar in equal)
