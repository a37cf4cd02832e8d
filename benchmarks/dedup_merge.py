"""Candidate pairs among millions of codes: time, memory, and what larger sets would take.

python -m benchmarks.dedup_merge --json benchmarks/results/dedup_merge.json

Codes are random, and one in twenty differs in 0 to 4 bits from another one; each of these pairs has to be found, and no
other. Codes are mapped from a file. Each search is a process of its own with one thread. Time is the processor's,
because the clock also shows what else the machine does; memory is the most that the process held at a time beyond what
it held before it searched, pages of the mapped file among it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.dedup_codes import ALIKE, Outcome, plant
from benchmarks.report import Bar, Cell, Report, Table, finish, parser
from dcgan_dist.data.deduplication.search_plan import expect_work, plan_search

ROOT = Path(__file__).parents[1]
MEASURED = {0: (1, 2, 4), 4: (1, 2, 4), 8: (1,)}
"""By radius, in how many times as many codes as there are in the smallest set; a wide radius takes many passes."""
MOST_GROWTH = 4.4
"""From the smallest set to one of four times as many."""
SEARCHES = ((0, 0), (4, 0), (8, 0), (10, 5))
"""Radius and views of the searches that larger sets are computed for."""
ALIKE_RADIUS = 8
SETS = {
    "1.28 M (ImageNet-1k)": 1_281_167,
    "3.03 M (LSUN bedrooms)": 3_033_042,
    "100 M": 100_000_000,
    "2 B": 2_000_000_000,
}

Outcomes = Mapping[tuple[int, int], Sequence[Outcome]]
"""By radius and number of codes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 1 where a search failed; missed bars are in its table."""
    options = parser("Measure how duplicates are found among codes: time, memory, and what larger sets would take.")
    options.add_argument("--codes", type=int, default=10_000_000, help="codes of the smallest set")
    options.add_argument("--rounds", type=int, default=3, help="turns of each search")
    options.add_argument("--alike", type=int, default=100_000, help="codes of the sets that are all alike")
    given = options.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dedup-") as scratch:
        return finish(partial(find, Path(scratch), given.codes, given.rounds, given.alike), given.json)


def find(scratch: Path, codes: int, rounds: int, alike: int) -> Report:
    """Write codes and search them; raises `CalledProcessError` where a search failed."""
    files = {times: scratch / f"{times}.npy" for some in MEASURED.values() for times in some}
    for times, file in files.items():
        plant(file, codes * times)
    outcomes: dict[tuple[int, int], list[Outcome]] = {}
    for _ in range(rounds):
        for radius, some in MEASURED.items():
            for times in some:
                found = Outcome(**ask("search", files[times], radius))
                outcomes.setdefault((radius, codes * times), []).append(found)
    turns = [ask("rates", files[1]) for _ in range(rounds)]
    rates = {name: median(turn[name] for turn in turns) for name in turns[0]}
    same = {kind: Outcome(**ask("alike", kind, alike, ALIKE_RADIUS)) for kind in ALIKE}
    return report(outcomes, rates, same)


def ask(*arguments: object) -> dict[str, Any]:
    """What a process of `benchmarks/dedup_codes.py` has found."""
    command = [sys.executable, "-m", "benchmarks.dedup_codes", *map(str, arguments)]
    print("  " + " ".join(command[2:]), file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(outcomes: Outcomes, rates: Mapping[str, float], alike: Mapping[str, Outcome]) -> Report:
    """Tables, rates and bars of what was found; rates in ns, by the names that `larger_table` has."""
    rows: list[list[Cell]] = []
    for (radius, codes), turns in sorted(outcomes.items()):
        search, groups = median(turn.search_s for turn in turns), median(turn.groups_s for turn in turns)
        memory = median(map(memory_of, turns))
        rows.append([radius, codes, turns[0].passes, turns[0].pairs, search, groups, memory])
    columns = ["radius", "codes", "passes", "pairs", "search, CPU s", "groups, CPU s", "memory, MB"]
    bytes_a_code = max(median(map(memory_of, turns)) * 1e6 / codes for (_, codes), turns in outcomes.items())
    several = sorted({radius for radius, _ in outcomes if sum(one == radius for one, _ in outcomes) > 1})
    bars = [
        Bar(f"{name} of 4 times as many codes, radius {radius}", growth(outcomes, radius, value), at_most=MOST_GROWTH)
        for radius in several
        for name, value in (("time", time_of), ("memory", memory_of))
    ]
    return Report(
        command="python -m benchmarks.dedup_merge --json benchmarks/results/dedup_merge.json",
        tables={
            "dedup-merge": Table(columns, rows),
            "dedup-alike": alike_table(alike),
            "dedup-larger": larger_table(rates, bytes_a_code),
        },
        rates={f"{name}_ns": value for name, value in rates.items()} | {"bytes_a_code": bytes_a_code},
        samples={
            f"radius {radius}, {codes} codes": [asdict(turn) for turn in turns]
            for (radius, codes), turns in outcomes.items()
        }
        | {kind: asdict(found) for kind, found in alike.items()},
        bars=bars,
    )


def alike_table(alike: Mapping[str, Outcome]) -> Table:
    """What becomes of images that are all alike."""
    rows: list[list[Cell]] = [
        [
            ALIKE[kind],
            found.pairs,
            found.groups,
            found.not_reported,
            found.not_compared,
            time_of(found),
            memory_of(found),
        ]
        for kind, found in alike.items()
    ]
    return Table(["images", "pairs", "groups", "not reported", "not compared", "CPU s", "memory, MB"], rows)


def larger_table(rates: Mapping[str, float], bytes_a_code: float) -> Table:
    """What searches of larger sets take, computed from measured rates.

    Args:
        rates: ns for each code that is scanned ("scan"), that is sorted ("sort"), and each pair compared ("pair").
        bytes_a_code: memory of a task for each of its codes.
    """
    rows: list[list[Cell]] = []
    for name, images in SETS.items():
        for radius, views in SEARCHES:
            plan = plan_search(images, None, radius, views)
            work = expect_work(plan, images, None, views)
            needed = work.scanned * rates["scan"] + work.sorted * rates["sort"] + work.compared * rates["pair"]
            read = 16 * (1 + views) * images * plan.partitions
            task = images / plan.ranges * bytes_a_code
            rows.append([name, radius, views, plan.passes, plan.ranges, needed / 1e9, task / 1e9, read / 1e12])
    columns = ["images", "radius", "views", "passes", "ranges", "CPU s", "memory of a task, GB", "read, TB"]
    return Table(columns, rows)


def growth(outcomes: Outcomes, radius: int, value: Callable[[Outcome], float]) -> float:
    """How many times as much the largest set takes as the smallest, in the median."""
    sizes = sorted(codes for one, codes in outcomes if one == radius)
    least, most = (median(map(value, outcomes[radius, sizes[i]])) for i in (0, -1))
    return most / least


def time_of(outcome: Outcome) -> float:
    """Processor time of all of it, s."""
    return outcome.search_s + outcome.groups_s


def memory_of(outcome: Outcome) -> float:
    """Beyond what the process held before, MB."""
    return outcome.peak_mb - outcome.before_mb


if __name__ == "__main__":
    sys.exit(main())
