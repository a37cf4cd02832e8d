"""Which of a run's generators draws better samples, and with which statistics of batch normalization?

python -m benchmarks.generators --json benchmarks/results/generators.json

Trains `scenes32` with a checkpoint every 5,000 images, unless a run is given, and judges samples at early and late
images as the learning check does: of the raw and of the averaged generator, with the statistics of each batch and with
fixed ones (dcgan_dist/model/generate.py).
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch

from benchmarks.judge import RULES, Reference, Verdict
from benchmarks.learning import HELD_OUT_SEED, train
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from benchmarks.scene_attributes import SIZE, AttributeClassifier, draw_rooms, furthest
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes.builtin import SEED as SCENES_SEED
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.generate import Kind, choose_kind
from dcgan_dist.run_folder.checkpoint import Checkpoint, load_checkpoint, manifests
from dcgan_dist.run_folder.load_generator import load_frozen, load_training_generator
from dcgan_dist.storage import Place, place

SAMPLES = 1_000
"""As many as the judge compares."""
WANTED = (5_000, 10_000, 20_000, 30_000, 40_000, 60_000, 120_000, 240_000)
"""Images at which samples are judged: the first checkpoint from there on."""
EVERY = 5_000
"""Images between two checkpoints of the run."""
KINDS: tuple[Kind, ...] = ("raw", "averaged")
Statistics = Literal["batch", "fixed"]
STATISTICS: tuple[Statistics, ...] = ("batch", "fixed")
WORSE = 0.9
"""The default may have so much of the best one's coverage at least."""


@dataclass(frozen=True)
class Judged:
    """What was found of one set of samples."""

    images: int
    kind: Kind
    statistics: Statistics
    verdict: Verdict
    attributes: float
    """How far the rate of an attribute of rooms is off at most."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where the training failed, 2 where the run is missing; missed bars are in its table."""
    options = parser("Judge samples of a run's generators with both kinds of statistics.")
    options.add_argument("--run", metavar="RUN", help="judge this run of scenes32 in place of a new one")
    given = options.parse_args(arguments)
    return finish(partial(find, given.run), given.json)


def find(given: str | None) -> Report:
    """Judge the generators of a run of scenes32, or train one."""
    with tempfile.TemporaryDirectory(prefix="generators-") as storage:
        run = given
        if run is None:
            often = ("--checkpoints.images", str(EVERY), "--checkpoints.keep", str(1_000))
            run = train(storage, "scenes32", *often).folder
        # What is missing is seen before the classifier takes its time.
        find_checkpoints(place(run), WANTED)
        return examine(place(run), AttributeClassifier.learn(), given=given is not None)


def examine(
    run: Place,
    classifier: AttributeClassifier,
    wanted: Sequence[int] = WANTED,
    number: int = SAMPLES,
    *,
    given: bool = False,
) -> Report:
    """Judge `number` samples of each kind at each of the images.

    Raises:
        CheckpointError: a checkpoint is torn.
        SettingsError: the run has images of another size, or keeps no averaged generator.
    """
    judged: list[Judged] = []
    reference: Reference | None = None
    for name in find_checkpoints(run, wanted):
        checkpoint = load_checkpoint(run, name)
        settings = checkpoint.settings
        if settings.networks.image_size != SIZE or not settings.optimization.average_images:
            raise SettingsError(f"{run} has no averaged generator of {SIZE} pixels: give a run of scenes32")
        if reference is None:
            real, _ = draw_rooms(settings.data.scenes_images, SCENES_SEED)
            held_out, _ = draw_rooms(number, HELD_OUT_SEED)
            reference = Reference(real, held_out)
        for kind in KINDS:
            for statistics in STATISTICS:
                samples = draw(checkpoint, kind, statistics, number)
                off = furthest(classifier.rates(samples))
                judged.append(Judged(checkpoint.images, kind, statistics, reference.judge(samples), off))
    return _report(judged, settings.optimization.average_images, given=given)


def draw(checkpoint: Checkpoint, kind: Kind, statistics: Statistics, number: int) -> Pixels:
    """Samples of the same z: uint8 [number, S, S, 3]."""
    frozen = load_frozen(checkpoint, "", kind, torch.device("cpu"))
    if statistics == "fixed":
        return np.concatenate(list(frozen.draw(number)))
    generator, _ = load_training_generator(checkpoint, kind)
    with torch.no_grad():
        parts = [to_uint8(generator(z)) for z in frozen.batches(number)]
    return np.concatenate(parts)[:number]


def find_checkpoints(run: Place, wanted: Sequence[int]) -> list[str]:
    """Of each number of images the first checkpoint from there on; raises `SettingsError` where there is none."""
    there = {manifest["images"]: name for name, manifest in manifests(run).items()}
    found = {at: min((images for images in there if images >= at), default=None) for at in wanted}
    missing = [at for at, images in found.items() if images is None]
    if missing:
        raise SettingsError(f"{run} has no checkpoint at {missing[0]:,} images: give a run that is done")
    return list(dict.fromkeys(there[images] for images in found.values() if images is not None))


def _report(judged: Sequence[Judged], average_images: int, *, given: bool) -> Report:
    rows: list[list[Cell]] = []
    bars: list[Bar] = []
    for images in dict.fromkeys(one.images for one in judged):
        here = {(one.kind, one.statistics): one for one in judged if one.images == images}
        default: tuple[Kind, Statistics] = choose_kind(images, average_images), "fixed"
        best = max(one.verdict.measures["coverage"] for one in here.values())
        chosen = here[default].verdict.measures["coverage"]
        bars.append(
            Bar(
                f"{images:,} images: coverage of the default, over the best",
                chosen / best if best else 0.0,
                at_least=WORSE,
            )
        )
        for key, one in here.items():
            rows.append(
                [
                    images,
                    one.kind,
                    one.statistics,
                    *(round(one.verdict.measures[rule.name], 4) for rule in RULES),
                    round(one.verdict.margin, 4),
                    f"{100 * one.attributes:.1f} points",
                    "default" if key == default else "",
                ]
            )
    columns = ["images", "generator", "statistics", *(rule.name for rule in RULES), "margin", "attributes off", ""]
    return Report(
        command="python -m benchmarks.generators" + (" --run RUN" if given else ""),
        tables={"generators": Table(columns, rows)},
        bars=bars,
    )


if __name__ == "__main__":
    sys.exit(main())
