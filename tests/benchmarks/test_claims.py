import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.claims import ELSEWHERE, RESULTS, elsewhere, few_labels, main, report, studied
from dcgan_dist.errors import DataError
from tuning.claim_measures import VERSION
from tuning.claims import CLAIMS, ROOMS_LONG, Arm, Setup
from tuning.claims_table import COLUMNS, judged, rows

NOTHING, BETA1 = (next(claim for claim in CLAIMS if claim.name == name) for name in ("nothing", "beta1"))


def measured(runs: Sequence[Arm], measure: str, values: Sequence[float]) -> list[Any]:
    return [(run, {"values": {measure: value, "condemned": 0.0}}) for run, value in zip(runs, values, strict=True)]


def claims_json(seconds: Mapping[Setup, Sequence[float]] = {}) -> dict[str, Any]:
    """As the command writes it, of made-up measures, and of each setup the seconds that its runs took."""
    equal = [run for arm in NOTHING.runs() for run in arm]
    values = [0.11, 0.14, 0.12, 0.17, 0.1, 0.16, 0.13, 0.15, 0.19, 0.122, 0.18, 0.115, 0.135, 0.155, 0.125]
    found = measured(equal, "attributes", values)
    ours, others = BETA1.runs()
    drifts = [
        *measured(ours, "drift", [0.2, 0.22, 0.21, 0.2, 0.23, 0.24, 0.19, 0.2, 0.21, 0.22]),
        *measured(others, "drift", [0.5, 0.6, 0.55, 0.5, 0.52]),
    ]
    there = {setup: [] for claim in CLAIMS for setup in claim.setups} | {NOTHING.setup: [*found, *drifts]}
    results = [judged(claim, there, claims=len(CLAIMS)) for claim in CLAIMS]
    setups = [
        {"name": setup.name, "settings": asdict(setup.settings), "seconds": seconds.get(setup, [])} for setup in there
    ]
    claims = [result.as_json() for result in results]
    return {"version": VERSION, "columns": COLUMNS, "rows": rows(results), "claims": claims, "setups": setups}


def earlier() -> dict[str, Any]:
    """A report of the same, made elsewhere."""
    made = report(claims_json({BETA1.setup: [100.0, 140.0, 180.0]}), reports()).to_json()
    for entry in [*made["samples"]["claims"], *made["samples"]["setups"]]:
        entry["made"] = {"commit": "abc", "date": "2026-01-02"}
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def nothing_there(seconds: Mapping[Setup, Sequence[float]]) -> dict[str, Any]:
    """As the command writes it where no run is there that belongs to a claim."""
    whole = claims_json(seconds)
    there: dict[Setup, list[Any]] = {setup: [] for claim in CLAIMS for setup in claim.setups}
    results = [judged(claim, there, claims=len(CLAIMS)) for claim in CLAIMS]
    return {**whole, "rows": rows(results), "claims": [result.as_json() for result in results]}


def reports() -> dict[str, Any]:
    return {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in ("studies", "probes")}


def test_the_tables_hold_what_was_found() -> None:
    found = claims_json()
    made = report(found, reports()).tables
    verdicts = {row[0]: row[-1] for row in made["claims"].rows}
    assert (verdicts["nothing"], verdicts["beta1"]) == ("cannot tell", "holds")
    assert verdicts["lr"] == "0 of 15 runs so far"
    assert {row[0] for row in made["claim-measures"].rows} == {claim.measure for claim in CLAIMS}
    (redraws,) = made["claims-redraws"].rows
    assert redraws[:2] == ["attributes", 3_003]
    assert redraws[3] < redraws[2] <= 0.05 * 3_003
    assert len(made["claims-elsewhere"].rows) == len(ELSEWHERE)
    for damage in ({"claims": found["claims"][:3]}, {"version": VERSION - 1}):
        with pytest.raises(DataError, match=f"does not hold all {len(CLAIMS)} claims of today"):
            report({**found, **damage}, reports())


def test_hours_are_those_of_two_runs_at_once() -> None:
    made = report(claims_json({BETA1.setup: [100.0, 140.0, 480.0], ROOMS_LONG: [1800.0]}), reports())
    assert [row[:4] for row in made.tables["claims-cost"].rows] == [
        [BETA1.setup.name, 3, 140.0, 0.1],
        [ROOMS_LONG.name, 1, 1800.0, 0.25],
    ]
    assert made.rates == {"hours_of_two_cores": 0.35}
    assert not made.bars, "not all claims have their runs"


def test_claims_whose_runs_are_elsewhere_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    before = earlier()
    made = report(nothing_there({BETA1.setup: [900.0], ROOMS_LONG: [1000.0]}), reports(), before)
    claims = {claim["name"]: claim for claim in made.samples["claims"]}  # type: ignore[attr-defined]
    of_before = {claim["name"]: claim for claim in before["samples"]["claims"]}
    assert {name: json.loads(json.dumps(claims[name])) for name in ("nothing", "beta1")} == {
        name: of_before[name] for name in ("nothing", "beta1")
    }
    assert claims["beta1"]["made"]["commit"] == "abc"
    assert claims["lr"]["made"]["commit"] != "abc"
    before_rows = {row[0]: row for row in before["tables"]["claims"]["rows"]}
    assert {row[0]: row for row in made.tables["claims"].rows}["beta1"] == before_rows["beta1"]
    assert made.tables["claims-redraws"].rows == before["tables"]["claims-redraws"]["rows"]
    costs = [(setup["name"], setup["runs"], setup["made"]["commit"]) for setup in made.samples["setups"]]  # type: ignore[attr-defined]
    assert costs[0] == (BETA1.setup.name, 3, "abc")
    assert costs[1][:2] == (ROOMS_LONG.name, 1)
    assert not capsys.readouterr().err


def test_runs_of_now_count_where_all_are_there() -> None:
    before = earlier()
    for arm in before["samples"]["claims"][4]["measured"].values():
        arm[0] = 7.0
    assert before["samples"]["claims"][4]["name"] == "beta1"
    (now,) = [one for one in report(claims_json(), reports(), before).samples["claims"] if one["name"] == "beta1"]  # type: ignore[attr-defined]
    assert 7.0 not in now["measured"]["ours"]
    assert now["made"]["commit"] != "abc"


def test_runs_that_are_still_there_were_made_when_they_were() -> None:
    before = earlier()
    made = report(claims_json({BETA1.setup: [100.0, 140.0, 180.0]}), reports(), before).samples
    for part in ("claims", "setups"):
        (now,) = [one for one in made[part] if one["name"] in ("beta1", BETA1.setup.name)]  # type: ignore[attr-defined]
        assert now["made"]["commit"] == "abc"
    more = report(claims_json({BETA1.setup: [100.0, 140.0, 180.0, 90.0]}), reports(), before).samples["setups"]
    assert (more[0]["runs"], more[0]["made"]["commit"] != "abc") == (4, True)  # type: ignore[index]


Damage = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize(
    "damage",
    [
        lambda samples: samples.update(version=VERSION - 1),
        lambda samples: samples["claims"][4]["other"].update({"optimization.beta1": 0.8}),
        lambda samples: samples["claims"][4].update(measure="swings"),
        lambda samples: samples["claims"][4]["measured"]["ours"].pop(),
        lambda samples: samples["setups"][0]["settings"]["optimization"].update(lr=0.0007),
        lambda samples: samples["setups"][0]["settings"]["optimization"].update(warmth=0.0007),
        lambda samples: samples["setups"].pop(0),
    ],
)
def test_runs_of_another_kind_are_not_kept(damage: Damage, capsys: pytest.CaptureFixture[str]) -> None:
    before = earlier()
    damage(before["samples"])
    made = report(nothing_there({}), reports(), before)
    assert {row[0]: row[-1] for row in made.tables["claims"].rows}["beta1"] == "0 of 15 runs so far"
    assert "beta1 is not kept" in capsys.readouterr().err


def test_settings_that_are_new_do_not_hinder(capsys: pytest.CaptureFixture[str]) -> None:
    before = earlier()
    del before["samples"]["setups"][0]["settings"]["networks"]["initial_sd"]
    made = report(nothing_there({}), reports(), before)
    assert {row[0]: row[-1] for row in made.tables["claims"].rows}["beta1"] == "holds"
    assert not capsys.readouterr().err


def test_all_claims_of_both_tables_are_judged_together() -> None:
    (row, *_) = report(claims_json(), reports()).tables["claims-elsewhere"].rows
    assert row == elsewhere(ELSEWHERE[0], reports(), len(CLAIMS) + len(ELSEWHERE))
    assert row[7] != elsewhere(ELSEWHERE[0], reports(), len(CLAIMS))[7]


def test_claims_that_others_measured_are_judged_by_the_same_rule() -> None:
    claim = replace(ELSEWHERE[0], values=lambda found: [0.8, 0.82, 0.81], other_values=lambda found: [0.5, 0.49, 0.52])
    row = elsewhere(claim, {}, together=1)
    assert row[5:7] == ["0.810", "0.503"]
    assert str(row[7]).startswith("+0.307 (+0.2")
    assert row[8] == "holds"
    turned = replace(claim, values=claim.other_values, other_values=claim.values)
    assert elsewhere(turned, {}, together=1)[8] == "does not hold"
    assert elsewhere(claim, {}, together=500)[8] == "cannot tell"


def test_numbers_are_those_of_the_reports() -> None:
    found = reports()
    (knn,) = [one for one in found["probes"]["samples"]["results"] if one["features_of"] == "knn"]
    assert few_labels("knn")(found) == knn["few_labels"]["draws"]
    name = "sums of z that show it, 1 exemplar"
    cells = [
        row[4:] for row in found["studies"]["tables"]["studies"]["rows"] if row[:3] == ["arithmetic", "faces", name]
    ]
    assert [f"{100 * share:.0f} %" for share in studied(("arithmetic", "faces", name))(found)] == cells[0]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="0 results of features knn of run mine"):
        few_labels("knn", "mine")(reports())
    with pytest.raises(DataError, match="lacks one of the rows"):
        studied(("walk", "faces", "how far it is to the moon"))(reports())


@pytest.mark.parametrize(("content", "told"), [(None, "is not there: give"), (b"\xff{", "holds no JSON: give")])
def test_a_file_that_is_none_of_ours_is_named(
    content: bytes | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "claims.json"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {file} {told}")


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "claims.json").write_text(json.dumps(claims_json({BETA1.setup: [100.0, 70.0]})))
    written = tmp_path / "report.json"
    drawn = tmp_path / "claims.png"
    assert main([str(tmp_path / "claims.json"), "--json", str(written), "--figure", str(drawn)]) == 0
    content = json.loads(written.read_text())
    assert "beta1" in [claim["name"] for claim in content["samples"]["claims"]]
    assert set(content["tables"]) == {
        "claims",
        "claims-cost",
        "claim-measures",
        "claims-elsewhere",
        "claims-redraws",
    }
    assert "holds" in capsys.readouterr().out
    assert drawn.read_bytes().startswith(b"\x89PNG")
    # Another machine has only the claims of another day.
    (tmp_path / "claims.json").write_text(json.dumps(nothing_there({})))
    assert main([str(tmp_path / "claims.json"), "--json", str(written), "--keep", str(written)]) == 0
    again = json.loads(written.read_text())
    assert again["samples"]["setups"] == content["samples"]["setups"]
    before, now = ([one for one in each["samples"]["claims"] if one["verdict"]] for each in (content, again))
    assert now == before
    assert {one["name"] for one in now} == {"nothing", "beta1"}
