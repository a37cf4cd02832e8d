"""The command as a user gives it: the whole way on real input, and one sentence for each wrong input."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
import pytest
import ray
import simplejpeg
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dcgan_dist.train
import dcgan_dist.training.launch
import dcgan_dist.training.speed
from dcgan_dist import api
from dcgan_dist.data import keep_list
from dcgan_dist.data.image_decoding import gray
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming.plan import SEQUENCE
from dcgan_dist.data.streaming.source import dataset_name
from dcgan_dist.errors import CheckpointError, ClusterError, DataError, DcganDistError, SettingsError
from dcgan_dist.evaluation.service.job import ProbeJob
from dcgan_dist.monitoring.metric_names import describe
from dcgan_dist.monitoring.sinks.curves import read_points
from dcgan_dist.monitoring.sinks.terminal import Progress
from dcgan_dist.report import main as report
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import load_checkpoint
from dcgan_dist.run_folder.driver_lock import LOCK_FILE, require_no_driver, sole_driver
from dcgan_dist.run_folder.trained_on import contents
from dcgan_dist.settings import Settings, from_yaml, scenes32
from dcgan_dist.storage import JOB_FOLDER, Place, place
from dcgan_dist.train import main
from dcgan_dist.training import worker_group
from dcgan_dist.training.launch import Launch, SharedBySweep, open_tasks
from dcgan_dist.training.options import TrainOptions, parse
from dcgan_dist.training.supervisor import Supervisor

pytestmark = pytest.mark.ray

BEGINNING = (
    "joining the Ray cluster at ",
    "cluster: ",
    "starting 2 workers",
    "workers are up, networks are built",
    "2 workers: ranks 0 to 1 on ",
    "the first images are read",
    "training begins, after ",
)
"""What is said before the first step, which takes half a minute on a slow machine."""
TINY = [
    "--batch-size=16",
    "--networks.image-size=16",
    "--networks.generator-maps=4",
    "--networks.discriminator-maps=4",
    "--workers.threads=1",
    "--data.window=64",
]


@pytest.fixture(scope="module", autouse=True)
def cluster(start_ray: Callable[[int], None]) -> Iterator[None]:
    """A standing cluster with 4 CPUs, which the commands join: quicker than a cluster for each."""
    with pytest.MonkeyPatch.context() as changed:
        # Machines of a cluster bring credentials of their own.
        changed.setenv("AWS_ACCESS_KEY_ID", "test")
        changed.setenv("AWS_SECRET_ACCESS_KEY", "test")
        start_ray(4)
        changed.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
        changed.setenv("PYTHONWARNINGS", "ignore")
        yield


def command(folder: Path, *arguments: str) -> tuple[int, str]:
    """The command's status and output, given in that folder."""
    process = subprocess.run(
        [sys.executable, "-m", "dcgan_dist.train", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    return process.returncode, process.stdout


def command_here(folder: Path, *arguments: str) -> tuple[int, str]:
    told = io.StringIO()
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ),
        patch.object(dcgan_dist.train, "connected", lambda address, cpus: contextlib.nullcontext()),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(told),
    ):
        status = main(arguments)
    return status, told.getvalue()


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """`train(*ARGUMENTS)` is the command with a process of its own, given in the test's folder."""
    return partial(command, tmp_path)


@pytest.fixture
def train_here(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """The command in this process, which is connected already: some five seconds less."""
    return partial(command_here, tmp_path)


@pytest.fixture(scope="module")
def first_run(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with shards in `data` and the run `runs/first` of 160 images on them; copy it before you change it."""
    folder = tmp_path_factory.mktemp("first")
    shards(folder / "data")
    status, output = command_here(folder, *TINY, "--data=data", "--images=160", "--name=first")
    assert status == 0, output
    return folder


@pytest.fixture
def after_first_run(first_run: Path, tmp_path: Path) -> None:
    """The test's folder is a copy of that one."""
    shutil.copytree(first_run, tmp_path, dirs_exist_ok=True)


def jpeg(number: int) -> bytes:
    picture = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
    return simplejpeg.encode_jpeg(picture, quality=90)


def bomb() -> bytes:
    """A PNG of a few bytes that declares 40,000 x 40,000 pixels."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(bytes(1_000))) + part(b"IEND", b"")
    )


def shards(folder: Path, images: int = 128, special: dict[int, tuple[str, bytes]] | None = None) -> str:
    with ShardWriter(Place(str(folder)), "train", 50) as writer:
        for number in range(images):
            suffix, data = (special or {}).get(number, ("jpg", jpeg(number)))
            writer.add(data, suffix=suffix)
    return str(folder)


def keep_all_but(left_out: Sequence[int], folders: str, file: Path, *, kept: int = 1) -> str:
    """Write a keep-list of the shards in some folders, in which one image is kept in stead of others; its SHA-256."""
    index = concatenate([index_shard(shard) for shard in expand(folders)])
    instead = np.arange(len(index))
    instead[list(left_out)] = kept
    return keep_list.write(place(str(file)), index, instead)


def one_sentence(output: str) -> str:
    """The last line, which is the only one that tells of an error."""
    lines = output.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert errors == lines[-1:], output
    assert "Traceback" not in output
    return errors[0]


def test_a_run_leaves_what_it_promises(train: Any, tmp_path: Path) -> None:
    status, output = train(
        *TINY,
        f"--data={shards(tmp_path / 'data')}",
        "--images=640",
        "--name=whole",
        "--workers=2",
        "--monitoring.samples-images=320",
        "--monitoring.measure-images=160",
        "--monitoring.steps=5",
    )
    assert status == 0, output
    run = tmp_path / "runs" / "whole"
    assert {path.name for path in run.iterdir()} == {
        "attempts", "checkpoints", LOCK_FILE, "metrics.jsonl", "run.json", "samples", "settings.yaml", "tensorboard",
        "workers",
    }  # fmt: skip
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["images"], record["step"]) == ("finished", 640, 40)
    assert record["preset"] == "scenes32"
    assert record["sequence"] == SEQUENCE
    assert record["updates"] == {"generator": 40, "discriminator": 40}
    assert sorted(path.name for path in (run / "samples").iterdir()) == [
        "000000320-raw.png", "000000640-raw.png", "walk-000000640-raw.png"
    ]  # fmt: skip
    with Image.open(run / "samples" / "000000640-raw.png") as picture:
        assert picture.size == (6 * (8 * 18 - 2), 6 * (8 * 18 - 2))
    points = read_points(Place(str(run)))
    assert [point["step"] for point in points] == list(range(5, 41, 5))
    names = {
        "loss/discriminator", "loss/generator", "score/real", "score/generated_before", "score/generated_after",
        "gradient/discriminator", "gradient/generator", "speed/images_per_second", "speed/wait_share",
        "data/bad_images",
    }  # fmt: skip
    # Samples are measured every 160 images, which are 10 steps; the first time there is nothing to have drifted from.
    both = {"samples/spread", "samples/drift"}
    measures = {10: {"samples/spread"}, 20: both, 30: both, 40: both}
    assert all(set(point["values"]) == names | measures.get(point["step"], set()) for point in points)
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    tags = board.Tags()
    assert set(tags["scalars"]) == names | both
    assert set(tags["images"]) == {"samples/raw", "walk/raw"}
    assert [tag for tag in tags["scalars"] + tags["images"] if not describe(tag)] == []
    assert len(list((run / "checkpoints").iterdir())) == 4
    lines = [line for line in output.splitlines() if line.startswith(BEGINNING)]
    assert [line[: len(start)] for line, start in zip(lines, BEGINNING, strict=True)] == list(BEGINNING)
    for told in (
        "cluster: 1 node with 4 CPUs",
        "2 workers: ",
        "images 640 of 640 (100 %)",
        "tensorboard --logdir",
    ):
        assert told in output, told


def test_settings_and_preflight_can_be_looked_at_before(train: Any, tmp_path: Path) -> None:
    data = shards(tmp_path / "data")
    with ShardWriter(Place(data), "test", 50) as writer:
        writer.add(jpeg(500))
    status, output = train(*TINY, f"--data={data}/*.tar", "--dry-run", "--name=dry", "--minutes=0.02")
    assert status == 0, output
    assert (
        "warning: the data includes shards of test besides those of train, so the run cannot be evaluated on" in output
    )
    assert "batch_size: 16" in output
    assert "cluster: 1 node with 4 CPUs and 0 GPUs; the run takes 1 worker with 1 CPU" in output
    # A length that nobody gave is shown as it follows from the data, also among the settings. Nobody has indexed these
    # shards, of 50, 50, 28 images and one: their number is a guess.
    (about,) = re.findall(
        r"length: 60,000 images, [\d.,]+ passes over (\d+), 3,750 updates of G, if the other shards are like", output
    )
    assert abs(int(about) - 129) < 15
    assert "images: 60000" in output
    assert re.search(
        r"expected: [\d.,]+ images/s \(steps of 16 images on CPU, without data\), stops after 1 s, at about [\d,]+ of "
        r"60,000 images; ",
        output,
    )
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Ctrl-C for this process, also where tests run in the background and SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield partial(os.kill, os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_data_is_drawn_leaves_no_run_and_no_half_of_the_data(
    train_here: Any, ctrl_c: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(self: object, what: str, done: int, total: int) -> None:
        assert what == "drawing 300 rooms"
        ctrl_c()

    monkeypatch.setattr(Progress, "__call__", drawn)
    status, output = train_here(*TINY, "--data.scenes-images=300", "--images=160", "--name=drawn")
    assert status == 130, output
    assert output.splitlines()[-1] == (
        "stopped before training began; nothing was saved, and the same command starts the run again"
    )
    assert "Traceback" not in output
    assert not (tmp_path / "runs" / "drawn").exists()
    assert list((tmp_path / "runs").rglob("dataset.json")) == []


def test_ctrl_c_twice_is_a_wish_and_no_failure(
    train_here: Any, ctrl_c: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: Supervisor) -> None:
        with self._on_signals():
            ctrl_c()
            assert self.signal == signal.SIGINT, "the first one asks for a checkpoint"
            ctrl_c()
        raise AssertionError("the second one leaves at once")

    monkeypatch.setattr(Supervisor, "run", run)
    status, output = train_here(*TINY, f"--data={shards(tmp_path / 'data')}", "--images=160", "--name=twice")
    assert status == 130, output
    assert (
        "stopped before the first checkpoint: --resume twice starts training from the beginning" in output.splitlines()
    )
    assert ("failed" in output, "Traceback" in output) == (False, False)
    assert json.loads((tmp_path / "runs" / "twice" / "run.json").read_text())["status"] == "stopped"


def test_a_dry_run_whose_step_fails_is_a_failure(
    train_here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dcgan_dist.training.speed, "measure_speed", fails)
    status, output = train_here(*TINY, f"--data={shards(tmp_path / 'data')}", "--dry-run", "--name=dry")
    assert status == 1, output
    assert one_sentence(output) == (
        "error: a step with these settings fails, as it would in the run: ZeroDivisionError"
    )


@pytest.mark.parametrize(
    ("length", "steps", "told"),
    [
        ([], 12_500, "length: 200,000 images, 1.56e+03 passes over 128, 6,250 updates of G"),
        (["--images=161"], 11, "warning: the run is too short to learn: it has 6 updates of G"),
        (["--epochs=0.5"], 4, "warning: the run is too short to learn: it has 2 updates of G"),
    ],
)
def test_the_length_follows_from_the_pictures_where_nobody_gives_one(
    length: list[str],
    steps: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shards(tmp_path / "data")
    launch = Launch(parse([*TINY, "--preset=lsun64", "--data=data", "--name=own", "--lr=1e9", *length]))
    launch.preflight()
    launch.open_data()
    assert launch.total_steps == steps
    # What is written down is the length itself, so that the run goes on with it.
    assert launch.settings.images == (200_000 if not length else parse([*TINY, *length]).settings.images)
    output = capsys.readouterr().out
    for line in (told, "warning: the data set has only 128 images", "warning: optimization.lr is 1e+09"):
        assert line in output


@pytest.mark.usefixtures("after_first_run")
def test_a_run_has_a_report(call: Any, tmp_path: Path) -> None:
    status, _, errors = call(report, "first")
    assert (status, errors) == (0, "")
    (run,) = json.loads((tmp_path / "runs" / "first" / "report.json").read_text())["runs"]
    assert (run["state"]["value"], run["overview"][0]["value"]) == ("finished", 160)
    assert [fact["name"] for fact in run["machines"]] == [socket.gethostname()]
    assert run["settings"]["preset"] == "scenes32"
    assert {fact["name"]: fact["value"] for fact in run["data"]}["Images of the data"] == 128


@pytest.mark.usefixtures("after_first_run")
def test_networks_of_another_run_are_a_beginning(train_here: Any, first_run: Path, tmp_path: Path) -> None:
    # Nothing is learnt at such a rate, so what comes out is what went in.
    more = ["--data=other", "--init-from=runs/first"]
    shards(tmp_path / "other", images=40)
    status, output = train_here(*TINY, *more, "--images=16", "--name=second", "--lr=1e-30")
    assert status == 0, output
    states = [
        torch.load(tmp_path / "runs" / name / "checkpoints" / images / "state.pt", weights_only=True)
        for name, images in (("first", "000000000160"), ("second", "000000000016"))
    ]
    assert torch.equal(
        states[0]["generator"]["layers.0.linear.weight"], states[1]["generator"]["layers.0.linear.weight"]
    )
    status, output = train_here(*TINY, *more, "--name=third", "--networks.generator-maps=5")
    assert status == 2
    assert "do not fit: networks.generator_maps is 4 there and 5 here; give --networks.generator-maps 4" in output
    assert one_sentence(output).startswith("error: the networks of ")
    record = json.loads((tmp_path / "runs" / "second" / "run.json").read_text())
    assert record["init_from"] == f"{tmp_path}/runs/first/checkpoints/000000000160"
    # Its networks have seen the images of both runs; the folders stand there by their whole addresses.
    data = [f"{first_run}/data/train-{number:06}.tar" for number in range(3)]
    assert record["trained_on"] == {
        "shards": contents([f"{tmp_path}/other/train-000000.tar"]),
        "before": contents(data),
    }


@pytest.mark.usefixtures("after_first_run")
def test_a_run_without_a_checkpoint_begins_again_with_the_networks_that_it_began_with(tmp_path: Path) -> None:
    run, first = tmp_path / "runs" / "second", tmp_path / "runs" / "first"
    run.mkdir()
    text = (first / "settings.yaml").read_text()
    (run / "settings.yaml").write_text(text.replace("name: first", "name: second"))
    begun_with = f"{first}/checkpoints/000000000160"
    (run / "run.json").write_text(json.dumps({"init_from": begun_with, "sequence": SEQUENCE}))
    with contextlib.chdir(tmp_path):
        assert Launch(parse(["--resume=second"])).init_from == (place("runs/first"), "000000000160")
        assert Launch(parse(["--resume=second", "--init-from=first"])).init_from is not None
        shutil.copytree(first, tmp_path / "runs" / "third")
        with pytest.raises(
            DcganDistError, match=r"was started with the networks of .*/first/.*: leave --init-from out"
        ):
            Launch(parse(["--resume=second", "--init-from=third"]))
        with pytest.raises(DcganDistError, match="was started with newly initialized networks: leave --init-from out"):
            Launch(parse(["--resume=third", "--init-from=first", "--images=320"]))
        # What it began with may be gone once it has a checkpoint of its own.
        shutil.copytree(first / "checkpoints", run / "checkpoints")
        shutil.rmtree(first)
        assert Launch(parse(["--resume=second"])).init_from is None


@pytest.mark.usefixtures("after_first_run")
def test_one_line_for_job_managers_leaves_a_run_that_is_done(call: Any, train_here: Any, tmp_path: Path) -> None:
    line = [*TINY, "--data=data", "--name=first", "--resume"]
    before = (tmp_path / "runs" / "first" / "run.json").read_bytes()
    assert call(main, *line, "--images=160") == (0, f"{tmp_path}/runs/first is finished\n", "")
    status, output = train_here(*line, "--images=100")
    assert (status, output.splitlines()[-1]) == (0, f"{tmp_path}/runs/first is finished: it has seen 160 images")
    # From Python too, a script that was run to its end can be run again.
    text = (tmp_path / "runs" / "first" / "settings.yaml").read_text()
    joined = patch("dcgan_dist.cluster.connect.connected", lambda address, cpus: contextlib.nullcontext())
    with contextlib.chdir(tmp_path), joined, patch.dict(os.environ):
        assert api.train(replace(from_yaml(text, "first"), storage="runs"), resume=True) == f"{tmp_path}/runs/first"
    assert (tmp_path / "runs" / "first" / "run.json").read_bytes() == before


@pytest.mark.usefixtures("after_first_run")
def test_data_that_is_named_from_another_folder_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    options = parse([f"--resume={tmp_path}/runs/first", "--images=320"])
    relative = r"elsewhere/data.*; data.path is data, relative to the folder that the run was started in: go there$"
    with contextlib.chdir(tmp_path / "elsewhere"), pytest.raises(DataError, match=relative):
        Launch(options)
    with contextlib.chdir(tmp_path / "elsewhere"), pytest.raises(DataError) as caught:
        Launch(parse(["--data=nowhere", "--name=new"]))
    assert "relative" not in str(caught.value)


@pytest.mark.usefixtures("after_first_run")
def test_a_run_has_one_driver_at_a_time(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = place(str(tmp_path / "runs" / "first"))
    with sole_driver(run):
        status, output, errors = call(main, "--resume=first", "--images=320")
        assert (status, output) == (2, "")
        assert f"{run} is in use by process {os.getpid()} on" in one_sentence(errors)
        with contextlib.chdir(tmp_path):
            Launch(parse(["--resume=first", "--images=320", "--dry-run"]))
    with contextlib.chdir(tmp_path):
        late = Launch(parse(["--resume=first", "--images=320"]))
        new = Launch(parse(["--data=data", "--name=new"]))
    with sole_driver(run), pytest.raises(CheckpointError, match="first is in use by"):
        late.train()
    # It is its driver before Ray starts, which takes seconds.
    refused = []

    def connect(address: str, cpus: float) -> None:
        with pytest.raises(CheckpointError) as caught:
            require_no_driver(run)
        refused.append(caught.value)
        raise ClusterError("no Ray today")

    monkeypatch.setattr(dcgan_dist.train, "connected", connect)
    assert call(main, "--resume=first", "--images=320")[0] == 2
    assert len(refused) == 1
    require_no_driver(run)
    # Both were found to be free; then somebody else was faster.
    (tmp_path / "runs" / "new").mkdir()
    (tmp_path / "runs" / "new" / "settings.yaml").write_text("theirs")
    with pytest.raises(SettingsError, match=r"name is new but .*runs/new exists: resume it with --resume new, or"):
        new.train()
    assert (tmp_path / "runs" / "new" / "settings.yaml").read_text() == "theirs"
    # Killed between its lock and its first file, a run is still a new one.
    (tmp_path / "runs" / "locked").mkdir()
    (tmp_path / "runs" / "locked" / LOCK_FILE).touch()
    with contextlib.chdir(tmp_path):
        Launch(parse(["--data=data", "--name=locked", "--resume"]))


@pytest.mark.usefixtures("after_first_run")
def test_a_run_that_is_resumed_goes_on_from_its_checkpoint(train_here: Any, tmp_path: Path) -> None:
    """That it ends as if it had never been stopped is shown by test_resume.py."""
    status, output = train_here("--resume=first", "--images=208")
    assert status == 0, output
    assert "resuming from checkpoint 000000000160 at 160 images (step 10;" in output
    run = tmp_path / "runs" / "first"
    begun = attempts(place(str(run)))
    assert [(attempt.number, attempt.checkpoint, attempt.step) for attempt in begun] == [
        (1, None, 0),
        (2, "000000000160", 10),
    ]
    record = json.loads((run / "run.json").read_text())
    assert (record["status"], record["images"], record["step"]) == ("finished", 208, 13)
    assert record["preset"] == "scenes32"  # that it began with
    assert torch.load(run / "checkpoints" / "000000000208" / "state.pt", weights_only=True)["step"] == 13


def test_the_original_gan_begins_with_the_mean_image_and_is_resumed_bit_for_bit(
    train_here: Any, tmp_path: Path
) -> None:
    """Its masks of dropout, momentum and rates come from the step; the mean only where a run begins."""
    shards(tmp_path / "data")
    given = ["--preset=original28", *TINY, "--data=data", "--optimization.precision=fp32", "--checkpoints.images=48"]
    status, output = train_here(*given, "--images=96", "--name=run")
    assert status == 0, output
    assert "taking the mean of the images, with which G begins" in output
    run = Place(str(tmp_path / "runs" / "run"))
    whole = load_checkpoint(run).state
    # As a run that was killed after half of its steps.
    for name in ("000000000080", "000000000096"):
        shutil.rmtree(tmp_path / "runs" / "run" / "checkpoints" / name)
    status, output = train_here("--resume=run")
    assert (status, "taking the mean" in output) == (0, False), output
    assert [(attempt.checkpoint, attempt.step) for attempt in attempts(run)] == [(None, 0), ("000000000048", 3)]
    parts = load_checkpoint(run).state
    assert parts["step"] == whole["step"] == 6
    for network in ("generator", "discriminator"):
        for name, weight in whole[network].items():
            assert torch.equal(parts[network][name], weight), name
        for number, moments in whole[f"{network}_optimizer"].items():
            assert torch.equal(parts[f"{network}_optimizer"][number]["velocity"], moments["velocity"])
    pixels = np.stack([simplejpeg.decode_jpeg(jpeg(number)) for number in range(128)])
    mean = torch.from_numpy(gray(pixels).astype(np.float32).mean((0, 3)).flatten() / 255)
    # Six steps with the published weights of D hardly move it.
    torch.testing.assert_close(whole["generator"]["output.bias"].sigmoid(), mean, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("after_first_run")
def test_a_run_is_not_resumed_on_other_images(train_here: Any, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data")
    shards(tmp_path / "data", images=127)
    status, output = train_here("--resume=first", "--images=320")
    assert status == 2
    assert "are not those that" in one_sentence(output)


def test_a_run_sees_what_its_keep_list_keeps_and_is_resumed_with_no_other(
    train_here: Any, call: Any, tmp_path: Path
) -> None:
    left_out = [0, 3, *range(60, 95)]
    # It would end at once if it met any of these.
    shards(tmp_path / "twice", special=dict.fromkeys(left_out, ("jpg", b"\xff\xd8 torn")))
    keep, copy = tmp_path / "keep.parquet", tmp_path / "copy.parquet"
    digest = keep_all_but(left_out, f"{tmp_path}/twice", keep)
    status, output = train_here(*TINY, "--data=twice", "--data.keep=keep.parquet", "--images=192", "--name=kept")
    assert status == 0, output
    assert f"keep-list: {keep} leaves out 37 of 128 images\n" in output
    assert "passes over 91" in output
    run = tmp_path / "runs" / "kept"
    record = json.loads((run / "run.json").read_text())
    wanted = {"file": str(keep), "sha256": digest}
    assert (record["epoch_images"], record["trained_on"]["keep"]) == (91, wanted)
    assert json.loads((run / "checkpoints" / "000000000192" / "MANIFEST.json").read_text())["keep"] == wanted
    assert sum(point.get("data/bad_images") or 0 for point in read_points(place(str(run)))) == 0
    # What is kept in the storage is of all images, whatever other runs leave out.
    (kept,) = (tmp_path / "runs" / "indexes").iterdir()
    assert len(Index.load(place(str(kept)))) == 128

    keep.rename(copy)
    gone = call(main, "--resume=kept", "--images=256")[2]
    assert f"there is no keep-list {keep}: name the file that de-duplication wrote" in one_sentence(gone)
    keep_all_but([*left_out, 100], f"{tmp_path}/twice", keep)
    status, _, errors = call(main, "--resume=kept", "--images=256")
    assert (status, f"resumed with {keep}, whose content differs: give that file" in one_sentence(errors)) == (2, True)
    status, _, errors = call(main, "--resume=kept", "--images=256", "--data.keep=")
    assert (status, "cannot be resumed without one: give that file" in one_sentence(errors)) == (2, True)

    status, output = train_here("--resume=kept", "--images=256", "--data.keep=copy.parquet")
    assert status == 0, output
    assert "resuming from checkpoint 000000000192" in output
    record = json.loads((run / "run.json").read_text())
    assert record["trained_on"]["keep"] == {"file": str(copy), "sha256": digest}


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (lambda record: record.pop("sequence") and json.dumps(record), "was trained on version 1 of the sequence"),
        (lambda record: json.dumps(record)[:-9], "no readable run.json"),
    ],
    ids=["older", "torn"],
)
@pytest.mark.usefixtures("after_first_run")
def test_a_run_is_not_resumed_under_another_sequence(
    record: Callable[[dict[str, Any]], str], sentence: str, call: Any, tmp_path: Path
) -> None:
    """It ends before anything is started or written."""
    run = tmp_path / "runs" / "first"
    changed = record(json.loads((run / "run.json").read_text()))
    (run / "run.json").write_text(changed)
    status, output, errors = call(main, "--resume=first", "--images=320")
    assert (status, output) == (2, "")
    assert sentence in one_sentence(errors)
    assert (run / "run.json").read_text() == changed
    assert len(list((run / "attempts").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data=nowhere/*.tar"], "nowhere"),
        (["--data=empty"], "empty"),
        (["--data=photos", "--dry-run"], "photos holds pictures, such as a.jpg, and no shards: make some of them by"),
        (
            ["--batch-size=2", "--workers=3"],
            "optimization.batch_size is 2 but needs at least 1 image for each of 3 workers",
        ),
        (["--data=data", "--name=first"], "runs/first exists: resume it with --resume first, or choose another name"),
        (["--data=data", "--name=no run"], "runs/no run exists: choose another name"),
        (["--resume=first", "--lr=0.5"], "was trained with optimization.lr 0.0004 and cannot be resumed with 0.5"),
        (["--data=data", "--probe=nobody"], "task nobody needs its data: give --probe nobody=FOLDER"),
        (["--data=data", "--probe=data=data"], "data/test-*.tar matches no shards"),
        (["--data=data", "--probe=neighbours"], "task neighbours evaluates samples, not features"),
        (["--preset=lsun64"], "the environment variable DCGAN_DIST_DATA is not set"),
        (["--data=data", "--workers.address=127.0.0.1:1"], "no Ray cluster answers there"),
        (["--data=data", "--workers.address=ray://127.0.0.1:10001"], "is that of Ray Client, by which no run can be"),
        (["--data=data", "--storage=/etc/passwd"], "--storage is /etc/passwd but /etc/passwd is a file: give another"),
        (["--data=data", "--storage=/proc/runs"], "--storage is /proc/runs but nothing can be written in /proc ("),
        (["--data=data", f"--storage=/tmp/ray/a{JOB_FOLDER}_ray_pkg_0"], "which Ray deletes with all that is in it"),
        (["--data=data", "--data.keep=nowhere.parquet"], "nowhere.parquet: name the file that de-duplication wrote"),
        (["--data=data", "--data.keep=data/train-000001.tar"], "data/train-000001.tar is no keep-list ("),
        (["--data=data", "--data.keep=other.parquet"], "is of a train-000000.tar of "),
        (["--data.keep=other.parquet"], "data.path is scenes, which are drawn and have no keep-list"),
        (["--data=data", "--data.keep=none.parquet"], "none.parquet leaves out all 128 images of"),
        (["--data=data", "--epochs=inf"], "epochs is inf but needs to be a finite number"),
        (["--data=data", "--lr=nan"], "--lr is nan but needs a number"),
        (["--data=data", "--workers.address=http://127.0.0.1:8265"], "takes jobs: give the command to it by ray job"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("after_first_run")
def test_wrong_input_is_told_in_one_sentence_with_status_2(
    arguments: list[str], sentence: str, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg(1))
    shards(tmp_path / "other", images=49)
    keep_all_but([7], f"{tmp_path}/other", tmp_path / "other.parquet")
    keep_all_but(range(128), f"{tmp_path}/data,{tmp_path}/other", tmp_path / "none.parquet", kept=150)
    (tmp_path / "runs" / "no run" / "else").mkdir(parents=True)
    status, output, errors = call(main, *tiny_but(arguments), *arguments)
    assert (status, sentence in one_sentence(output + errors)) == (2, True), output + errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data=no-images/x.tar"], "there is no image in"),
        (["--data=text/x.tar"], "x.tar is not a tar: it begins with b'hello"),
        (
            ["--data=corrupt"],
            "none of 128 images that were tried, the first ones of 3 of 3 shards, can be decoded, for example "
            "train-000000.tar: train-00000000.jpg (cannot be",
        ),
        (
            ["--data=data", "--workers.wait_s=0.1", "--workers=4"],
            "the run needs 5 logical CPUs (4 workers with 1 each, 1 to read data) but",
        ),
        (
            ["--data=data", "--workers.wait_s=0.1", "--workers.gpu=on"],
            "the run needs 1 GPU, one for each worker, but the cluster has 0",
        ),
        (
            ["--data=data", "--networks.classes=2"],
            "networks.classes is 2 but 128 of 128 images have no class, for example ",
        ),
        (["--data=data", "--data.label=hat", "--networks.classes=2"], "but the attributes of the data are: none"),
        (
            ["--networks.classes=8", "--data.scenes-images=48"],
            "with --data.label; those of the data are: bed, window, door, lamp, lamp_lit, night, pictures, brightness",
        ),
        (["--resume=first"], "is finished: it has seen 160 images; give a larger --images"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("after_first_run")
def test_so_is_what_only_the_cluster_and_the_images_show(
    arguments: list[str], sentence: str, train_here: Any, tmp_path: Path
) -> None:
    shards(tmp_path / "corrupt", special=dict.fromkeys(range(128), ("jpg", b"\xff\xd8 torn")))
    for name in ("no-images", "text"):
        (tmp_path / name).mkdir()
    subprocess.run(["tar", "-cf", "no-images/x.tar", "text"], cwd=tmp_path, check=True)
    (tmp_path / "text" / "x.tar").write_text("hello, I am a text\n" * 100)
    status, output = train_here(*tiny_but(arguments), *arguments)
    assert (status, sentence in one_sentence(output)) == (2, True), output


def tiny_but(arguments: list[str]) -> list[str]:
    """Settings of a tiny run, but for those that arguments give, and those of a run or a preset that they name."""
    names = {argument.partition("=")[0] for argument in arguments}
    return [] if names & {"--resume", "--preset"} else [text for text in TINY if text.partition("=")[0] not in names]


BAD = {7: ("png", bomb()), 60: ("jpg", jpeg(60)[:100])}
FEW_BAD = ["--data.max-bad-fraction=0.02"]


@pytest.fixture(scope="module")
def with_bad_images(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with shards in `data` and the run `runs/bad` of 256 images on them, and what it said."""
    folder = tmp_path_factory.mktemp("bad")
    shards(folder / "data", special=BAD)
    status, output = command_here(folder, *TINY, *FEW_BAD, "--data=data", "--images=256", "--name=bad")
    assert status == 0, output
    return folder, output


@pytest.mark.system
def test_bad_images_are_filled_counted_and_named(with_bad_images: tuple[Path, str]) -> None:
    folder, output = with_bad_images
    assert re.search(
        r"could not be decoded and were replaced, the last one is train-00000[01]\.tar: train-0000", output
    )
    assert read_points(Place(str(folder / "runs" / "bad")))[-1]["values"]["data/bad_images"] == 2


@pytest.mark.system
def test_a_run_on_an_object_store_is_the_same(train: Any, s3: Place, with_bad_images: tuple[Path, str]) -> None:
    folder, _ = with_bad_images
    for file in (folder / "data").iterdir():
        (s3 / "data" / file.name).write_bytes(file.read_bytes())
    given = [f"--data={s3}/data/train-*.tar", f"--storage={s3}/runs"]
    status, output = train(*TINY, *FEW_BAD, *given, "--images=256", "--name=bad")
    assert status == 0, output
    remote, local = s3 / "runs" / "bad", Place(str(folder / "runs" / "bad"))
    assert [LOCK_FILE, *remote.names()] == sorted(local.names(), key=lambda name: name != LOCK_FILE)
    states = [
        torch.load(io.BytesIO((run / "checkpoints" / "000000000256" / "state.pt").read_bytes()), weights_only=True)
        for run in (remote, local)
    ]
    for name, weight in states[0]["generator"].items():
        assert torch.equal(weight, states[1]["generator"][name])


@pytest.mark.system
def test_what_is_passed_over_is_told_every_time_and_bad_images_with_the_reason(
    train_here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the index was kept: that of the run comes from the storage."""
    (tmp_path / "data").mkdir()
    gif = io.BytesIO()
    Image.new("RGB", (16, 16)).save(gif, "gif")
    names = {f"clip_{i // 10}.{i % 10}.jpg" if i % 7 == 3 else f"clip{i}.jpg": jpeg(i) for i in range(130)}
    for shard in range(2):
        with tarfile.open(tmp_path / "data" / f"train-{shard:05d}-of-00003.tar", "w") as writer:
            for i, (name, data) in enumerate(names.items()):
                body = gif.getvalue() if (shard, i) == (0, 0) else data
                member = tarfile.TarInfo(f"{shard}{name}")
                member.size = len(body)
                writer.addfile(member, io.BytesIO(body))
    (tmp_path / "data" / "train-00002-of-00003.tar").write_bytes(bytes(10240))
    line = (
        "passed over: 38 members with more than one dot, for example train-00000-of-00003.tar: 0clip_0.3.jpg; 1 shard "
        "without any file, train-00002-of-00003.tar ("
    )
    monkeypatch.chdir(tmp_path)
    launch = Launch(parse([*TINY, "--data=data", "--images=16", "--name=one"]))
    launch.preflight()
    launch.open_data()
    assert capsys.readouterr().out.count(line) == 1
    assert list((tmp_path / "runs" / "indexes").iterdir())
    status, output = train_here(*TINY, "--data=data", "--name=two", "--epochs=1", "--monitoring.audit")
    assert status == 0, output
    assert output.count(line) == 1, output
    assert "the last one is train-00000-of-00003.tar: 0clip0.jpg (cannot be decoded: it is a GIF, and only" in output
    shown = []
    [audit] = (tmp_path / "runs" / "two" / "audit").iterdir()
    for text in audit.read_text().splitlines():
        shown += json.loads(text)["samples"]
    # 222 images in batches of 16: the last batch begins the next epoch.
    assert sorted(shown[:222]) == list(range(222))
    assert len(shown) == 224


@pytest.mark.system
def test_a_run_is_the_same_from_several_coordinators(
    train_here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is stopped and resumed within a chunk: each has four steps here."""
    data, lanes, found = shards(tmp_path / "data"), [1, 3], []
    for number in lanes:
        monkeypatch.setattr(worker_group, "lanes_for", lambda workers, chunk_steps, number=number: number)
        named = Mock(side_effect=dataset_name)
        monkeypatch.setattr(worker_group, "dataset_name", named)
        run = [*TINY, f"--data={data}", "--workers=2", "--monitoring.audit", f"--name=by{number}"]
        for images in (16 * 14, 16 * 45):
            status, output = train_here(*run, f"--images={images}", *(["--resume"] if images > 16 * 14 else []))
            assert status == 0, output
        assert {call.args for call in named.mock_calls} == {(lane,) for lane in range(number)}
        folder = tmp_path / "runs" / f"by{number}"
        seen = {file.name: file.read_text().splitlines() for file in (folder / "audit").iterdir()}
        state = load_checkpoint(place(str(folder))).state
        found.append((seen, {name: state["generator"][name] for name in state["generator"]}))
    (one_seen, one), (several_seen, several) = found
    assert sorted(len(lines) for lines in one_seen.values()) == [14, 14, 31, 31]
    assert several_seen == one_seen
    assert all(torch.equal(several[name], weight) for name, weight in one.items())


@pytest.mark.system
def test_too_many_bad_images_end_the_run_with_their_names(train_here: Any, tmp_path: Path) -> None:
    special = dict.fromkeys(range(0, 128, 8), ("jpg", b"\xff\xd8 torn"))
    status, output = train_here(*TINY, f"--data={shards(tmp_path / 'data', special=special)}", "--images=500000")
    assert status == 1
    told = one_sentence(output)
    assert (
        "of 128 images cannot be decoded, more than data.max_bad_fraction 0.01 allows; the first are train-000000.tar"
        in told
    )


@pytest.mark.system
def test_a_shard_that_vanishes_ends_the_run_with_a_checkpoint_of_its_last_step(train_here: Any, tmp_path: Path) -> None:
    data, run = shards(tmp_path / "data"), tmp_path / "runs" / "torn"

    def begun() -> int:
        """Steps that both ranks have begun. A rank may have data for one more, which it cannot do alone."""
        logs = [log.read_text().splitlines() for log in run.glob("audit/*.jsonl")]
        return min(map(len, logs)) if len(logs) == 2 else 0

    def vanish() -> None:
        while begun() < 8:
            time.sleep(0.1)
        (tmp_path / "data" / "train-000001.tar").unlink()

    thief = threading.Thread(target=vanish, daemon=True)
    thief.start()
    arguments = [*TINY, f"--data={data}", "--data.cache=off", "--workers=2", "--monitoring.audit", "--name=torn"]
    status, output = train_here(*arguments, "--images=100000000")
    assert status == 1
    assert "train-000001.tar is gone" in one_sentence(output)
    assert [int(path.name) for path in (run / "checkpoints").iterdir()] == [begun() * 16]


@pytest.mark.system
def test_a_full_disk_ends_the_run_with_one_sentence(train_here: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        data = shards(tmp_path / "data")
        big = [text for text in TINY if "maps" not in text]
        status, output = train_here(
            *big, f"--data={data}", f"--storage={disk}", "--images=64", "--checkpoints.patience_s=0"
        )
        assert status == 1
        assert "no space left to write" in one_sentence(output)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.system
def test_a_collapse_ends_the_run_where_that_is_wished(train_here: Any, tmp_path: Path) -> None:
    arguments = [*TINY, f"--data={shards(tmp_path / 'data')}", "--images=100000000", "--name=gone", "--lr=1e30"]
    status, output = train_here(*arguments, "--on-collapse=stop")
    assert status == 1
    told = one_sentence(output)
    assert "not a number since 0 images: " in told
    assert "--on-collapse warn" in told
    record = json.loads((tmp_path / "runs" / "gone" / "run.json").read_text())
    assert record["status"] == "failed"
    assert (tmp_path / "runs" / "gone" / "checkpoints").is_dir()


@pytest.mark.system
def test_the_time_limit_ends_a_run_with_a_checkpoint(train_here: Any, tmp_path: Path) -> None:
    arguments = [*TINY, f"--data={shards(tmp_path / 'data')}", "--images=100000000", "--name=long", "--minutes=0.15"]
    status, output = train_here(*arguments)
    assert status == 0, output
    # Days by the images, but it has 9 s; a busy machine may have no line before they are over.
    assert all(re.fullmatch(r"\d s", left) for left in re.findall(r"  (\d+ \w+(?: \d+ \w+)?) left\n", output)), output
    record = json.loads((tmp_path / "runs" / "long" / "run.json").read_text())
    assert record["status"] == "stopped"
    newest = max(path.name for path in (tmp_path / "runs" / "long" / "checkpoints").iterdir())
    assert int(newest) == record["images"] > 0
    # What it had learned by then can be seen.
    assert (tmp_path / "runs" / "long" / "samples" / f"{record['images']:09}-raw.png").is_file()


class FailingEvaluator:
    """Evaluates nothing; `requested`: the checkpoints that it was to evaluate."""

    def __init__(self) -> None:
        self.requested: list[str] = []

    def compute(self, job: ProbeJob, go_on: Callable[[], None]) -> dict[str, Any]:
        self.requested.append(job.checkpoint)
        raise ValueError("no features are left")


def trial(settings: Settings, *, resume: bool) -> tuple[Launch, FailingEvaluator]:
    """A run in this process, as a sweep drives it."""
    evaluator = FailingEvaluator()
    tasks = open_tasks(replace(scenes32(), probe=replace(scenes32().probe, tasks="rooms")), None)
    return Launch(
        TrainOptions(resume=settings.name if resume else "", settings=settings), SharedBySweep(evaluator, tasks)
    ), evaluator


@pytest.mark.system
def test_a_trial_ends_where_its_checkpoints_cannot_be_evaluated(
    with_bad_images: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = with_bad_images
    trained = from_yaml((folder / "runs" / "bad" / "settings.yaml").read_text(), "bad")
    settings = replace(
        trained,
        name="trial",
        images=100_000_000,
        storage=str(tmp_path / "runs"),
        data=replace(trained.data, path=str(folder / "data")),
        checkpoints=replace(scenes32().checkpoints, images=160),
    )
    launch, _ = trial(settings, resume=False)
    launch.preflight()
    launch.open_data()

    def refuse(run: Place) -> None:
        raise DataError("the store is away")

    monkeypatch.setattr(dcgan_dist.training.launch, "newest_manifest", refuse)
    # What it ended with is told also where the store fails at the same time.
    with pytest.raises(DcganDistError, match="its checkpoints cannot be evaluated: no features are left"):
        launch.train()


def test_a_trial_that_is_trained_is_only_evaluated(
    after_first_run: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (tmp_path / "runs" / "first" / "settings.yaml").read_text()
    launch, evaluator = trial(from_yaml(text, "first"), resume=True)
    launch.preflight()
    launch.open_data()
    with pytest.raises(DcganDistError, match="no features are left"):
        launch.train()
    assert evaluator.requested == ["000000000160"]
    assert len(attempts(Place("runs") / "first")) == 1, "nothing was trained"
