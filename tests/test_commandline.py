"""The command line: presets and files as a beginning, short names, mistakes."""

import contextlib
import io
import itertools
import re
from pathlib import Path

import pytest

from dcgan_dist.commandline import parse
from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import PRESETS, flatten, to_yaml


def test_without_arguments_the_default_preset_is_taken() -> None:
    settings = parse([]).settings
    assert re.fullmatch(r"scenes32-\d{8}-\d{6}", settings.name)
    assert {**flatten(settings), "name": ""} == flatten(PRESETS["scenes32"]())


def test_short_names_and_dotted_names_set_the_same() -> None:
    short = parse(
        [
            "--name",
            "a",
            "--lr",
            "1e-3",
            "--beta1",
            "0.9",
            "--batch-size",
            "64",
            "--workers",
            "2",
            "--data",
            "x.tar",
            "--storage",
            "s",
            "--images",
            "9",
        ]
    )
    long = parse(
        [
            "--name",
            "a",
            "--optimization.lr",
            "1e-3",
            "--optimization.beta1",
            "0.9",
            "--optimization.batch-size",
            "64",
            "--workers.number",
            "2",
            "--data.path",
            "x.tar",
            "--storage",
            "s",
            "--images",
            "9",
        ]
    )
    assert short == long
    assert short.settings.optimization.lr == 1e-3


def test_a_length_of_one_kind_takes_the_place_of_the_other() -> None:
    assert parse(["--epochs", "2"]).settings.images is None
    assert parse(["--preset=lsun64", "--images=500"]).settings.images == 500
    assert parse(["--preset=lsun64", "--epochs=0.5"]).settings.images is None


@pytest.mark.parametrize(
    ("arguments", "preset"),
    [
        ([], "scenes32"),
        (["--preset=own64", "--data=x"], "own64"),
        (["--preset", "lsun64", "--minutes", "3"], "lsun64"),
        (["--preset=own64", "--images=500"], ""),
        (["--preset=own64", "--epochs", "2"], ""),
        (["--config=FILE"], ""),
        (["--config=FILE", "--data=x"], ""),
    ],
)
def test_a_length_that_nobody_gives_is_that_of_a_preset(arguments: list[str], preset: str, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(to_yaml(PRESETS["svhn32"]()))
    assert parse([text.replace("FILE", f"{tmp_path}/settings.yaml") for text in arguments]).length_of == preset


def test_a_file_of_settings_is_a_beginning(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(to_yaml(PRESETS["svhn32"]()))
    settings = parse(["--config", str(file), "--seed", "3", "--name", "x"]).settings
    assert (settings.optimization.lr, settings.seed) == (5e-4, 3)


def test_names_of_files_and_runs_keep_their_underscores(tmp_path: Path) -> None:
    file = tmp_path / "my_settings.yaml"
    file.write_text(to_yaml(PRESETS["svhn32"]()))
    assert parse([f"--config={file}", "--name=x"]).settings.optimization.lr == 5e-4
    run = tmp_path / "my_runs" / "my_run"
    run.mkdir(parents=True)
    file.rename(run / "settings.yaml")
    assert parse(["--resume=my_run", f"--storage={tmp_path / 'my_runs'}"]).settings.optimization.lr == 5e-4


def test_a_resumed_run_begins_with_its_own_settings(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "old"
    run.mkdir(parents=True)
    (run / "settings.yaml").write_text(to_yaml(PRESETS["cifar32"]()))
    settings = parse(["--resume", "old", "--storage", str(tmp_path / "runs"), "--workers", "3"]).settings
    assert (settings.name, settings.networks.generator_maps, settings.workers.number) == ("old", 64, 3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "mnist"], "preset is mnist but needs to be one of scenes32, own64, lsun64"),
        (["--preset", "svhn32", "--config", "x"], "give one of them"),
        (["--resume", "nobody"], "there is no run to resume"),
        (["--images", "1", "--epochs", "1"], "images and epochs are both given"),
        (
            ["--batch-size", "4", "--workers", "5"],
            "optimization.batch_size is 4 but needs at least 1 image for each of 5",
        ),
        (["--name", "a/b"], "name is 'a/b'"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as caught:
        parse(arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_help_explains_every_setting_and_no_group_is_longer_than_a_screen() -> None:
    told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.raises(SystemExit) as caught, contextlib.redirect_stdout(told):
        parse(["--help"])
    assert caught.value.code == 0
    told.seek(0)
    text = told.read()
    for name in flatten(PRESETS["scenes32"]()):
        assert f"--{name.replace('_', '-')}" in text
    groups = text.split("╭─")[1:]
    assert len(groups) == 8
    for group in groups:
        assert group.count("\n") <= 45
    # Every setting has a help text: its line of names is followed by one that does not begin the next setting.
    lines = [line.strip("│ ") for line in text.splitlines()]
    for line, following in itertools.pairwise(lines):
        if line.startswith("--"):
            assert not following.startswith("--")
            assert following


@pytest.mark.parametrize("text", [["--workers", "2:8"], ["--workers=2:8"], ["--workers.number", "2:8"]])
def test_two_numbers_of_workers_are_the_fewest_and_the_most(text: list[str]) -> None:
    workers = parse(text).settings.workers
    assert (workers.at_least, workers.number, workers.fewest) == (2, 8, 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2:", "workers is 2: but needs to be a number, or two as in 2:8"),
        ("a:b", "workers is a:b but needs to be a number, or two as in 2:8"),
        ("8:2", "workers.at_least is 8 but needs to be from 1 to workers.number, which is 2"),
    ],
)
def test_a_wrong_range_of_workers_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse([f"--workers={text}"])
    assert str(caught.value) == sentence
