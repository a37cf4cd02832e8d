import json
import random
from pathlib import Path

import pytest
import torch

from benchmarks.faults import (
    BETWEEN,
    DRAWS,
    FAULTS,
    OURS,
    STEPS,
    STOCK,
    Broken,
    Draw,
    Fault,
    due,
    equal,
    final_state,
    kill_worker,
    read,
    report,
)
from benchmarks.report import write

GOOD = Broken("worker killed", OURS, [Draw(50, 8.0 + n, 8.1, 10) for n in range(DRAWS)], [], 0, 0, True, True)


@pytest.mark.parametrize("reached", [0, BETWEEN, BETWEEN + 7])
def test_a_fault_comes_strictly_between_two_checkpoints(reached: int) -> None:
    draws = random.Random(1)
    steps = {due(reached, Fault("some", kill_worker), draws) for _ in range(500)}
    assert len(steps) > 20
    assert all(step > reached and 5 < step % BETWEEN < BETWEEN - 5 for step in steps)


def test_no_checkpoint_comes_but_at_the_intervals() -> None:
    assert BETWEEN >= 20
    assert STEPS % (4 * BETWEEN) == 0


def test_a_run_that_lost_nothing_meets_its_bars() -> None:
    found = report([GOOD, Broken("worker killed", STOCK, [Draw(50, 18.0, 18.1, 10)] * 3, [], 30, 40, False, False)])
    assert all(bar.met for bar in found.bars)
    assert found.ratios == {"worker killed: Ray's loop over ours": 2.0}
    assert [row[4:] for row in found.tables["faults"].rows] == [
        ["10, 10, 10", "0, 0", "yes"],
        ["10, 10, 10", "30, 40", "no"],
    ]


@pytest.mark.parametrize(
    "bad",
    [
        Broken("worker killed", OURS, [Draw(50, 16.0, 16.0, 10)] * DRAWS, [], 0, 0, True, True),
        Broken("worker killed", OURS, GOOD.draws, [], 0, 1, True, True),
        Broken("worker killed", OURS, GOOD.draws, [], 0, 0, False, True),
        Broken("worker killed", OURS, GOOD.draws, [], 0, 0, True, False),
        Broken("worker killed", OURS, GOOD.draws[:-1], [], 0, 0, True, True),
        Broken("node leaves with a notice of 12 s", OURS, GOOD.draws, [], 0, 0, True, True),
    ],
)
def test_whatever_is_lost_misses_a_bar(bad: Broken) -> None:
    assert sum(not bar.met for bar in report([bad]).bars) == 1


def test_where_numbers_may_differ_samples_may_not() -> None:
    notice, joins = (fault.name for fault in FAULTS if not fault.exact)
    for name in (notice, joins):
        found = report([Broken(name, OURS, [Draw(50, 8.0, 8.1, 0)] * DRAWS, [], 0, 0, True, False)])
        assert all(bar.met for bar in found.bars)
        assert found.tables["faults"].rows[0][-1] == "with its samples"
        others = report([Broken(name, OURS, [Draw(50, 8.0, 8.1, 3)] * DRAWS, [], 0, 0, False, False)])
        assert sum(not bar.met for bar in others.bars) == 2
        assert others.tables["faults"].rows[0][-1] == "no"


def test_what_ended_a_run_is_in_its_row() -> None:
    ended = Broken("newest checkpoint damaged, workers killed", STOCK, ended=["it did not reach its end"] * 3)
    assert report([ended]).tables["faults"].rows[0][2:] == ["-", "-", "-", "-", "3 of 3 end the run"]


def test_measurements_survive_the_way_through_the_file(tmp_path: Path) -> None:
    write(tmp_path / "faults.json", report([GOOD]).to_json())
    assert read(tmp_path / "faults.json") == [GOOD]
    assert read(tmp_path / "none.json") == []


def test_states_are_equal_only_to_the_bit(tmp_path: Path) -> None:
    state = {"step": 3, "weights": [torch.zeros(2), {"deep": torch.ones(1)}]}
    for name in ("000000000001", "000000000002"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    torch.save(state, tmp_path / "checkpoints" / "000000000002" / "state.pt")
    assert equal(final_state(tmp_path), state)
    assert not equal(state, state | {"weights": [torch.zeros(2), {"deep": torch.ones(1) + 1e-6}]})
    assert not equal(state, {"step": 3})


def test_the_committed_report_has_all_faults_and_meets_all_its_bars() -> None:
    file = Path(__file__).parents[2] / "benchmarks" / "results" / "faults.json"
    found = {(broken.fault, broken.loop): broken for broken in read(file)}
    assert found.keys() == {(fault.name, OURS) for fault in FAULTS} | {
        (fault.name, STOCK) for fault in FAULTS if fault.stock
    }
    for (_, loop), broken in found.items():
        assert len(broken.draws) == DRAWS if loop == OURS else len(broken.draws) + len(broken.ended) == DRAWS
    assert [bar["name"] for bar in json.loads(file.read_text())["bars"] if not bar["met"]] == []
