"""Does a run say that it goes wrong, and a healthy one nothing? Trains recipes that fail and some that do not:

python -m benchmarks.health --data FOLDER --json benchmarks/results/health.json

Each recipe has three seeds. `scenes32` is trained in full where it is healthy, `cifar32` for three epochs on the shards
of FOLDER. A run that is already in the storage is not trained again. The curves that the rule looks at are kept in the
JSON, and a test applies the rule to them anew.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from dcgan_dist.monitoring.collapse import Finding, Health
from dcgan_dist.monitoring.sinks.curves import Point, read_points
from dcgan_dist.storage import place

SEEDS = (1, 2, 3)
FAILING_IMAGES = 60_000
NAMES = ("loss/generator", "score/real", "samples/spread", "samples/drift")
"""What the rule looks at."""


@dataclass(frozen=True)
class Recipe:
    """A way to train, by what differs from the preset.

    Attributes:
        reason: that the rule has to give; "" where it has to be silent.
    """

    name: str
    what: str
    arguments: Sequence[str]
    reason: str
    seeds: Sequence[int] = SEEDS


def recipes(cifar: str) -> list[Recipe]:
    """`cifar` is where its shards lie."""
    short = f"--images={FAILING_IMAGES}"
    weak_g = ("--networks.discriminator-maps=64", "--networks.generator-maps=4")
    return [
        Recipe("good", "scenes32, as it is", (), ""),
        Recipe("cifar", "cifar32, three epochs", ("--preset=cifar32", "--epochs=3", f"--data={cifar}"), "", (1,)),
        Recipe("lr", "scenes32, lr 0.02", ("--lr=0.02", short), "samples oscillate"),
        Recipe("beta", "scenes32, beta1 0.9, lr 0.002", ("--beta1=0.9", "--lr=0.002", short), "D wins"),
        Recipe("strong", "scenes32, D of 64 maps, G of 4", (*weak_g, short), "D wins"),
    ]


def train(recipe: Recipe, seed: int, storage: str) -> list[Point]:
    """The curves of a run, which is made unless it is there."""
    name = f"{recipe.name}-{seed}"
    if not (Path(storage) / name / "run.json").is_file():
        command = [sys.executable, "-m", "dcgan_dist.train", "--storage", storage, "--name", name, f"--seed={seed}"]
        subprocess.run([*command, *recipe.arguments], check=True, stdout=subprocess.DEVNULL)
    return read_points(place(storage) / name)


def thinned(points: Sequence[Point]) -> list[list[float | None]]:
    """Of each point its images and what the rule looks at, in four digits."""
    rows: list[list[float | None]] = []
    for point in points:
        values = [point["values"].get(name) for name in NAMES]
        rows.append([point["images"], *(None if value is None else float(f"{value:.4g}") for value in values)])
    return rows


def judge(rows: Sequence[Sequence[float | None]]) -> list[Finding]:
    """What the rule says of thinned curves."""
    health = Health()
    told = []
    for images, *values in rows:
        assert images is not None
        known = {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
        told.append(health.add(int(images), known))
    return [finding for finding in told if finding is not None]


def report(curves: Mapping[str, Mapping[str, list[list[float | None]]]], cifar: str) -> Report:
    """Of the curves by recipe and seed."""
    rows: list[list[Cell]] = []
    bars = []
    for recipe in recipes(cifar):
        right = 0
        for seed, points in curves[recipe.name].items():
            found = judge(points)
            right += (found[0].reason if found else "") == recipe.reason
            then = "; ".join(finding.reason for finding in found[1:]) or "-"
            first = (found[0].reason, f"{found[0].images:,}") if found else ("-", "-")
            rows.append([recipe.what, int(seed), f"{points[-1][0]:,}", *first, then])
        expected = recipe.reason or "nothing"
        bars.append(Bar(f"{recipe.what}: share of seeds that give {expected}", right / len(recipe.seeds), at_least=1.0))
    columns = ["recipe", "seed", "images", "first reason", "sure at", "later ones"]
    return Report(
        command="python -m benchmarks.health --data FOLDER --json benchmarks/results/health.json",
        tables={"health": Table(columns, rows)},
        samples={"curves": {"columns": ["images", *NAMES], **curves}},
        bars=bars,
    )


def main() -> None:
    """The command."""
    options = parser("do runs that go wrong say so")
    options.add_argument("--data", required=True, metavar="FOLDER", help="CIFAR-10 shards, as train-*.tar")
    options.add_argument("--storage", default="runs/health", metavar="FOLDER", help="where the runs are kept")
    given = options.parse_args()
    cifar = f"{given.data}/train-*.tar"
    curves = {
        recipe.name: {str(seed): thinned(train(recipe, seed, given.storage)) for seed in recipe.seeds}
        for recipe in recipes(cifar)
    }
    publish(report(curves, cifar), given.json)


if __name__ == "__main__":
    main()
