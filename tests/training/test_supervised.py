"""Runs that are trained on labels: what they leave, how they go on, and how wrong ones are refused."""

import json
import os
import re
import shlex
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.errors import CheckpointError, DataError, DcganDistError, TrainingError
from dcgan_dist.evaluation.labels import TOTAL_STEPS, learning_of, open_task, read_labeled
from dcgan_dist.evaluation.probe import accuracy
from dcgan_dist.model.classification import LabelLearner
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.run_folder.attempts import workers_of
from dcgan_dist.run_folder.checkpoint import load_checkpoint, named_checkpoint
from dcgan_dist.run_folder.record import read_record
from dcgan_dist.settings import (
    MonitoringSettings,
    NetworkSettings,
    OptimizationSettings,
    Settings,
    SupervisedSettings,
    WorkerSettings,
    to_yaml,
)
from dcgan_dist.storage import place
from dcgan_dist.training.launch import RunDone, SharedBySweep
from dcgan_dist.training.options import TrainOptions
from dcgan_dist.training.supervised import SupervisedLaunch, describe_supervised, judged_line, next_line

SETTINGS = Settings(
    images=252,
    seed=6,
    networks=NetworkSettings(image_size=16, discriminator_maps=4),
    optimization=OptimizationSettings(batch_size=12, lr=2e-3, precision="fp32"),
    monitoring=MonitoringSettings(steps=4),
    workers=WorkerSettings(threads=1),
    supervised=SupervisedSettings(task="rooms", per_class=3, dropout=0.2),
)
"""21 steps, judged after the 2nd, 4th, 7th, 9th, 11th, 14th, 16th, 18th and last."""


def launch(
    folder: Path,
    name: str,
    resume: bool = False,
    settings: Settings = SETTINGS,
    on_scalars: Callable[[int, Mapping[str, float]], None] = lambda images, values: None,
) -> SupervisedLaunch:
    settings = replace(settings, name=name, storage=str(folder))
    return SupervisedLaunch(TrainOptions(resume=name if resume else "", settings=settings), on_scalars=on_scalars)


def train(made: SupervisedLaunch) -> int:
    made.preflight()
    made.open_data()
    return made.train()


@pytest.fixture(scope="module")
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(2)


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_a_run_that_is_stopped_goes_on_bit_for_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = launch(tmp_path, "whole")
    assert train(whole) == 0
    told = capsys.readouterr().out
    assert "length: 252 images, 10.5 passes over the 24 labeled ones of rooms" in told
    lines = told.splitlines()
    points = [line for point in read_points(whole.run) for line in judged_line(point["images"], point["values"])]
    assert [line for line in lines if line.startswith("after ")] == points
    assert [line.split(":")[0] for line in points] == [
        f"after {12 * step} images" for step in (2, 4, 7, 9, 11, 14, 16, 18, 21)
    ]
    assert any(
        re.match(r"images \d+ of 252 \(\d+ %\)  epoch [\d.]+  loss \d\.\d\d  [\d,]+ images/s", line) for line in lines
    )
    assert "supervised/" not in told
    assert lines[-4:-2] == [f"run          {whole.run}", f"checkpoint   {whole.run}/checkpoints/000000000252"]
    assert "tensorboard --logdir" in lines[-2]
    assert lines[-1] == next_line(whole.run, whole.settings)

    def stop(images: int, values: Mapping[str, float]) -> None:
        if images >= 96:
            os.kill(os.getpid(), signal.SIGTERM)

    assert train(launch(tmp_path, "broken", on_scalars=stop)) == 128 + signal.SIGTERM
    assert "stopping: a checkpoint is written first; interrupt again to stop at once\n" in capsys.readouterr().out
    broken = whole.run.parent / "broken"
    assert read_record(broken)["status"] == "stopped"
    assert load_checkpoint(broken).step == 8
    assert train(launch(tmp_path, "broken", resume=True)) == 0
    for run in (whole.run, broken):
        record = read_record(run)
        assert (record["status"], record["step"], record["updates"]) == (
            "finished",
            21,
            {"generator": 0, "discriminator": 21},
        )
    assert {number: [worker["device"] for worker in there] for number, there in workers_of(broken).items()} == {
        1: ["cpu, 1 thread"],
        2: ["cpu, 1 thread"],
    }
    one, two = (load_checkpoint(run).state for run in (whole.run, broken))
    assert one[TOTAL_STEPS] == 21
    for name, value in one["network"].items():
        assert torch.equal(value, two["network"][name]), name
    judged = [
        {
            point["step"]: point["values"]["supervised/held_out_accuracy"]
            for point in read_points(run)
            if "supervised/held_out_accuracy" in point["values"]
        }
        for run in (whole.run, broken)
    ]
    assert list(judged[0]) == [2, 4, 7, 9, 11, 14, 16, 18, 21]
    assert judged[0] == judged[1]
    # All of it is what the learner in this process finds.
    labeled = read_labeled(open_task(SETTINGS), 12)
    learner = LabelLearner(
        learning_of(SETTINGS, 21), labeled.images, labeled.labels, labeled.classes, torch.device("cpu")
    )
    learner.train_to(9)
    counts = learner.frozen(128).confusion(
        labeled.held_out, labeled.held_out_labels, labeled.classes, torch.device("cpu")
    )
    assert judged[0][9] == pytest.approx(accuracy(counts), abs=0.02)  # threads may add up in another order
    with pytest.raises(RunDone, match="is finished: it has seen 252 images"):
        train(launch(tmp_path, "broken", resume=True))
    with pytest.raises(CheckpointError, match="was trained on the labels of rooms, so it has no generator and no"):
        named_checkpoint(whole.run, "latest")


def test_a_judgement_is_told_in_percent() -> None:
    assert judged_line(12_800, {"supervised/loss": 1.5, "supervised/held_out_accuracy": 0.4567}) == [
        "after 12,800 images: 45.7 % of the held-out images right"
    ]
    assert judged_line(12_800, {"supervised/loss": 1.5}) == []


@pytest.mark.parametrize(("begin_with", "features"), [("", "supervised"), ("/runs/gan", "finetuned")])
def test_what_is_next_is_the_test_of_such_a_network(begin_with: str, features: str, tmp_path: Path) -> None:
    supervised = replace(SETTINGS.supervised, task="cifar10=/data/c 10", begin_with=begin_with)
    line = next_line(place(str(tmp_path / "one")), replace(SETTINGS, supervised=supervised))
    assert line.startswith("evaluate     ")
    given = [str(tmp_path / "one"), "--tasks", "cifar10=/data/c 10", "--features", features]
    assert shlex.split(line)[-5:] == given


@pytest.mark.parametrize(
    ("images", "told"), [(24, "24 images, 1 pass over the 24"), (60, "60 images, 2.5 passes over the 24")]
)
def test_the_length_is_told_in_passes(images: int, told: str) -> None:
    labeled = read_labeled(open_task(SETTINGS), 12)
    assert f"length: {told} labeled ones of rooms, in 8 classes; judged on 60 " in describe_supervised(labeled, images)


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_the_time_limit_stops_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    made = launch(tmp_path, "timed", settings=replace(SETTINGS, images=12_000_000, minutes=0.01))
    assert train(made) == 0
    record = read_record(made.run)
    assert record["status"] == "stopped"
    assert 0 < load_checkpoint(made.run).step == record["step"] < 1_000_000


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
def test_a_network_that_diverges_ends_the_run(tmp_path: Path) -> None:
    wild = replace(SETTINGS, optimization=replace(SETTINGS.optimization, lr=1e30))
    made = launch(tmp_path, "wild", settings=wild)
    with pytest.raises(TrainingError, match=r"the loss is not finite after .* images: .* give a smaller --lr"):
        train(made)
    assert read_record(made.run)["status"] == "failed"
    assert (
        json.loads((tmp_path / "wild" / "metrics.jsonl").read_text().splitlines()[-1])["values"]["supervised/loss"]
        is None
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"init_from": "gan"}, "--init-from is gan but .* give --supervised.begin-with gan"),
        ({"length_of": "cifar32"}, "the length of preset cifar32 is that of a DCGAN: give --epochs"),
        ({"resume": "other"}, "was trained with optimization.lr 0.002 and cannot be resumed with 0.003"),
        ({}, "name is taken but .*taken exists: resume it with --resume taken"),
    ],
)
def test_wrong_runs_get_one_sentence(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    name = options.get("resume", "taken")
    settings = replace(SETTINGS, name=name, storage=str(tmp_path))
    (tmp_path / name).mkdir()
    (tmp_path / name / "settings.yaml").write_text(to_yaml(settings))
    if "resume" in options:
        settings = replace(settings, optimization=replace(settings.optimization, lr=3e-3))
    with pytest.raises(DcganDistError, match=told) as raised:
        SupervisedLaunch(TrainOptions(settings=settings, **options))
    assert "\n" not in str(raised.value)


def test_a_run_is_not_resumed_on_other_labeled_images(tmp_path: Path) -> None:
    labeled = read_labeled(open_task(SETTINGS), 12)
    settings = replace(SETTINGS, name="mine", storage=str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "settings.yaml").write_text(to_yaml(settings))
    for sha256 in (labeled.sha256, replace(labeled, labels=labeled.labels[::-1].copy()).sha256):
        (tmp_path / "mine" / "run.json").write_text(json.dumps({"labeled_sha256": sha256}))
        made = SupervisedLaunch(TrainOptions(settings=settings, resume="mine"))
        if sha256 == labeled.sha256:
            made.open_data()
        else:
            with pytest.raises(DataError, match=r"labeled images of rooms are not those that .*mine was trained on"):
                made.open_data()


def test_a_trial_is_judged_where_the_sweep_compares(tmp_path: Path) -> None:
    labeled = read_labeled(open_task(SETTINGS), 12)
    settings = replace(SETTINGS, name="000", storage=str(tmp_path))
    made = SupervisedLaunch(TrainOptions(settings=settings), SharedBySweep(labeled=labeled, evaluated_at=(28, 84, 252)))
    made.open_data()
    assert made._judged() == {3, 7, 21}
    assert np.bincount(made.labeled.labels).tolist() == [3] * 8
