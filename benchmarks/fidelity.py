"""Does `fidelity` put sets of images in the right order, and how many samples does it take?

python -m benchmarks.fidelity EARLY... LATE --json benchmarks/results/fidelity.json

Compares scenes that nobody was trained on with sets that are worse in known ways, and with samples of checkpoints of
`scenes32`, from the earliest to the latest, by the features of EfficientNet-Lite0; then samples of the last one with
fewer and more images, and many draws of them with one set of images.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.coverage import sampler_of
from dcgan_dist.evaluation.encoders.efficientnet import NAME, load_efficientnet
from dcgan_dist.evaluation.encoders.encoder import Encoder
from dcgan_dist.evaluation.fidelity.frechet import Frechet, Moments, frechet
from dcgan_dist.evaluation.fidelity.measure import SECOND_DRAW
from dcgan_dist.evaluation.fidelity.pairs import (
    KernelDistance,
    Shares,
    Within,
    between,
    kernel_distance,
    shares,
    within,
)
from dcgan_dist.evaluation.task import STATISTICS_BATCH
from dcgan_dist.evaluation.tasks.fidelity import DrawnScenes
from dcgan_dist.evaluation.tasks.rooms import FIRST
from dcgan_dist.run_folder.checkpoint import Checkpoint, load_checkpoint
from dcgan_dist.run_folder.naming import find_run

SHOWN = 1_000
"""Images of each set whose order is judged."""
COUNTS = (250, 500, 1_000, 2_000, 5_000, 10_000)
"""Samples, and as many images, by which the same two distributions are compared."""
DRAWS, OF_DRAW = 10, 2_000
"""Draws of samples, and how many each has."""
OTHERS = FIRST + (1 << 30)
"""First of the scenes that are compared as if they were samples."""
BLUR = 8
"""Height and width of the areas that are averaged."""
SLIGHT = "blurred over 2 pixels"
"""A set that has no place in the order."""
REPEATED = 10
"""Images of which a set consists that repeats itself."""
LEAST_INSIDE = 0.85
"""Share of second draws that lies in the intervals at least: of 95 in 100, with but so many draws."""


@dataclass(frozen=True)
class Compared:
    """What was found of one set."""

    frechet: Frechet
    kernel: KernelDistance
    shares: Shares


@dataclass(frozen=True)
class Reference:
    """Features of held-out images, and what is found of them alone."""

    features: torch.Tensor
    moments: Moments
    own: Within

    @classmethod
    def of(cls, features: torch.Tensor) -> "Reference":
        return cls(features, Moments.zero(features.shape[1]).add(features), within(features, 0, 1))

    def compare(self, samples: torch.Tensor) -> Compared:
        """Samples [n, F] with these images."""
        own = within(samples, 0, 1)
        both = between(samples, self.features, own.radii, self.own.radii, 0, 1)
        distance = frechet(Moments.zero(samples.shape[1]).add(samples), self.moments, samples)
        return Compared(distance, kernel_distance(own, self.own, both), shares(both))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 2 where a run is missing or of another kind; missed bars are in its table."""
    options = parser("See whether fidelity puts sets of images in the right order, and how many samples it takes.")
    options.add_argument("runs", nargs="+", metavar="RUN", help="runs or checkpoints of scenes32, the earliest first")
    given = options.parse_args(arguments)
    return finish(partial(find, given.runs), given.json)


def find(runs: Sequence[str], shown: int = SHOWN, counts: Sequence[int] = COUNTS, of_draw: int = OF_DRAW) -> Report:
    """Compare everything.

    Args:
        runs: runs or checkpoints, by name or folder.
        shown: images of each set whose order is judged.
        counts: of samples and images, rising.
        of_draw: samples of a draw.
    """
    checkpoints = [_open(run) for run in runs]
    encoder, most = load_efficientnet(), max(counts[-1], shown, DRAWS * of_draw)
    images = _features(encoder, scenes(FIRST, max(counts[-1], shown)))
    reference = Reference.of(images[:shown])
    found = {}
    for name, one in sets(shown):
        found[name] = reference.compare(_features(encoder, one))
        print(f"{name}: {found[name]}", flush=True)
    late = images
    for checkpoint in checkpoints:
        number = most if checkpoint is checkpoints[-1] else shown
        late = _features(encoder, np.concatenate(list(sampler_of(checkpoint, "auto", 0).frozen().draw(number))))
        name = f"samples at {checkpoint.images:,} images"
        found[name] = reference.compare(late[:shown])
        print(f"{name}: {found[name]}", flush=True)
    found["held-out images"] = reference.compare(_features(encoder, scenes(OTHERS, shown)))
    print(f"held-out images: {found['held-out images']}", flush=True)
    by_count = {number: Reference.of(images[:number]).compare(late[:number]) for number in counts}
    draws = [reference.compare(late[place * of_draw : (place + 1) * of_draw]) for place in range(DRAWS)]
    return _report(found, by_count, draws, of_draw)


def scenes(first: int, number: int) -> Pixels:
    """Rooms of 32 pixels, uint8 [number, 32, 32, 3]."""
    drawn, places = DrawnScenes("rooms", 32), np.arange(number)
    out = np.empty((number, 32, 32, 3), np.uint8)
    drawn.read(first + places, out, places)
    return out


def sets(number: int) -> Iterator[tuple[str, Pixels]]:
    """Sets that are worse in known ways, the worst first."""
    images = scenes(OTHERS, number)
    yield "uniform noise", np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)
    yield f"blurred over {BLUR} pixels", blurred(images, BLUR)
    yield f"{REPEATED} images, repeated", images[np.arange(number) % REPEATED]
    yield SLIGHT, blurred(images, 2)


def blurred(images: Pixels, over: int) -> Pixels:
    """Averaged over areas of so many pixels, and enlarged again."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    small = F.interpolate(F.avg_pool2d(pixels, over), scale_factor=over, mode="bilinear", align_corners=False)
    result: Pixels = small.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return result


def _open(run: str) -> Checkpoint:
    found = find_run(run)
    checkpoint = load_checkpoint(found.place, found.checkpoint)
    settings = checkpoint.settings
    if (settings.networks.image_size, settings.data.path, settings.data.scenes) != (32, "scenes", "rooms"):
        raise SettingsError(f"{run} is not trained on rooms of 32 pixels: give runs of scenes32")
    return checkpoint


def _features(encoder: Encoder, images: Pixels) -> torch.Tensor:
    starts = range(0, len(images), STATISTICS_BATCH)
    return torch.cat([encoder.features(images[start : start + STATISTICS_BATCH]) for start in starts])


def _report(
    found: Mapping[str, Compared], by_count: Mapping[int, Compared], draws: Sequence[Compared], of_draw: int
) -> Report:
    in_order = [name for name in found if name != SLIGHT]
    bars = [
        Bar(f"Fréchet distance of {worse}, over that of {better}", _ratio(found[worse], found[better]), at_least=1.0)
        for worse, better in pairwise(in_order)
    ]
    insides = {}
    for name in ("frechet", "kernel"):
        values, errors = (np.array([getattr(getattr(one, name), part) for one in draws]) for part in ("value", "error"))
        inside = np.abs(values[:, None] - values) <= SECOND_DRAW * errors[:, None]
        insides[name] = float(inside.sum() - len(draws)) / (len(draws) * (len(draws) - 1))
        bars.append(Bar(f"second draws in the interval of the {name} distance", insides[name], at_least=LEAST_INSIDE))
    columns = [
        "samples and images",
        "Fréchet distance",
        "kernel distance",
        "precision",
        "recall",
        "density",
        "coverage",
    ]
    return Report(
        command="python -m benchmarks.fidelity EARLY... LATE",
        tables={
            "fidelity": Table(["set", *columns[1:]], [[name, *_cells(one)] for name, one in found.items()]),
            "fidelity_counts": Table(columns, [[f"{number:,}", *_cells(one)] for number, one in by_count.items()]),
        },
        samples={
            "features": NAME,
            "draws": {
                "samples": of_draw,
                "frechet": [one.frechet.value for one in draws],
                "kernel": [one.kernel.value for one in draws],
            },
        },
        bars=bars,
    )


def _ratio(worse: Compared, better: Compared) -> float:
    return worse.frechet.value / better.frechet.value


def _cells(one: Compared) -> list[Cell]:
    within = [
        f"{distance.value:.{digits}f} (±{SECOND_DRAW * distance.error:.{digits}f})"
        for distance, digits in ((one.frechet, 0), (one.kernel, 2))
    ]
    return [*within, *(f"{getattr(one.shares, name):.3f}" for name in ("precision", "recall", "density", "coverage"))]


if __name__ == "__main__":
    sys.exit(main())
