"""Does leaving out near duplicates lower copying? Rooms, some of them repeated, are trained on with and without.

python -m benchmarks.dedup_memorised --json benchmarks/results/dedup_memorised.json
python -m benchmarks.dedup_memorised --keep FOLDER

The paper removes near duplicates so that the generator learns less by heart (section 4.1). Each of the repeated rooms
is there in files of different quality. `scenes32` is trained on all files, and with the keep-list of
`dcgan_dist.data.dedup`, for as many images; the samples of both are compared with the rooms once each.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks.learning import draw_samples
from benchmarks.report import Cell, Report, Table, finish, parser
from dcgan_dist.data import keep_list
from dcgan_dist.storage import Place
from tuning.claim_data import ROOMS, SIZE, of_repeated, write_shards

SEEDS = (1, 2, 3)
SAMPLES = 1_000
TRAINED_ON = ("all files", "kept files")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a command failed."""
    options = parser("Train on rooms of which some are repeated, with and without near duplicates.")
    options.add_argument("--images", type=int, default=240_000, metavar="N", help="that each run is trained on")
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this new folder, and leave everything")
    given = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dedup-memorised-") as scratch:
        return finish(partial(find, given.keep or Path(scratch) / "made", given.images), given.json)


def find(folder: Path, images: int) -> Report:
    """Give the commands in a new folder; raises `CalledProcessError` where one fails."""
    rooms, origin = write_shards(Place(str(folder / "shards")))
    _give(folder, "-m dcgan_dist.data.dedup shards/train-*.tar duplicates")
    kept = keep_list.load(Place(str(folder / "duplicates" / "keep.parquet"))).kept
    rows: list[list[Cell]] = []
    rates: dict[str, float] = {}
    for name, options in zip(TRAINED_ON, ("", " --data.keep duplicates/keep.parquet"), strict=True):
        found = [_trained(folder, f"{name.split()[0]}-{seed}", seed, images, options) for seed in SEEDS]
        shares = [of_repeated(draw_samples(str(run), SAMPLES, SIZE).samples, rooms) for run, _ in found]
        for seed, (_, result), share in zip(SEEDS, found, shares, strict=True):
            by = result["by"].values()
            measures = [one[what] for one in by for what in ("sample_median", "rare")]
            copies = "yes" if any(one["copies"] for one in by) else "no"
            rows.append([name, seed, *(round(value, 4) for value in measures), copies, round(share, 4)])
        rates |= {
            f"{name}: nearest to a repeated room": mean(shares),
            **{
                f"{name}: rare by {by}": mean(result["by"][by]["rare"] for _, result in found)
                for by in ("pixels", "features of D")
            },
        }
    wrong = len(np.unique(origin)) - len(np.unique(origin[kept]))
    return Report(
        command="python -m benchmarks.dedup_memorised",
        tables={
            "dedup-memorised-kept": Table(
                ["files", "rooms", "files kept", "rooms lost"], [[len(origin), ROOMS, int(kept.sum()), wrong]]
            ),
            "dedup-memorised": Table(
                [
                    "trained on",
                    "seed",
                    "ratio by pixels",
                    "rare by pixels",
                    "ratio by features",
                    "rare by features",
                    "said to be copies",
                    "nearest to a repeated room",
                ],
                rows,
            ),
        },
        rates=rates,
    )


def _trained(folder: Path, name: str, seed: int, images: int, options: str) -> tuple[Path, dict[str, Any]]:
    """Train, and compare the samples with the kept images; the run's folder, and the result."""
    _give(
        folder,
        f"-m dcgan_dist.train --preset scenes32 --data shards/train-*.tar --name {name} --seed {seed} --images {images}"
        f"{options}",
    )
    _give(folder, f"-m dcgan_dist.memorised {name} --data shards --keep duplicates/keep.parquet -n {SAMPLES}")
    run = folder / "runs" / name
    (result,) = (run / "evaluation").glob("*-memorised-*.json")
    found: dict[str, Any] = json.loads(result.read_text())
    return run, found


def _give(folder: Path, command: str) -> None:
    subprocess.run([sys.executable, *command.split()], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
