"""What a sweep has found, as a table of docs/sweeps.md; with --json its figures go to docs/images, too.

python -m benchmarks.swept SWEEP [--best N] [--figures NAME...] [--json benchmarks/results/swept_NAME.json]
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.report import Cell, Report, Table, parser, publish
from dcgan_dist.storage import Place
from tuning.folder import SweepFolder
from tuning.space import short_name, show

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def report(
    name: str, metric: str, settings: Sequence[str], rows: Sequence[Mapping[str, str]], best: int | None = None
) -> Report:
    """The table.

    Args:
        name: of the sweep.
        metric: that was compared, an accuracy.
        settings: that were searched, by dotted name.
        rows: of `results.csv`.
        best: how many trials the table has; None: all. The samples have all of them.
    """
    ranked = sorted(rows, key=lambda row: (not row["rank"], int(row["rank"] or 0), int(row["trial"])))
    return Report(
        command=f"python -m benchmarks.swept {name}{'' if best is None else f' --best {best}'} "
        f"--json benchmarks/results/swept_{name}.json",
        tables={
            f"swept-{name}": Table(
                [*(short_name(setting) for setting in settings), f"{metric}, %", "at images", "trial", "ended"],
                [_row(row, settings) for row in ranked[:best]],
            )
        },
        rates={f"accuracy_of_trial_{row['trial']}": float(row["objective"]) for row in ranked if row["objective"]},
        samples={"trials": [dict(row) for row in rows]},
    )


def _row(row: Mapping[str, str], settings: Sequence[str]) -> list[Cell]:
    accuracy = ""
    if row["objective"]:
        half = 50 * (float(row["high"]) - float(row["low"]))
        accuracy = f"{100 * float(row['objective']):.2f} (±{half:.2f})"
    reason = row["reason"].partition(":")[0]  # in a few words; the whole of it is in the samples
    ended = f"{row['state']}: {reason}" if reason else row["state"]
    at = f"{int(row['compared_images']):,}" if row["objective"] else ""
    return [*(_short(row[setting]) for setting in settings), accuracy, at, row["trial"], ended]


def _short(value: str) -> str:
    """A setting's value as people read it."""
    try:
        return show(float(value))
    except ValueError:
        return value


def main() -> None:
    """The command."""
    options = parser("what a sweep has found; its figures are copied to docs/images")
    options.add_argument("sweep", type=Path, metavar="SWEEP", help="folder of a sweep that was judged by a probe")
    options.add_argument("--best", type=int, metavar="N", help="only so many trials in the table")
    options.add_argument("--figures", nargs="*", metavar="NAME", help="only these figures, for example lr")
    given = options.parse_args()
    plan, _ = SweepFolder(Place(str(given.sweep.absolute()))).read_plan()
    name = given.sweep.absolute().name
    with (given.sweep / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    settings = columns[columns.index("state") + 1 : columns.index("objective")]
    publish(report(name, plan["compared"]["metric"], settings, rows, given.best), given.json)
    if given.json is not None:
        for figure in sorted((given.sweep / "figures").glob("*.png")):
            if given.figures is None or figure.stem in given.figures:
                shutil.copy(figure, IMAGES / f"swept-{name}-{figure.name}")


if __name__ == "__main__":
    main()
