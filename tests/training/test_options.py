"""The command line: presets and files as a beginning, short names, mistakes."""

import contextlib
import io
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan_dist.errors import CheckpointError, DcganDistError, SettingsError
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import PRESETS, flatten, to_yaml
from dcgan_dist.storage import Place, place
from dcgan_dist.training.options import parse


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
        (["--resume", "nobody"], "there is no run nobody"),
        (
            ["--resume"],
            "--resume names no run: give one, as in --resume NAME, or add --name NAME to start that run or resume it",
        ),
        (["--resume", "--images", "7"], "--resume names no run"),
        (["--resume=auto"], "--resume names no run"),
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
    with pytest.raises(DcganDistError) as caught:
        parse(arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_help_begins_with_ten_options_that_exist_and_take_what_it_says() -> None:
    told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.raises(SystemExit), contextlib.redirect_stdout(told):
        parse(["--help"])
    told.seek(0)
    first, _, rest = told.read().partition("╭─")
    common = re.findall(r"^  (--\S+) ([A-Z]+)  +\S", first, re.MULTILINE)
    assert len(common) == 10
    for name, value in common:
        (line,) = [line for line in rest.splitlines() if re.match(rf"│ (.*, )?{name}[ ,]", line)]
        assert name == "--preset" or line.strip("│ ").endswith(f" {value}")


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
    assert len(groups) == 9
    for group in groups:
        assert group.count("\n") <= 66
    # Every setting has a help text: its line of names is followed by one that does not begin the next setting.
    lines = [line.strip("│ ") for line in text.partition("╭─")[2].splitlines()]
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
        ("2:", "workers is 2: but needs to be a number, or a range such as 2:8"),
        ("a:b", "workers is a:b but needs to be a number, or a range such as 2:8"),
        ("8:2", "workers.at_least is 8 but needs to be from 1 to workers.number, which is 2"),
    ],
)
def test_a_wrong_range_of_workers_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse([f"--workers={text}"])
    assert str(caught.value) == sentence


LINE = ["--preset", "cifar32", "--lr", "3e-4", "--name", "mine", "--storage", "kept", "--images", "500"]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run that `LINE` began, with a checkpoint of 256 images and one of 384; the test works beside its storage."""
    monkeypatch.chdir(tmp_path)
    settings = parse(LINE).settings
    run = tmp_path / "kept" / "mine"
    for images in (256, 384):
        state = {"weight": torch.zeros(2)}
        write_checkpoint(Place(str(run)), state, settings, step=images // 128, attempt=1, kept=True)
    (run / "settings.yaml").write_text(to_yaml(settings))
    return run


def test_one_line_starts_a_run_and_goes_on_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    begun = parse([*LINE, "--resume"])
    assert (begun.resume, begun.settings) == ("", parse(LINE).settings)
    assert begun.notes == (f"{tmp_path}/kept/mine does not exist yet: starting a new run",)
    (tmp_path / "kept" / "mine").mkdir(parents=True)
    (tmp_path / "kept" / "mine" / "settings.yaml").write_text(to_yaml(begun.settings))
    for again in ([*LINE, "--resume"], ["--resume", *LINE], [*LINE, "--resume", "auto"], [*LINE, "--resume=auto"]):
        options = parse(again)
        assert (options.resume, options.settings, options.is_done) == ("mine", begun.settings, False)


@pytest.mark.usefixtures("kept")
def test_what_changes_nothing_may_be_given_beside_it() -> None:
    free = ["--workers", "5", "--checkpoints.keep", "7", "--images", "900"]
    options = parse([*LINE[:-2], *free, "--resume"])
    assert (options.settings.workers.number, options.settings.checkpoints.keep, options.settings.images) == (5, 7, 900)
    # The length is the run's own where it is not given: a preset's would train it for longer.
    assert parse([*LINE[:-2], "--resume"]).settings.images == 500
    assert parse(["--resume", "mine", *LINE]).resume == "mine"


@pytest.mark.parametrize(
    ("decay", "given", "length"),
    [
        (0.25, "--images=900", "900 images"),
        (0.25, "--epochs=3", "3 epochs"),
        (0.25, "--images=500", None),
        (0.0, "--images=900", None),
    ],
)
def test_a_new_length_where_the_learning_rate_falls_towards_the_end_is_told(
    decay: float, given: str, length: str | None, kept: Path
) -> None:
    saved = parse(LINE).settings
    (kept / "settings.yaml").write_text(to_yaml(replace(saved, optimization=replace(saved.optimization, decay=decay))))
    told = (
        "optimization.decay is 0.25, so the learning rate follows the new length from here on: "
        f"{length} after 500 images are not the same as {length} from the start"
    )
    assert parse(["--resume", "mine", "--storage", "kept", given]).notes == (() if length is None else (told,))


@pytest.mark.parametrize("resume", [["--name=mine", "--resume"], ["--resume=mine"]])
@pytest.mark.parametrize(
    ("changed", "more", "length", "done", "notes"),
    [
        ({}, [], (500, None), True, ()),
        ({"images": 900}, [], (900, None), False, ("length: 900 images as in f.yaml, in place of 500 images",)),
        (
            {"images": None, "epochs": 2.5},
            [],
            (None, 2.5),
            False,
            ("length: 2.5 epochs as in f.yaml, in place of 500 images",),
        ),
        ({"images": 900}, ["--images=500"], (500, None), True, ()),
        ({"images": 900}, ["--epochs=3"], (None, 3.0), False, ()),
    ],
)
def test_a_file_of_settings_beside_it_says_how_long_the_run_is(
    changed: dict[str, Any],
    more: list[str],
    length: tuple[int | None, float | None],
    done: bool,
    notes: tuple[str, ...],
    resume: list[str],
    kept: Path,
) -> None:
    (kept / "run.json").write_text('{"status": "finished"}')
    settings = parse(LINE).settings
    workers = replace(settings.workers, number=3)
    Path("f.yaml").write_text(to_yaml(replace(settings, name="other", workers=workers, **changed)))
    options = parse(["--config=f.yaml", "--storage=kept", *resume, *more])
    assert (options.resume, options.settings.name, options.is_done, options.notes) == ("mine", "mine", done, notes)
    assert (options.settings.images, options.settings.epochs) == length
    assert options.settings.workers.number == 3


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--preset=svhn32", "--name=mine", "--storage=kept", "--resume"],
            "/kept/mine was trained with data.path $DCGAN_DIST_DATA/cifar10/train-*.tar and cannot be resumed with "
            "$DCGAN_DIST_DATA/svhn/train-*.tar (and networks.latent, optimization.batch_size, optimization.lr and 1 "
            "more differ): leave --preset svhn32 out, or start",
        ),
        (
            [*LINE, "--resume", "--beta1=0.7"],
            "optimization.beta1 0.5 and cannot be resumed with 0.7: leave --optimization.beta1 out",
        ),
        ([*LINE, "--resume", "--seed=6"], "seed 42 and cannot be resumed with 6: leave --seed out"),
        (["--resume=mine", "--storage=kept", "--preset=svhn32"], "leave --preset svhn32 out"),
    ],
)
def test_what_would_make_it_another_run_is_named(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        parse(arguments)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["mine", "mine/", "kept/mine", "./kept/mine/", "{run}", "{run}/checkpoints/000000000384", "{run}/checkpoints"],
)
def test_a_run_to_resume_is_named_by_name_folder_or_newest_checkpoint(text: str, kept: Path) -> None:
    text = text.format(run=kept)
    options = parse(["--resume", text, *(["--storage", "kept"] if text.startswith("mine") else [])])
    assert (options.resume, options.settings.name) == ("mine", "mine")
    assert place(options.settings.storage) == Place(str(kept.parent))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--resume=kept/mine/checkpoints/000000000256"], "a run is resumed from its newest checkpoint: give "),
        (["--resume=kept/mine", "--name=yours"], "--name is yours but --resume names "),
        (["--resume=kept/mine", "--storage=elsewhere"], "--storage is elsewhere but --resume names "),
    ],
)
@pytest.mark.usefixtures("kept")
def test_nothing_is_guessed_where_a_run_is_named_twice(arguments: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(arguments)
    assert sentence in str(caught.value)


def test_a_run_that_was_moved_goes_on_where_it_is(kept: Path) -> None:
    kept.parent.rename(kept.parent.parent / "moved")
    options = parse(["--resume", "moved/mine"])
    assert place(options.settings.storage) == Place(str(kept.parent.parent / "moved"))


@pytest.mark.parametrize(
    ("record", "more", "done"),
    [
        (None, [], False),
        ({"status": "running"}, [], False),
        ({"status": "stopped"}, [], False),
        ({"status": "failed"}, [], False),
        ({"status": "finished"}, [], True),
        ({"status": "finished"}, ["--workers=3"], True),
        ({"status": "finished"}, ["--images=501"], False),
        ({"status": "finished"}, ["--epochs=2"], False),
    ],
)
def test_a_run_is_done_where_it_came_to_its_end_and_no_other_is_asked_for(
    record: dict[str, str] | None, more: list[str], done: bool, kept: Path
) -> None:
    if record is not None:
        (kept / "run.json").write_text(json.dumps(record))
    line = LINE[:-2] if more else LINE
    assert parse([*line, *more, "--resume"]).is_done == done


def test_a_damaged_record_does_not_make_a_run_done(kept: Path) -> None:
    (kept / "run.json").write_text('{"status": "fini')
    assert not parse([*LINE, "--resume"]).is_done


@pytest.mark.parametrize("file", ["kept/mine/settings.yaml", "kept/mine", "{storage}/mine/settings.yaml"])
def test_settings_of_a_run_that_is_there_make_one_of_another_name(file: str, kept: Path) -> None:
    file = file.format(storage=kept.parent)
    options = parse(["--config", file, "--seed", "7"])
    assert re.fullmatch(r"mine-\d{8}-\d{6}", options.settings.name)
    assert options.notes == (f"{file} has the name mine, which is taken: this run is called {options.settings.name}",)
    assert (options.settings.seed, options.settings.optimization.lr, options.settings.storage) == (7, 3e-4, "kept")
    # A name that is given is obeyed, also where it is taken: then the run is refused.
    assert parse(["--config", file, "--name", "mine"]).settings.name == "mine"
    # Elsewhere the name is free.
    assert parse(["--config", file, "--storage", "other"]).settings.name == "mine"
    # A default name gets the new time in place of the old one.
    again = kept.with_name("mine-20250102-030405")
    kept.rename(again)
    (again / "settings.yaml").write_text(to_yaml(replace(options.settings, name=again.name)))
    assert re.fullmatch(r"mine-20(?!25)\d{6}-\d{6}", parse(["--config", str(again)]).settings.name)


def test_settings_without_a_name_are_called_like_their_file(kept: Path) -> None:
    (kept.parent / "best.yaml").write_text(to_yaml(replace(parse(LINE).settings, name="")))
    assert re.fullmatch(r"best-\d{8}-\d{6}", parse(["--config", "kept/best.yaml"]).settings.name)


def test_a_run_with_the_settings_of_a_trial_does_not_lie_among_the_trials(kept: Path) -> None:
    trial = kept.parent / "search" / "trials" / "003"
    trial.mkdir(parents=True)
    (kept.parent / "search" / "sweep.json").touch()
    settings = replace(parse(LINE).settings, name="003", storage=str(trial.parent))
    (trial / "settings.yaml").write_text(to_yaml(settings))
    assert parse(["--config", str(trial)]).settings.storage == str(kept.parent)


def test_settings_are_read_from_an_object_store(s3: Place) -> None:
    settings = replace(PRESETS["svhn32"](), name="far", storage=f"{s3}/runs", seed=9)
    (s3 / "runs" / "far" / "settings.yaml").write_bytes(to_yaml(settings).encode())
    options = parse(["--config", f"{s3}/runs/far/settings.yaml"])
    assert re.fullmatch(r"far-\d{8}-\d{6}", options.settings.name)
    assert (options.settings.seed, options.settings.storage) == (9, f"{s3}/runs")
    assert parse(["--resume", f"{s3}/runs/far"]).settings.seed == 9


def test_only_a_new_run_of_a_preset_begins_with_one(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(to_yaml(PRESETS["own64"]()))
    assert parse(["--preset", "svhn32"]).began_with == "svhn32"
    assert parse([]).began_with == "scenes32"
    assert parse(["--config", f"{tmp_path}/settings.yaml"]).began_with == ""
