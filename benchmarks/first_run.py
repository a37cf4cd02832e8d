"""What a newcomer waits for: the default run, as a whole command.

python -m benchmarks.first_run --json benchmarks/results/first_run.json
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.errors import DataError

COMMAND = "-m dcgan_dist.train --name first"
BEGINS = "training begins"
"""What the command says before its first step."""
LOOK_S = 0.5
MOST_MINUTES = 8.0
"""Of the whole command, on two cores."""
MOST_FIRST_S = 60.0
"""Until the first grid of samples lies in the run's folder."""


def main() -> int:
    """The command: 0, or 1 where training fails; missed bars are in its table."""
    options = parser("Time the default run from the command to its end.")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="first-run-") as folder:
        return finish(partial(find, Path(folder)), given.json)


def find(folder: Path) -> Report:
    """Give the command in a folder and watch it.

    Raises:
        CalledProcessError: it failed.
        DataError: it did not say that training begins, or left no samples.
    """
    began = time.perf_counter()
    command = [sys.executable, *COMMAND.split()]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        grid: list[float] = []
        watch = partial(until_a_file, folder / "runs" / "first" / "samples", grid, lambda: process.poll() is not None)
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        begins = echo(process.stdout)
    ended = time.perf_counter()
    thread.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    if begins is None or not grid:
        raise DataError(f"{COMMAND} ended well, but did not say that {BEGINS}, or left no samples")
    return report(begins - began, grid[0] - began, ended - began)


def echo(lines: Iterable[str]) -> float | None:
    """Pass lines on to the terminal; when the one came that says that training begins."""
    begins = None
    for line in lines:
        print(line, end="", flush=True)
        if begins is None and BEGINS in line:
            begins = time.perf_counter()
    return begins


def until_a_file(folder: Path, found: list[float], ended: Callable[[], bool]) -> None:
    """Wait for the first picture in a folder, or the end of what makes it; its time goes into `found`."""
    while not found and not ended():
        if any(folder.glob("*.png")):
            found.append(time.perf_counter())
        time.sleep(LOOK_S)


def report(begins_s: float, grid_s: float, ends_s: float) -> Report:
    """The report from seconds after the command: of the first step, of the first grid of samples, of the end."""
    rows: list[list[Cell]] = [
        ["first step", round(begins_s, 1)],
        ["first grid of samples", round(grid_s, 1)],
        ["end", round(ends_s, 1)],
    ]
    return Report(
        command="python -m benchmarks.first_run",
        tables={"first-run": Table(["default run", "seconds after the command"], rows)},
        rates={"minutes": ends_s / 60, "first_grid_s": grid_s},
        bars=[
            Bar("first grid of samples, seconds", grid_s, at_most=MOST_FIRST_S),
            Bar("default run, minutes", ends_s / 60, at_most=MOST_MINUTES),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
