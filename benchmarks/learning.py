"""Do the presets learn? Trains two of them, and judges what they draw beside what has to be rejected:

python -m benchmarks.learning --json benchmarks/results/learning.json
python -m benchmarks.learning --scenes-run runs/scenes32 --cifar-run runs/cifar32

`scenes32` is trained in full, `cifar32` for 3 epochs, unless a run of each is given. CIFAR-10 is expected in
$DCGAN_DIST_DATA/cifar10.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from benchmarks.judge import RULES, Reference, Verdict
from benchmarks.rejects import rejects
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from benchmarks.scene_attributes import ATTRIBUTES, REAL_RATES, SIZE, AttributeClassifier, draw_rooms, furthest
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes.builtin import SEED as SCENES_SEED
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.generate import Kind
from dcgan_dist.run_folder.checkpoint import Checkpoint, load_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.settings import DataSettings, cifar32
from dcgan_dist.storage import place

SAMPLES = 2_000
"""Drawn of each run: the rates of attributes are then known to about one point."""
GRID = 64
HELD_OUT_SEED = 2_000
"""Of the rooms that no generator was trained on."""
CIFAR_EPOCHS = 3
CIFAR_TEST = "$DCGAN_DIST_DATA/cifar10/test-*.tar"

ACCEPTED_MARGIN = 1.2
"""What is to pass has to be so many times inside its bounds."""
REJECTED_MARGIN = 0.5
"""What is to fail has to be twice outside of one of them."""
RATE_TOLERANCE = 0.15
"""Most that the rate of an attribute in the samples may differ from the real one."""
LEAST_ACCURACY = 0.95
RATES_APART = 0.2
UNLIKE = ("uniform noise", "Gaussian noise", "mean image", "untrained G")
"""Rejects whose attributes have to be at wrong rates too."""


@dataclass(frozen=True)
class Trained:
    """A run that is there, and the time it took where it was made here."""

    folder: str
    seconds: float | None


@dataclass(frozen=True)
class Drawn:
    """What a run's generator draws."""

    checkpoint: Checkpoint
    kind: Kind
    samples: Pixels


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a training failed, 2 where data or a run is missing; missed bars are in its table."""
    options = parser("Train scenes32 and cifar32 for 3 epochs, and judge what they draw.")
    options.add_argument("--scenes-run", metavar="RUN", help="judge this run of scenes32 in place of a new one")
    options.add_argument("--cifar-run", metavar="RUN", help="judge this run of cifar32 in place of a new one")
    given = options.parse_args(arguments)
    return finish(partial(find, given.scenes_run, given.cifar_run), given.json)


def find(scenes_run: str | None, cifar_run: str | None) -> Report:
    """Judge a run of each preset: the one that is given, or a new one."""
    # Before the training, since it is quick to see that data is missing.
    cifar_real, cifar_held_out = read_images(cifar32().data), read_images(DataSettings(path=CIFAR_TEST))
    with tempfile.TemporaryDirectory(prefix="learning-") as storage:
        scenes = Trained(scenes_run, None) if scenes_run else train(storage, "scenes32")
        cifar = Trained(cifar_run, None) if cifar_run else train(storage, "cifar32", "--epochs", str(CIFAR_EPOCHS))
        return examine(scenes, cifar, cifar_real, cifar_held_out, AttributeClassifier.learn())


def train(storage: str, preset: str, *arguments: str) -> Trained:
    """Run the training command; raises `CalledProcessError` where it fails."""
    begin = time.perf_counter()
    command = ["-m", "dcgan_dist.train", "--preset", preset, "--storage", storage, "--name", preset, *arguments]
    subprocess.run([sys.executable, *command], check=True)
    return Trained(str(Path(storage) / preset), time.perf_counter() - begin)


def draw_samples(run: str, number: int, size: int = SIZE, name: str | None = None) -> Drawn:
    """Samples of one of a run's checkpoints, by the generator that `dcgan_dist.sample` takes; uint8 [number, S, S, 3].

    Args:
        size: S, in pixels.
        name: of the checkpoint; None: the newest.

    Raises:
        CheckpointError: there is no valid one.
        SettingsError: its images have another size.
    """
    checkpoint = load_checkpoint(place(run), name)
    has = checkpoint.settings.networks.image_size
    if has != size:
        raise SettingsError(f"the images of {run} have {has} pixels but need {size}: give a run of its preset")
    generator = load_frozen(checkpoint, place(run).name, "auto", torch.device("cpu"))
    return Drawn(checkpoint, generator.about.kind, np.concatenate(list(generator.draw(number))))


def read_images(data: DataSettings, size: int = SIZE) -> Pixels:
    """All images of shards, uint8 [n, S, S, 3] for S = `size`; raises `DataError` where there are none."""
    index = concatenate([index_shard(shard) for shard in expand(data.path)])
    pictures = ShardPictures(index, size, data.fit, data.max_image_pixels, data.max_image_bytes)
    images, every = np.empty((len(index), size, size, 3), np.uint8), np.arange(len(index))
    bad = pictures.read(every, images, every)
    if bad.any():
        raise DataError(f"{bad.sum():,} of {len(bad):,} images of {data.path} cannot be decoded: unpack them again")
    return images


def examine(
    scenes: Trained,
    cifar: Trained,
    cifar_real: Pixels,
    cifar_held_out: Pixels,
    classifier: AttributeClassifier,
    number: int = SAMPLES,
) -> Report:
    """Judge both runs, real images and the rejects, by `number` images of each.

    Raises:
        CheckpointError: a run has no valid checkpoint.
        SettingsError: its images have another size.
    """
    scenes_drawn, cifar_drawn = draw_samples(scenes.folder, number), draw_samples(cifar.folder, number)
    real, _ = draw_rooms(scenes_drawn.checkpoint.settings.data.scenes_images, SCENES_SEED)
    held_out, truth = draw_rooms(2 * number, HELD_OUT_SEED)

    scenes_to_fail = rejects(real, scenes_drawn.checkpoint.settings.networks, number)
    cifar_to_fail = rejects(cifar_real, cifar_drawn.checkpoint.settings.networks, number)
    epochs = cifar_drawn.checkpoint.images / len(cifar_real)
    scenes_to_pass = _to_pass(scenes_drawn.samples, held_out[number:], "scenes32")
    cifar_to_pass = _to_pass(cifar_drawn.samples, cifar_held_out[number:], f"cifar32 after {epochs:.3g} epochs")
    rows: list[list[Cell]] = []
    bars: list[Bar] = []
    for data, reference, to_pass, to_fail in (
        ("scenes", Reference(real, held_out[:number]), scenes_to_pass, scenes_to_fail),
        ("CIFAR-10", Reference(cifar_real, cifar_held_out[:number]), cifar_to_pass, cifar_to_fail),
    ):
        for subject, images in (to_pass | to_fail).items():
            verdict = reference.judge(images)
            rows.append(_row(data, subject, verdict))
            if subject in to_pass:
                bars.append(Bar(f"{data}: {subject} accepted, margin", verdict.margin, at_least=ACCEPTED_MARGIN))
            else:
                bars.append(Bar(f"{data}: {subject} rejected, margin", verdict.margin, at_most=REJECTED_MARGIN))

    accuracy = classifier.accuracy(held_out, truth)
    of_subject = {"scenes32": classifier.rates(scenes_drawn.samples), "held-out images": classifier.rates(held_out)}
    of_subject |= {subject: classifier.rates(scenes_to_fail[subject]) for subject in UNLIKE}
    bars += _attribute_bars(accuracy, of_subject)

    options = (("--scenes-run RUN", scenes), ("--cifar-run RUN", cifar))
    given = [option for option, trained in options if trained.seconds is None]
    runs = ((scenes, scenes_drawn, "scenes32"), (cifar, cifar_drawn, "cifar32"))
    return Report(
        command=" ".join(["python -m benchmarks.learning", *given]),
        tables={
            "learning": Table(["data", "subject", *(rule.name for rule in RULES), "margin", "verdict"], rows),
            "learning-rules": _rules_table(),
            "learning-attributes": _attributes_table(accuracy, of_subject),
            "learning-runs": Table(
                ["run", "images", "batch", "samples by", "training, s"],
                [
                    [
                        preset,
                        drawn.checkpoint.images,
                        drawn.checkpoint.settings.optimization.batch_size,
                        "averaged G" if drawn.kind == "averaged" else "G",
                        "not measured" if trained.seconds is None else trained.seconds,
                    ]
                    for trained, drawn, preset in runs
                ],
            ),
        },
        rates={f"{preset}_minutes": trained.seconds / 60 for trained, _, preset in runs if trained.seconds is not None},
        samples={"attribute_rates": of_subject, "attribute_accuracy": accuracy},
        bars=bars,
    )


def _to_pass(samples: Pixels, held_out: Pixels, name: str) -> dict[str, Pixels]:
    return {name: samples, f"{name}, grid of {GRID}": samples[:GRID], "held-out images": held_out}


def _row(data: str, subject: str, verdict: Verdict) -> list[Cell]:
    outcome = "accepted" if verdict.accepted else f"rejected: {', '.join(verdict.failed)}"
    return [data, subject, *(round(value, 4) for value in [*verdict.measures.values(), verdict.margin]), outcome]


def _rules_table() -> Table:
    def bounds(low: float, high: float) -> str:
        limits = [f"at least {low:g}"] if low > 0 else []
        return " and ".join(limits + ([f"at most {high:g}"] if np.isfinite(high) else []))

    rows = [[rule.name, rule.meaning, bounds(rule.at_least, rule.at_most), rule.reason] for rule in RULES]
    return Table(["measure", "what it is", "accepted", "why"], rows)


def _attributes_table(accuracy: dict[str, float], of_subject: dict[str, dict[str, float]]) -> Table:
    rows = [["real rate", *_percent(REAL_RATES), ""], ["classifier right on held-out rooms", *_percent(accuracy), ""]]
    rows += [
        [subject, *_percent(rates), f"{100 * furthest(rates):.1f} points"] for subject, rates in of_subject.items()
    ]
    return Table(["rooms with", *ATTRIBUTES, "furthest off"], rows)


def _percent(fractions: dict[str, float]) -> list[str]:
    return [f"{100 * fractions[name]:.1f} %" for name in ATTRIBUTES]


def _attribute_bars(accuracy: dict[str, float], of_subject: dict[str, dict[str, float]]) -> list[Bar]:
    real = sorted(REAL_RATES.values())
    apart = min(high - low for low, high in pairwise(real))
    bars = [Bar("rooms: real rates apart", apart, at_least=RATES_APART)]
    bars += [Bar(f"rooms: {name} told right", value, at_least=LEAST_ACCURACY) for name, value in accuracy.items()]
    for subject, rates in of_subject.items():
        limits = {"at_least" if subject in UNLIKE else "at_most": RATE_TOLERANCE}
        bars.append(Bar(f"rooms: {subject}, attributes furthest off", furthest(rates), **limits))
    return bars


if __name__ == "__main__":
    sys.exit(main())
