"""The command that studies a generator, from a run, an exported generator or the authors' networks."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.sample import main as sample
from dcgan_dist.settings import scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.options import COMMON
from dcgan_dist.studies.registry import STUDIES
from dcgan_dist.study import main

SETTINGS = replace(
    scenes32(), networks=replace(scenes32().networks, image_size=16, generator_maps=4, discriminator_maps=4)
)
SHORT = ("--number", "12", "--points", "3")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that has learned nothing, in `runs/mine` of the working folder."""
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(SETTINGS.networks)
        initialize(network, 0)
        state[name] = network.state_dict()
    folder = tmp_path / "runs" / "mine"
    for step in (10, 20):
        write_checkpoint(Place(str(folder)), state, SETTINGS, step=step, attempt=1, kept=True)
    monkeypatch.chdir(tmp_path)
    return folder


def records(folder: Path) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


@pytest.mark.parametrize("words", [("mine", "walk"), ("walk", "mine"), ("walk", "runs/mine")])
def test_a_study_leaves_a_figure_and_its_numbers_in_the_run(
    words: tuple[str, ...], run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *SHORT, "--seed", "4"]) == 0
    said = capsys.readouterr().out
    (record,) = records(run / "studies")
    assert (record["study"], record["run"], record["checkpoint"], record["images"]) == (
        "walk", "mine", "000000001280", 1280,
    )  # fmt: skip
    assert (record["seed"], record["points"]) == (4, 3)
    named = next(word for word in words if word != "walk")
    assert str(record["command"]).endswith(f"study walk {named} --number 12 --points 3 --seed 4")
    with Image.open(run / "studies" / str(record["figure"])) as figure:
        assert figure.size[0] > 400
    assert [(run / "studies" / str(name)).is_file() for name in record["files"]] == [True]  # type: ignore[attr-defined]
    assert f"look at {run / 'studies' / str(record['figure'])}" in said


def test_other_questions_have_files_of_their_own_and_the_same_one_has_the_same_numbers(run: Path) -> None:
    for asked in (("--seed", "4"), ("--seed", "5"), ("--path", "spherical"), ("--checkpoint", "000000000640")):
        assert main(["walk", "mine", *SHORT, *asked]) == 0
    first = {str(one["figure"]): one["numbers"] for one in records(run / "studies")}
    assert len(first) == 4
    assert main(["walk", "mine", *SHORT, "--seed", "5"]) == 0
    assert {str(one["figure"]): one["numbers"] for one in records(run / "studies")} == first


def test_runs_of_one_name_do_not_overwrite_each_others_results(run: Path, tmp_path: Path) -> None:
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(SETTINGS.networks)
        initialize(network, 1)
        state[name] = network.state_dict()
    other = Place(str(tmp_path / "others" / "mine"))
    write_checkpoint(other, state, SETTINGS, step=20, attempt=1, kept=True)
    for where in ("runs/mine", "others/mine"):
        assert main(["walk", where, *SHORT, "--out", "both"]) == 0
    found = records(tmp_path / "both")
    assert len({str(one["generator_sha256"]) for one in found}) == len(found) == 2


def test_an_exported_generator_is_studied_without_its_discriminator(run: Path, tmp_path: Path) -> None:
    assert sample(["mine", "-n", "0", "--export", "mine.safetensors"]) == 0
    assert main(["walk", "mine.safetensors", *SHORT]) == 0
    (record,) = records(tmp_path / "studies")
    assert set(record["numbers"]) == {"pixels", "path_length", "notes"}  # type: ignore[call-overload]


def test_the_authors_networks_are_studied(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["walk", "published-svhn", "--published", str(published), *SHORT]) == 0
    (record,) = records(tmp_path / "studies")
    assert (record["run"], record["checkpoint"]) == ("published-svhn", "published")
    assert set(record["numbers"]) == {"pixels", "features of D", "path_length", "notes"}  # type: ignore[call-overload]


def test_the_figures_are_in_the_runs_tensorboard(run: Path) -> None:
    for name in ("walk", "pick"):
        assert main([name, "mine", *(SHORT if name == "walk" else ("-n", "5"))]) == 0
    events = EventAccumulator(str(run / "tensorboard" / "studies"))
    events.Reload()
    assert sorted(events.Tags()["images"]) == ["pick/raw", "walk/raw"]
    for name, tag in zip(("pick", "walk"), sorted(events.Tags()["images"]), strict=True):
        (shown,) = events.Images(tag)
        (figure,) = (run / "studies").glob(f"{name}-*.png")
        assert (shown.step, shown.encoded_image_string) == (1280, figure.read_bytes())


def test_with_another_folder_for_results_nothing_is_written_to_the_run(run: Path) -> None:
    before = sorted(run.rglob("*"))
    assert main(["walk", "mine", *SHORT, "--out", "elsewhere"]) == 0
    assert sorted(run.rglob("*")) == before
    assert len(records(run.parent.parent / "elsewhere")) == 1


def test_what_a_person_has_filled_in_stays_and_other_exemplars_give_another_result(run: Path) -> None:
    assert main(["pick", "mine", "-n", "12"]) == 0
    (file,) = (run / "studies").glob("pick-*.yaml")
    for numbers in ("[1, 2, 3]", "[1, 2, 4]"):
        text = f"  a: {numbers}\n  b: [5, 6, 7]\n  c: [8, 9, 10]\n"
        file.write_text(file.read_text().partition("  a:")[0] + text)
        assert main(["arithmetic", "mine", "--exemplars", str(file), "--a", "a", "--b", "b", "--c", "c"]) == 0
    assert main(["pick", "mine", "-n", "12"]) == 0
    assert "a: [1, 2, 4]" in file.read_text()
    found = [one["samples"] for one in records(run / "studies") if one["study"] == "arithmetic"]
    assert sorted(one["a"] for one in found) == [[1, 2, 3], [1, 2, 4]]  # type: ignore[index]


def test_no_option_stands_in_a_record_where_something_else_is_written() -> None:
    theirs = {"format", "study", "generator", "statistics", "run", "checkpoint", "figure", "shows", "files", "numbers"}
    theirs |= {"recipe_sha256", "generator_sha256", "images", "command", "lines", "versions", "written"}
    for name, study in STUDIES.items():
        assert not theirs & {one.name for one in fields(study.options) if one.name not in COMMON}, name


def test_help_names_all_studies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert [name for name in STUDIES if f"\n  {name} " not in said] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "no study is named; there are walk"),
        (["mine", "wolk"], "mine wolk names no study; there are walk"),
        (["walk"], "RUN"),
        (["walk", "nobody"], "there is no run nobody"),
        (["walk", "mine", "--number", "2"], "number is 2"),
        (["walk", "mine", "--points", "1"], "points is 1"),
        (["walk", "mine", "--checkpoint", "000000000000"], "000000000000"),
        (["walk", "published-svhn", "--checkpoint", "best"], "checkpoint is best, but published-svhn holds one gen"),
        (["walk", "published-svhn", "--published", "nowhere"], "nowhere/svhn/G.npz is missing"),
        (["walk", "none.safetensors"], "none.safetensors"),
    ],
)
def test_wrong_input_is_one_sentence(
    words: list[str], sentence: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert sentence in said
    assert not (run / "studies").exists()
