"""How a run is named: by its name in a storage, by its folder, or by one of its checkpoints; one rule for all commands.

NAME    STORAGE/NAME    s3://BUCKET/runs/NAME    STORAGE/NAME/checkpoints/000000240000
"""

import difflib
from contextlib import suppress
from dataclasses import dataclass

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.errors import CheckpointError, DcganDistError
from dcgan_dist.storage import Place, place

CHECKPOINTS = "checkpoints"
"""Folder of a run that holds its checkpoints."""
RUN_HOLDS = frozenset({CHECKPOINTS, "run.json"})
CHECKPOINT_FILES = frozenset({"state.pt", "MANIFEST.json"})
SETTINGS_FILE = "settings.yaml"
MOST_NAMES, MOST_LOOKED_AT = 5, 100
"""Of the runs that are suggested, and of the folders that are looked into for that."""


@dataclass(frozen=True)
class NamedRun:
    """A run that is there.

    Attributes:
        place: its folder.
        checkpoint: name of the checkpoint that was named with it; None where none was.
    """

    place: Place
    checkpoint: str | None = None

    def choose(self, wanted: str, option: str = "--checkpoint") -> str:
        """The checkpoint to use: `wanted`, else the one that was named with the run, else `latest`.

        Raises:
            CheckpointError: both are given, and differ.
        """
        if wanted and self.checkpoint and wanted != self.checkpoint:
            raise CheckpointError(
                f"{option} is {wanted} but the run is given as its checkpoint {self.checkpoint}: leave one of them out"
            )
        return wanted or self.checkpoint or "latest"


def find_run(text: str, storage: str = "runs") -> NamedRun:
    """The run that a user's text means.

    A text without a slash is a name in `storage`, or else a folder here; one with a slash is an address. Either may
    lead into a checkpoint of the run, or to a file of it.

    Raises:
        CheckpointError: there is no such run, with those that there are; or two that the text may mean.
        DataError: the store cannot be reached.
    """
    bare = text.strip().rstrip("/")
    if "/" in bare or bare in {"", ".", ".."} or bare.startswith(("~", "$")):
        where = place(text)
        run = _run_at(where)
        if run is None:
            raise CheckpointError(_nothing(f"{where} is not the folder of a run", where, where.parent))
        return run
    by_name, here = place(storage) / bare, place(f"./{bare}")
    found = [named for where in dict.fromkeys((by_name, here)) if (named := _run_at(where)) is not None]
    if not found:
        looked = f"{by_name} is no run" if by_name == here else f"neither {by_name} nor {here} is a run's folder"
        raise CheckpointError(_nothing(f"there is no run {bare}: {looked}", by_name, by_name.parent))
    if len(found) > 1:
        raise CheckpointError(
            f"{bare} means two runs, {by_name} and {here}: give the folder of the one that you mean, as in ./{bare}"
        )
    return found[0]


def is_run(where: Place) -> bool:
    """Whether this is the folder of a run, also of one that has no checkpoint yet."""
    names = set(where.names())
    if "sweep.json" in names:
        return False
    return bool(names & RUN_HOLDS) or (SETTINGS_FILE in names and not names & CHECKPOINT_FILES)


def _run_at(where: Place) -> NamedRun | None:
    """The run of an address, which may lead into one of its checkpoints, or to a file."""
    where = where.parent if where.is_file() else where
    if is_run(where):
        return NamedRun(where)
    if where.name == CHECKPOINTS and is_run(where.parent):
        return NamedRun(where.parent)
    if where.parent.name == CHECKPOINTS and is_run(where.parent.parent):
        return NamedRun(where.parent.parent, where.name)
    return None


def _surely_run(where: Place) -> bool:
    with suppress(DcganDistError):  # a folder that may not be read is nothing to suggest
        return is_run(where)
    return False


def _nothing(sentence: str, where: Place, folder: Place) -> str:
    """Why there is no run, with what may be meant."""
    if (where / "sweep.json").is_file():
        report = command_line("sweep", "--report", str(where))
        return f"{where} is a sweep: give one of its runs, which are in {where / 'trials'}, or use {report}"
    folders = [name for name, info in folder.children().items() if info is None] if folder.is_folder() else []
    runs = [name for name in sorted(folders)[-MOST_LOOKED_AT:] if _surely_run(folder / name)]
    close = difflib.get_close_matches(where.name, runs, n=1)
    if close:
        return f"{sentence}; did you mean {folder / close[0]}?"
    if not runs:
        return f"{sentence}, and there are no runs in {folder}: give the folder of a run"
    some = ", ".join(runs[-MOST_NAMES:])
    more = f" and {len(runs) - MOST_NAMES} more" if len(runs) > MOST_NAMES else ""
    return f"{sentence}; the runs in {folder} are {some}{more}"
