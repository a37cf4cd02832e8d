"""The command line of a sweep: how it and its folder are named."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from dcgan_dist.settings import scenes32, to_yaml
from dcgan_dist.storage import place
from tuning.options import parse

SEARCH = ["--search", "lr=uniform(1e-4,1e-3)"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_settings_of_a_run_that_is_there_make_a_sweep_of_another_name(folder: Path) -> None:
    run = folder / "kept" / "mine"
    run.mkdir(parents=True)
    (run / "settings.yaml").write_text(to_yaml(replace(scenes32(), name="mine", storage="kept", seed=8)))
    options = parse([*SEARCH, "--config=kept/mine/settings.yaml"])
    assert re.fullmatch(r"mine-\d{8}-\d{6}", options.settings.name)
    assert (options.settings.seed, options.settings.storage) == (8, "kept")
    assert options.notes == (
        f"kept/mine/settings.yaml has the name mine, which is taken: this run is called {options.settings.name}",
    )
    assert re.fullmatch(r"sweep-\d{8}-\d{6}", parse(SEARCH).settings.name)


@pytest.mark.parametrize(
    "given",
    [
        ["--resume=found", "--storage=kept"],
        ["--resume=kept/found"],
        ["--report=./kept/found/"],
        ["--report={folder}/kept/found"],
    ],
)
def test_a_sweep_is_named_by_its_name_or_its_folder(given: list[str], folder: Path) -> None:
    first = parse([*SEARCH, "--name=found", "--storage=kept", "--trials=3"])
    first.folder.write_plan(first.plan(), to_yaml(first.settings))
    options = parse([text.format(folder=folder) for text in given])
    assert (options.settings.name, options.trials) == ("found", 3)
    assert options.folder.place == place("kept/found")


@pytest.mark.parametrize(
    ("arguments", "preset"),
    [
        ([], "scenes32"),
        (["--preset=own64", "--data=x"], "own64"),
        (["--preset=own64", "--images=500"], ""),
        (["--preset=own64", "--epochs", "2"], ""),
        (["--config=kept/settings.yaml", "--data=x"], ""),
    ],
)
def test_a_length_that_nobody_gives_is_that_of_a_preset(arguments: list[str], preset: str, folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "kept" / "settings.yaml").write_text(to_yaml(replace(scenes32(), name="mine", storage="kept")))
    options = parse([*SEARCH, "--name=new", *arguments])
    assert options.length_of == preset
    # A sweep that goes on has the length that it was begun with.
    options.folder.write_plan(options.plan(), to_yaml(replace(options.settings, images=777, epochs=None)))
    again = parse(["--resume=new", f"--storage={options.settings.storage}"])
    assert (again.length_of, again.settings.images) == ("", 777)
