"""Do pictures of one's own come to samples that show them? The commands of docs/data.md, as written:

python -m benchmarks.own_pictures --json benchmarks/results/own_pictures.json
python -m benchmarks.own_pictures --sets faces
python -m benchmarks.own_pictures --sets faces --made FOLDER

Photographs of faces and of 200 kinds of things are unpacked into folders, prepared, trained on with `own64`, and what
the run draws is judged beside what has to be rejected. They are expected in $DCGAN_DIST_DATA/faces and
$DCGAN_DIST_DATA/tinyimagenet64. No picture leaves the machine: the report holds numbers alone.
"""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.judge import FEWEST, RULES, Reference
from benchmarks.learning import ACCEPTED_MARGIN, REJECTED_MARGIN, draw_samples, read_images
from benchmarks.rejects import blurred, copies_of_one, mean_image, uniform_noise, untrained
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.run_folder.checkpoint import load_checkpoint, manifests
from dcgan_dist.run_folder.record import read_record
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place, place
from dcgan_dist.training.length import generator_updates

SAMPLES = 1_000
HOLDOUT = 0.15
"""Of the pictures: of 700, enough for the judge."""
MOST_MINUTES = 30.0
"""Of the training command, on two cores."""
PREPARE = f"-m dcgan_dist.data.prepare pictures shards --size 64 --holdout {HOLDOUT:g}"
TRAIN = "-m dcgan_dist.train --preset own64 --data shards/train-*.tar --name own"


@dataclass(frozen=True)
class PictureSet:
    """Photographs to try it on.

    Attributes:
        shards: where they are.
        number: how many are used, the first; None: all.
        what: they show.
        preset: that is trained with.
        commands: that are given.
    """

    shards: str
    number: int | None
    what: str
    preset: str = "own64"
    commands: tuple[str, ...] = (PREPARE, TRAIN)


PHOTOGRAPHS = "$DCGAN_DIST_DATA/faces/*.tar"
SETS = {
    "faces": PictureSet(PHOTOGRAPHS, None, "faces, 250 pixels"),
    "things": PictureSet("$DCGAN_DIST_DATA/tinyimagenet64/train-*.tar", 5_000, "200 kinds of things, 64 pixels"),
}


@dataclass(frozen=True)
class Made:
    """A folder in which the commands were given."""

    folder: Path

    @property
    def run(self) -> Place:
        return place(str(self.folder / "runs" / "own"))

    def minutes(self) -> float:
        """How long the run took, with starts and with steps that were lost and done again.

        Raises:
            CheckpointError: its record is missing or damaged.
        """
        parts = ("seconds_training", "seconds_starting", "seconds_redone")
        record = read_record(self.run, parts)
        return sum(float(record[part]) for part in parts) / 60


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, 1 where a command failed, 2 where data is missing; missed bars are in its table."""
    options = parser("Train own64 on photographs by the documented commands, and judge what it draws.")
    options.add_argument("--sets", default=",".join(SETS), metavar="NAME,...", help=f"of {', '.join(SETS)}; all")
    options.add_argument("--made", type=Path, metavar="FOLDER", help="judge what an interrupted call has left there")
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="work there, and leave everything to be looked at")
    given = options.parse_args(arguments)
    return finish(partial(find, given.sets.split(","), given.made, given.keep), given.json)


def find(names: Sequence[str], made: Path | None, keep: Path | None) -> Report:
    """Judge what the commands leave of each set: in a folder `made` already, else in `keep`, else in one that goes.

    Raises:
        SettingsError: there is no such set, or its pictures are in `keep` already.
        DataError: its shards are missing, or two of its pictures have the same name.
        CalledProcessError: a command failed.
    """
    if unknown := [name for name in names if name not in SETS]:
        raise SettingsError(f"sets is {unknown[0]} but needs to be of {', '.join(SETS)}")
    if made is not None:
        return examine({name: Made(made / name) for name in names})
    shards = {name: [shard.local_path for shard in expand(SETS[name].shards)] for name in names}
    with tempfile.TemporaryDirectory(prefix="own-pictures-") as scratch:
        folders = {name: (keep or Path(scratch)) / name for name in names}
        for folder in folders.values():
            if folder.exists():
                raise SettingsError(f"keep is {keep} but {folder} exists: give another folder, or judge it by --made")
        for name, folder in folders.items():
            unpack(shards[name], folder / "pictures", SETS[name].number)
        return examine({name: make(folder, SETS[name].commands) for name, folder in folders.items()})


def unpack(shards: Sequence[Path], folder: Path, number: int | None) -> int:
    """Write the first pictures of some shards into a folder, as a user has them; how many there are.

    Raises:
        DataError: two of them have the same name, of which a folder can hold only one.
    """
    folder.mkdir(parents=True)
    written = 0
    for shard in shards:
        with tarfile.open(shard) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name.endswith(".jpg") else None
                if file is not None and written != number:
                    target = folder / Path(member.name).name
                    if target.exists():
                        raise DataError(f"{shard} holds {member.name}, and {folder} a picture of that name already")
                    target.write_bytes(file.read())
                    written += 1
    return written


def make(folder: Path, commands: Sequence[str]) -> Made:
    """Give commands in a folder; raises `CalledProcessError` where one fails."""
    for command in commands:
        subprocess.run([sys.executable, *command.split()], cwd=folder, check=True)
    return Made(folder)


class Judged:
    """What was found of one set."""

    def __init__(self, name: str, reference: Reference) -> None:
        self.name, self._reference = name, reference
        self.rows: list[list[Cell]] = []
        self.bars: list[Bar] = []

    def add(self, subject: str, images: Pixels, *, accepted: bool | None) -> None:
        """Judge images; what is to be accepted, or rejected, also gets a bar."""
        verdict = self._reference.judge(images)
        outcome = "accepted" if verdict.accepted else f"rejected: {', '.join(verdict.failed)}"
        measures = [round(value, 4) for value in [*verdict.measures.values(), verdict.margin]]
        self.rows.append([self.name, subject, *measures, outcome])
        if accepted:
            bar = Bar(f"{self.name}: {subject} accepted, margin", verdict.margin, at_least=ACCEPTED_MARGIN)
        else:
            bar = Bar(f"{self.name}: {subject} rejected, margin", verdict.margin, at_most=REJECTED_MARGIN)
        if accepted is not None:
            self.bars.append(bar)


def examine(
    made: Mapping[str, Made], number: int = SAMPLES, sets: Mapping[str, PictureSet] = SETS, tables: str = "own-pictures"
) -> Report:
    """Judge each run at each of its checkpoints, by `number` samples, and what has to be rejected.

    Args:
        made: runs, by the names of their sets.
        number: of samples.
        sets: what they are of.
        tables: how the names of the report's tables begin.

    Raises:
        CheckpointError: a run has no valid checkpoint.
        DataError: shards are missing.
    """
    rows: list[list[Cell]] = []
    runs: list[list[Cell]] = []
    bars: list[Bar] = []
    for name, one in made.items():
        settings = load_checkpoint(one.run).settings
        size = settings.networks.image_size
        real, held_out = (
            read_images(DataSettings(path=str(one.folder / "shards" / f"{split}-*.tar")), size)
            for split in ("train", "test")
        )
        # Real pictures have to pass, where there are so many that two parts of them can be compared.
        half = len(held_out) // 2 if len(held_out) >= 2 * FEWEST else len(held_out)
        judged = Judged(name, Reference(real, held_out[:half]))
        *_, newest = checkpoints = list(manifests(one.run))
        for checkpoint in checkpoints:
            drawn = draw_samples(str(one.run), number, size, checkpoint)
            subject = f"{sets[name].preset} after {drawn.checkpoint.images:,} images, {drawn.kind} G"
            judged.add(subject, drawn.samples, accepted=True if checkpoint == newest else None)
        if half < len(held_out):
            judged.add("held-out pictures", held_out[half:], accepted=True)
        for subject, images in {
            "uniform noise": uniform_noise(real, number),
            "mean picture": mean_image(real, number),
            "untrained G": untrained(settings.networks, number),
            "blurred pictures": blurred(real, number),
            "64 copies of one picture": copies_of_one(real),
            "pictures learned by heart": real[:number],
        }.items():
            judged.add(subject, images, accepted=False)
        rows += judged.rows
        bars += judged.bars
        images_shown = drawn.checkpoint.images
        updates = generator_updates(settings.optimization, images_shown)
        minutes = round(one.minutes(), 1)
        runs.append([name, sets[name].what, len(real), len(held_out), images_shown, updates, minutes])
        bars.append(Bar(f"{name}: minutes of training", minutes, at_most=MOST_MINUTES))
    columns = ["set", "shows", "trained on", "held out", "images shown", "updates of G", "training, minutes"]
    return Report(
        command=f"python -m benchmarks.own_pictures --sets {','.join(made)}",
        tables={
            tables: Table(["set", "subject", *(rule.name for rule in RULES), "margin", "verdict"], rows),
            f"{tables}-runs": Table(columns, runs),
        },
        rates={f"{name}_minutes": one.minutes() for name, one in made.items()},
        bars=bars,
    )


if __name__ == "__main__":
    sys.exit(main())
