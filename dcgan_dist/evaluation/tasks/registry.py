"""Which tasks there are, and how they are given on the command line.

To add a task, write a file with a function that opens it, and add that to `OPENERS`; folders of labeled shards need no
such function.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dcgan_dist.cli.invocation import prog
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.task import FewLabels, Task
from dcgan_dist.evaluation.tasks import fidelity, mnist_nn, neighbours, rooms
from dcgan_dist.evaluation.tasks.labeled import open_labeled
from dcgan_dist.evaluation.tasks.svhn import FILES, open_svhn
from dcgan_dist.storage import Place, place

DATA_VARIABLE = "DCGAN_DIST_DATA"
WITHOUT_FOLDER = (fidelity.NAME, neighbours.NAME, rooms.NAME)
"""Tasks that may be without a folder: what they need is drawn, or known from the run."""
FEW_LABELS = {"cifar10": FewLabels(per_class=400, choosing=10, draws=10)}
"""How few labels are tested, for tasks with such a column in the paper (table 1)."""
OF_SAMPLES = (neighbours.NAME, mnist_nn.NAME)
"""Tasks that judge samples of a generator, not features."""
FOLDERS = {mnist_nn.NAME: mnist_nn.FOLDER}
"""Folder of a task's data in $DCGAN_DIST_DATA, where that is not called as the task."""


@dataclass(frozen=True)
class NamedTask:
    """A task as it is given: NAME, or NAME=FOLDER; only those of `WITHOUT_FOLDER` may be without a folder."""

    name: str
    folder: Place | None

    def __str__(self) -> str:
        return self.name if self.folder is None else f"{self.name}={self.folder}"

    def open(self, size: int, *, resize: bool, seed: int) -> Task:
        """Open the images of a labeled task, see `open_labeled` and `open_svhn`."""
        if self.name == rooms.NAME and self.folder is None:
            return rooms.open_rooms(size, seed=seed)
        if self.name == fidelity.NAME:
            raise SettingsError(f"task {fidelity.NAME} has no labels, so that no features can be probed on it")
        if self.name in OF_SAMPLES or self.folder is None:
            raise SettingsError(f"task {self.name} evaluates samples, not features: give it to {prog('evaluate')}")
        return OPENERS.get(self.name, _open_shards)(self.name, self.folder, size, resize, seed)


def _open_shards(name: str, folder: Place, size: int, resize: bool, seed: int) -> Task:
    return open_labeled(name, folder, size, resize=resize, seed=seed, few=FEW_LABELS.get(name))


def _open_svhn(name: str, folder: Place, size: int, resize: bool, seed: int) -> Task:
    """SVHN as it is published, or as labeled shards."""
    if (folder / FILES[0]).is_file():
        return open_svhn(name, folder, size, seed=seed)
    return _open_shards(name, folder, size, resize, seed)


OPENERS: Mapping[str, Callable[[str, Place, int, bool, int], Task]] = {"svhn": _open_svhn}
"""Functions that open a task: from its name, folder, image size, whether to resize, and seed; by name of the task."""


def parse_tasks(text: str, option: str = "--tasks") -> Sequence[NamedTask]:
    """Parse tasks from `NAME,NAME=FOLDER,...`.

    Args:
        text: value of the option.
        option: name of the option, for messages.

    Raises:
        SettingsError: a name is given twice or has no folder, neither its own nor one in $DCGAN_DIST_DATA.
    """
    found: list[NamedTask] = []
    for part in text.split(","):
        name, equals, folder = (side.strip() for side in part.partition("="))
        if not name or (equals and not folder):
            raise SettingsError(
                f"{option} is {text!r} but needs names, as in cifar10, or NAME=FOLDER, joined by commas"
            )
        if "/" in name or not name.isprintable():
            raise SettingsError(
                f"{option} names a task {name!r} but needs a plain name, as in {option} mine={folder or name}"
            )
        if name in (other.name for other in found):
            raise SettingsError(f"task {name} is given twice: give each one once")
        drawn = not equals and name in WITHOUT_FOLDER
        found.append(NamedTask(name, None if drawn else _find(name, folder, option)))
    return found


def _find(name: str, folder: str, option: str) -> Place:
    """The folder of a task; if none is given, the one in $DCGAN_DIST_DATA."""
    if not folder:
        root = os.environ.get(DATA_VARIABLE)
        usual = FOLDERS.get(name, name)
        if not root:
            raise SettingsError(
                f"task {name} needs its data: give {option} {name}=FOLDER, or set {DATA_VARIABLE} to the folder that "
                f"holds {usual}/"
            )
        folder = f"{root}/{usual}"
    where = place(folder)
    if not where.is_folder():
        raise SettingsError(
            f"task {name} needs its data but there is no folder {where}: give {option} {name}=FOLDER, a folder with "
            "train-*.tar and test-*.tar"
        )
    return where
