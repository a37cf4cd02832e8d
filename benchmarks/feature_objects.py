"""On which objects the strongest features of discriminators lie, trained and with initial weights.

python -m benchmarks.feature_objects runs/*/studies/features-*.json [--json benchmarks/results/feature_objects.json]

The files are what `study features` writes of runs on the embedded scenes, also with other seeds of the initial weights.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.errors import DataError
from dcgan_dist.studies.features import INITIAL, TRAINED

NEEDED = 3
"""Of the 6 strongest features."""
NOTHING = "nothing"


def read(file: Path) -> dict[str, Any]:
    """A record; raises `DataError` where it says of no object whether it is one by chance."""
    try:
        found: dict[str, Any] = json.loads(file.read_text())
        found["numbers"][TRAINED]["objects_among_strongest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is no record of study features on the embedded scenes ({type(error).__name__} {error}): give the "
            "JSON files that it wrote"
        ) from error
    return found


def strongest(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was found of the strongest features of a network."""
    return [found["features"][str(feature)] for feature in found["strongest"]]


def above(features: Sequence[dict[str, Any]], what: str) -> int:
    """How many features lie on some object more than on edges, or than by area, by the interval over images alone."""
    return sum(any(one[what]["low"] > 0 for one in feature["on_objects"].values()) for feature in features)


def summarize(files: Sequence[Path]) -> Report:
    """A row for each network of each record, those with initial weights once."""
    records = sorted((read(file) for file in files), key=lambda one: (one["run"], one["images"], one["seed"]))
    rows: list[list[Cell]] = []
    counts: dict[str, list[int]] = {TRAINED: [], INITIAL: []}
    seen: dict[str, tuple[int, int]] = {}
    for record in records:
        for name in (TRAINED, INITIAL):
            found = record["numbers"][name]
            features = strongest(found)
            if name == INITIAL:
                # Runs on the same images have the same network with the initial weights of a seed.
                network = json.dumps([found["strongest"], *(feature["responses"] for feature in features)])
                if network in seen:
                    continue
                seen[network] = (found["objects_among_strongest"], len(features))
            counts[name].append(found["objects_among_strongest"])
            rows.append(
                [
                    record["run"] if name == TRAINED else "",
                    record["seed"],
                    name,
                    ", ".join(feature["is"] for feature in features),
                    found["objects_among_strongest"],
                    above(features, "over_edges"),
                    above(features, "over_area"),
                ]
            )
    columns = [
        "run", "seed", "D", "what the 6 strongest are", "more than by chance", "more than edges", "more than area",
    ]  # fmt: skip
    named, of_random = (sum(column) for column in zip(*seen.values(), strict=True))
    return Report(
        command="python -m benchmarks.feature_objects runs/*/studies/features-*.json "
        "--json benchmarks/results/feature_objects.json",
        tables={"feature-objects": Table(columns, rows)},
        ratios={"share of features with initial weights": named / of_random},
        samples={"checkpoints": {one["run"]: one["checkpoint"] for one in records}, "images": records[0]["images"]},
        bars=[
            Bar("fewest of the 6 strongest on objects, trained", min(counts[TRAINED]), at_least=NEEDED),
            Bar("most of the 6 strongest on objects, initial weights", max(counts[INITIAL]), at_most=NEEDED - 1),
        ],
    )


def main() -> int:
    """The command."""
    options = parser("on which objects the strongest features lie")
    options.add_argument("files", metavar="FILE", nargs="+", type=Path, help="records of study features")
    given = options.parse_args()
    file: Path | None = given.json
    return finish(lambda: summarize(given.files), file)


if __name__ == "__main__":
    sys.exit(main())
