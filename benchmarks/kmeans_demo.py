"""Our K-means features and classifier beside another implementation of the published demo code.

python -m benchmarks.kmeans_demo --cifar10 FOLDER [--json benchmarks/results/kmeans_demo.json]

The other one (`coates_demo.py`) is in NumPy and scikit-learn. Both learn from the same 5,000 images, and draw patches
and find 200 centroids of their own; features are compared with the same centroids. Differences are those of the same
10,000 test images, with 1.96 standard errors of their mean.
"""

import argparse

import numpy as np
import torch

from benchmarks.coates_demo import Demo
from benchmarks.kmeans_samples import Sample, lost, ours, percent, read
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.evaluation.encoders import kmeans
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from dcgan_dist.model.randomness import stream

PUBLISHED_COST = 100.0
"""C of the mean loss."""
IMAGES, CENTROIDS = 5_000, 200
PATCHES = 50_000
"""That K-means is given here, in place of 400,000, which few centroids do not need."""
FEATURES_WITHIN, POINTS_WITHIN = 1e-3, 1.5
"""How far features, relative to the largest, and accuracies, in points, of the two implementations may be apart."""


def compare_with_demo(train: Sample, test: Sample) -> tuple[list[list[Cell]], dict[str, float]]:
    """Both implementations on the first of the training images."""
    train = train.at(np.arange(IMAGES))
    demo = Demo(CENTROIDS, stream(0, "demo"), PATCHES)
    demo.fit(train.images)
    same = KMeansFeatures(
        CENTROIDS,
        len(train),
        torch.from_numpy(demo.mean).float(),
        torch.from_numpy(demo.whitening).float(),
        torch.from_numpy(demo.centroids).float(),
    )
    some = test.images[:200]
    theirs = demo.features(some)
    apart = float(np.abs(same.features(some).numpy() - theirs).max() / np.abs(theirs).max())
    right = demo.classify(train.images, train.labels, test.images, PUBLISHED_COST) == test.labels
    mine, _ = ours(train, test, CENTROIDS, [PUBLISHED_COST])
    chosen, cost = ours(train, test, CENTROIDS)
    rows: list[list[Cell]] = [["the demo's protocol, NumPy and scikit-learn", f"{percent(right):.2f}", ""]]
    for name, predicted in (("ours, the published C", mine), (f"ours, C of the mean loss {cost:g}, chosen", chosen)):
        loss, interval = lost(right, predicted == test.labels)
        rows.append([name, f"{percent(predicted == test.labels):.2f}", f"{-loss:+.2f} (±{interval:.2f})"])
    loss, _ = lost(right, mine == test.labels)
    return rows, {"features_apart": apart, "points_lost": loss}


def measure(given: argparse.Namespace) -> Report:
    """All of it."""
    kmeans.PATCHES = PATCHES
    torch.set_num_threads(given.threads)
    rows, rates = compare_with_demo(*read("cifar10", given.cifar10, 32))
    points = abs(rates["points_lost"])
    return Report(
        command="python -m benchmarks.kmeans_demo --cifar10 FOLDER --json benchmarks/results/kmeans_demo.json",
        tables={"kmeans-demo": Table(["implementation", "accuracy, %", "points over the first"], rows)},
        rates=rates,
        samples={"images": IMAGES, "centroids": CENTROIDS, "patches": PATCHES, "threads": given.threads},
        bars=[
            Bar("features: largest difference, of the largest value", rates["features_apart"], at_most=FEATURES_WITHIN),
            Bar("points between the two, with the same C", points, at_most=POINTS_WITHIN),
        ],
    )


def main() -> int:
    """The command."""
    options = parser(__doc__.partition("\n")[0])
    options.add_argument("--cifar10", required=True, metavar="FOLDER", help="with train-*.tar and test-*.tar")
    options.add_argument("--threads", type=int, default=1, help="of tensor operations")
    given = options.parse_args()
    return finish(lambda: measure(given), given.json)


if __name__ == "__main__":
    raise SystemExit(main())
