"""Do samples of a class show that class? Told by a network that learned from other images of the same kind.

python -m benchmarks.digits FOLDER
python -m dcgan_dist.train --preset mnist28 --data "FOLDER/train-*.tar" --name digits --workers 2 --minutes 15
python -m dcgan_dist.train --preset scenes32 --networks.classes 8 --data.label bed,window,door --name rooms
python -m benchmarks.conditional runs/digits runs/rooms --json benchmarks/results/conditional.json

A run on digits that fonts drew, or on rooms whose class is made by bed, window and door. The judge of digits learns
from digits that the run has not seen; that of rooms is the one of the studies.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from benchmarks.digits import SIZE, digits
from benchmarks.report import Bar, Report, Table, finish, parser
from dcgan_dist.api import load_generator
from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes.builtin import EMBEDDED
from dcgan_dist.errors import DataError
from dcgan_dist.intervals import wilson
from dcgan_dist.model.generate import FrozenGenerator
from dcgan_dist.settings import from_yaml
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.rooms import OBJECTS, RoomJudge
from dcgan_dist.studies.judges.store import load_or_learn

SAMPLES = 500
"""Of each class."""
NEEDED = 0.95
SEED, LEARNED, TESTED, EPOCHS = 7, 12_000, 2_000, 4
"""Of the digits that the judge learns from and is tested on, which no run has: theirs are of seed 0."""
ROOMS = "bed,window,door"


class Judge(Protocol):
    """Tells the class of pictures."""

    def classes(self, images: Pixels) -> NDArray[np.int64]:
        """Of uint8 [n, S, S, 3], int64 [n]."""
        ...

    def right(self) -> float:
        """The share of images that it has not learned from whose class it tells."""
        ...


class DigitJudge:
    """A small convolutional network that learned ten digits."""

    def __init__(self) -> None:
        images, labels = digits(range(LEARNED), SEED)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            self._network = nn.Sequential(
                nn.Conv2d(1, 32, 5, 2, 2),
                nn.ReLU(),
                nn.Conv2d(32, 64, 5, 2, 2),
                nn.ReLU(),
                nn.Flatten(),
                nn.Dropout(0.3),
                nn.Linear(64 * (SIZE // 4) ** 2, 10),
            )
            optimizer = torch.optim.Adam(self._network.parameters(), 1e-3)
            x, y = _to_input(images), torch.from_numpy(labels)
            for _ in range(EPOCHS):
                for rows in torch.split(torch.randperm(len(x)), 100):
                    optimizer.zero_grad()
                    torch.autograd.backward(F.cross_entropy(self._network(x[rows]), y[rows]))
                    optimizer.step()
        self._network.eval()

    @torch.no_grad()
    def classes(self, images: Pixels) -> NDArray[np.int64]:
        """See `Judge`."""
        found: NDArray[np.int64] = self._network(_to_input(images[..., 0])).argmax(1).numpy()
        return found

    def right(self) -> float:
        """See `Judge`."""
        images, labels = digits(range(LEARNED, LEARNED + TESTED), SEED)
        return float((self.classes(images[..., None]) == labels).mean())


def _to_input(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images)[:, None].float() / 127.5 - 1


class RoomsJudge:
    """The judge of the studies, which sees what is in a room."""

    def __init__(self, folder: Place) -> None:
        judged = load_or_learn("rooms", folder, partial(print, file=sys.stderr))
        assert isinstance(judged.judge, RoomJudge)
        self._judge, self._tested = judged.judge, judged.tested

    def classes(self, images: Pixels) -> NDArray[np.int64]:
        """See `Judge`."""
        present = self._judge.see(images).present
        digits = [present[:, OBJECTS.index(name)].astype(np.int64) for name in ROOMS.split(",")]
        found: NDArray[np.int64] = np.sum([one << place for place, one in enumerate(digits)], axis=0)
        return found

    def right(self) -> float:
        """See `Judge`: at most the product of what it tells of each object."""
        return float(np.prod([self._tested["right"][name] for name in ROOMS.split(",")]))


@dataclass(frozen=True)
class Found:
    """What samples of a run show.

    Attributes:
        run: its name.
        images: that it had seen.
        judge: share of real images whose class the judge tells.
        right: of each class, the share of samples that show it.
        needed: which share is asked for on average; 0: none.
    """

    run: str
    images: int
    judge: float
    right: list[float]
    needed: float = 0.0


def examine(run: str) -> Found:
    """Draw samples of each class, and let a judge tell what they show.

    Raises:
        DataError: it is not known what the classes of the run are.
    """
    settings = from_yaml(Path(run, "settings.yaml").read_text(), run)
    generator = load_generator(run)
    judge = _judge_of(run, settings.data.path, settings.data.label, settings.networks.image_size)
    right = [_right(generator.of_class(label), judge) for label in range(settings.networks.classes)]
    needed = NEEDED if isinstance(judge, DigitJudge) else 0.0
    return Found(Path(run).name, generator.about.images, judge.right(), right, needed)


def _judge_of(run: str, path: str, label: str, size: int) -> Judge:
    if path == EMBEDDED and label == ROOMS:
        return RoomsJudge(Place(run).parent / "data")
    if size == SIZE and not label:
        return DigitJudge()
    raise DataError(
        f"{run} is trained on {path} with data.label {label!r}: give a run on digits, or on rooms by {ROOMS}"
    )


def _right(generator: FrozenGenerator, judge: Judge) -> float:
    images = np.concatenate(list(generator.draw(SAMPLES)))
    return float((judge.classes(images) == generator.about.label).mean())


def report(found: Sequence[Found], command: str) -> Report:
    """A row for each run."""
    rows: list[list[str | int | float]] = []
    for one in found:
        number = SAMPLES * len(one.right)
        mean = float(np.mean(one.right))
        low, high = wilson(mean, number)
        worst = int(np.argmin(one.right))
        rows.append(
            [
                one.run,
                f"{one.images:,}",
                len(one.right),
                f"{100 * one.judge:.1f}",
                f"{100 * mean:.1f} ({100 * low:.1f} to {100 * high:.1f})",
                f"{100 * one.right[worst]:.1f} (class {worst})",
            ]
        )
    columns = [
        "run",
        "images",
        "classes",
        "judge: real images right, %",
        f"samples of a class that show it, % ({SAMPLES} of each)",
        "the worst class, %",
    ]
    return Report(
        command,
        {"conditional": Table(columns, rows)},
        samples={one.run: {"judge": one.judge, "right": one.right} for one in found},
        bars=[
            Bar(f"{one.run}: share of samples that show their class", float(np.mean(one.right)), one.needed)
            for one in found
            if one.needed
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 2 where a run cannot be used; missed bars are in its table."""
    options = parser("Do samples of a class show that class?")
    options.add_argument("runs", nargs="+", metavar="RUN")
    given = options.parse_args(arguments)
    command = "python -m benchmarks.conditional runs/digits runs/rooms --json benchmarks/results/conditional.json"
    return finish(lambda: report([examine(run) for run in given.runs], command), given.json)


if __name__ == "__main__":
    sys.exit(main())
