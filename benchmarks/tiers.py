"""How long `make test` takes, three times in a row.

    python -m benchmarks.tiers --json benchmarks/results/tiers.json

The environment has been made before. Each round is the README's command, and has to pass; its tiers say themselves how
many tests passed and how long they took.
"""

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.report import Bar, Report, Table, finish, parser
from dcgan_dist.errors import DataError

HERE = Path(__file__).parents[1]
COMMAND = ["make", "test"]
TIERS = ("without Ray", "with Ray")
MINUTES = 10


@dataclass(frozen=True)
class Round:
    """One call: seconds of the whole, and for each tier how many tests passed in how many seconds."""

    seconds: float
    tiers: Sequence[tuple[int, float]]


def main() -> int:
    """The command: 0, or 1 where a test fails."""
    options = parser("Time the tests.")
    options.add_argument("--rounds", type=int, default=3, metavar="N", help="how many times")
    given = options.parse_args()
    return finish(partial(find, given.rounds), given.json)


def find(rounds: int) -> Report:
    """Run the tests and time them; raises `CalledProcessError` where one fails."""
    # Before the clock starts: an environment that has to be made first is not part of the tests.
    subprocess.run(["make", "env"], cwd=HERE, check=True)
    return report([run() for _ in range(rounds)])


def run() -> Round:
    """One call of the tests."""
    began = time.monotonic()
    lines = []
    with subprocess.Popen(COMMAND, cwd=HERE, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        for line in tests.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    seconds = time.monotonic() - began
    if tests.returncode:
        raise subprocess.CalledProcessError(tests.returncode, COMMAND)
    return Round(seconds, passed(lines))


def passed(lines: Sequence[str]) -> list[tuple[int, float]]:
    """How many tests passed and in how many seconds, for each tier, from the last lines of pytest.

    Raises:
        DataError: there are not as many of these lines as tiers.
    """
    found = [re.search(r"\b(\d+) passed\b.* in (\d+\.\d+)s", line) for line in lines]
    tiers = [(int(match[1]), float(match[2])) for match in found if match]
    if len(tiers) != len(TIERS):
        raise DataError(f"{len(tiers)} lines of pytest say that tests passed, expected {len(TIERS)}: see above")
    return tiers


def report(rounds: Sequence[Round]) -> Report:
    """The report of some rounds."""
    whole = statistics.median(one.seconds for one in rounds) / 60
    rows: list[list[str | int | float]] = []
    for number, name in enumerate(TIERS):
        seconds = [one.tiers[number][1] / 60 for one in rounds]
        rows.append([name, rounds[-1].tiers[number][0], *seconds, statistics.median(seconds)])
    tests = sum(count for count, _ in rounds[-1].tiers)
    rows.append(["make test", tests, *(one.seconds / 60 for one in rounds), whole])
    columns = ["tests", "passed", *(f"minutes, round {n}" for n in range(1, len(rounds) + 1)), "median"]
    return Report(
        command="python -m benchmarks.tiers",
        tables={"tiers": Table(columns, rows)},
        samples={"seconds": [one.seconds for one in rounds], "tiers": [list(one.tiers) for one in rounds]},
        bars=[Bar("minutes of `make test`, median", whole, at_most=MINUTES)],
    )


if __name__ == "__main__":
    sys.exit(main())
