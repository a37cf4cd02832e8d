"""The command that makes a page of a run, of several, or of a sweep."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from dcgan_dist.report import main
from dcgan_dist.storage import Place
from tests.conftest import Call
from tests.reporting.runs import write_run


@pytest.fixture
def run(tmp_path: Path) -> Place:
    """A run without probes and studies, in `runs/mine` of the working folder."""
    run = Place(str(tmp_path / "runs" / "mine"))
    write_run(run, tmp_path)
    return run


def test_a_page_and_its_numbers_lie_in_the_run(run: Place, call: Call) -> None:
    for _ in range(2):  # a report is made anew
        status, output, errors = call(main, "mine", "--price", "0.5")
        assert (status, errors) == (0, "")
        assert f"report   {run}/report.html (" in output
        assert f"numbers  {run}/report.json" in output
    assert b"<title>mine: stopped</title>" in (run / "report.html").read_bytes()
    content = json.loads((run / "report.json").read_bytes())
    assert [one["name"] for one in content["runs"][0]["overview"]] == ["Images seen", "Minutes", "Worker hours", "Cost"]


def test_a_run_that_goes_on_has_a_page_too(call: Call, tmp_path: Path) -> None:
    run = Place(str(tmp_path / "runs" / "live"))
    write_run(run, tmp_path, status="running", step=0, images=0)
    with (run / "metrics.jsonl").local_path.open("ab") as file:
        file.write(b'{"time": 17')
    (run / "samples" / ".000005120-raw.png.0a.unfinished").write_bytes(b"half")
    status, _, errors = call(main, "live")
    assert (status, errors) == (0, "")
    (said,) = json.loads((run / "report.json").read_bytes())["runs"]
    assert said["state"]["value"] == "running"
    assert said["state"]["note"].startswith("last update ")
    assert said["overview"][0]["value"] == 5_120


def test_several_runs_have_a_page_in_this_folder_or_where_one_likes(run: Place, call: Call, tmp_path: Path) -> None:
    shutil.copytree(run.local_path, tmp_path / "elsewhere" / "other")
    status, _, _ = call(main, "mine", "elsewhere/other", "--out", "pages/both.html")
    assert status == 0
    assert b"2 runs side by side" in (tmp_path / "pages" / "both.html").read_bytes()
    assert len(json.loads((tmp_path / "pages" / "both.json").read_bytes())["runs"]) == 2
    assert call(main, "mine", "elsewhere/other")[0] == 0
    assert (tmp_path / "report.html").is_file()
    assert not (run / "report.html").exists()


def test_a_sweep_has_a_page_of_its_trials(run: Place, call: Call, tmp_path: Path) -> None:
    sweep = tmp_path / "runs" / "search"
    shutil.copytree(run.local_path, sweep / "trials" / "000")
    (sweep / "records").mkdir()
    (sweep / "records" / "000.json").write_text(json.dumps({"state": "running", "values": {"optimization.lr": 0.1}}))
    (sweep / "sweep.json").write_text(json.dumps({"format": 1, "search": ["lr=choice(0.1,0.2)"]}))
    status, output, errors = call(main, "search")
    assert (status, f"report   {sweep}/report.html (" in output) == (0, True)
    assert "note: results.csv is not there yet" in errors
    assert b"lr=choice(0.1,0.2)" in (sweep / "report.html").read_bytes()
    status, _, errors = call(main, "search", "mine")
    assert status == 2
    assert "is a sweep, which has a page of its own: give it alone" in errors


def test_runs_and_pages_can_lie_on_an_object_store(s3: Place, tmp_path: Path, call: Call) -> None:
    run = s3 / "runs" / "far"
    write_run(run, tmp_path)
    status, output, errors = call(main, str(run))
    assert (status, errors) == (0, "")
    assert f"report   {run}/report.html" in output
    assert b"<title>far: stopped</title>" in (run / "report.html").read_bytes()
    assert b"40 images of the data" in (run / "report.html").read_bytes()
    assert (run / "report.json").is_file()


def test_what_is_not_whole_is_told_and_the_page_is_made(run: Place, call: Call) -> None:
    (run / "studies" / "walk.json").write_bytes(b"{")
    status, _, errors = call(main, "mine")
    assert status == 0
    assert errors == "note: studies/walk.json is not whole, or no result of ours: it is left out\n"


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_a_file_that_is_no_report_is_not_overwritten(name: str, run: Place, call: Call) -> None:
    (run / name).write_bytes(b"mine")
    status, _, errors = call(main, "mine")
    assert status == 2
    assert errors == f"error: {run}/{name} exists and is no report of ours: give another name with --out\n"
    assert (run / name).read_bytes() == b"mine"
    assert {"report.html", "report.json"} & set(run.names()) == {name}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "RUN is missing: give the name or the folder of a run"),
        (["nobody"], "there is no run nobody"),
        (["mine", "runs/mine"], "runs/mine is given twice"),
        ([str(number) for number in range(11)], "11 runs are given, but a page shows 10 at most"),
        (["mine", "--out", "page"], "out is page but needs to be the name of a page"),
        (["mine", "--price", "-1"], "price is -1"),
        (["mine", "--out", "runs/mine/run.json/a.html"], "run.json is a file"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], sentence: str, run: Place, call: Call) -> None:
    status, output, errors = call(main, *arguments)
    assert (status, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("error: ")
    assert sentence in errors
    assert not (run / "report.html").exists()


def test_without_matplotlib_nothing_is_begun(run: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, errors = call(main, "mine")
    assert status == 2
    assert "pip install 'dcgan-dist[report]'" in errors
