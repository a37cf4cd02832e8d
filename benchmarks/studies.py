"""What the studies found on runs of drawn scenes with several seeds, beside what the paper says (docs/studies.md).

python -m benchmarks.studies runs/*/studies/*.json --json benchmarks/results/studies.json

The files are what `study` wrote of runs that are called KIND-SEED, such as rooms-1, made by

python -m dcgan_dist.train --name rooms-1 --seed 1 --data.scenes rooms --data.scenes-images 50000 --images 1600000
--optimization.decay 0.5

Of each study and run there has to be one record. What a run lacks is an empty cell.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.errors import DataError

Numbers = Mapping[str, Any]
"""Of a record."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        study, kind: of which records it is.
        what: was measured.
        paper: what it says of it.
        value: of the numbers of a record.
        show: the value as text.
        at_least, at_most: what is asked of the worst seed.
    """

    study: str
    kind: str
    what: str
    paper: str
    value: Callable[[Numbers], float]
    show: Callable[[float], str]
    at_least: float | None = None
    at_most: float | None = None


def percent(share: float) -> str:
    """`12 %`."""
    return f"{100 * share:.0f} %"


def plain(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}"


def sharp(numbers: Numbers) -> float:
    """Sharp transitions of a walk, by pixels and by features of D."""
    return sum(len(numbers[name]["sharp"]) for name in ("pixels", "features of D"))


def sums(of: str, exemplars: int, key: str) -> Callable[[Numbers], float]:
    """A share of the sums of z or of pixels: that show what is wanted (`share`), and look like samples too (`both`)."""

    def value(numbers: Numbers) -> float:
        (found,) = [one for one in numbers["measured"][of] if one["exemplars"] == exemplars]
        one = found if key == "share" else found[key]
        return float(one["share"])

    return value


def apart(better: tuple[str, int], worse: tuple[str, int], key: str) -> Callable[[Numbers], float]:
    """How far the interval of one kind of sums lies above that of another; below 0 where they meet."""

    def bounds(numbers: Numbers, of: str, exemplars: int) -> Mapping[str, float]:
        (found,) = [one for one in numbers["measured"][of] if one["exemplars"] == exemplars]
        bound: Mapping[str, float] = found if key == "share" else found[key]
        return bound

    return lambda numbers: bounds(numbers, *better)["low"] - bounds(numbers, *worse)["high"]


def beds_kept(numbers: Numbers) -> float:
    """Share of the samples with a bed that still show it."""
    return float(numbers["by_weight"]["kept"]["bed"])


def mean_at_random(numbers: Numbers) -> float:
    """What the random sets leave of the object, in the mean."""
    return float(np.mean([one["left"] for one in numbers["random"]]))


def least_at_random(numbers: Numbers) -> float:
    """What the worst of the random sets leaves."""
    return float(min(one["left"] for one in numbers["random"]))


def median(kind: str) -> Callable[[Numbers], float]:
    """Median error of pictures that were turned back into z, in levels."""
    return lambda numbers: float(numbers["levels"][kind]["median"])


ROWS = (
    Row("walk", "rooms", "sharp transitions of a walk", "smooth", sharp, plain, at_most=0),
    Row("walk", "faces", "sharp transitions of a walk", "", sharp, plain, at_most=0),
    *(
        Row("walk", kind, "distance to the nearest training image, of that of images held out", "", value, plain)
        for kind in ("rooms", "faces")
        for value in [lambda numbers: float(numbers["nearest training images"]["relative_median"])]
    ),
    Row(
        "forget", "rooms", "windows left, maps of positive weight dropped", "most vanish, or become doors or mirrors",
        lambda numbers: float(numbers["by_weight"]["left"]), percent, at_most=0.5,
    ),
    Row("forget", "rooms", "beds kept", "composition stays", beds_kept, percent, at_least=0.8),
    Row("forget", "rooms", "windows left, as many maps at random, mean of 10", "", mean_at_random, percent),
    Row("forget", "rooms", "the same, worst of 10", "", least_at_random, percent, at_least=0.9),
    *(
        row
        for kind in ("faces", "rooms")
        for row in (
            Row("arithmetic", kind, "sums of z that show it, 1 exemplar", "unstable", sums("z", 1, "share"), percent),
            Row("arithmetic", kind, "... 3 exemplars", "stable", sums("z", 3, "share"), percent),
            Row("arithmetic", kind, "... 10 exemplars", "", sums("z", 10, "share"), percent),
            Row("arithmetic", kind, "... 3, and look like samples", "", sums("z", 3, "both"), percent),
            Row("arithmetic", kind, "sums of pixels, the same", "noisy overlap", sums("pixels", 3, "both"), percent),
            Row(
                "arithmetic", kind, "3 exemplars above 1, between intervals", "",
                apart(("z", 3), ("z", 1), "share"), percent, at_least=0,
            ),
            Row(
                "arithmetic", kind, "3 exemplars above sums of pixels, between intervals", "",
                apart(("z", 3), ("pixels", 3), "both"), percent, at_least=0,
            ),
        )
    ),
    Row(
        "turn", "faces", "correlation of the yaw with the step", "turns",
        lambda numbers: float(numbers["turned"]["correlation_within_rows"]["value"]), plain, at_least=0.7,
    ),
    Row(
        "turn", "faces", "correlation along random vectors", "",
        lambda numbers: float(numbers["random"]["correlation_within_rows"]["value"]), plain,
    ),
    *(
        Row("invert", kind, f"error of {which}, levels", "", median(which), plain)
        for kind in ("rooms", "faces")
        for which in ("training images", "held-out images", "own samples")
    ),
)  # fmt: skip


def read(files: Sequence[Path]) -> dict[tuple[str, str, str], Numbers]:
    """Numbers by study, kind and seed.

    Raises:
        DataError: a file is no record, or there are two of one study and run.
    """
    found: dict[tuple[str, str, str], Numbers] = {}
    for file in files:
        try:
            record = json.loads(file.read_text())
            kind, _, seed = record["run"].rpartition("-")
            key, numbers = (record["study"], kind, seed), record["numbers"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file} is no record of a study ({type(error).__name__} {error})") from error
        if key in found:
            raise DataError(f"{file} is the second record of study {key[0]} and run {record['run']}: give one of them")
        found[key] = numbers
    return found


def summarize(files: Sequence[Path]) -> Report:
    """The table."""
    records = read(files)
    seeds = sorted({seed for _, _, seed in records})
    rows: list[list[Cell]] = []
    bars = []
    for row in ROWS:
        values = {seed: row.value(records[key]) for seed in seeds if (key := (row.study, row.kind, seed)) in records}
        if not values:
            continue
        shown = [row.show(values[seed]) if seed in values else "" for seed in seeds]
        rows.append([row.study, row.kind, row.what, row.paper, *shown])
        for limit, pick in ((row.at_least, min), (row.at_most, max)):
            if limit is not None:
                name = f"{row.study}, {row.kind}: {row.what}, the worst of {len(values)} seeds"
                bars.append(Bar(name, pick(values.values()), row.at_least, row.at_most))
    columns = ["study", "runs", "what", "paper", *(f"seed {seed}" for seed in seeds)]
    return Report(
        command="python -m benchmarks.studies runs/*/studies/*.json --json benchmarks/results/studies.json",
        tables={"studies": Table(columns, rows)},
        samples={"records": sorted("/".join(key) for key in records)},
        bars=bars,
    )


def main() -> int:
    """The command."""
    options = parser("What the studies found on several runs.")
    options.add_argument("files", metavar="FILE", nargs="+", type=Path, help="records of studies")
    given = options.parse_args()
    return finish(lambda: summarize(given.files), given.json)


if __name__ == "__main__":
    sys.exit(main())
