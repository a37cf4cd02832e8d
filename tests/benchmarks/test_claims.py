import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.claims import RESULTS, main, report
from benchmarks.claims_elsewhere import ELSEWHERE, elsewhere
from benchmarks.claims_runs import Run, in_order, missing, runs_in
from benchmarks.report import Report
from dcgan_dist.errors import DataError
from tests.benchmarks.test_claims_elsewhere import reports
from tuning.claim_measures import VERSION
from tuning.claim_runs import as_json
from tuning.claims import CLAIMS, ROOMS, ROOMS_LONG, Arm, Setup
from tuning.claims_table import judged

NOTHING, BETA1, TOO_LONG = (
    next(claim for claim in CLAIMS if claim.name == name) for name in ("nothing", "beta1", "not-too-long")
)


def runs_of(
    arms: Sequence[Arm], measure: str, values: Sequence[float], condemned: Sequence[int] = (), **about: Any
) -> list[Run]:
    """Runs that took 100 s each, of which those at the places that are condemned went wrong."""
    return [
        (
            arm,
            {
                "run": arm,
                "version": VERSION,
                "started": None,
                "date": "2026-01-02",
                "seconds": 100.0,
                "data_sha256": "aa",
                "judge": "one",
                "health": [],
                "values": {measure: value, "condemned": float(place in condemned)},
                "replaced": {},
                **about,
            },
        )
        for place, (arm, value) in enumerate(zip(arms, values, strict=True))
    ]


DRIFTS = [0.2, 0.22, 0.21, 0.2, 0.23, 0.24, 0.19, 0.2, 0.21, 0.22], [0.5, 0.6, 0.55, 0.5, 0.52]
EQUAL = [0.11, 0.14, 0.12, 0.17, 0.1, 0.16, 0.13, 0.15, 0.19, 0.122, 0.18, 0.115, 0.135, 0.155, 0.125]


def some_runs(**about: Any) -> list[Run]:
    """Of `nothing` and `beta1`, whose runs as the setup are not the same here."""
    ours, others = BETA1.runs()
    equal = [run for arm in NOTHING.runs() for run in arm]
    return [
        *runs_of(equal, "attributes", EQUAL, **about),
        *runs_of(ours, "drift", DRIFTS[0], condemned=[3], **about),
        *runs_of(others, "drift", DRIFTS[1], condemned=[0, 1, 4], **about),
    ]


def all_setups(there: Mapping[Setup, Sequence[Run]]) -> dict[Setup, list[Run]]:
    return {setup: list(there.get(setup, [])) for claim in CLAIMS for setup in claim.setups}


def claims_json(there: Mapping[Setup, Sequence[Run]]) -> dict[str, Any]:
    """As `tuning.claims` writes it."""
    content = {"version": VERSION, "setups": [as_json(setup, runs) for setup, runs in all_setups(there).items()]}
    return json.loads(json.dumps(content))  # type: ignore[no-any-return]


def rows_of(made: Report, table: str = "claims") -> dict[Any, list[Any]]:
    return {row[0]: list(row) for row in made.tables[table].rows}


def test_the_tables_hold_what_was_found() -> None:
    made = report(all_setups({ROOMS: some_runs()}), reports())
    rows = rows_of(made)
    assert (rows["nothing"][-1], rows["beta1"][-1], rows["lr"][-1]) == ("cannot tell", "holds", "0 of 15 runs so far")
    assert rows["beta1"][7:11] == ["0.21", "0.52", "+0.31 (+0.26 to +0.4)", "1 of 10 and 3 of 5"]
    measures = rows_of(made, "claim-measures")
    assert measures.keys() == {claim.measure for claim in CLAIMS}
    assert (measures["drift"][2:], measures["probe"][2:]) == (["less", 2.0], ["more", 0.1])
    (redraws,) = made.tables["claims-redraws"].rows
    assert redraws[:2] == ["attributes", 3_003]
    assert redraws[3] < redraws[2] <= 0.05 * 3_003  # type: ignore[operator]
    assert len(made.tables["claims-elsewhere"].rows) == len(ELSEWHERE)


def test_the_runs_of_an_arm_of_another_setup_are_those_of_that_setup() -> None:
    ours, others = TOO_LONG.runs()
    there = {
        ROOMS: runs_of(ours, "oscillation", [0.4 + 0.01 * place for place in range(10)], condemned=[2]),
        ROOMS_LONG: runs_of(others, "oscillation", [0.8, 0.81, 0.82, 0.83, 0.84], condemned=[0, 1, 2]),
    }
    row = rows_of(report(all_setups(there), reports()))["not-too-long"]
    assert row[7:] == ["0.445", "0.82", "+0.375 (+0.32 to +0.43)", "1 of 10 and 3 of 5", "holds"]


def test_runs_count_once_in_what_they_cost() -> None:
    there = {
        ROOMS: runs_of(BETA1.runs()[0][:3], "drift", [0.2, 0.3, 0.4], seconds=100.0),
        ROOMS_LONG: runs_of(TOO_LONG.runs()[1][:1], "oscillation", [0.8], seconds=1800.0, date="2026-01-07"),
    }
    there[ROOMS] += runs_of(BETA1.runs()[0][:1], "drift", [0.2], judge="two")
    there[ROOMS] += runs_of(BETA1.runs()[1][:1], "drift", [0.2], date="2026-01-04", seconds=420.0)
    made = report(all_setups(there), reports())
    assert made.tables["claims-cost"].rows == [
        [ROOMS.name, 4, 180.0, 0.1, "2026-01-02 to 2026-01-04"],
        [ROOMS_LONG.name, 1, 1800.0, 0.25, "2026-01-07"],
    ]
    assert made.rates == {"hours_of_two_cores": 0.35}
    assert not made.bars, "not all claims have their runs"


def test_what_was_measured_is_told_where_the_worst_value_stands_for_it() -> None:
    ours, others = BETA1.runs()
    runs = [
        *runs_of(ours, "drift", DRIFTS[0]),
        *runs_of(others[:1], "drift", DRIFTS[1][:1]),
        *(
            run
            for place, value in enumerate((0.9, 1.1, 1.3), start=1)
            for run in runs_of(others[place : place + 1], "drift", [2.0], replaced={"drift": value})
        ),
        # The same runs once more, of which claims use the first.
        *runs_of(others[1:4], "drift", [2.0] * 3, replaced={"drift": 7.0}, date="2025-01-01"),
    ]
    found = report(all_setups({ROOMS: runs}), reports()).tables["claims-replaced"].rows
    row = ["beta1", "beta1 0.9", "drift", "3 of 5", "1.1 (0.9 to 1.3)"]
    assert found == [[*row, "not all runs so far"]]
    runs += runs_of(others[4:], "drift", [2.0])
    assert report(all_setups({ROOMS: runs}), reports()).tables["claims-replaced"].rows == [[*row, "holds"]]
    alike = [*runs[:10], *runs_of(others, "drift", [2.0] * 5, replaced={"drift": 0.21})]
    made = report(all_setups({ROOMS: alike}), reports())
    assert made.tables["claims-replaced"].rows[0][-1] == "cannot tell"
    assert rows_of(made)["beta1"][-1] == "holds"


def test_runs_that_are_elsewhere_are_kept() -> None:
    before = some_runs(started=1_790_000_000.0)
    made = report(all_setups({ROOMS: in_order(before)}), reports())
    assert rows_of(made) == rows_of(report(all_setups({ROOMS: before}), reports()))
    now = runs_of(BETA1.runs()[1], "drift", [0.1] * 5, started=1_790_000_001.0)
    for both in ([*now, *before], [*before, *now]):
        found = report(all_setups({ROOMS: in_order(both)}), reports())
        assert rows_of(found)["beta1"][7:9] == ["0.21", "0.1"], "the newest count, wherever they stand"
        assert rows_of(found)["nothing"] == rows_of(made)["nothing"]


def test_what_is_written_and_read_again_gives_the_same() -> None:
    ours, others = NOTHING.runs()
    runs = [
        *runs_of([*ours, *others], "attributes", EQUAL, judge="b", started=5.0),
        *runs_of([*ours, *others], "attributes", EQUAL[::-1], judge="a", started=5.0),
        *runs_of([*ours, *others], "attributes", EQUAL[3:] + EQUAL[:3], judge="c"),
    ]
    made = report(all_setups({ROOMS: in_order(runs)}), reports())
    again, _ = runs_in(json.loads(json.dumps(made.samples)), "it")
    for order in (again[ROOMS], again[ROOMS][::-1]):
        found = report(all_setups({ROOMS: in_order(order)}), reports())
        assert (found.tables, found.samples) == (made.tables, made.samples)


def test_a_run_that_tells_nothing_new_is_left_out() -> None:
    (arm, *_) = BETA1.runs()[1]
    old = runs_of([arm], "drift", [0.5], judge="one", started=3.0)
    new = runs_of([arm], "drift", [0.4], judge="two", started=4.0)
    assert in_order([*old, *new]) == new, "no judge has a part in it"
    seen = runs_of([arm], "rooms", [0.5], judge="one", started=3.0)
    seen_again = runs_of([arm], "rooms", [0.4], judge="two", started=4.0)
    assert in_order([*seen, *seen_again]) == [*seen_again, *seen]
    more = runs_of([arm], "drift", [0.4], judge="two", started=2.0)
    more[0][1]["values"]["spread"] = 0.3
    assert in_order([*old, *more]) == [*old, *more], "it has another measure"


def test_of_two_judges_the_one_that_has_seen_more_runs_counts() -> None:
    ours, others = NOTHING.runs()
    first = runs_of([*ours, *others], "attributes", EQUAL)
    second = runs_of(ours, "attributes", [value / 2 for value in EQUAL[:10]], judge="two", started=9.0)
    many = [run for _ in range(30) for run in runs_of(ours[:1], "attributes", [0.5], judge="three")]
    made = report(all_setups({ROOMS: [*second, *first, *many]}), reports())
    assert rows_of(made)["nothing"] == rows_of(report(all_setups({ROOMS: first}), reports()))["nothing"]
    (claim,) = [one for one in made.samples["claims"] if one["name"] == "nothing"]  # type: ignore[attr-defined]
    assert claim["judge"] == "one"
    alone = report(all_setups({ROOMS: [*second, *runs_of(others, "attributes", EQUAL[10:])]}), reports())
    assert rows_of(alone)["nothing"][-1] == "10 of 15 runs so far", "never both in one claim"


def test_hours_have_a_bar_once_all_claims_have_their_runs() -> None:
    content = json.loads((RESULTS / "claims.json").read_text())
    runs, _ = runs_in(content["samples"], "it")
    (bar,) = report(runs, reports()).bars
    assert (bar.value, bar.at_most) == (content["rates"]["hours_of_two_cores"], 8)
    runs[ROOMS_LONG].pop()
    assert not report(runs, reports()).bars


def test_settings_that_are_new_do_not_hinder() -> None:
    content = claims_json({ROOMS: some_runs()})
    (entry,) = [entry for entry in content["setups"] if entry["name"] == ROOMS.name]
    del entry["settings"]["networks"]["initial_sd"]
    found, unused = runs_in(content, "it")
    assert found[ROOMS] == some_runs()
    assert not unused


Damage = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content, rooms: content.update(version=VERSION - 1), "it was measured in way"),
        (
            lambda content, rooms: rooms["settings"]["optimization"].update(lr=0.0007),
            f"it: 30 runs of {ROOMS.name} not used, having other settings",
        ),
        (
            lambda content, rooms: rooms["settings"]["optimization"].update(warmth=0.0007),
            f"it: 30 runs of {ROOMS.name} not used, having other settings",
        ),
    ],
)
def test_runs_of_another_kind_are_not_used(damage: Damage, told: str) -> None:
    content = claims_json({ROOMS: some_runs()})
    damage(content, content["setups"][0])
    found, unused = runs_in(content, "it")
    assert not any(found.values())
    assert len(unused) == 1
    assert unused[0].startswith(told)


def test_runs_that_no_claim_needs_are_not_used() -> None:
    content = claims_json({ROOMS: [*some_runs(), *runs_of([{"seed": 77}], "drift", [0.1])]})
    assert len(runs_in(content, "it")[0][ROOMS]) == 30


def test_a_setup_may_have_another_name() -> None:
    content = claims_json({ROOMS: some_runs()})
    content["setups"][0]["name"] = "as it was called"
    assert len(runs_in(content, "it")[0][ROOMS]) == 30


@pytest.mark.parametrize(
    "damage",
    [
        lambda content, rooms: content.pop("version"),
        lambda content, rooms: rooms.pop("runs"),
        lambda content, rooms: rooms["runs"][3].pop("judge"),
        lambda content, rooms: rooms["runs"][3]["values"].pop("condemned"),
        lambda content, rooms: rooms.update(settings=None),
        lambda content, rooms: content.update(setups=3),
        lambda content, rooms: content.update(setups={}),
        lambda content, rooms: rooms.update(runs={}),
        lambda content, rooms: rooms["runs"][3].pop("replaced"),
        lambda content, rooms: rooms["runs"][3].update(version=VERSION - 1),
        lambda content, rooms: rooms["runs"][3].update(replaced={"drift": None}),
        lambda content, rooms: rooms["runs"][3].update(seconds="70"),
        lambda content, rooms: rooms["runs"][3].update(judge=["one"]),
        lambda content, rooms: rooms["runs"][3].update(values=None),
        lambda content, rooms: rooms["runs"][3]["values"].update(drift="0.2"),
        lambda content, rooms: rooms["runs"][3]["values"].update(drift=float("nan")),
        lambda content, rooms: rooms["runs"][3]["values"].update(drift=10**400),
        lambda content, rooms: rooms["runs"][3].update(run=[]),
    ],
)
def test_a_file_that_holds_something_else_is_named(damage: Damage) -> None:
    content = claims_json({ROOMS: some_runs()})
    damage(content, content["setups"][0])
    with pytest.raises(DataError, match="it does not hold runs of claims"):
        runs_in(content, "it")
    for other in ([], None, "claims", {}):
        with pytest.raises(DataError, match="it does not hold runs of claims"):
            runs_in(other, "it")


def test_a_report_is_not_what_the_command_wrote() -> None:
    with pytest.raises(DataError, match=r"^it is a report: give it to --keep"):
        runs_in(report(all_setups({ROOMS: some_runs()}), reports()).to_json(), "it")


def test_all_claims_of_both_tables_are_judged_together() -> None:
    (row, *_) = report(all_setups({}), reports()).tables["claims-elsewhere"].rows
    assert row == elsewhere(ELSEWHERE[0], reports(), len(CLAIMS) + len(ELSEWHERE))
    assert row[7] != elsewhere(ELSEWHERE[0], reports(), len(CLAIMS))[7]


def test_runs_that_would_be_lost_are_counted() -> None:
    before = all_setups({ROOMS: some_runs(), ROOMS_LONG: some_runs()[:1]})
    assert missing(before, all_setups({ROOMS: some_runs()[1:], ROOMS_LONG: some_runs()[:1]})) == 1
    assert missing(before, all_setups({ROOMS: some_runs()})) == 1, "of another setup"
    assert not missing(before, before)
    assert not missing(all_setups({}), before)


def test_the_committed_tables_follow_from_the_committed_runs() -> None:
    content = json.loads((RESULTS / "claims.json").read_text())
    runs, unused = runs_in(content["samples"], "claims.json")
    assert not unused
    made = json.loads(json.dumps(report(runs, reports()).to_json()))
    assert made["tables"] == content["tables"]
    assert made["samples"] == content["samples"]
    assert made["rates"] == content["rates"]
    of_both = [judged(claim, runs, len(CLAIMS) + len(ELSEWHERE)).verdict for claim in CLAIMS]
    assert of_both == [claim["verdict"] for claim in content["samples"]["claims"]], "docs/claims.md says so"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is not there: give"),
        (b"\xff{", "holds no JSON: give"),
        (b'{"a": NaN}', "holds no JSON: give"),
        (b"[" * 100_000, "holds no JSON: give"),
    ],
)
def test_a_file_that_is_none_of_ours_is_named(
    content: bytes | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "claims.json"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {file} {told}")


@pytest.mark.parametrize("option", ["--json", "--figure"])
def test_a_folder_is_not_written_to(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claims.json").write_text(json.dumps(claims_json({ROOMS: some_runs()})))
    assert main([str(tmp_path / "claims.json"), option, str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {option} is {tmp_path}, a folder: give a file\n"


@pytest.mark.parametrize(
    "options",
    [
        "--json claims.json",
        "--json link.json",
        "--figure ./claims.json",
        "--figure linked.png",
        "--json a.png --figure a.png",
        "--keep kept.json --figure kept.png",
    ],
)
def test_nothing_that_is_read_is_written_over(
    options: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = json.dumps(claims_json({ROOMS: some_runs()}))
    for name in ("claims.json", "kept.json"):
        Path(name).write_text(text)
    Path("link.json").hardlink_to("claims.json")
    Path("linked.png").symlink_to("link.json")
    Path("kept.png").symlink_to("kept.json")
    before = set(tmp_path.iterdir())
    assert main(["claims.json", *options.split()]) == 2
    assert "give another file to write" in capsys.readouterr().err
    assert Path("claims.json").read_text() == Path("kept.json").read_text() == text
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("option", "content", "told"),
    [
        ("--json", '{"tables": {}}', "does not hold runs of claims"),
        ("--json", json.dumps({"version": VERSION, "setups": []}), "does not hold runs of claims"),
        ("--json", json.dumps({"samples": {"version": 1, "setups": []}}), "was measured in way 1"),
        ("--figure", "words", "which is no PNG: give FILE.png"),
    ],
)
def test_a_file_of_another_kind_is_not_written_over(
    option: str, content: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "claims.json").write_text(json.dumps(claims_json({ROOMS: some_runs()})))
    other = tmp_path / "other.png"
    other.write_text(content)
    assert main([str(tmp_path / "claims.json"), option, str(other)]) == 2
    assert told in capsys.readouterr().err
    assert other.read_text() == content


@pytest.mark.parametrize("option", ["--json", "--figure"])
def test_what_cannot_be_written_is_named(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claims.json").write_text(json.dumps(claims_json({ROOMS: some_runs()})))
    (tmp_path / "file").write_text("no folder")
    assert main([str(tmp_path / "claims.json"), option, str(tmp_path / "file" / "a.png")]) == 2
    assert "cannot be written (File exists): give" in capsys.readouterr().err


def test_runs_on_other_data_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed = [*some_runs()[:9], *runs_of(BETA1.runs()[1], "drift", [0.1] * 5, data_sha256="bb")]
    (tmp_path / "claims.json").write_text(json.dumps(claims_json({ROOMS: mixed})))
    assert main([str(tmp_path / "claims.json")]) == 2
    assert f"not all runs of {ROOMS.name} were trained on the same data" in capsys.readouterr().err


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, written, drawn = tmp_path / "claims.json", tmp_path / "report.json", tmp_path / "new" / "claims.png"
    file.write_text(json.dumps(claims_json({ROOMS: some_runs()})))
    assert main([str(file), "--json", str(written), "--figure", str(drawn)]) == 0
    content = json.loads(written.read_text())
    assert {one["name"] for one in content["samples"]["claims"] if one["verdict"]} == {"nothing", "beta1"}
    assert "holds" in capsys.readouterr().out
    assert drawn.read_bytes().startswith(b"\x89PNG")
    # Another machine has only some runs, and those of other settings.
    other = claims_json({ROOMS: some_runs()[15:17], ROOMS_LONG: some_runs()[:1]})
    (long,) = [entry for entry in other["setups"] if entry["name"] == ROOMS_LONG.name]
    long["settings"]["optimization"]["lr"] = 0.0007
    file.write_text(json.dumps(other))
    assert main([str(file), "--json", str(written)]) == 2
    told = capsys.readouterr().err
    assert f"{file}: 1 run of {ROOMS_LONG.name} not used, having other settings" in told
    assert f"{written} has 28 runs more: add --keep {written}, or delete it" in told
    assert json.loads(written.read_text()) == content
    # Nor by keeping another report; what is not used of that is told, too.
    foreign = json.loads(json.dumps(content))
    foreign["samples"]["setups"][0]["settings"]["optimization"]["lr"] = 0.0007
    (tmp_path / "foreign.json").write_text(json.dumps(foreign))
    assert main([str(file), "--json", str(written), "--keep", str(tmp_path / "foreign.json")]) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path / 'foreign.json'}: 30 runs of {ROOMS.name} not used, having other settings" in told
    assert f"{written} has 28 runs more" in told
    assert main([str(file), "--json", str(written), "--keep", str(written)]) == 0
    again = json.loads(written.read_text())
    assert {**again, "machine": None} == {**content, "machine": None}
    # Nothing has both arms whole.
    file.write_text(json.dumps(claims_json({ROOMS: some_runs()[15:27]})))
    assert main([str(file), "--figure", str(tmp_path / "none.png")]) == 2
    assert "nothing to draw" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


def test_the_settings_of_a_setup_are_written_in_full() -> None:
    (entry,) = [entry for entry in claims_json({})["setups"] if entry["name"] == ROOMS.name]
    assert entry["settings"] == json.loads(json.dumps(asdict(ROOMS.settings)))
