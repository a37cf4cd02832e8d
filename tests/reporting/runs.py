"""Runs to report on, written by what writes them in earnest: curves, attempts, checkpoints, probes, a study."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.probe import load
from dcgan_dist.evaluation.service.job import ProbeJob
from dcgan_dist.evaluation.task import Task
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.model.pixels import grid, png
from dcgan_dist.monitoring.sinks.curves import Curves
from dcgan_dist.run_folder.attempts import begin_attempt, workers_file
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.run_folder.trained_on import FIELD, TrainedOn, contents
from dcgan_dist.settings import Settings, SupervisedSettings, scenes32, to_yaml
from dcgan_dist.storage import Place
from dcgan_dist.study import main as study

PRESET = scenes32()
SETTINGS = replace(
    PRESET,
    images=6_400,
    networks=replace(PRESET.networks, image_size=16, generator_maps=4, discriminator_maps=4),
    optimization=replace(PRESET.optimization, lr=3e-4),
    probe=replace(PRESET.probe, tasks="cifar10=FOLDER"),
)
"""Batches of 64, so 100 steps."""
VERSIONS = {"dcgan-dist": "0.7.1", "torch": "2.14.9"}
DATA_IMAGES = 50


def write_data(folder: Place) -> Sequence[str]:
    """Shards of small rooms with their index; their addresses."""
    with ShardWriter(folder, "train", 20) as writer:
        for number in range(DATA_IMAGES):
            writer.add(embedded_image("rooms", 16, number)[0])
    concatenate(writer.written, image_size=16).save(folder)
    return [f"{folder}/train-{number:06d}.tar" for number in range(3)]


def write_run(run: Place, scratch: Path, settings: Settings = SETTINGS, **record: Any) -> None:
    """Two attempts: 60 steps, of which 20 are rolled back, and 40 more; three grids of samples; a finding."""
    shards = write_data(run.parent / "data")
    whole = {
        "name": run.name,
        "status": "stopped",
        "total_images": 6_400,
        "total_steps": 100,
        "epoch_images": DATA_IMAGES,
        "step": 80,
        "images": 5_120,
        FIELD: TrainedOn(contents(shards)).record(),
        "preset": "scenes32",
        "versions": VERSIONS,
    }
    (run / "run.json").write_bytes(json.dumps(whole | record).encode())
    (run / "settings.yaml").write_bytes(to_yaml(settings).encode())
    curves = Curves(run, scratch)
    _attempt(run, curves, range(5, 65, 5), workers=2, rolled_back_to=40)
    curves.add_bad_images([3, 9])
    _attempt(run, curves, range(45, 85, 5), workers=1)
    for step, accuracy in ((12, 0.41), (34, 0.52), (78, 0.63)):
        images = 64 * step
        curves.add_probed(
            {
                "time": time.time(),
                "checkpoint": f"{images:012d}",
                "step": step,
                "images": images,
                "task": "cifar10",
                "accuracy": accuracy,
                "low": accuracy - 0.02,
                "high": accuracy + 0.03,
            }
        )
    curves.flush()
    curves.copy_up()
    for step, kind in ((20, "raw"), (40, "raw"), (80, "averaged")):
        write_grid(run, 64 * step, kind, step)


def write_labeled_run(run: Place, scratch: Path, begin_with: str = "") -> None:
    """A run that was trained on labels: 20 steps, whose network was judged at the 5th and the 15th."""
    supervised = SupervisedSettings(task="svhn=Folder", begin_with=begin_with)
    settings = replace(SETTINGS, probe=PRESET.probe, supervised=supervised)
    record = {
        "name": run.name,
        "status": "finished",
        "total_images": 1_280,
        "total_steps": 20,
        "epoch_images": 700,
        "held_out_images": 80,
        "step": 20,
        "images": 1_280,
        FIELD: TrainedOn().record(),
        "preset": "scenes32",
        "versions": VERSIONS,
    }
    (run / "run.json").write_bytes(json.dumps(record).encode())
    (run / "settings.yaml").write_bytes(to_yaml(settings).encode())
    curves = Curves(run, scratch)
    attempt = begin_attempt(run, 1)
    for step, judged in (
        (5, {"supervised/held_out_accuracy": 0.25}),
        (15, {"supervised/held_out_accuracy": 0.5}),
        (20, {}),
    ):
        values = {"supervised/loss": 2.0 - 0.05 * step, "speed/images_per_second": 160.0, **judged}
        curves.add({"kind": "scalars", "attempt": attempt.number, "step": step, "images": 64 * step, "values": values})
    curves.flush()
    curves.copy_up()


def _attempt(run: Place, curves: Curves, steps: range, workers: int, rolled_back_to: int = 0) -> None:
    attempt = begin_attempt(run, workers)
    listed = [{"rank": n, "node": "f" * 8, "host": f"host-{n}", "device": "cpu, 3 threads"} for n in range(workers)]
    workers_file(run, attempt.number).write_bytes(json.dumps(listed).encode())
    for step in steps:
        values = {
            "loss/discriminator": 1.25 + 0.01 * step,
            "loss/generator": 0.5 if step != 50 else float("inf"),
            "score/real": 0.7,
            "score/generated_before": 0.3,
            "samples/spread": 0.8,
            "speed/images_per_second": 320.0,
            "speed/wait_share": 0.02,
        }
        finding = "D wins since 2,560 images: <b>G</b> learns little" if step == 70 else None
        at: Any = {"kind": "scalars", "attempt": attempt.number, "step": step, "images": 64 * step, "values": values}
        curves.add(at, finding)
    state: dict[str, Mapping[str, torch.Tensor]] = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(SETTINGS.networks)
        initialize(network, 0)
        state[name] = network.state_dict()
    write_checkpoint(run, state, SETTINGS, step=rolled_back_to or steps[-1], attempt=1, kept=True)


def write_grid(run: Place, images: int, kind: str, first: int) -> None:
    """A grid of drawn rooms, as samples."""
    rooms = np.stack([draw("rooms", 16, 5, first + number).image for number in range(4)])
    (run / "samples" / f"{images:09}-{kind}.png").write_bytes(png(grid(rooms)))


def write_probe(
    run: Place, images: int, task: Task, here: Callable[[int], Any], features: str = "discriminator"
) -> str:
    """A probe of pixels, under the name of other features; the file of its result below the run."""
    evaluators = here(1)
    folder = run / "evaluation"
    job = ProbeJob(
        folder, run.name, f"{images:012d}", images // 64, images, task, features, PixelFeatures(), torch.float32,
        Linear((0.001, 0.01)),
    )  # fmt: skip
    job.compute(evaluators, load(evaluators, [task]), 1, lambda line: None)
    return f"evaluation/{job.file.name}"


def write_study(run: Place) -> None:
    """A short walk."""
    assert study(["walk", str(run), "--number", "12", "--points", "3", "--seed", "4"]) == 0
