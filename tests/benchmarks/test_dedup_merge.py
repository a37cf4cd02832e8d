"""Searches among a few planted codes, and what the tables say of what was found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import dedup_codes
from benchmarks.dedup_codes import ALIKE, Outcome, alike, measured, plant, planted
from benchmarks.dedup_merge import SEARCHES, SETS, larger_table, report
from dcgan_dist.data.deduplication.search_plan import plan_search

OUTCOME = Outcome(
    passes=3,
    ranges=1,
    pairs=50,
    groups=40,
    compared=900,
    not_compared=7,
    not_reported=8,
    search_s=2.0,
    groups_s=0.5,
    wall_s=9.0,
    peak_mb=130.0,
    before_mb=30.0,
)


@pytest.mark.parametrize("radius", range(6))
def test_what_is_planted_is_what_differs_in_so_many_bits(tmp_path: Path, radius: int) -> None:
    plant(tmp_path / "codes.npy", 1000, seed=3)
    codes = np.load(tmp_path / "codes.npy")
    differing = np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2, dtype=np.int64)
    pairs = np.argwhere(np.triu(differing <= radius, k=1))
    assert pairs.tolist() == planted(1000, radius).tolist()
    assert len(pairs) == 10 * min(radius + 1, 5)


def test_a_search_that_finds_what_is_planted_says_what_it_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(tmp_path / "codes.npy", 2000)
    assert dedup_codes.main(["search", str(tmp_path / "codes.npy"), "3"]) == 0
    found = Outcome(**json.loads(capsys.readouterr().out))
    assert (found.pairs, found.groups, found.not_compared, found.not_reported) == (80, 80, 0, 0)
    assert found.peak_mb >= found.before_mb > 0


def test_a_search_that_finds_something_else_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(tmp_path / "codes.npy", 2000)
    codes = np.load(tmp_path / "codes.npy")
    codes[700] = codes[800]
    np.save(tmp_path / "codes.npy", codes)
    assert dedup_codes.main(["search", str(tmp_path / "codes.npy"), "3"]) == 1
    assert "81 pairs are not the 80 planted ones" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "least", "most"), [("same", 499, 499), ("equal", 500, 124_750), ("near", 500, 124_750)]
)
def test_images_that_are_all_alike_are_one_group(kind: str, least: int, most: int) -> None:
    codes, identity = alike(kind, 500)
    found, pairs = measured(codes, plan_search(500, None, 8), identity)
    assert found.groups == 1
    assert least <= found.pairs == len(pairs) <= most
    assert len(np.unique(codes, axis=0)) == 1 or kind == "near"
    assert len(np.unique(identity)) == (1 if kind == "same" else 500)


def test_rates_are_measured() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (300_000, 16), dtype=np.uint8)
    rates = dedup_codes.rates(codes)
    assert set(rates) == {"scan", "sort", "pair"}
    assert rates["pair"] > 0


def test_tables_have_the_median_and_what_four_times_as_many_take() -> None:
    outcomes = {
        (4, 100_000): [OUTCOME, replace(OUTCOME, search_s=1.0), replace(OUTCOME, search_s=4.0)],
        (4, 400_000): [replace(OUTCOME, search_s=9.5, peak_mb=530.0)],
        (8, 100_000): [replace(OUTCOME, search_s=100.0)],
    }
    rates = {"scan": 10.0, "sort": 20.0, "pair": 5.0}
    found = report(outcomes, rates, dict.fromkeys(ALIKE, OUTCOME))
    assert found.tables["dedup-merge"].rows == [
        [4, 100_000, 3, 50, 2.0, 0.5, 100.0],
        [4, 400_000, 3, 50, 9.5, 0.5, 500.0],
        [8, 100_000, 3, 50, 100.0, 0.5, 100.0],
    ]
    assert [(bar.name, bar.value, bar.met) for bar in found.bars] == [
        ("time of 4 times as many codes, radius 4", 4.0, True),
        ("memory of 4 times as many codes, radius 4", 5.0, False),
    ]
    assert found.rates["bytes_a_code"] == 1250
    assert [row[1:] for row in found.tables["dedup-alike"].rows] == [[50, 40, 8, 7, 2.5, 100.0]] * 3
    json.dumps(found.to_json())


def test_what_larger_sets_take_follows_from_their_plans() -> None:
    rates = {"scan": 10.0, "sort": 20.0, "pair": 0.0}
    rows = {(row[0], row[1], row[2]): row[3:] for row in larger_table(rates, 25.0).rows}
    assert len(rows) == len(SETS) * len(SEARCHES)
    assert rows["100 M", 0, 0] == [1, 2, pytest.approx(4.0), pytest.approx(1.25), pytest.approx(0.0032)]
    assert rows["100 M", 10, 5] == [1001, 2, pytest.approx(24_024.0), pytest.approx(1.25), pytest.approx(19.2192)]
