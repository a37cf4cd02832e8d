import json
from dataclasses import replace
from typing import Any

from dcgan_dist.reporting.as_json import FORMAT, as_json
from dcgan_dist.reporting.comparison import comparison
from dcgan_dist.reporting.run_files import read_run
from dcgan_dist.reporting.run_report import run_report
from dcgan_dist.storage import Place


def facts(content: Any) -> list[dict[str, Any]]:
    """All facts, wherever they are."""
    if isinstance(content, dict):
        found = [content] if {"value", "file", "key"} <= content.keys() else []
        return found + [fact for part in content.values() for fact in facts(part)]
    return [fact for part in content for fact in facts(part)] if isinstance(content, list) else []


def test_each_number_has_its_file_and_key(made_run: Place) -> None:
    content = json.loads(as_json(run_report(read_run(made_run), 0.0, 0.5), "now", ["a.png"]))
    assert (content["format"], content["made"], content["pictures_left_out"]) == (FORMAT, "now", ["a.png"])
    (run,) = content["runs"]
    assert (run["name"], run["address"]) == ("rooms", str(made_run))
    assert run["headline"]["low"] < run["headline"]["value"] < run["headline"]["high"]
    found = facts(run)
    assert len(found) > 30
    assert all(fact["file"] and fact["key"] for fact in found)
    assert {"Cost", "Minutes", "Worker hours"} <= {fact["name"] for fact in found}
    assert [row["ours"] for row in run["probes"]["cifar10"]] == [True, True, False, False, False, False, False]
    assert run["studies"][0]["seed"] == 4
    assert run["settings"]["preset"] == "scenes32"


def test_a_value_that_is_in_a_plain_file_is_the_one_that_its_key_leads_to(made_run: Place) -> None:
    content = json.loads(as_json(run_report(read_run(made_run), 0.0), "now", []))
    looked_at = 0
    for fact in facts(content["runs"][0]):
        if fact["file"].endswith(".json") and "*" not in fact["file"] and ";" not in fact["key"]:
            there: Any = json.loads((made_run / fact["file"]).read_bytes())
            for name in fact["key"].split("."):
                there = there[name] if isinstance(there, dict) and name in there else None
            if isinstance(there, int | float) and not isinstance(there, bool):
                assert there == fact["value"], fact
                looked_at += 1
    assert looked_at > 8


def test_runs_side_by_side_are_there_under_their_names(made_run: Place, copied: Any) -> None:
    every = [read_run(made_run), read_run(copied("other"))]
    content = json.loads(as_json(comparison(every, 0.0), "now", []))
    assert [run["name"] for run in content["runs"]] == ["rooms", "other"]
    assert all(run["headline"] for run in content["runs"])


def test_a_run_without_what_is_optional_is_written_too(made_run: Place) -> None:
    bare = replace(run_report(read_run(made_run), 0.0), headline=None, settings=None, frames=[])
    (run,) = json.loads(as_json(bare, "now", []))["runs"]
    assert (run["headline"], run["settings"], run["samples"]) == (None, None, [])
