"""Claims by the whole command: what a killed call left is not repeated, and what claims share is trained once."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.settings import from_yaml, to_yaml
from dcgan_dist.storage import Place
from tuning import claim_measures, claim_runs, claims
from tuning.claim_runs import SETTINGS_FILE, Experiments, Runs, as_json
from tuning.claims import Claim, Setup
from tuning.folder import Record, State
from tuning.verdicts import effect

SMALL = Setup("small", "scenes32", {"images": 700, "workers.threads": 1})
CLAIM = Claim("lr", "slow is good", "a paper", SMALL, {}, {"optimization.lr": 0.01}, "spread", seeds=(4, 5), more=())
OTHER = Claim("beta", "0.5 is good", "a blog", SMALL, {}, {"optimization.beta1": 0.9}, "drift", seeds=(4,), more=())


def unneeded() -> Any:
    raise AssertionError("nothing is to be judged")


def ended(tmp_path: Path, *values: dict[str, Any], state: State = "finished") -> Runs:
    """Runs whose curves hold one point of half the number of the run."""
    runs = Runs.below(Place(str(tmp_path)), SMALL)
    for number, one in enumerate(values):
        runs.folder.write(Record(number, one, state))
        point = {"samples/spread": number / 8, "samples/drift": number / 4, "loss/generator": 1.0}
        line = {"time": 1.0, "attempt": 1, "step": 10, "images": 700, "values": point}
        (runs.folder.trials / f"{number:03d}" / "metrics.jsonl").write_bytes(json.dumps(line).encode() + b"\n")
    return runs


def test_each_setup_has_a_folder_of_its_own_wherever_that_is(tmp_path: Path) -> None:
    setups = {setup for claim in claims.CLAIMS for setup in claim.setups}
    names = {Runs.below(Place(str(tmp_path)), setup).folder.place.name for setup in setups}
    assert len(names) == len(setups) > 5
    assert names == {Runs.below(Place(str(tmp_path / "x")), setup).folder.place.name for setup in setups}


def test_runs_of_an_older_version_are_found_by_their_settings(tmp_path: Path) -> None:
    there = Place(str(tmp_path))
    new = Runs.below(there, SMALL)
    settings = new.options(1, there, None, 1, "10.0.0.7:6379").settings
    lines = to_yaml(settings).splitlines()
    older = "\n".join(line for line in lines if "initial_sd" not in line and "real_label" not in line)
    assert len(older.splitlines()) == len(lines) - 2, "it knew no such settings"
    file = there / "runs" / "of-old" / SETTINGS_FILE
    file.write_bytes(older.encode())
    assert Runs.below(there, SMALL).folder.place == there / "runs" / "of-old"
    # Another value of what it did not know, one that it did know, or a setting that is none: another setup.
    changed = replace(SMALL, changes={**SMALL.changes, "networks.initial_sd": 0.07})
    assert Runs.below(there, changed).folder.place.name != "of-old"
    for one, other in (("beta1: 0.5", "beta1: 0.4"), ("beta1: 0.5", "gamma1: 0.5")):
        assert one in older
        file.write_bytes(older.replace(one, other).encode())
        assert Runs.below(there, SMALL).folder.place == new.folder.place


def test_runs_on_data_that_are_made_are_found_too(tmp_path: Path) -> None:
    there, made = Place(str(tmp_path)), Place(str(tmp_path)) / claim_runs.MADE_DATA / claim_runs.FOLDER
    for number, setup in enumerate((claims.REPEATED, claims.KEPT)):
        settings = Runs.below(there, setup).options(1, made, None, 1, "").settings
        (there / "runs" / f"of-old-{number}" / SETTINGS_FILE).write_bytes(to_yaml(settings).encode())
    found = [Runs.below(there, setup).folder.place.name for setup in (claims.REPEATED, claims.KEPT)]
    assert found == ["of-old-0", "of-old-1"]


def test_runs_are_measured_by_what_is_asked_for_and_once(tmp_path: Path) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5}, {"optimization.beta1": 0.9, "seed": 4})
    said: list[str] = []
    found = runs.measures([CLAIM], unneeded, said.append)
    assert [one["values"] for _, one in found] == [
        {"spread": 0, "condemned": 0},
        {"spread": 0.125, "condemned": 0},
        {},
    ]
    assert said == ["run 0 (seed 4): healthy, spread 0", "run 1 (seed 5): healthy, spread 0.125"]
    again = runs.measures([CLAIM, OTHER], unneeded, said.append)
    assert [one["values"].get("drift") for _, one in again] == [0, None, 0.5]
    assert said[2:] == ["run 0 (seed 4): drift 0", "run 2 (beta1 0.9, seed 4): healthy, drift 0.5"]
    assert runs.measures([CLAIM, OTHER], unneeded, said.append) == again
    assert len(said) == 4


def test_what_was_measured_of_another_run_or_in_another_way_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5})
    said: list[str] = []
    runs.measures([CLAIM], unneeded, said.append)
    runs.folder.write(Record(1, {"optimization.lr": 0.01, "seed": 4}, "finished"))
    runs.measures([CLAIM], unneeded, said.append)
    assert said[2:] == ["run 1 (lr 0.01, seed 4): healthy, spread 0.125"]
    monkeypatch.setattr(claim_runs, "VERSION", 99)
    runs.measures([CLAIM], unneeded, said.append)
    assert len(said) == 5


def test_what_was_measured_of_a_run_that_was_trained_again_does_not_count(tmp_path: Path) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5})
    said: list[str] = []
    runs.measures([CLAIM], unneeded, said.append)
    runs.folder.write(replace(runs.folder.read(1), started=1_790_000_000.5))
    runs.measures([CLAIM], unneeded, said.append)
    assert said[2:] == ["run 1 (seed 5): healthy, spread 0.125"]


def test_a_setup_is_written_with_the_runs_that_have_ended(tmp_path: Path) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5}, {"seed": 6})
    for number, (seconds, state) in enumerate(((70.5, "finished"), (80.0, "finished"), (30.0, "unfinished"))):
        runs.folder.write(
            replace(runs.folder.read(number), seconds=seconds, state=state, started=1_790_000_000.5)  # type: ignore[arg-type]
        )
    about = {"data_sha256": "aa", "versions": {"torch": "2.14.1"}, "status": "finished"}
    (runs.folder.trials / "001" / "run.json").write_bytes(json.dumps(about).encode())
    runs.folder.write(replace(runs.folder.read(0), state="failed"))
    written = as_json(SMALL, runs.measures([CLAIM], unneeded, lambda text: None))
    assert (written["name"], from_yaml(json.dumps(written["settings"]), "it")) == ("small", SMALL.settings)
    assert written["runs"] == [
        {
            "version": claim_runs.VERSION,
            "run": {"seed": 5},
            "started": 1_790_000_000.5,
            "date": "2026-09-21",
            "seconds": 80.0,
            "versions": {"torch": "2.14.1"},
            "data_sha256": "aa",
            "judge": "",
            "health": [],
            "values": {"condemned": 0, "spread": 0.125},
            "replaced": {},
        }
    ]


def test_what_the_worst_value_stands_for_is_kept(tmp_path: Path) -> None:
    runs = ended(tmp_path, {"seed": 4})
    values = {"samples/spread": 0.1, "samples/drift": 0.3, "loss/generator": 4.0, "score/real": 0.99}
    lines = [
        json.dumps({"time": 1.0, "attempt": 1, "step": images // 10, "images": images, "values": values})
        for images in range(2_000, 62_000, 2_000)
    ]
    (runs.folder.trials / "000" / "metrics.jsonl").write_bytes("\n".join([*lines, ""]).encode())
    ((_, found),) = runs.measures([OTHER], unneeded, lambda text: None)
    assert (found["values"], found["replaced"]) == ({"drift": 2.0, "condemned": 1.0}, {"drift": pytest.approx(0.3)})
    assert found["health"][0].startswith("G repeats itself")
    assert runs.measures([OTHER], unneeded, unneeded) == [({"seed": 4}, found)]
    ((_, more),) = runs.measures([replace(OTHER, measure="swings")], unneeded, lambda text: None)
    assert more["replaced"] == {"drift": pytest.approx(0.3), "swings": pytest.approx(0, abs=1e-9)}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("runs/{setup}/settings.yaml", b"images: [1"),
        ("runs/{setup}/settings.yaml", b"images: \xff"),
        ("runs/{setup}/records/000.json", b'{"number": 0, "val'),
        ("runs/{setup}/records/000.json", b'{"nombre": 0}'),
    ],
)
def test_a_file_that_is_damaged_is_named_before_anything_is_trained_again(
    file: str, content: bytes, tmp_path: Path
) -> None:
    runs = ended(tmp_path / "claims", {"seed": 4}, {"seed": 5})
    runs.measures([CLAIM], unneeded, lambda text: None)
    damaged = Place(str(tmp_path / "claims")) / file.format(setup=runs.folder.place.name)
    damaged.write_bytes(content)
    with pytest.raises(DataError, match=f"^{re.escape(str(damaged))} is damaged"):
        Runs.below(Place(str(tmp_path / "claims")), SMALL).measures([CLAIM], unneeded, unneeded)


@pytest.mark.parametrize("content", [b'{"version": 4, "va', b"3"])
def test_measures_that_are_damaged_are_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5})
    runs.measures([CLAIM], unneeded, lambda text: None)
    damaged = runs.folder.place / "measures" / "000.json"
    damaged.write_bytes(content)
    assert [values for values, _ in runs.measures([CLAIM], unneeded, unneeded)] == [{"seed": 5}]
    assert f"counts as one that is not there: {damaged} is damaged: delete it" in capsys.readouterr().err


def test_a_storage_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("no folder")
    with pytest.raises(SettingsError, match=r"^--storage is .*/runs, a file: give the folder"):
        Experiments([CLAIM], [CLAIM], "small", str(tmp_path / "runs"), "").run(
            minutes=None, at_once=1, only_report=True
        )


class Judge:
    """Of a given name; what it sees of any run is a number."""

    def __init__(self, sha256: str, sees: float) -> None:
        self.sha256 = sha256
        self.attributes = lambda run, checkpoint: sees


def test_what_another_judge_saw_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_measures, "manifests", lambda run: {"000010": {}})
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5})
    claim = replace(CLAIM, measure="attributes")
    said: list[str] = []

    def seen(judge: Judge, *claims: Claim) -> list[dict[str, Any]]:
        return [one["values"] for _, one in runs.measures(claims, lambda: judge, said.append)]  # type: ignore[arg-type, return-value]

    first, second = Judge("one", 0.25), Judge("two", 0.75)
    assert seen(first, claim) == [{"attributes": 0.25, "condemned": 0}] * 2
    assert seen(first, CLAIM)[1] == {"attributes": 0.25, "condemned": 0, "spread": 0.125}
    assert seen(Judge("one", 0.5), claim, CLAIM)[1]["attributes"] == 0.25
    assert len(said) == 4
    assert seen(second, claim, CLAIM)[1] == {"attributes": 0.75, "condemned": 0, "spread": 0.125}
    assert said[4:] == ["run 0 (seed 4): attributes 0.75", "run 1 (seed 5): attributes 0.75"]


def test_runs_on_different_data_are_not_compared(tmp_path: Path) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5}, {"seed": 6})
    for number, layout in enumerate(("aa", "bb", "aa")):
        (runs.folder.trials / f"{number:03d}" / "run.json").write_bytes(json.dumps({"data_sha256": layout}).encode())
    with pytest.raises(DataError, match=r"^runs 0, 2 of small were trained on other data than 1, so that"):
        runs.measures([CLAIM], unneeded, unneeded)
    runs.folder.write(Record(1, {"seed": 5}, "failed"))
    assert len(runs.measures([CLAIM], unneeded, lambda text: None)) == 2


def test_a_claim_that_is_asked_for_alone_is_judged_with_all_of_the_scale(tmp_path: Path) -> None:
    alone = replace(CLAIM, seeds=(4, 5, 6, 7))
    (our_4, our_5, our_6, our_7), (other_4, other_5, other_6, other_7) = alone.runs()
    ended(tmp_path / "claims", our_4, our_5, other_4, other_6, other_5, our_6, other_7, our_7)
    experiments = Experiments([alone], [alone, OTHER, OTHER], "small", str(tmp_path), "")
    assert experiments.run(minutes=None, at_once=1, only_report=True) == 0
    written = json.loads((tmp_path / "claims" / "claims.json").read_text())
    assert written["version"] == claim_runs.VERSION
    assert [(setup["name"], len(setup["runs"])) for setup in written["setups"]] == [("small", 8)]
    found, *_ = written["claims"]
    ours, others = [0, 0.125, 0.625, 0.875], [0.25, 0.5, 0.375, 0.75]
    assert found["measured"] == {"ours": ours, "other": others}
    assert found["effect"] == vars(effect(ours, others, "max", 0, 3))
    assert found["effect"] != vars(effect(ours, others, "max", 0, 1))


def test_a_run_that_cannot_be_measured_is_named_and_counts_as_one_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5})
    (runs.folder.trials / "000" / "metrics.jsonl").delete()
    ((values, _),) = runs.measures([CLAIM], unneeded, lambda text: None)
    assert values == {"seed": 5}
    told = capsys.readouterr().err
    assert told.startswith("error: run 0 of small counts as one that is not there: ")
    assert "has no curves any more" in told


def test_runs_that_did_not_finish_are_not_measured_but_taken_up(tmp_path: Path) -> None:
    runs = ended(tmp_path, {"seed": 4}, {"seed": 5}, state="failed")
    runs.folder.write(Record(0, {"seed": 4}, "finished"))
    assert [values for values, _ in runs.measures([CLAIM], unneeded, lambda text: None)] == [{"seed": 4}]
    assert [record.number for record in runs.failed()] == [1]
    assert runs.take_up() == 1
    assert [record.state for record in runs.folder.records()] == ["finished", "unfinished"]
    assert runs.missing([{"seed": 5}, {"seed": 6}, {"seed": 6}]) == [{"seed": 6}]


FEW = """
import sys
import tuning.claims as claims

small = {
    "images": 960, "data.scenes_images": 640, "networks.image_size": 16, "networks.generator_maps": 4,
    "networks.discriminator_maps": 4, "optimization.batch_size": 32, "optimization.average_images": 0,
    "monitoring.measure_images": 64, "monitoring.steps": 2, "workers.threads": 1,
}
setup = claims.Setup("small rooms", "scenes32", small)
lr, beta1 = {"optimization.lr": 0.01}, {"optimization.beta1": 0.9}
claims.CLAIMS = (
    claims.Claim("lr", "slow is good", "a paper", setup, {}, lr, "spread", seeds=(1, 2, 3), more=()),
    claims.Claim("beta", "0.5 is good", "a blog", setup, {}, beta1, "drift", seeds=(2,), more=()),
)
sys.exit(claims.main(sys.argv[1:]))
"""


def wait_for(what: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def records(folder: Path) -> dict[int, dict[str, Any]]:
    found = [json.loads(file.read_text()) for file in folder.glob("runs/claims/runs/*/records/*.json")]
    return {one["number"]: one for one in found}


def states(folder: Path) -> list[str]:
    return [one["state"] for one in records(folder).values()]


def have_curves(folder: Path) -> bool:
    """Whether all runs with a checkpoint do.

    These are over in a second. Where the driver is killed before it has looked for their points, they go on from their
    last checkpoint, have no curves for good, and do not count: the command has to be given once more.
    """
    trials = {file.parent.parent for file in folder.glob("runs/claims/runs/*/trials/*/checkpoints/*")}
    return all((trial / "metrics.jsonl").exists() for trial in trials)


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_killed_call_repeats_nothing_and_claims_share_their_runs(command_in: Any, tmp_path: Path) -> None:
    (tmp_path / "few.py").write_text(FEW)
    command = command_in(tmp_path, "few")
    process = command.start("--only", "lr")
    wait_for(lambda: process.poll() is not None or ("finished" in states(tmp_path) and have_curves(tmp_path)))
    assert process.poll() is None, process.communicate(timeout=60)[0]
    os.kill(process.pid, signal.SIGKILL)
    told = process.communicate(timeout=60)[0]
    command.end()
    before = records(tmp_path)
    done = {number for number, one in before.items() if one["state"] == "finished"}
    assert done, told
    assert len(done) < 6, told

    status, output = command.run("--only", "lr")
    assert status == 0, output
    after = records(tmp_path)
    assert len(after) == 6
    assert {number: after[number] for number in done} == {number: before[number] for number in done}
    assert [one["values"]["seed"] for _, one in sorted(after.items())] == [1, 1, 2, 2, 3, 3], "pairs come first"
    found, other = json.loads((tmp_path / "runs" / "claims" / "claims.json").read_text())["claims"]
    assert (found["name"], found["runs"]) == ("lr", {"ours": 3, "other": 3})
    assert (other["name"], other["runs"]["other"], other["verdict"]) == ("beta", 0, None), "it was not asked for"
    assert all(value > 0 for arm in found["measured"].values() for value in arm)
    assert found["verdict"] in ("holds", "does not hold", "cannot tell")

    # The other claim needs the runs of its own arm alone.
    status, output = command.run()
    assert status == 0, output
    assert "small rooms: 7 runs, 1 of them new" in output
    last = records(tmp_path)
    assert {number: last[number] for number in after} == after
    assert last[6]["values"] == {"optimization.beta1": 0.9, "seed": 2}
    assert re.search(r"^beta +drift .* cannot tell$", output, re.MULTILINE), output
    table = (tmp_path / "runs" / "claims" / "claims.md").read_text()
    assert "| beta | 0.5 is good | a blog | small rooms | as the setup | beta1 0.9 | drift |" in table

    # All there: nothing is trained, nor is Ray started.
    status, output = command.run()
    assert status == 0, output
    assert "starting Ray" not in output
    assert (tmp_path / "runs" / "claims" / "claims.md").read_text() == table
    assert records(tmp_path) == last
