"""What a newcomer waits for: the default run, as a whole command, and how long a run takes to its first step.

python -m benchmarks.first_run --json benchmarks/results/first_run.json

Each round gives the default run in an empty folder, and then a short one there, whose pictures are drawn already.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.errors import DataError

DEFAULT = ("-m", "dcgan_dist.train", "--name", "first")
SHORT = ("-m", "dcgan_dist.train", "--name", "short", "--images", "5120")
ROUNDS = 5
LOOK_S = 0.5
BEGINS = "training begins"
STAGES: Mapping[str, str] = {
    "starting Ray": "imports of the command, checks of settings and data",
    "cluster:": "Ray's own processes",
    "run ": "where the pictures are, and their order",
    "starting 1 worker": "the run's folder and its mailbox",
    "workers are up": "Ray Train's processes, and PyTorch in the worker",
    BEGINS: "networks, optimizers, Ray Data's processes, the first batch",
}
"""Beginnings of the lines that tell how far a command has come, and what took until then."""
MOST_MINUTES = 5.0
"""Of the whole command, on two cores without AMX."""
MOST_GRID_S = 60.0
"""Until the first grid of samples lies in the run's folder."""
MOST_FIRST_S = 15.0
"""Until the first step of the short run."""


@dataclass(frozen=True)
class Round:
    """Seconds after the command.

    Attributes:
        short: until each line of `STAGES` of the short run.
        first_s, grid_s, end_s: of the default run until its first step, its first grid of samples and its end.
    """

    short: Mapping[str, float]
    first_s: float
    grid_s: float
    end_s: float


def main() -> int:
    """The command: 0, or 1 where training fails; missed bars are in its table."""
    options = parser("Time the default run from the command to its end, and a short one to its first step.")
    given = options.parse_args()
    return finish(lambda: report([measure() for _ in range(ROUNDS)]), given.json)


def measure() -> Round:
    """Give both commands in an empty folder.

    Raises:
        CalledProcessError: one failed.
        DataError: one did not say that training begins, or left no samples.
    """
    with tempfile.TemporaryDirectory(prefix="first-run-") as folder:
        lines, grid_s, end_s = watch(DEFAULT, Path(folder), "first")
        short, *_ = watch(SHORT, Path(folder), "short")
        return Round(short, lines[BEGINS], grid_s, end_s)


def watch(arguments: Sequence[str], folder: Path, name: str) -> tuple[dict[str, float], float, float]:
    """Give a command in a folder and watch it; seconds to each line of `STAGES`, to a grid of samples, to its end."""
    began = time.perf_counter()
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        grid: list[float] = []
        look = partial(until_a_file, folder / "runs" / name / "samples", grid, lambda: process.poll() is not None)
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        lines = echo(process.stdout)
    ended = time.perf_counter()
    thread.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    if missing := [beginning for beginning in STAGES if beginning not in lines]:
        raise DataError(f"{' '.join(arguments)} ended well, but no line of it begins with {' or '.join(missing)}")
    if not grid:
        raise DataError(f"{' '.join(arguments)} ended well, but left no samples")
    return {line: at - began for line, at in lines.items()}, grid[0] - began, ended - began


def echo(lines: Iterable[str]) -> dict[str, float]:
    """Pass lines on to the terminal; when the first of each of `STAGES` came."""
    came: dict[str, float] = {}
    for line in lines:
        print(line, end="", flush=True)
        for beginning in STAGES:
            if line.startswith(beginning):
                came.setdefault(beginning, time.perf_counter())
    return came


def until_a_file(folder: Path, found: list[float], ended: Callable[[], bool]) -> None:
    """Wait for the first picture in a folder, or the end of what makes it; its time goes into `found`."""
    while not found and not ended():
        if any(folder.glob("*.png")):
            found.append(time.perf_counter())
        time.sleep(LOOK_S)


def report(rounds: Sequence[Round]) -> Report:
    """The report: medians of the rounds, with the least and the most."""

    def row(what: str, values: Sequence[float]) -> list[Cell]:
        return [what, *(round(one, 1) for one in (statistics.median(values), min(values), max(values)))]

    whole = [
        row("default run: first step, after the drawing of the rooms", [one.first_s for one in rounds]),
        row("default run: first grid of samples", [one.grid_s for one in rounds]),
        row("default run: end", [one.end_s for one in rounds]),
        row("rooms drawn before: first step", [one.short[BEGINS] for one in rounds]),
    ]
    # Each stage by itself, so that they add up to the first step but for rounding and the choice of medians.
    stages: list[list[Cell]] = []
    for before, line in pairwise(["", *STAGES]):
        stages.append(row(STAGES[line], [one.short[line] - one.short.get(before, 0.0) for one in rounds]))
    first_s, minutes = (
        statistics.median(one.short[BEGINS] for one in rounds),
        statistics.median(one.end_s for one in rounds) / 60,
    )
    grid_s = statistics.median(one.grid_s for one in rounds)
    columns = ["median", "least", "most"]
    return Report(
        command="python -m benchmarks.first_run --json benchmarks/results/first_run.json",
        tables={
            "first-run": Table(["seconds after the command", *columns], whole),
            "first-step": Table(["seconds to the first step, rooms drawn before", *columns], stages),
        },
        rates={"minutes": minutes, "first_grid_s": grid_s, "first_step_s": first_s},
        samples={"rounds": [{**vars(one), "short": dict(one.short)} for one in rounds]},
        bars=[
            Bar("first grid of samples, seconds", grid_s, at_most=MOST_GRID_S),
            Bar("default run, minutes", minutes, at_most=MOST_MINUTES),
            Bar("first step where the rooms were drawn before, seconds", first_s, at_most=MOST_FIRST_S),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
