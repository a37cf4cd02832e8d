"""The command line of a sweep: how it and its folder are named."""

import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.run_folder.driver_lock import sole_driver
from dcgan_dist.settings import scenes32, to_yaml
from dcgan_dist.storage import place
from tuning.options import parse
from tuning.sweep import Sweep

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


LINE = ["--preset=svhn32", *SEARCH, "beta1=uniform(0,0.7)", "--name=new", "--storage=kept", "--seed=8", "--trials=4"]


def test_one_line_starts_a_sweep_and_resumes_it(folder: Path) -> None:
    begun = parse([*LINE, "--resume"])
    assert (begun.resume, begun.starts_or_resumes, begun.length_of) == ("", True, "svhn32")
    assert begun.notes == (f"there is no sweep {folder}/kept/new yet: it starts",)
    assert replace(begun, notes=(), starts_or_resumes=False) == parse(LINE)
    # The length was found from the data.
    begun.folder.write_plan(begun.plan(), to_yaml(replace(begun.settings, images=777, epochs=None)))
    for again in ([*LINE, "--resume"], ["--resume", *LINE], [*LINE, "--resume=auto"]):
        options = parse(again)
        assert (options.resume, options.settings.images, options.length_of) == ("new", 777, "")
        assert (options.trials, options.settings.seed, options.search) == (4, 8, begun.search)
        assert options.settings.optimization == begun.settings.optimization
        assert options.notes == ()
    assert parse([*LINE[:-1], "--trials=9", "--at-once=2", "--resume"]).trials == 9
    assert parse([*LINE[:-1], "--resume"]).trials == 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--lr=3e-4"], "was started with optimization.lr 0.0005 and cannot be resumed with 0.0003: give what it was"),
        (["--scheduler=none"], "was started with scheduler asha and cannot be resumed with none: give what it was"),
        (["--images=900"], "was started with images 777 and cannot be resumed with 900: give what it was started with"),
        (["--search", "lr=uniform(1e-4,1e-2)"], "was started with search lr=uniform(1e-4,1e-3) beta1=uniform(0,0.7)"),
        (
            ["--beta1=0.4", "--seed=9"],
            "started with seed 8 and cannot be resumed with 9 (and optimization.beta1): give",
        ),
    ],
)
def test_one_line_that_would_start_another_sweep_is_refused(arguments: list[str], told: str) -> None:
    begun = parse(LINE)
    begun.folder.write_plan(begun.plan(), to_yaml(replace(begun.settings, images=777, epochs=None)))
    with pytest.raises(CheckpointError) as caught:
        parse([*LINE, "--resume", *arguments])
    assert told in str(caught.value)


def test_resume_without_a_name_is_told() -> None:
    with pytest.raises(
        SettingsError, match=r"--resume names no sweep: give one, as in --resume NAME, or a --name besid"
    ):
        parse(["--resume", "--trials=4"])


def test_a_sweep_has_one_driver_at_a_time(folder: Path) -> None:
    line = [*SEARCH, "--name=new", "--storage=kept", "--objective=samples/spread"]
    late = Sweep(parse(line))
    begun = parse(line)
    plan = begun.plan() | {"total_images": 99_999, "compared": asdict(late.objective)}
    begun.folder.write_plan(plan, to_yaml(replace(begun.settings, images=99_999, epochs=None)))
    again = Sweep(parse(["--resume=new", "--storage=kept"]))
    with sole_driver(begun.folder.place):
        with pytest.raises(CheckpointError, match=rf"kept/new is in use by process {os.getpid()} on"):
            Sweep(parse(["--resume=new", "--storage=kept"]))
        with pytest.raises(CheckpointError, match="kept/new is in use by process"):
            again.run()
        Sweep(parse(["--report=new", "--storage=kept"]))
    # Its name was free when it was looked at.
    with pytest.raises(SettingsError, match=r"name is new but .*kept/new exists: resume it with --resume new"):
        late.run()


def test_a_sweep_that_ended_while_its_data_was_drawn_starts_by_the_same_line(folder: Path) -> None:
    line = [*SEARCH, "--name=new", "--storage=kept", "--objective=samples/spread"]
    (folder / "kept" / "new" / "trials" / "data").mkdir(parents=True)
    assert not Sweep(parse([*line, "--resume"])).resumed
    with pytest.raises(SettingsError, match=r"name is new but .*/kept/new exists"):
        Sweep(parse(line))
    (folder / "kept" / "new" / "notes").touch()
    with pytest.raises(SettingsError, match=r"name is new but .*/kept/new exists"):
        Sweep(parse([*line, "--resume"]))
