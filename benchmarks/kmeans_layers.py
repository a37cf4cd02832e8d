"""What layers with learned receptive fields win over one layer of K-means, and over fields at random.

python -m benchmarks.kmeans_layers --cifar10 FOLDER [--json benchmarks/results/kmeans_layers.json]

At sizes that a share of a busy core allows: 160 centroids in the place of 1,600, 5,000 images to learn from, and 5,000
to test on. One layer with as many features as three have stands beside them. Differences are those of the same test
images, with 1.96 standard errors of their mean; seconds are of processor time.
"""

import argparse
import time
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.kmeans_samples import Right, Sample, classified, encoded, lost, percent, read
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.evaluation.encoders import kmeans, kmeans_layers
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from dcgan_dist.evaluation.encoders.kmeans_layers import LayeredKMeans

IMAGES, TESTED = 5_000, 5_000
CENTROIDS, LAYERS = 160, 3
MEAN_COSTS = 1.0, 3.0, 10.0, 30.0
"""C of the mean loss."""
PATCHES = 50_000
"""That K-means of the first layer is given here, in place of 400,000."""
COLUMNS = "features", "numbers", "accuracy, %", "points over one layer", "mean C", "s for features"


def at_random(maps: Tensor) -> Tensor:
    """In the place of `similarity`: any maps are as similar as any others."""
    number = maps.shape[1]
    return torch.rand(number, number, generator=torch.Generator().manual_seed(0)).fill_diagonal_(torch.inf)


def measure(given: argparse.Namespace) -> Report:
    """All rows."""
    kmeans.PATCHES = PATCHES
    torch.set_num_threads(given.threads)
    train, test = read("cifar10", given.cifar10, 32)
    train, test = train.at(np.arange(IMAGES)), test.at(np.arange(TESTED))
    first = KMeansFeatures(CENTROIDS, IMAGES)
    rows: list[list[Cell]] = []
    began = time.process_time()
    features, asked = encoded(LayeredKMeans(first, LAYERS), train, test)
    seconds = time.process_time() - began
    with patch.object(kmeans_layers, "similarity", at_random):
        other, other_asked = encoded(LayeredKMeans(first, LAYERS), train, test)
    one = _row(rows, f"one layer, {CENTROIDS} centroids", features, asked, train, test, None, "", 1)
    gains = {}
    for layers in range(2, LAYERS + 1):
        name = f"{layers} layers, learned fields"
        shown = f"{seconds:.0f}" if layers == LAYERS else ""
        learned = _row(rows, name, features, asked, train, test, one, shown, layers)
        random = _row(rows, f"{layers} layers, fields at random", other, other_asked, train, test, one, "", layers)
        gains[f"{layers}_layers_points_over_one"] = -lost(one, learned)[0]
        gains[f"{layers}_layers_points_over_random_fields"] = -lost(random, learned)[0]
    del features, asked, other, other_asked
    began = time.process_time()
    wide = (2 * LAYERS - 1) * CENTROIDS
    features, asked = encoded(KMeansFeatures(wide, IMAGES), train, test)
    seconds = time.process_time() - began
    _row(rows, f"one layer, {wide} centroids", features, asked, train, test, one, f"{seconds:.0f}", None)
    return Report(
        command="python -m benchmarks.kmeans_layers --cifar10 FOLDER --json benchmarks/results/kmeans_layers.json",
        tables={"kmeans-layers": Table(COLUMNS, rows)},
        rates=gains,
        samples={"images": IMAGES, "tested": TESTED, "patches": PATCHES, "threads": given.threads},
        bars=[Bar("three layers: points over one", gains[f"{LAYERS}_layers_points_over_one"], at_least=0.0)],
    )


def _row(
    rows: list[list[Cell]],
    name: str,
    features: Tensor,
    asked: Tensor,
    train: Sample,
    test: Sample,
    before: Right | None,
    seconds: str,
    layers: int | None,
) -> Right:
    """Add a row for the first so many layers of features, all of them for None; which test images are right."""
    numbers = features.shape[1] if layers is None else 4 * CENTROIDS * (2 * layers - 1)
    predicted, cost = classified(features[:, :numbers], train.labels, asked[:, :numbers], MEAN_COSTS)
    right: Right = predicted == test.labels
    gain = ""
    if before is not None:
        loss, interval = lost(before, right)
        gain = f"{-loss:+.2f} (±{interval:.2f})"
    rows.append([name, f"{numbers:,}", f"{percent(right):.2f}", gain, f"{cost:g}", seconds])
    print(*rows[-1], flush=True)
    return right


def main() -> int:
    """The command."""
    options = parser(__doc__.partition("\n")[0])
    options.add_argument("--cifar10", required=True, metavar="FOLDER", help="with train-*.tar and test-*.tar")
    options.add_argument("--threads", type=int, default=1, help="of tensor operations")
    given = options.parse_args()
    return finish(lambda: measure(given), given.json)


if __name__ == "__main__":
    raise SystemExit(main())
