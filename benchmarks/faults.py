"""What faults cost: the training command and Ray's own loop are broken three times each, in the middle of a run.

python -m benchmarks.faults --json benchmarks/results/faults.json
python -m benchmarks.faults --json benchmarks/results/faults.json --only "worker killed"     # the rest is kept

Both are commands that train 2 workers on the same shards (`python -m dcgan_dist.train`, `benchmarks/stock.py`). Each
fault comes at a drawn step strictly between two checkpoints. Their sample logs tell what was lost, twice or missing.
"""

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import Bar, Cell, Report, Table, parser, publish, show, write
from tests.harness.lineage import AttemptSteps, Use, judge, lost, same
from tests.harness.processes import WAIT_S, GaveUpError, Home, Nodes, Run, kill, later

DRAWS = 3
SEED = 5
WORKERS, BATCH, IMAGES, EPOCHS = 2, 64, 2_560, 8
STEPS = IMAGES * EPOCHS // BATCH
BETWEEN = 40
"""Steps between two checkpoints. A quarter of the run is a multiple of it, so that no other checkpoints are written."""
OFFSETS = (8, 32)
"""Steps after a checkpoint between which a fault is drawn."""
MAPS = 48
"""Base maps of both networks: a step takes long enough to be met."""
NOTICE_S = 12
HANG_S = 6
WATCHED_S = 5.0
"""How long training that goes on is watched for a pause."""
REFUSED_S = 8.0
"""How long the storage refuses: longer than it takes from any step to the next checkpoint."""
DISK_BYTES = 512 << 20
TAIL = 3_000
"""Characters of what a command said that are shown where it fails."""
EXCHANGE = 8
LOCAL = (f"--workers.exchange-steps={EXCHANGE}", "--workers.outer-lr=0.7", "--workers.outer-momentum=0.6")
"""Settings of workers that step on their own: checkpoints are then rarer, see training/schedule.py."""
APART = f", weights every {EXCHANGE} steps"
"""In the name of a fault that comes to such workers."""
MAX_BACK_S = 15.0
"""Back to training after a worker's death."""

OURS, STOCK = "dcgan-dist", "Ray's loop"


def settings(steps: int, maps: int = MAPS) -> tuple[str, ...]:
    """Of a run of so many steps, on any number of workers; `maps`: base maps of both networks."""
    return (
        f"--images={steps * BATCH}",
        f"--data.scenes-images={IMAGES}",
        f"--batch-size={BATCH}",
        # A quarter of an epoch, so that reading is not done before the faults come.
        f"--data.window={IMAGES // 4}",
        "--data.cache=off",
        "--workers.threads=1",
        f"--networks.generator-maps={maps}",
        f"--networks.discriminator-maps={maps}",
        f"--checkpoints.images={BETWEEN * BATCH}",
        "--checkpoints.minutes=60",
        "--checkpoints.keep=100",
        "--monitoring.steps=1",
        "--monitoring.audit",
    )


SETTINGS = (*settings(STEPS), f"--workers={WORKERS}")


@dataclass(frozen=True)
class Draw:
    """One fault.

    Attributes:
        step: that was under way when it came.
        seconds: from the fault to the end of the first step of the next attempt.
        pause_s: the longest time between two steps meanwhile.
        lost: steps that were done again.
    """

    step: int
    seconds: float
    pause_s: float
    lost: int


@dataclass
class Broken:
    """A run that was broken, as it stands under "samples" of the JSON.

    Attributes:
        ended: of each fault that it did not go on from, what it ended with.
        missing: uses of samples that its surviving lineage lacks.
        twice: uses that it has beyond.
        same_log: whether each step used the samples that the unbroken run used in it.
        same_state: whether its last state is the unbroken run's, by `torch.equal`.
    """

    fault: str
    loop: str
    draws: list[Draw] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    missing: int | None = None
    twice: int | None = None
    same_log: bool | None = None
    same_state: bool | None = None


Act = Callable[[Run, random.Random, int], float]
"""Brings a fault about: the run, where to draw from, the number of the draw. Returns when it came."""


@dataclass(frozen=True)
class Fault:
    """How a kind of fault is brought about.

    Attributes:
        act: brings it about.
        ahead: checkpoints that an attempt has to write before it.
        restarts: whether the next attempt has to begin before training goes on.
        nodes: Ray nodes with room for a worker, where it takes several.
        stock: whether Ray's loop is broken by it too.
        once: a run of Ray's loop takes one of it.
        once_ours: a run of ours too.
        before: it comes so many steps before a checkpoint, and not at a drawn step after one.
        prepare: is called when the run's folder is there.
        settings: of the training command, besides the others.
        local: whether workers step on their own (`LOCAL`).
        exact: whether the run has to end with the numbers of the unbroken one. An exchange more, where workers stop,
            or another number of workers that step on their own, changes them.
        grows: it brings a node, and takes none.
    """

    name: str
    act: Act
    ahead: int = 1
    restarts: bool = True
    nodes: int = 0
    stock: bool = False
    once: bool = False
    once_ours: bool = False
    before: int | None = None
    prepare: Callable[[Run], None] | None = None
    settings: tuple[str, ...] = ()
    local: bool = False
    exact: bool = True
    grows: bool = False


def kill_worker(run: Run, draws: random.Random, number: int) -> float:
    """SIGKILL for the process of one rank."""
    return kill(run.worker_of(draws.randrange(WORKERS)))


def stop_worker(run: Run, draws: random.Random, number: int) -> float:
    """SIGSTOP: the process is there, and does nothing."""
    return kill(run.worker_of(draws.randrange(WORKERS)), signal.SIGSTOP)


def kill_mailbox(run: Run, draws: random.Random, number: int) -> float:
    """SIGKILL for the process of the mailbox."""
    (pid,) = [pid for pid, name in run.home.processes().items() if name.startswith("ray::Mailbox")]
    at = kill(pid)
    run.wait("a while", lambda: time.monotonic() > at + WATCHED_S)
    return at


def kill_driver(run: Run, draws: random.Random, number: int) -> float:
    """SIGKILL for the driver; the run is resumed at once."""
    at = kill(run.process.pid)
    run.process.wait()
    run.go_on()
    return at


def kill_uncommitted(run: Run, draws: random.Random, number: int) -> float:
    """All processes of the run at once, as when its machine goes, while a checkpoint lacks only its manifest."""
    writer, processes = run.worker_of(0), list(run.home.processes())
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        newest = newest_checkpoint(run.folder)
        if not (newest / "state.pt").exists() or (newest / "MANIFEST.json").exists():
            time.sleep(0.0005)
            continue
        # The moment is short. The writer is held, so that it can be seen whether it was met before anything is killed.
        kill(writer, signal.SIGSTOP)
        run.log.look()
        time.sleep(0.05)
        if (newest / "MANIFEST.json").exists():
            kill(writer, signal.SIGCONT)
            continue
        at = kill(run.process.pid)
        for pid in processes:
            kill(pid)
        run.process.wait()
        run.home.kill_all()
        run.go_on()
        return at
    raise GaveUpError("no checkpoint without a manifest was met")


def damage_and_kill(run: Run, draws: random.Random, number: int) -> float:
    """Cut the newest checkpoint, or delete it, or change a byte of it; then kill all workers."""
    newest = newest_checkpoint(run.folder)
    state = newest / "state.pt"
    if number == 0:
        with open(state, "r+b") as file:
            file.truncate(state.stat().st_size // 2)
    elif number == 1:
        shutil.rmtree(newest)
    else:
        with open(state, "r+b") as file:
            file.seek(state.stat().st_size // 2)
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))
    pids = [run.worker_of(rank) for rank in range(WORKERS)]
    return min([kill(pid) for pid in pids])


def kill_node(run: Run, draws: random.Random, number: int) -> float:
    """A node with a worker goes, with all its processes; there is a spare one."""
    assert run.home.nodes is not None
    node = run.home.nodes.of(run.worker_of(draws.randrange(WORKERS)))
    at = time.monotonic()
    run.home.nodes.kill(node)
    return at


def give_notice(run: Run, draws: random.Random, number: int) -> float:
    """A node with a worker is given notice, and goes when the time is over; there is a spare one."""
    nodes = run.home.nodes
    assert nodes is not None
    node = nodes.of(run.worker_of(draws.randrange(WORKERS)))
    nodes.give_notice(node, NOTICE_S)
    at = time.monotonic()
    later(NOTICE_S, partial(nodes.kill, node))
    return at


def add_node(run: Run, draws: random.Random, number: int) -> float:
    """A node with room for another worker joins."""
    nodes = run.home.nodes
    assert nodes is not None
    at = time.monotonic()
    nodes.fill(nodes.number + 1)
    return at


def hide_shard(run: Run, draws: random.Random, number: int) -> float:
    """A shard is gone until the run has ended of it; then it is put back, and the run resumed."""
    (data,) = (run.home.work / "runs" / "data").iterdir()
    shard = draws.choice(sorted(data.glob("*.tar"))[:2])
    away = shard.with_suffix(".away")
    shard.rename(away)
    at = time.monotonic()
    try:
        status = run.end()
    finally:
        away.rename(shard)
    if status != 1:
        raise GaveUpError(f"the command ended with {status} where 1 was due")
    run.go_on()
    return at


def mount_disk(name: str, run: Run) -> None:
    """Give a folder of the run a disk of its own."""
    folder = run.folder / name
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], check=True)


def fill_disk(folder: Path) -> Path:
    """Take all that is left of a disk; the file that does."""
    filler = folder / ".full.unfinished"  # a name that is taken for no checkpoint
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free)
    return filler


def refuse_writes(run: Run, draws: random.Random, number: int) -> float:
    """The disk of the checkpoints is full, or can only be read, for a while in which one becomes due."""
    folder = run.folder / "checkpoints"
    before = max(run.checkpoints())
    filler: Path | None = None
    remount = ["mount", "-o"]
    if number == 1:
        subprocess.run([*remount, "remount,ro", str(folder)], check=True)
    else:
        filler = fill_disk(folder)
    at = time.monotonic()
    run.wait("the end of the refusal", lambda: time.monotonic() > at + REFUSED_S)
    if filler is None:
        subprocess.run([*remount, "remount,rw", str(folder)], check=True)
    else:
        filler.unlink()
    run.wait("a checkpoint after the refusal", lambda: max(run.checkpoints()) > before)
    return at


def refuse_curves(run: Run, draws: random.Random, number: int) -> float:
    """The disk of TensorBoard's files is full for a while, so that the driver's monitor fails."""
    folder = run.folder / "tensorboard"
    filler = fill_disk(folder)
    at = time.monotonic()
    run.wait("the monitor to say so", lambda: run.said().count("fails; training continues") > number)
    run.wait("the end of the refusal", lambda: time.monotonic() > at + WATCHED_S)
    filler.unlink()
    run.wait("the monitor to go on", lambda: run.said().count("works again") > number)
    return at


FAULTS = (
    Fault("worker killed", kill_worker, stock=True),
    Fault("node killed", kill_node, nodes=3, stock=True),
    Fault(f"node leaves with a notice of {NOTICE_S} s", give_notice, nodes=3, stock=True),
    Fault("worker hangs", stop_worker, settings=(f"--workers.hang_s={HANG_S}",)),
    Fault("mailbox killed", kill_mailbox, restarts=False),
    Fault("driver killed, resumed", kill_driver, stock=True),
    Fault("all killed before a checkpoint's commit, resumed", kill_uncommitted, ahead=2, before=2),
    Fault("newest checkpoint damaged, workers killed", damage_and_kill, ahead=2, stock=True, once=True),
    Fault(
        "storage refuses writes for a while",
        refuse_writes,
        restarts=False,
        once_ours=True,
        prepare=partial(mount_disk, "checkpoints"),
    ),
    Fault(
        "curves cannot be written for a while",
        refuse_curves,
        restarts=False,
        prepare=partial(mount_disk, "tensorboard"),
    ),
    # Each in a run of its own: near the end of one, all that is left of it has been read.
    Fault("shard gone, put back, resumed", hide_shard, once_ours=True),
    # Two intervals ahead there is always a checkpoint more.
    Fault(f"worker killed{APART}", kill_worker, ahead=2, local=True),
    Fault(f"node leaves with a notice of {NOTICE_S} s{APART}", give_notice, nodes=3, local=True, exact=False),
    Fault(
        f"node joins{APART}",
        add_node,
        nodes=1,
        once_ours=True,
        settings=("--workers=1:2",),
        local=True,
        exact=False,
        grows=True,
    ),
)


class Bench:
    """Runs of both loops in one home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._unbroken: dict[tuple[str, bool], tuple[list[Use], Any]] = {}
        self._runs = 0

    def measure(self, fault: Fault, loop: str) -> Broken:
        """Break a loop by all draws of a fault, in one run or, where it ends of it, in one each.

        Raises:
            GaveUpError: ours does not go on. Ray's may: that is a result.
        """
        broken = Broken(fault.name, loop)
        log, state = self.unbroken(loop, fault.local)
        apart = fault.once_ours if loop == OURS else fault.once
        for numbers in [range(n, n + 1) for n in range(DRAWS)] if apart else [range(DRAWS)]:
            run = self._start(loop, fault, fault.local)
            try:
                if fault.prepare is not None:
                    run.wait("the run's folder", (run.folder / "settings.yaml").exists)
                    fault.prepare(run)
                self._break(run, fault, numbers, broken)
                if status := run.end():
                    raise GaveUpError(f"the command has ended with {status}")
                self._judge(run, broken, log, state, of_ranks=not fault.grows)
            except GaveUpError as error:
                if loop == OURS:
                    print(run.said()[-TAIL:])
                    raise
                broken.ended.append(str(error))
                tell(f"{fault.name}, {loop}: {error}")
            finally:
                self._stop(run)
        return broken

    def _stop(self, run: Run) -> None:
        """End what there is of a run."""
        kill(run.process.pid)
        run.process.wait()
        self._home.tidy()
        for folder in (run.folder / "checkpoints", run.folder / "tensorboard"):
            if folder.is_mount():
                subprocess.run(["umount", str(folder)], check=True)

    def unbroken(self, loop: str, local: bool = False) -> tuple[list[Use], Any]:
        """Sample log and last state of a run of a loop that nothing happens to; `local`: see `Fault`."""
        if (loop, local) not in self._unbroken:
            if loop == STOCK:
                self.unbroken(OURS)  # it draws the images that both read
            run = self._start(loop, None, local)
            if status := run.end():
                raise GaveUpError(f"the unbroken run ended with {status}:\n{run.said()[-TAIL:]}")
            verdict = judge(run.log.uses, IMAGES, EPOCHS)
            if verdict.missing or verdict.twice:
                raise GaveUpError(f"the unbroken run of {loop} has {verdict}")
            self._unbroken[loop, local] = run.log.uses, final_state(run.folder)
            tell(f"{loop} unbroken: {steps_per_s(run):.1f} steps/s")
            self._home.tidy()
        return self._unbroken[loop, local]

    def _start(self, loop: str, fault: Fault | None, local: bool) -> Run:
        self._runs += 1
        name, runs = f"run{self._runs}", self._home.work / "runs"
        several = bool(fault and fault.nodes)
        address = None
        if several:
            assert fault is not None
            nodes = self._home.start_nodes()
            nodes.keep(fault.nodes)
            nodes.fill(fault.nodes)
            address = nodes.address
        cpus = Nodes.CPUS if several else 1
        if loop == OURS:
            begin = ["dcgan_dist.train", f"--name={name}", "--storage=runs", *SETTINGS, f"--workers.cpus={cpus}"]
            begin += [*(LOCAL if local else ()), *(fault.settings if fault else ())]
            return Run(
                self._home, runs / name, begin, ["dcgan_dist.train", f"--resume={name}", "--storage=runs"], address
            )
        (data,) = (runs / "data").iterdir()
        options = {
            "data": data,
            "storage": runs,
            "name": name,
            "epochs": EPOCHS,
            "batch-size": BATCH,
            "between": BETWEEN,
            "workers": WORKERS,
            "threads": 1,
            "maps": MAPS,
            "max-failures": DRAWS,
            "cpus": cpus,
        }
        command = ["benchmarks.stock", *(f"--{option}={value}" for option, value in options.items())]
        return Run(self._home, runs / name, command, command, address)

    def _break(self, run: Run, fault: Fault, numbers: Sequence[int], broken: Broken) -> None:
        draws = random.Random(f"{SEED} {fault.name} {numbers[0]}")
        run.wait("the first step", lambda: run.log.newest)
        for number in numbers:
            step = due(newest_attempt(run).last, fault, draws)
            run.wait(f"step {step}", partial(reached, run, step))
            attempt = newest_attempt(run).number
            at = fault.act(run, draws, number)
            under_way = max(step for (one, step), seen in run.log.seen.items() if one == attempt and seen <= at)
            went_on = partial(run.log.went_on, attempt, None if fault.restarts else under_way)
            run.wait("a step after the fault", went_on)
            back = went_on()
            assert back is not None
            begin, end = run.log.standstill(at, back if fault.restarts else time.monotonic())
            uses = list(run.log.uses)
            broken.draws.append(Draw(under_way, back - at, end - begin, lost(uses, attempt)))
            tell(f"{fault.name}, {broken.loop}: {broken.draws[-1]}")
            if fault.nodes and not fault.grows:
                self._replace_node(run, fault.nodes)

    def _replace_node(self, run: Run, number: int) -> None:
        """Once a node is gone, another one comes to be the spare."""
        nodes = self._home.start_nodes()
        run.wait("the node to be gone", lambda: nodes.number < number, running=False)
        nodes.fill(number)
        run.log.look()

    def _judge(self, run: Run, broken: Broken, log: list[Use], state: Any, *, of_ranks: bool) -> None:
        verdict = judge(run.log.uses, IMAGES, EPOCHS)
        broken.missing = (broken.missing or 0) + verdict.missing
        broken.twice = (broken.twice or 0) + verdict.twice
        broken.same_log = same(run.log.uses, log, of_ranks=of_ranks) and broken.same_log is not False
        broken.same_state = equal(final_state(run.folder), state) and broken.same_state is not False


def newest_attempt(run: Run) -> AttemptSteps:
    """Of a run that has begun a step."""
    newest = run.log.newest
    assert newest is not None
    return newest


def reached(run: Run, step: int) -> bool:
    """Whether its newest attempt has begun this step."""
    return newest_attempt(run).last >= step


def due(come_to: int, fault: Fault, draws: random.Random) -> int:
    """The step at which a fault comes to an attempt that has come to this one."""
    checkpoint = (come_to // BETWEEN + fault.ahead) * BETWEEN
    return checkpoint - fault.before if fault.before else checkpoint + draws.randint(*OFFSETS)


def steps_per_s(run: Run) -> float:
    """Over the second half of what was seen, when all is warm."""
    times = sorted(run.log.seen.values())[len(run.log.seen) // 2 :]
    return (len(times) - 1) / (times[-1] - times[0])


def newest_checkpoint(run: Path) -> Path:
    """Folder of the newest checkpoint of either loop."""
    ours = run / "checkpoints"
    # Ray's own record, a file, lies beside its checkpoints.
    return max(ours.iterdir() if ours.is_dir() else run.glob("checkpoint_*/"))


def final_state(run: Path) -> Any:
    """What the newest checkpoint of either loop holds."""
    return torch.load(newest_checkpoint(run) / "state.pt", map_location="cpu", weights_only=True)


def equal(one: Any, other: Any) -> bool:
    """Whether nested dicts and lists have the same values, tensors by `torch.equal`."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, Mapping):
        return isinstance(other, Mapping) and one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def report(results: Sequence[Broken]) -> Report:
    """The table, the bars and the single measurements."""
    rows: list[list[Cell]] = []
    bars: list[Bar] = []
    backs: dict[tuple[str, str], float] = {}
    for broken in results:
        rows.append(row(broken))
        if broken.draws:
            backs[broken.loop, broken.fault] = statistics.median(draw.seconds for draw in broken.draws)
        if broken.loop == OURS:
            bars += bars_of(broken, backs.get((OURS, broken.fault)))
    return Report(
        command="python -m benchmarks.faults --json benchmarks/results/faults.json",
        tables={
            "faults": Table(
                [
                    "fault",
                    "loop",
                    "s until training goes on",
                    "s without a step",
                    "steps lost",
                    "samples missing, doubled",
                    "ends as the unbroken run",
                ],
                rows,
            )
        },
        ratios={
            f"{fault}: Ray's loop over ours": backs[STOCK, fault] / back
            for (loop, fault), back in backs.items()
            if loop == OURS and (STOCK, fault) in backs
        },
        rates={f"{fault}: {loop}, s": back for (loop, fault), back in backs.items()},
        samples={
            "steps": STEPS,
            "steps_between_checkpoints": BETWEEN,
            "seed": SEED,
            "broken": [asdict(broken) for broken in results],
        },
        bars=bars,
    )


def row(broken: Broken) -> list[Cell]:
    """Its line of the table."""
    draws = broken.draws
    cells: list[Cell] = [
        broken.fault,
        broken.loop,
        several([draw.seconds for draw in draws]),
        several([draw.pause_s for draw in draws]),
        ", ".join(str(draw.lost) for draw in draws) or "-",
        "-" if broken.missing is None else f"{broken.missing:,}, {broken.twice:,}",
    ]
    if broken.ended:
        return [*cells, f"{len(broken.ended)} of {DRAWS} end the run"]
    if not _exact(broken):
        return [*cells, "with its samples" if broken.same_log else "no"]
    return [*cells, "yes" if broken.same_state and broken.same_log else "no"]


def _exact(broken: Broken) -> bool:
    """Whether it has to end with the numbers of the unbroken run."""
    return all(fault.exact for fault in FAULTS if fault.name == broken.fault)


def several(values: Sequence[float]) -> str:
    """The median, and between which values it lies."""
    if not values:
        return "-"
    if len(values) == 1:
        return show(values[0])
    return f"{show(statistics.median(values))} ({show(min(values))} to {show(max(values))})"


def bars_of(broken: Broken, back: float | None) -> list[Bar]:
    """What the training command has to hold in a fault."""
    bars = [
        Bar(f"{broken.fault}: draws that the run went on from", len(broken.draws), at_least=DRAWS),
        Bar(f"{broken.fault}: samples missing or doubled", (broken.missing or 0) + (broken.twice or 0), at_most=0),
        Bar(f"{broken.fault}: log and last state equal the unbroken run's", both(broken), at_least=1)
        if _exact(broken)
        else Bar(f"{broken.fault}: log equals the unbroken run's", float(bool(broken.same_log)), at_least=1),
    ]
    if broken.fault == "worker killed" and back is not None:
        bars.append(Bar(f"{broken.fault}: seconds until training goes on", back, at_most=MAX_BACK_S))
    if "notice" in broken.fault or "joins" in broken.fault:
        bars.append(Bar(f"{broken.fault}: steps lost", sum(draw.lost for draw in broken.draws), at_most=0))
    return bars


def both(broken: Broken) -> float:
    """1 where log and last state are those of the unbroken run, else 0."""
    return float(bool(broken.same_log and broken.same_state))


def read(file: Path | None) -> list[Broken]:
    """What an earlier call has measured."""
    if file is None or not file.is_file():
        return []
    found = json.loads(file.read_text())["samples"]["broken"]
    return [Broken(**(one | {"draws": [Draw(**draw) for draw in one["draws"]]})) for one in found]


def tell(text: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 1 where a fault could not be measured; missed bars are in its table."""
    options = parser("What faults cost the training command and Ray's own loop.")
    options.add_argument("--only", nargs="+", metavar="FAULT", help="measure these, and keep what FILE has of others")
    options.add_argument("--loop", choices=(OURS, STOCK), help="measure only this loop")
    given = options.parse_args(arguments)
    wanted = [fault for fault in FAULTS if given.only is None or fault.name in given.only]
    found = {(one.fault, one.loop): one for one in (read(given.json) if given.only or given.loop else [])}
    failed = False
    with Home() as home:
        bench = Bench(home)
        # Several nodes last: they stay until the end, and each takes some of the processor.
        order = sorted(product(wanted, (OURS, STOCK)), key=lambda pair: (pair[0].nodes, pair[1] == STOCK))
        for fault, loop in order:
            if given.loop not in (None, loop) or (loop == STOCK and not fault.stock):
                continue
            try:
                found[fault.name, loop] = bench.measure(fault, loop)
                tell(str(found[fault.name, loop]))
            except Exception:
                failed = True
                traceback.print_exc()
                home.tidy()
            if given.json is not None:
                write(given.json, report(in_order(found)).to_json())
    publish(report(in_order(found)), given.json)
    return int(failed)


def in_order(found: Mapping[tuple[str, str], Broken]) -> list[Broken]:
    """As the table has them."""
    return [found[fault.name, loop] for fault in FAULTS for loop in (OURS, STOCK) if (fault.name, loop) in found]


if __name__ == "__main__":
    sys.exit(main())
