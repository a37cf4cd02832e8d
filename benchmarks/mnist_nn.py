"""Errors of the nearest neighbor among labeled samples beside the paper's, from results of `dcgan_dist.evaluate`.

python -m dcgan_dist.evaluate RUN --tasks mnist-nn=FOLDER --mnist-nn-samples 1000000 --out RESULTS
python -m benchmarks.mnist_nn RESULTS [--json benchmarks/results/mnist_nn.json]
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.tables import MNIST, error_rows
from dcgan_dist.evaluation.tasks.mnist_nn import NAME


def read(folder: Path) -> list[dict[str, Any]]:
    """Results of the task in a folder, of each checkpoint the one of most samples; raises `DataError` for none."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for file in sorted(folder.glob("*.json")):
        result = json.loads(file.read_text())
        of = (result["run"], result["checkpoint"])
        if result["task"] == NAME and (of not in best or len(best[of]["errors"]) < len(result["errors"])):
            best[of] = result
    if not best:
        raise DataError(f"{folder} has no results of task {NAME}: give --out of dcgan_dist.evaluate")
    return list(best.values())


def report(results: Sequence[Mapping[str, Any]]) -> Report:
    """The table: of each checkpoint a row for each number of samples and one for its real images, then the paper's."""
    rows: list[list[Cell]] = []
    rates: dict[str, float] = {}
    for result in results:
        for name, images, error in error_rows(result):
            rows.append([name, f"{images:,}", error])
        name = f"{result['run']}_at_{result['images']}"
        rates |= {f"{name}_{one['samples']}_percent": 100 * float(one["error"]) for one in result["errors"]}
        rates[f"{name}_real_percent"] = 100 * float(result["real"]["error"])
    rows += [[f"{row.method} (paper, MNIST; {row.source})", f"{row.images:,}", row.error] for row in MNIST]
    return Report(
        command="python -m benchmarks.mnist_nn RESULTS --json benchmarks/results/mnist_nn.json",
        tables={"mnist_nn": Table(["nearest neighbor among", "images", "error, %"], rows)},
        rates=rates,
        samples={"results": [dict(result) for result in results]},
    )


def main() -> None:
    """The command."""
    options = parser("the paper's errors on MNIST with our rows")
    options.add_argument("folder", type=Path, metavar="RESULTS", help="results of dcgan_dist.evaluate")
    given = options.parse_args()
    publish(report(read(given.folder)), given.json)


if __name__ == "__main__":
    main()
