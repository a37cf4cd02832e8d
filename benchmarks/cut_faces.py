"""From photographs of people to samples: faces are cut out, and the paper's recipe for faces is trained on them.

python -m benchmarks.cut_faces --json benchmarks/results/cut_faces.json
python -m benchmarks.cut_faces --keep FOLDER

The photographs are those of $DCGAN_DIST_DATA/faces. `faces64` has a quarter of its feature maps here and takes some
minutes. No picture leaves the machine: the report holds numbers alone.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.own_pictures import HOLDOUT, PHOTOGRAPHS, Made, PictureSet, examine, make, unpack
from benchmarks.report import Report, Table, finish, parser
from dcgan_dist.data.shards.addresses import expand

NAME = "cut faces"
SET = PictureSet(
    PHOTOGRAPHS,
    None,
    "faces, cut out of photographs",
    "faces64",
    (
        f"-m dcgan_dist.data.prepare faces pictures shards --size 64 --holdout {HOLDOUT:g}",
        "-m dcgan_dist.train --preset faces64 --data shards/train-*.tar --name own --images 200000 "
        "--networks.generator-maps 32 --networks.discriminator-maps 32",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a command failed, 2 where data is missing; missed bars are in its table."""
    options = parser("Cut faces out of photographs by the documented commands, train on them, and judge the samples.")
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this new folder, and leave everything")
    given = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="cut-faces-") as scratch:
        return finish(partial(find, given.keep or Path(scratch) / "made"), given.json)


def find(folder: Path) -> Report:
    """Give the commands in a new folder.

    Raises:
        DataError: the photographs are missing.
        CalledProcessError: a command failed.
    """
    photographs = unpack([shard.local_path for shard in expand(SET.shards)], folder / "pictures", SET.number)
    return judge(make(folder, SET.commands), photographs)


def judge(made: Made, photographs: int) -> Report:
    """What came of so many photographs."""
    report = examine({NAME: made}, sets={NAME: SET}, tables="cut-faces")
    prepared = json.loads((made.folder / "shards" / "dataset.json").read_text())
    cut = Table(
        ["photographs", "faces", "photographs without one"],
        [[photographs, prepared["images"], prepared["prepared"]["without_face"]]],
    )
    return replace(
        report, command="python -m benchmarks.cut_faces", tables={**report.tables, "cut-faces-found": cut}, rates={}
    )


if __name__ == "__main__":
    sys.exit(main())
