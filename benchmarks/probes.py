"""The paper's table 1 with our rows, from results of `python -m dcgan_dist.evaluate`.

python -m dcgan_dist.evaluate --features pixels,knn,kmeans1600,kmeans4000,published-imagenet --out FOLDER
python -m dcgan_dist.evaluate RUN --features discriminator,random --out FOLDER
python -m dcgan_dist.evaluate RUN --features supervised --out FOLDER
python -m benchmarks.probes FOLDER [--began-with RUN] [--json benchmarks/results/probes.json]
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from dcgan_dist.evaluation.service.job import score
from dcgan_dist.evaluation.tables import CIFAR10, percent, setting

TASK = "cifar10"
KMEANS_1600, KMEANS_WITHIN = 77.9, 2.0
"""Test accuracy of 1,600 centroids in percent (Coates, Lee and Ng, 2011), and how near ours has to come, in points."""
OVER_RANDOM, OVER_PIXELS = 8.0, 20.0
"""Points by which a trained discriminator has to beat a random one, and pixels."""


def read(folder: Path) -> list[dict[str, Any]]:
    """Results of the task in a folder, in the order of their accuracy."""
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    # Networks that are trained on the labels have results of their own for all labels and for few.
    mine = [result for result in found if result["task"] == TASK and {"all_labels", "few_labels"} & result.keys()]
    return sorted(mine, key=lambda result: float(score(result)["accuracy"]))


def report(results: Sequence[Mapping[str, Any]], began_with: str = "") -> Report:
    """The table and the bars.

    Args:
        began_with: the run whose discriminator was fine-tuned, where there are several.
    """
    rows: list[list[Cell]] = []
    accuracies: dict[str, float] = {}
    of_few: dict[str, float] = {}
    discriminators = {result["run"]: result for result in results if result["features_of"] == "discriminator"}
    for result in results:
        of = result["features_of"]
        name = f"{of}, {result['run']} at {result['images']:,} images" if result["run"] else of
        if of == "random":
            name = f"{of} weights, networks of {result['run']}"
        every, few = result.get("all_labels"), result.get("few_labels")
        if every:
            accuracies[of] = 100 * float(every["accuracy"])
        if few:
            of_few[of] = 100 * float(few["accuracy"])
        rows.append(
            [
                name,
                percent(every) if every else "",
                percent(few) if few else "",
                f"{result['features']:,}" if result["features"] else "",
                setting(score(result)),
                f"{sum(result['seconds'].values()):.0f}",
                f"{result['feature_bytes'] / 1e9:.2f}" if result["features"] else "",
            ]
        )
    rows += [[f"{row.method} ({row.source})", row.all_labels, row.few_labels, "", "", "", ""] for row in CIFAR10]
    bars, gains = [], {}
    if "kmeans1600" in accuracies:
        off = abs(accuracies["kmeans1600"] - KMEANS_1600)
        bars.append(Bar("1,600 centroids: points off the published 77.9 %", off, at_most=KMEANS_WITHIN))
    untrained = next((result for result in results if result["features_of"] == "random"), None)
    if untrained is not None and untrained["run"] in discriminators:
        trained = 100 * float(discriminators[untrained["run"]]["all_labels"]["accuracy"])
        for other, points in (("random", OVER_RANDOM), ("pixels", OVER_PIXELS)):
            if other in accuracies:
                gain = trained - accuracies[other]
                bars.append(Bar(f"trained discriminator: points over {other}", gain, at_least=points))
    if "finetuned" in of_few:
        frozen = discriminators[began_with] if began_with else _only(discriminators)
        frozen_few = 100 * float(frozen["few_labels"]["accuracy"])
        controls = {"its frozen discriminator": frozen_few}
        gains["finetuned_points_below_frozen"] = frozen_few - of_few["finetuned"]
        if "supervised" in of_few:
            controls["supervised"] = of_few["supervised"]
            gain = gains["frozen_points_over_supervised"] = frozen_few - of_few["supervised"]
            gains["finetuned_points_over_supervised"] = of_few["finetuned"] - of_few["supervised"]
            name = "frozen discriminator at 400 labels a class: points over supervised, its networks from scratch"
            bars.append(Bar(name, gain, at_least=0.0))
        for control, accuracy in controls.items():
            gain = of_few["finetuned"] - accuracy
            bars.append(Bar(f"fine-tuned at 400 labels a class: points over {control}", gain, at_least=0.0))
    columns = ["features", "accuracy, %", "400 labels a class, %", "numbers", "setting", "s", "GB of features"]
    return Report(
        command=f"python -m benchmarks.probes FOLDER{f' --began-with {began_with}' if began_with else ''} "
        "--json benchmarks/results/probes.json",
        tables={"probes": Table(columns, rows)},
        rates={f"{name}_accuracy_percent": value for name, value in accuracies.items()} | gains,
        samples={"results": [dict(result) for result in results]},
        bars=bars,
    )


def _only(discriminators: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The discriminator that was fine-tuned, where there is no other."""
    if len(discriminators) != 1:
        names = ", ".join(discriminators) or "none"
        raise SystemExit(f"--began-with names the discriminator that was fine-tuned: there are rows of {names}")
    (only,) = discriminators.values()
    return only


def main() -> None:
    """The command."""
    options = parser("the paper's table 1 with our rows")
    options.add_argument("--began-with", default="", metavar="RUN", help="whose discriminator was fine-tuned")
    options.add_argument("folder", type=Path, metavar="FOLDER", help="results of dcgan_dist.evaluate")
    given = options.parse_args()
    publish(report(read(given.folder), given.began_with), given.json)


if __name__ == "__main__":
    main()
