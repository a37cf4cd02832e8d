"""How a run is named."""

from pathlib import Path

import pytest

from dcgan_dist.errors import CheckpointError, DcganDistError
from dcgan_dist.run_folder.naming import find_run
from dcgan_dist.storage import Place, place

FILES = [
    "mine/first/settings.yaml",
    "mine/first/checkpoints/000000000320/state.pt",
    "mine/first/checkpoints/000000000320/settings.yaml",
    "mine/first/checkpoints/000000000320/MANIFEST.json",
    "mine/no checkpoint yet/settings.yaml",
    "mine/bare/checkpoints/000000000640/state.pt",
    "mine/search/sweep.json",
    "mine/search/settings.yaml",
    "mine/search/trials/003/settings.yaml",
    "mine/something/else.txt",
    "beside/settings.yaml",
    "checkpoints/odd/settings.yaml",
]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        file = tmp_path / "work" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("FIRST", str(tmp_path / "work" / "mine" / "first"))
    monkeypatch.setenv("WORK", str(tmp_path / "work"))


@pytest.mark.parametrize(
    ("text", "run", "checkpoint"),
    [
        ("first", "mine/first", None),
        ("first/", "mine/first", None),
        ("mine/first", "mine/first", None),
        ("./mine/first/", "mine/first", None),
        ("$WORK/mine/first", "mine/first", None),
        ("no checkpoint yet", "mine/no checkpoint yet", None),
        ("$FIRST", "mine/first", None),
        ("bare", "mine/bare", None),
        ("beside", "beside", None),
        ("mine/search/trials/003", "mine/search/trials/003", None),
        ("mine/first/settings.yaml", "mine/first", None),
        ("mine/first/checkpoints", "mine/first", None),
        ("mine/first/checkpoints/000000000320", "mine/first", "000000000320"),
        ("mine/first/checkpoints/000000000320/", "mine/first", "000000000320"),
        ("mine/first/checkpoints/000000000320/state.pt", "mine/first", "000000000320"),
        # One that was pushed out, or never was: whoever reads it says so.
        ("mine/first/checkpoints/000000000960", "mine/first", "000000000960"),
        # A storage of that name is no run.
        ("checkpoints/odd", "checkpoints/odd", None),
    ],
)
def test_a_run_is_named_by_name_folder_or_checkpoint(text: str, run: str, checkpoint: str | None) -> None:
    found = find_run(text, "mine")
    assert (found.place, found.checkpoint) == (place(run), checkpoint)


def test_so_is_one_in_an_object_store(s3: Place) -> None:
    for name in ("settings.yaml", "checkpoints/000000000320/state.pt", "checkpoints/000000000320/MANIFEST.json"):
        (s3 / "runs" / "first" / name).write_bytes(b"-")
    assert find_run("first", f"{s3}/runs/").place == s3 / "runs" / "first"
    assert find_run(f"{s3}/runs/first/").place == s3 / "runs" / "first"
    found = find_run(f"{s3}/runs/first/checkpoints/000000000320")
    assert (found.place, found.checkpoint) == (s3 / "runs" / "first", "000000000320")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("firts", "mine/first?"),
        ("mine/firts", "did you mean"),
        ("quite-another", "mine are bare, first, no checkpoint yet"),
        ("elsewhere/first", "elsewhere: give the folder of a run"),
        ("mine/something", "mine/something is not the folder of a run"),
        ("search", "mine/search is a sweep: give one of its runs, which are in"),
        ("mine/search", "or use "),
        ("mine", "mine/mine nor"),
        ("mine/something/else.txt", "else.txt is not the folder of a run"),
        ("", "an empty address"),
    ],
)
def test_what_is_no_run_is_told_in_one_sentence_with_what_there_is(text: str, told: str) -> None:
    with pytest.raises(DcganDistError) as caught:
        find_run(text, "mine")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_means_two_runs_is_not_guessed(tmp_path: Path) -> None:
    Path("first").mkdir()
    Path("first/settings.yaml").touch()
    with pytest.raises(CheckpointError, match="first means two runs"):
        find_run("first", "mine")
    assert find_run("./first", "mine").place == place("first")
    assert find_run("mine/first", "mine").place == place("mine/first")


def test_a_checkpoint_is_named_once() -> None:
    assert find_run("first", "mine").choose("") == "latest"
    assert find_run("first", "mine").choose("best") == "best"
    named = find_run("mine/first/checkpoints/000000000320")
    assert named.choose("") == named.choose("000000000320") == "000000000320"
    with pytest.raises(CheckpointError, match="--checkpoint is best but the run is given as its checkpoint 000"):
        named.choose("best")
