"""Whether memory and log files stay as they are over a long run.

python -m benchmarks.longrun [--json benchmarks/results/longrun.json]

`python -m dcgan_dist.train` makes 20,000 steps of a tiny network with 2 workers, with as many curves, samples and
checkpoints as a run of days. Memory of each kind of process, and the size of Ray's logs, at a quarter and at the end.
The parts of logs are small here, so that this run fills several of them, as a run of days fills those of 16 MiB.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import Bar, Cell, Report, Table, parser, publish
from tests.harness.processes import GaveUpError, Home, Run

STEPS, BATCH = 20_000, 8
LOOK_S, LOOK_STEPS = 0.5, 100
"""Seconds between two looks at the run, and steps between two at its memory."""
WINDOW = 0.1
"""Share of the run over which the median is taken, before each of the places."""
PLACES = {"a quarter": 0.25, "half": 0.5, "the end": 1.0}
MAX_GROWTH = 0.05
MAX_LOGS_MB = 5.0
PART_KIB = 32
"""Size at which a log begins a new part; the one before stays."""
MAX_PART_KIB = 2 * PART_KIB
"""No line is cut, and a raylet writes its whole state at once."""
POINT_STEPS = 10
SETTINGS = (
    f"--images={STEPS * BATCH}",
    f"--batch-size={BATCH}",
    "--data.scenes-images=4000",
    "--workers=2",
    "--workers.threads=1",
    "--networks.generator-maps=4",
    "--networks.discriminator-maps=4",
    f"--monitoring.steps={POINT_STEPS}",
    "--monitoring.samples-images=4000",
    "--monitoring.walk-images=20000",
    "--monitoring.measure-images=4000",
    "--checkpoints.images=4000",
    "--checkpoints.minutes=60",
)
KINDS = {"dcgan_dist.train": "driver", "ray::Mailbox": "mailbox", "ray::RayTrainWorker": "worker"}
"""What a process is, by what its command line begins with or holds."""


@dataclass
class Look:
    """One look at a run.

    Attributes:
        step: at which it was.
        memory: megabytes of each process by its kind and number, shared pages by their share.
        logs: megabytes of all files of Ray's session logs.
        largest_log: KiB of the largest of them.
    """

    step: int
    memory: dict[str, float] = field(default_factory=dict)
    logs: float = 0.0
    largest_log: float = 0.0


def look(home: Home, step: int) -> Look:
    """At all that runs in a home."""
    found = Look(step)
    kinds: dict[str, list[float]] = {}
    for pid, command in sorted(home.processes().items()):
        kind = next((kind for begin, kind in KINDS.items() if begin in command), None)
        if kind is not None:
            with suppress(OSError, StopIteration):
                kinds.setdefault(kind, []).append(memory_of(pid))
    found.memory = {
        f"{kind} {number}" if kind == "worker" else kind: value
        for kind, values in kinds.items()
        for number, value in enumerate(values)
    }
    sizes = [size(file) for file in home.path.glob("**/logs/**/*")]
    found.logs, found.largest_log = sum(sizes) / 1e6, max(sizes, default=0) / 1024
    return found


def memory_of(pid: int) -> float:
    """Megabytes that a process holds, what it shares counted by its share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) * 1024 / 1e6


def size(file: Path) -> int:
    """Bytes of a file that may just have gone; a link has none."""
    with suppress(OSError):
        if file.is_file() and not file.is_symlink():
            return file.stat().st_size
    return 0


def at(looks: Sequence[Look], share: float) -> Look:
    """The median of the looks before a place of the run."""
    near = [one for one in looks if (share - WINDOW) * STEPS <= one.step <= share * STEPS]
    names = set.intersection(*(set(one.memory) for one in near))
    memory = {name: statistics.median(one.memory[name] for one in near) for name in names}
    return Look(near[-1].step, memory, near[-1].logs, near[-1].largest_log)


def watch() -> list[Look]:
    """Run the command, and look at it all the time."""
    looks: list[Look] = []
    with Home({"RAY_ROTATION_MAX_BYTES": str(PART_KIB << 10)}) as home:
        command = ["dcgan_dist.train", "--name=run", "--storage=runs", *SETTINGS]
        folder = home.work / "runs" / "run"
        run = Run(home, folder, command, command, None)
        while run.process.poll() is None:
            step = reached(folder)
            if step and (not looks or step >= looks[-1].step + LOOK_STEPS):
                looks.append(look(home, step))
            time.sleep(LOOK_S)
        if run.process.returncode or reached(folder) != STEPS:
            raise GaveUpError(f"the run ended with {run.process.returncode}:\n{run.said()}")
    return looks


def reached(folder: Path) -> int:
    """Steps that the curves of a run know of."""
    file = folder / "metrics.jsonl"
    return file.read_bytes().count(b"\n") * POINT_STEPS if file.exists() else 0


def report(looks: Sequence[Look]) -> Report:
    """The table and the bars."""
    places: Mapping[str, Look] = {name: at(looks, share) for name, share in PLACES.items()}
    quarter, end = places["a quarter"], places["the end"]
    processes = sorted(end.memory)
    rows: list[list[Cell]] = [[f"{name}, MB", *(one.memory[name] for one in places.values())] for name in processes]
    rows.append(["Ray's logs, MB", *(one.logs for one in places.values())])
    rows.append(["the largest of them, KiB", *(one.largest_log for one in places.values())])
    bars = [
        Bar(
            f"{name}: growth of its memory from a quarter to the end",
            end.memory[name] / quarter.memory[name] - 1,
            at_most=MAX_GROWTH,
        )
        for name in processes
    ]
    bars.append(Bar("Ray's logs at the end, MB", end.logs, at_most=MAX_LOGS_MB))
    largest = max(one.largest_log for one in looks)
    bars.append(Bar(f"Ray's largest log of all, in parts of {PART_KIB} KiB, KiB", largest, at_most=MAX_PART_KIB))
    return Report(
        command="python -m benchmarks.longrun --json benchmarks/results/longrun.json",
        tables={"longrun": Table(["what", *(f"at {name}" for name in places)], rows)},
        samples={
            "steps": [one.step for one in looks],
            "memory_mb": {name: [round(one.memory.get(name, 0.0), 1) for one in looks] for name in processes},
            "logs_mb": [round(one.logs, 3) for one in looks],
            "largest_log_kib": [round(one.largest_log, 1) for one in looks],
        },
        bars=bars,
    )


def main() -> None:
    """The command."""
    given = parser("whether memory and log files stay as they are over a long run").parse_args()
    publish(report(watch()), given.json)


if __name__ == "__main__":
    main()
