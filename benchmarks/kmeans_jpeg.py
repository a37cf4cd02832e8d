"""What compression as JPEG costs K-means features.

python -m benchmarks.kmeans_jpeg --cifar10 FOLDER [--tinyimagenet64 FOLDER] [--json benchmarks/results/kmeans_jpeg.json]

Images that had been compressed are averaged to half their side, which takes away most of what that did to them. They
are used as they are, and compressed once more at the smaller size, for learning and for testing. Points lost are those
of the same test images, with 1.96 standard errors of their mean.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import simplejpeg
import torch

from benchmarks.kmeans_samples import Right, Sample, lost, ours, percent, read
from benchmarks.report import Cell, Report, Table, finish, parser
from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.encoders import kmeans
from dcgan_dist.model.randomness import stream

QUALITY = 75
"""Of the copy of CIFAR-10 that the results are of."""
COLORS = {"not compressed": None, f"JPEG {QUALITY}, full colors": "444", f"JPEG {QUALITY}, halved colors": "420"}
PATCHES = 50_000
"""That K-means is given here, in place of 400,000, which few centroids do not need."""
CIFAR10_IMAGES, CIFAR10_CENTROIDS = 20_000, 400
FOLDS, TINY_CENTROIDS = 2, 200
COARSE = 20
"""Classes of Tiny ImageNet, in the order of WordNet, which brings related ones together, that are made one."""
COLUMNS = "images", "learned from", "tested", "centroids", "compression", "accuracy, %", "points lost", "mean C"


def halved(images: Pixels) -> Pixels:
    """Means of 2 x 2 pixels, rounded."""
    number, side = images.shape[:2]
    sums = images.reshape(number, side // 2, 2, side // 2, 2, 3).sum((2, 4), dtype=np.uint16)
    means: Pixels = ((sums + 2) // 4).astype(np.uint8)
    return means


def compressed(images: Pixels, colors: str | None) -> Pixels:
    """Each through a JPEG with those colors, "444" or "420"; None: as they are."""
    if colors is None:
        return images
    return np.stack(
        [
            simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(image, quality=QUALITY, colorsubsampling=colors))
            for image in np.ascontiguousarray(images)
        ]
    )


def folds(sample: Sample, number: int) -> list[tuple[Sample, Sample]]:
    """Training and test images, so that each image is a test image once."""
    places = stream(0, "folds").permutation(len(sample))
    parts = np.array_split(places, number)
    return [(sample.at(np.concatenate(parts[:one] + parts[one + 1 :])), sample.at(parts[one])) for one in range(number)]


def compress(name: str, pairs: Sequence[tuple[Sample, Sample]], centroids: int) -> tuple[list[list[Cell]], list[float]]:
    """Rows of all kinds of compression, and the points that each one loses."""
    truth = np.concatenate([test.labels for _, test in pairs])
    before: Right | None = None
    rows: list[list[Cell]] = []
    losses = []
    for kind, colors in COLORS.items():
        made = [
            ours(
                Sample(compressed(train.images, colors), train.labels),
                Sample(compressed(test.images, colors), test.labels),
                centroids,
            )
            for train, test in pairs
        ]
        right = np.concatenate([predicted for predicted, _ in made]) == truth
        costs = "/".join(f"{cost:g}" for cost in sorted({cost for _, cost in made}))
        before = right if before is None else before
        loss, interval = lost(before, right)
        losses.append(loss)
        shown = "" if right is before else f"{loss:.2f} (±{interval:.2f})"
        rows.append(
            [name, f"{len(pairs[0][0]):,}", f"{len(truth):,}", centroids, kind, f"{percent(right):.2f}", shown, costs]
        )
        print(*rows[-1], flush=True)
    return rows, losses


def measure(given: argparse.Namespace) -> Report:
    """All of it."""
    kmeans.PATCHES = PATCHES
    torch.set_num_threads(given.threads)
    train, test = read("cifar10", given.cifar10, 32)
    train = train.at(np.arange(CIFAR10_IMAGES))
    small = Sample(halved(train.images), train.labels), Sample(halved(test.images), test.labels)
    rows, losses = compress("CIFAR-10 at 16 px", [small], CIFAR10_CENTROIDS)
    rates = {"cifar10_points_lost": losses[-1]}
    command = "python -m benchmarks.kmeans_jpeg --cifar10 FOLDER"
    if given.tinyimagenet64:
        first, second = read("tinyimagenet64", given.tinyimagenet64, 64)
        every = Sample(
            np.concatenate([halved(first.images), halved(second.images)]),
            np.concatenate([first.labels, second.labels]) // COARSE,
        )
        more, losses = compress("Tiny ImageNet at 32 px", folds(every, FOLDS), TINY_CENTROIDS)
        rows += more
        rates["tinyimagenet64_points_lost"] = losses[-1]
        command += " --tinyimagenet64 FOLDER"
    return Report(
        command=f"{command} --json benchmarks/results/kmeans_jpeg.json",
        tables={"kmeans-jpeg": Table(COLUMNS, rows)},
        rates=rates,
        samples={"patches": PATCHES, "threads": given.threads},
    )


def main() -> int:
    """The command."""
    options = parser(__doc__.partition("\n")[0])
    options.add_argument("--cifar10", required=True, metavar="FOLDER", help="with train-*.tar and test-*.tar")
    options.add_argument("--tinyimagenet64", default="", metavar="FOLDER", help="with train-*.tar and val-*.tar")
    options.add_argument("--threads", type=int, default=1, help="of tensor operations")
    given = options.parse_args()
    return finish(lambda: measure(given), given.json)


if __name__ == "__main__":
    raise SystemExit(main())
