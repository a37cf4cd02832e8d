"""Sweeps by the whole command: what they leave, what a killed one goes on from, and how wrong ones are refused."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tuning.sweep
from dcgan_dist.data import keep_list
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.evaluation.labels import learning_of_checkpoint, open_task, read_labeled
from dcgan_dist.evaluation.probe import accuracy
from dcgan_dist.evaluation.service.online import first_after
from dcgan_dist.model.classification import LabelLearner
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.monitoring.sinks.curves import read_probed
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import load_checkpoint, manifests, write_checkpoint
from dcgan_dist.settings import NetworkSettings, flatten, from_yaml, scenes32, to_yaml
from dcgan_dist.storage import Place
from tuning.objective import rungs
from tuning.options import parse
from tuning.sweep import Sweep, main

TINY = [
    "--storage=runs",
    "--data.scenes-images=640",
    "--batch-size=64",
    "--networks.image-size=16",
    "--networks.generator-maps=8",
    "--networks.discriminator-maps=8",
    "--probe.cpus=0.5",
]
LR = ["--search", "lr=uniform(1e-4,1e-3)"]
IMAGES, BATCH = 14_400, 12
"""Fewer images than the health rule looks at: networks as small as these collapse."""
SEARCH = ["--search", "lr=loguniform(1e-5,1e-2)", "beta1=uniform(0,0.9)"]


def settings_of(run: Path) -> dict[str, object]:
    return flatten(from_yaml((run / "settings.yaml").read_text(), str(run)))


def settings_of_file(file: Path) -> dict[str, object]:
    return flatten(from_yaml(file.read_text(), str(file)))


def wait_for(what: Callable[[], Any], seconds: float = 180) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def under_evaluation(run: Place) -> str:
    """The checkpoint of a trial that is being evaluated now; empty: none."""
    return next((name for name, found in manifests(run).items() if found.get("probe") == "reads"), "")


def trial_drivers() -> list[int]:
    """Processes of the drivers of trials on this module's cluster."""
    mark, found = f"HOME={os.environ['HOME']}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or belongs to somebody else
            mine = mark in (process / "environ").read_bytes().split(b"\0")
            if mine and (process / "cmdline").read_bytes().startswith(b"ray::ResourceTrainable"):
                found.append(int(process.name))
    return found


@dataclass(frozen=True)
class Broken:
    """A sweep that was stopped, whose evaluation was killed, that was killed itself, and that has then ended.

    Attributes:
        command: what it was started with.
        folder: of the sweep.
        told: what each of its three processes said.
        status: of the process that was stopped.
        stopped: the newest checkpoint of trial 0 when it was.
        states: of both trials after the kill.
        written: when trial 0 was done, as its record had it then.
        reached: the newest checkpoint of trial 1 when the sweep was killed.
    """

    command: Any
    folder: Path
    told: list[str]
    status: int
    stopped: str
    states: list[str]
    written: int
    reached: str

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader((self.folder / "results.csv").open()))


def state(sweep: Path, number: int) -> str:
    """How it says that a trial stands; empty before it knows of it."""
    file = sweep / "records" / f"{number:03d}.json"
    return str(json.loads(file.read_text())["state"]) if file.is_file() else ""


@pytest.fixture(scope="module")
def broken(command_in: Any, tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """Two trials, one after the other; read it, and change nothing."""
    folder = tmp_path_factory.mktemp("broken")
    command, sweep = command_in(folder, "tuning.sweep"), folder / "runs" / "sweep"
    trials = [Place(str(sweep / "trials" / f"{number:03d}")) for number in range(2)]
    # Small batches take long: from a trial's first checkpoint to its end there is time to stop it.
    options = [*TINY, "--name=sweep", f"--images={IMAGES}", "--trials=2", "--at-once=1", f"--batch-size={BATCH}"]
    process = command.start(*options, *SEARCH)
    wait_for(lambda: manifests(trials[0]))
    process.terminate()
    told = [process.communicate(timeout=60)[0]]
    status, stopped = process.returncode, max(manifests(trials[0]), default="")
    assert state(sweep, 0) == "unfinished", told

    process = command.start("--resume=sweep", "--storage=runs")
    # The actor dies during a probe, and its pool with it: its replacement computes what was requested.
    wait_for(lambda: under_evaluation(trials[0]) > stopped or process.poll() is not None)
    (owner,) = (pid for pid, name in command.left().items() if name.startswith("ray::_EvaluationActor"))
    os.kill(owner, signal.SIGKILL)
    wait_for(lambda: state(sweep, 0) == "finished")
    wait_for(lambda: manifests(trials[1]))
    os.kill(process.pid, signal.SIGKILL)
    told.append(process.communicate(timeout=60)[0])
    command.end()
    states = [state(sweep, number) for number in range(2)]
    written = (sweep / "trials" / "000" / "run.json").stat().st_mtime_ns
    reached = max(manifests(trials[1]))

    ended, output = command.run("--resume=sweep", "--storage=runs")
    assert ended == 0, output
    return Broken(command, sweep, [*told, output], status, stopped, states, written, reached)


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_stopped_and_a_killed_sweep_repeat_no_trial_and_lose_none(broken: Broken) -> None:
    first, second, last = broken.told
    assert broken.status == 143, first
    assert re.search(r"resume with: \S*python -m tuning.sweep --resume sweep --storage runs", first)
    assert "found 1 trial: 0 ended, 1 unfinished; 1 new" in second
    assert broken.states == ["finished", "unfinished"]
    assert "found 2 trials: 1 ended, 1 unfinished; 0 new" in last
    assert (broken.folder / "trials" / "000" / "run.json").stat().st_mtime_ns == broken.written
    lives = [attempts(Place(str(broken.folder / "trials" / f"{number:03d}"))) for number in range(2)]
    assert [life.checkpoint for life in lives[0]] == [None, broken.stopped]
    assert [life.checkpoint is not None for life in lives[1]] == [False, True]
    assert lives[1][1].checkpoint >= broken.reached
    assert [row["state"] for row in broken.rows if row["trial"] == "0"] == ["finished"]
    assert [state(broken.folder, number) for number in range(2)] == [row["state"] for row in broken.rows]


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_sweep_leaves_runs_a_table_and_figures_which_its_report_makes_again(broken: Broken, tmp_path: Path) -> None:
    sweep, rows, output = broken.folder, broken.rows, broken.told[-1]
    assert [row["trial"] for row in rows] == ["0", "1"]
    assert {row["state"] for row in rows} <= {"finished", "cut"}
    first = settings_of(sweep / "trials" / "000")
    assert (first["optimization.lr"], first["optimization.beta1"]) == (4e-4, 0.5), "trial 0 is the preset's default"
    for row in rows:
        run = sweep / "trials" / row["run"]
        mine = settings_of(run)
        differing = {name for name, value in mine.items() if value != first[name]}
        assert differing <= {"name", "optimization.lr", "optimization.beta1"}
        assert float(row["optimization.lr"]) == mine["optimization.lr"]
        assert 0.1 < float(row["low"]) < float(row["objective"]) < float(row["high"]) < 1
        assert int(row["age_images"]) == int(row["images"]) - int(row["objective_images"])
        assert int(row["generator_updates"]) == int(row["images"]) // BATCH
        (result,) = (run / "evaluation").glob(f"{row['checkpoint']}-rooms-discriminator-*.json")
        assert json.loads(result.read_text())["all_labels"]["accuracy"] == float(row["objective"])
        assert (run / "tensorboard" / "events.out.tfevents.000000.hparams").is_file()
        evaluated = {found["images"] for found in read_probed(Place(str(run)))}
        assert all(first_after(rungs(IMAGES), images, BATCH) for images in evaluated), "only checkpoints of the rungs"
        assert int(row["objective_images"]) == max(evaluated)
    # Cut or not, the first to have gone to the end stands in front, and its value is that of the end.
    best = next(row for row in rows if row["rank"] == "1")
    assert (best["state"], best["images"], best["compared_images"]) == ("finished", str(IMAGES), str(IMAGES))
    assert {row["compared_images"] for row in rows} <= {str(at) for at in rungs(IMAGES)}
    assert re.search(
        rf"^best         trial {best['trial']}: \S*python -m dcgan_dist.train --config ", output, re.MULTILINE
    )
    figures = {"lr.png", "beta1.png", "lr-beta1.png"}
    assert {file.name for file in (sweep / "figures").iterdir()} == figures
    before = (sweep / "best.yaml").read_bytes()
    for name in ("figures", "results.csv", "best.yaml"):
        (sweep / name).rename(tmp_path / name)
    status, told = broken.command.run("--report=sweep", "--storage=runs")
    assert status == 0, told
    assert told.strip() in output
    assert {file.name for file in (sweep / "figures").iterdir()} == figures
    assert (sweep / "best.yaml").read_bytes() == before
    assert broken.rows == rows


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_the_settings_that_a_sweep_leaves_give_its_best_again(broken: Broken, train_command: Any) -> None:
    """Though its trials were broken."""
    status, output = train_command.run(f"--config={broken.folder / 'best.yaml'}", "--name=again", "--storage=runs")
    assert status == 0, output
    best = next(row for row in broken.rows if row["rank"] == "1")
    trained = load_checkpoint(Place(str(broken.folder / "trials" / best["run"])))
    again = load_checkpoint(Place(str(train_command.folder / "runs" / "again")), trained.name)
    for part in ("generator", "discriminator"):
        for name, value in trained.state[part].items():
            assert torch.equal(value, again.state[part][name]), f"{part} {name}"


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_bad_trial_of_a_population_goes_on_from_a_good_ones_checkpoint(command_in: Any, tmp_path: Path) -> None:
    # Small batches take long: each trial is evaluated several times. With its rate trial 1 learns nothing, so it is the
    # worse one whichever of the two was evaluated last, but for the first time, when the other one knows no more.
    status, output = command_in(tmp_path, "tuning.sweep").run(
        *(*TINY, "--name=sweep", "--images=9000", "--trials=2", "--at-once=2", "--scheduler=pbt", "--batch-size=8"),
        *("--search", "lr=loguniform(1e-20,1e-3)", "beta1=uniform(0,0.9)"),
    )
    assert status == 0, output
    sweep = tmp_path / "runs" / "sweep"
    branches = sorted(sweep.glob("trials/*/branch.json"))
    assert branches, output
    for file in branches:
        branch, run = json.loads(file.read_text()), file.parent
        donor = sweep / "trials" / branch["run"]
        assert donor.name.partition(".")[0] != run.name.partition(".")[0]
        (first, *_) = attempts(Place(str(run)))
        assert (first.checkpoint, first.images) == (branch["checkpoint"], int(branch["checkpoint"]))
        mine, theirs = settings_of(run), settings_of(donor)
        differing = {name for name, value in mine.items() if value != theirs[name]}
        assert differing <= {"name", "optimization.lr", "optimization.beta1"}
        assert {name: mine[name] for name in branch["values"]} == branch["values"]
        if branch["checkpoint"] in manifests(Place(str(donor))):
            taken, given = (load_checkpoint(Place(str(one)), branch["checkpoint"]) for one in (run, donor))
            assert taken.step == given.step
            for name, value in given.state["discriminator"].items():
                assert torch.equal(value, taken.state["discriminator"][name])


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("standing_cluster")
def test_two_cpus_of_a_standing_cluster_are_enough_also_when_a_trial_loses_its_driver(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = [*TINY, "--name=sweep", "--images=8000", "--trials=2", "--objective=samples/spread", *SEARCH]
    options += ["--monitoring.measure-images=400", "--checkpoints.images=800", "--batch-size=16"]
    command = [sys.executable, "-m", "tuning.sweep", *options]
    sweep = tmp_path / "runs" / "sweep"
    first = Place(str(sweep / "trials" / "000"))
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        wait_for(lambda: manifests(first) or process.poll() is not None)
        for pid in trial_drivers():
            os.kill(pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    assert (
        "trials: 2, 1 at once, each with 1 worker of 1 CPU, and 1 CPU to read data, of 2 CPUs that evaluation leaves"
        in output
    )
    assert "trial 0: its driver was lost; it resumes from its newest checkpoint" in output
    # Its workers were still there: the next ones found room, since what they held was given back.
    assert [life.checkpoint is not None for life in attempts(first)] == [False, True]
    rows = list(csv.DictReader((sweep / "results.csv").open()))
    assert [row["state"] for row in rows if row["trial"] == "0"] == ["finished"]
    assert all(float(row["objective"]) > 0 for row in rows)

    monkeypatch.setattr(tuning.sweep, "connected", lambda address, cpus: nullcontext())
    status, _, errors = call(main, *options, "--name=more", "--at-once=2", "--workers.wait-s=0.1")
    assert status == 2
    assert "at_once is 2 but only 1 fits" in errors


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_sweep_finds_the_samples_that_are_nearest_to_held_out_images(command_in: Any, tmp_path: Path) -> None:
    """By the kernel distance, of which less is better."""
    settings = replace(scenes32(), networks=NetworkSettings(image_size=16, discriminator_maps=12))
    judge = Discriminator(settings.networks)
    initialize(judge, 7)
    run = Place(str(tmp_path / "judge"))
    write_checkpoint(run, {"discriminator": judge.state_dict()}, settings, step=3, attempt=1, kept=True)
    status, output = command_in(tmp_path, "tuning.sweep").run(
        *(*TINY, "--name=sweep", "--images=1920", "--trials=2", "--at-once=1", "--scheduler=none"),
        *("--probe=fidelity", "--probe.fidelity-samples=220", f"--probe.fidelity-features=discriminator={run}"),
        *("--search", "lr=loguniform(1e-6,2e-3)"),
    )
    assert status == 0, output
    sweep = tmp_path / "runs" / "sweep"
    kernel = f"discriminator-judge-{3 * settings.optimization.batch_size:012d}/kernel"
    assert f"objective: fidelity/{kernel}, the minimum" in output
    rows = {float(row["optimization.lr"]): row for row in csv.DictReader((sweep / "results.csv").open())}
    assert len(rows) == 2
    for row in rows.values():
        run = Place(str(sweep / "trials" / row["run"]))
        results = {file.name[:12]: json.loads(file.read_bytes()) for file, _ in (run / "evaluation").files()}
        last = results[max(results)]
        assert (last["images"], last["samples"], last["held_out_images"]) == (1_920, 220, 220)
        assert float(row["objective"]) == pytest.approx(last["measures"][kernel]["value"])
        marks = {name for name, found in manifests(run).items() if found.get("probe") == "best"}
        assert marks == {min(results, key=lambda name: results[name]["measures"][kernel]["value"])}
    best = min(rows, key=lambda lr: float(rows[lr]["objective"]))
    assert settings_of_file(sweep / "best.yaml")["optimization.lr"] == best


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_sweep_of_networks_that_are_trained_on_labels(command_in: Any, tmp_path: Path) -> None:
    status, output = command_in(tmp_path, "tuning.sweep").run(
        *("--storage=runs", "--name=sweep", "--supervised=rooms", "--images=720"),
        *("--networks.image-size=16", "--networks.discriminator-maps=8", "--trials=3", "--at-once=1"),
        *("--search", "lr=loguniform(1e-4,1e-2)", "batch_size=choice(16,48)", "supervised.dropout=uniform(0.1,0.6)"),
    )
    assert status == 0, output
    assert "3 passes over the 240 labeled ones of rooms, in 8 classes; judged on 60 that are held out" in output
    sweep = tmp_path / "runs" / "sweep"
    rows = list(csv.DictReader((sweep / "results.csv").open()))
    best = max(
        (row for row in rows if row["compared_images"] == "720"),
        key=lambda row: (float(row["objective"]), row["trial"]),
    )
    assert best["state"] == "finished"
    for row in rows:
        run = Place(str(sweep / "trials" / row["run"]))
        assert row["generator_updates"] == "0"
        values = settings_of(run.local_path)
        assert {name: str(values[name]) for name in row if name in values and "." in name}.items() <= row.items()
        # A checkpoint tells the same of the images held out as the trial did.
        checkpoint = load_checkpoint(run)
        labeled = read_labeled(open_task(checkpoint.settings), 1)
        learner = LabelLearner(
            learning_of_checkpoint(checkpoint),
            labeled.images,
            labeled.labels,
            labeled.classes,
            torch.device("cpu"),
            checkpoint.state,
        )
        counts = learner.frozen(128).confusion(
            labeled.held_out, labeled.held_out_labels, labeled.classes, torch.device("cpu")
        )
        if row["images"] == row["objective_images"]:
            assert float(row["objective"]) == pytest.approx(accuracy(counts), abs=0.02)  # one image
    assert settings_of_file(sweep / "best.yaml")["supervised.dropout"] == float(best["supervised.dropout"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--search is missing: name the settings to search"),
        (["--search", "lrr=uniform(0,1)"], "--search lrr is not a setting; did you mean lr?"),
        (["--search", "lr=uniform(1,1)"], "is an empty range"),
        (
            [*LR, "--objective", "loss/critic"],
            "objective is loss/critic but runs do not log that (did you mean loss/discriminator?)",
        ),
        ([*LR, "--trials=-1"], "trials is -1 but needs at least 0"),
        ([*LR, "--searcher=grid"], "searcher is grid but optimization.lr is a range"),
        (["--search", "lr=choice(1e-4,4e-4)", "--searcher=grid", "--trials=3"], "the grid has 2 combinations"),
        (["--search", "batch_size=choice(32,64)", "--scheduler", "pbt"], "cannot change in the middle of a run"),
        ([*LR, "--minutes", "3"], "give --images for the length of each trial, and --budget-minutes"),
        ([*LR, "--preset", "lsun64"], "objective is probe but the probe has no task"),
        ([*LR, "--probe", "mnist"], "task mnist needs its data"),
        (
            [*LR, "--budget-minutes", "0"],
            "budget_minutes is 0.0 but needs to be above 0",
        ),
        (
            [*LR, "--objective", "samples/spread", "--images", "1280"],
            "objective is samples/spread, which runs log first after 10,000 images, but trials of 1,280 images are "
            "compared from 142 on",
        ),
        ([*LR, "--checkpoints.images", "700"], "give --checkpoints.images 0"),
        ([*LR, "--supervised", "rooms"], "the length of preset scenes32 is that of a DCGAN: give --epochs"),
        (
            [*LR, "--supervised", "mnist", "--images", "900"],
            "task mnist needs its data: give --supervised mnist=FOLDER",
        ),
        (
            [*LR, "--supervised", "rooms", "--images", "900", "--scheduler", "pbt"],
            "runs that are trained on labels write no checkpoints on the way",
        ),
        (
            [*LR, "--supervised", "rooms", "--images", "900", "--objective", "loss/generator"],
            "objective is loss/generator but trials that are trained on labels are compared by supervised/held_out",
        ),
        (
            ["--search", "supervised.per_class=choice(3,4)", "--supervised", "rooms", "--images", "900"],
            "--search cannot vary supervised.per_class",
        ),
        (
            ["--search", "networks.channels=choice(1,3)", "--supervised", "rooms", "--images", "900"],
            "--search cannot vary networks.image_size or networks.channels where trials are trained on labels",
        ),
        (
            ["--search", "channels=choice(1,3)", "--probe", "fidelity"],
            "--search cannot vary networks.channels where trials are compared by the probe",
        ),
        (["--resume", "none"], "runs/none, and no other one in"),
        (["--report", "none"], "runs/none, and no other one in"),
        (
            [*LR, "--storage=/tmp/a/runtime_resources/working_dir_files/b/runs"],
            "which Ray deletes with all that is in it",
        ),
        (["--resume", "a", "--report", "b"], "--resume and --report both name a sweep"),
    ],
)
def test_wrong_sweeps_get_one_sentence_and_leave_nothing(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], told: str
) -> None:
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    status, output, errors = call(main, *options)
    assert status == 2
    assert errors.startswith("error: ")
    assert told in errors
    assert errors.count("\n") == 1
    assert output == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "images", "lines"),
    [
        # The preset's five passes are meant for a set of 3 million: 5,000 of these would be seven steps.
        (
            ["--preset=lsun64"],
            1_600_000,
            ["each trial: length: 1,600,000 images, 1.6e+03 passes over 1,000, 6,250 updates of G"],
        ),
        # The largest batch makes the fewest updates.
        (
            ["--preset=own64", "--images=50000", "batch_size=choice(128,16)"],
            50_000,
            [
                "each trial: length: 50,000 images, 50 passes over 1,000, 782 updates of G, if the other shards are "
                "like the largest",
                "warning: each trial: the run is too short to learn: it has 391 updates of G, and samples are noise or "
                "blobs until about 1,000; give --images 128000 or more",
            ],
        ),
    ],
)
def test_how_long_trials_are_follows_from_the_data_and_is_told_once(
    options: list[str],
    images: int,
    lines: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with ShardWriter(Place(str(tmp_path)), "train", 5) as writer:
        for number in range(7):
            writer.add(f"not looked at: {number}".encode())
    searched = [text for text in options if not text.startswith("--")]
    given = [text for text in options if text.startswith("--")]
    sweep = Sweep(
        parse(
            [
                *given,
                *SEARCH,
                *searched,
                "--name=new",
                "--data=train-*.tar",
                "--objective=samples/spread",
                "--monitoring.measure-images=500",
            ]
        )
    )
    sweep.settle_length(1_000, 64, None, exact=not searched)
    told = capsys.readouterr().out.splitlines()
    assert told[:1] + [line for line in told if "too short" in line] == lines
    assert (sweep.options.settings.images, sweep.base.images, sweep.total) == (images, images, images)


def test_a_sweep_has_one_keep_list_which_its_trials_do_not_look_for(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ShardWriter(Place(str(tmp_path)), "train", 5) as writer:
        for number in range(7):
            writer.add(f"not looked at: {number}".encode())
    index, file = concatenate(writer.written), Place(str(tmp_path / "keep.parquet"))
    keep_list.write(file, index, np.array([0, 0, 2, 3, 4, 5, 5]))
    given = ["--images=20000", "--objective=samples/spread", "--monitoring.measure-images=100", *SEARCH]
    given += ["--data=train-*.tar", "--data.keep=keep.parquet", "--name=new"]
    sweep = Sweep(parse(given))
    assert sweep.base.data.keep == file.address, "drivers of trials work in other folders"
    assert sweep.keep is not None
    assert len(sweep.keep.apply(index)) == 5
    status, _, errors = call(main, *given[:-1], "--name=other", "--search", "data.keep=choice(a,b)")
    assert (status, "data.keep" in errors) == (2, True), errors
    # As a sweep that was started with it leaves its record.
    plan = sweep.options.plan() | {"total_images": 20_000, "compared": {}}
    sweep.folder.write_plan(plan | {"keep_sha256": sweep.keep.sha256}, to_yaml(sweep.options.settings))
    assert Sweep(parse(["--resume=new"])).keep is not None
    keep_list.write(file, index, np.array([0, 0, 2, 3, 4, 5, 6]))
    status, _, errors = call(main, "--resume=new")
    assert status == 2
    assert f"the content of the keep-list {file} has changed since {tmp_path}/runs/new was started" in errors


def test_a_sweep_that_is_there_is_not_overwritten_nor_changed(call: Any, tmp_path: Path) -> None:
    (tmp_path / "runs" / "old").mkdir(parents=True)
    (tmp_path / "runs" / "old" / "notes").write_text("mine")
    status, _, errors = call(main, "--name=old", *SEARCH)
    assert status == 2
    assert "exists: resume it with --resume old, or choose another name" in errors
    status, _, errors = call(main, "--resume=old", "--lr=1e-3")
    assert status == 2
    assert "--lr cannot be given for a sweep that exists" in errors
