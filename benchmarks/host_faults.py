"""What it costs when machines of a cluster fail: the training command and Ray's own loop, as jobs on several hosts.

python -m benchmarks.host_faults --json benchmarks/results/host_faults.json
python -m benchmarks.host_faults --json benchmarks/results/host_faults.json --only "host killed"     # the rest is kept

The hosts are those of `benchmarks/hosts.py`, made a cluster by `ray up cluster/onprem.yaml`. Each fault comes to a job
of its own, at a drawn step strictly between two checkpoints. Sample logs tell what was lost, twice or missing.
"""

import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults import (
    BATCH,
    BETWEEN,
    IMAGES,
    OFFSETS,
    OURS,
    STOCK,
    Broken,
    Draw,
    equal,
    final_state,
    read,
    several,
    tell,
)
from benchmarks.hosts import ROOT, HostsError
from benchmarks.lineage import SampleLog, judge, lost, same
from benchmarks.onprem import HEAD, LAPTOP, RUNS, Onprem
from benchmarks.report import Bar, Cell, Report, Table, parser, publish, write

SPARE = ("w1", "w2", "w3")
"""Machines beside the head: two of the four train, each with all of its CPUs."""
CPUS = 2
EPOCHS = 4
STEPS = IMAGES * EPOCHS // BATCH
MAPS = 48
SEED = 5
PEER, OTHERS = "~/peer", shutil.ignore_patterns("__pycache__", "results")
"""Folder on the laptop of what Ray's loop needs, and what it does not."""
LOOK_S = 0.02
WAIT_S = 240.0
SHORT_S, LONG_S = 5.0, 40.0
"""Cuts that are shorter, and longer, than the 15 s after which `cluster/node.env` has a silent machine given up."""
NOTICE_S = 20
SETTINGS = (
    f"--images={STEPS * BATCH}",
    f"--data.scenes-images={IMAGES}",
    f"--batch-size={BATCH}",
    f"--data.window={IMAGES // 4}",
    "--data.cache=off",
    f"--workers.cpus={CPUS}",
    "--workers.threads=1",
    f"--networks.generator-maps={MAPS}",
    f"--networks.discriminator-maps={MAPS}",
    f"--checkpoints.images={BETWEEN * BATCH}",
    "--checkpoints.minutes=60",
    "--checkpoints.keep=100",
    "--monitoring.steps=1",
    "--monitoring.audit",
)


class Job:
    """A job of either loop.

    Attributes:
        folder: of its run, as this machine sees it.
        log: its sample log.
    """

    def __init__(self, lab: Onprem, name: str, folder: str, command: str, output: Path) -> None:
        """`folder`: on the laptop, with the packages that the command needs."""
        self.lab, self.name, self.folder = lab, name, lab.runs / name
        self.log = SampleLog(self.folder / "audit")
        self._output = output
        lab.start(f"ray job submit --submission-id {name} --working-dir {folder} -- {command}", output)

    def said(self) -> str:
        """All that it has said."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def wait(self, what: str, there: Callable[[], object]) -> None:
        """Until something is so, while the sample log is read.

        Raises:
            HostsError: the job has failed, or it took too long.
        """
        deadline = time.monotonic() + WAIT_S
        while True:
            self.log.look()
            if there():
                return
            if f"Job '{self.name}' failed" in self.said():
                raise HostsError(f"{what}: the job has failed")
            if time.monotonic() > deadline:
                raise HostsError(f"{what}: not within {WAIT_S:g} s")
            time.sleep(LOOK_S)

    def workers(self) -> dict[str, list[int]]:
        """Processes of its workers, by the host that they are on."""
        found = {}
        for host in (HEAD, *SPARE):
            told = self.lab.hosts.run(host, "pgrep", "-f", "^ray::RayTrainWorker").stdout
            if told:
                found[host] = [int(pid) for pid in told.split()]
        return found

    def victim(self, draws: random.Random) -> str:
        """A machine that trains and is not the head."""
        return draws.choice(sorted(set(self.workers()) - {HEAD}))


Act = Callable[[Job, random.Random], float]
"""Brings a fault about; returns when it came, by the clock of the sample log."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        act: brings it about.
        restarts: whether another life has to begin before training goes on.
        stock: whether Ray's loop is broken by it, too.
        workers: what the command is told.
        without: a host that is away at first.
        same: whether the run has to end as the unbroken one.
    """

    name: str
    act: Act
    restarts: bool = True
    stock: bool = False
    workers: str = "2"
    without: str = ""
    same: bool = True


def kill_worker(job: Job, draws: random.Random) -> float:
    """SIGKILL for the process of one rank."""
    host = job.victim(draws)
    (pid,) = job.workers()[host]
    at = time.monotonic()
    job.lab.hosts.do(host, "kill", "-9", str(pid))
    return at


def kill_host(job: Job, draws: random.Random) -> float:
    """A machine that trains loses its power."""
    host = job.victim(draws)
    at = time.monotonic()
    job.lab.hosts.kill(host)
    return at


def cut_host(seconds: float, job: Job, draws: random.Random) -> float:
    """A machine that trains is cut off for a while; nobody is told."""
    host = job.victim(draws)
    at = time.monotonic()
    job.lab.hosts.cut(host)
    job.wait("the end of the cut", lambda: time.monotonic() > at + seconds)
    job.lab.hosts.heal(host)
    return at


def give_notice(job: Job, draws: random.Random) -> float:
    """Ray is told, as the pre-emption watch does, that a machine that trains will go; then it goes."""
    host = job.victim(draws)
    hosts = job.lab.hosts
    address = hosts.addresses[host]
    script = (
        "import ray, sys; ray.init('auto', logging_level='ERROR');"
        f"print([n['NodeID'] for n in ray.nodes() if n['Alive'] and n['NodeManagerAddress'] == '{address}'][0])"
    )
    shell = "cd ~; . ~/dcgan-dist/cluster/node.env; "
    node = hosts.do(HEAD, "bash", "-c", f'{shell} python -c "{script}"').split()[-1]
    drain = (
        f"ray drain-node --address {hosts.addresses[HEAD]}:6379 --node-id {node} "
        f"--reason DRAIN_NODE_REASON_PREEMPTION --reason-message spot --deadline-remaining-seconds {NOTICE_S}"
    )
    at = time.monotonic()
    hosts.do(HEAD, "bash", "-c", shell + drain)
    job.wait("the end of the notice", lambda: time.monotonic() > at + NOTICE_S)
    hosts.kill(host)
    return at


def add_host(job: Job, draws: random.Random) -> float:
    """A machine that was away comes, and the head starts Ray on it."""
    at = time.monotonic()
    job.lab.hosts.boot(SPARE[-1])
    return at


FAULTS = (
    Fault("worker killed", kill_worker, stock=True),
    Fault("host killed", kill_host, stock=True),
    Fault(f"host cut off for {SHORT_S:g} s", partial(cut_host, SHORT_S), restarts=False, stock=True),
    Fault(f"host cut off for {LONG_S:g} s", partial(cut_host, LONG_S), stock=True),
    Fault(f"host leaves with a notice of {NOTICE_S} s", give_notice),
    Fault("host added", add_host, workers="2:3", without=SPARE[-1], same=False),
)


class Bench:
    """Jobs of both loops on one cluster."""

    def __init__(self, lab: Onprem, folder: Path) -> None:
        self._lab, self._folder = lab, folder
        self._unbroken: tuple[Any, Any] | None = None
        self._jobs = 0
        for package in ("benchmarks", "dcgan_dist"):
            shutil.copytree(ROOT / package, lab.hosts.home(LAPTOP) / PEER.removeprefix("~/") / package, ignore=OTHERS)

    def up(self) -> None:
        """Make the cluster, and wait for all of it."""
        status, output = self._lab.run("ray up -y cluster/onprem.yaml")
        if status:
            raise HostsError(f"ray up ended with {status}:\n{output}")
        self._lab.start("ray dashboard cluster/onprem.yaml", self._folder / "tunnel.txt")
        self.wait_for_nodes(1 + len(SPARE))

    def wait_for_nodes(self, number: int) -> None:
        """Until so many live."""
        self._lab.hosts.wait(lambda: self._lab.run("ray list nodes")[1].count("ALIVE") == number, "nodes", WAIT_S, 2.0)

    def measure(self, fault: Fault, loop: str) -> Broken:
        """One fault to a job of a loop; then all machines are there again.

        Raises:
            HostsError: ours does not go on. Ray's may: that is a result.
        """
        self._all_there()
        log, state = self.unbroken()
        if fault.without:
            self._lab.hosts.kill(fault.without)
            self.wait_for_nodes(len(SPARE))
        broken = Broken(fault.name, loop)
        job = self._start(loop, fault.workers)
        try:
            self._break(job, fault, broken)
            job.wait("the end", lambda: f"Job '{job.name}' succeeded" in job.said())
            verdict = judge(job.log.uses, IMAGES, EPOCHS)
            broken.missing, broken.twice = verdict.missing, verdict.twice
            if loop == OURS and fault.same:
                broken.same_log = same(job.log.uses, log)
                broken.same_state = equal(final_state(job.folder), state)
        except HostsError as error:
            print(job.said()[-3000:])
            if loop == OURS:
                raise
            broken.ended.append(str(error))
        finally:
            self._lab.run(f"ray job stop {job.name}", timeout_s=200)
        return broken

    def unbroken(self) -> tuple[Any, Any]:
        """Sample log and last state of ours where nothing happens to it."""
        if self._unbroken is None:
            job = self._start(OURS, "2")
            job.wait("the end of the unbroken run", lambda: f"Job '{job.name}' succeeded" in job.said())
            self._unbroken = job.log.uses, final_state(job.folder)
        return self._unbroken

    def _all_there(self) -> None:
        for name in SPARE:
            if not self._lab.hosts.is_up(name):
                self._lab.hosts.boot(name)
        self.wait_for_nodes(1 + len(SPARE))

    def _start(self, loop: str, workers: str) -> Job:
        self._jobs += 1
        name = f"job{self._jobs}"
        if loop == OURS:
            options = " ".join([f"--name={name}", f"--storage={RUNS}", f"--workers={workers}", *SETTINGS])
            command = f"python -m dcgan_dist.train {options}"
        else:
            (data,) = (self._lab.runs / "data").iterdir()
            options = (
                f"--data={RUNS}/data/{data.name} --storage={RUNS} --name={name} --epochs={EPOCHS} --batch-size={BATCH} "
                f"--between={BETWEEN} --workers={workers} --threads=1 --maps={MAPS} --max-failures=3 --cpus={CPUS}"
            )
            command = f"python -m benchmarks.stock {options}"
        return Job(self._lab, name, "." if loop == OURS else PEER, command, self._folder / f"{name}.txt")

    def _break(self, job: Job, fault: Fault, broken: Broken) -> None:
        draws = random.Random(f"{SEED} {fault.name}")
        job.wait("the first step", lambda: job.log.newest)
        step = BETWEEN + draws.randint(*OFFSETS)
        job.wait(f"step {step}", lambda: job.log.newest is not None and job.log.newest.last >= step)
        assert job.log.newest is not None
        life = job.log.newest.number
        at = fault.act(job, draws)
        under_way = max(reached for (one, reached), seen in job.log.seen.items() if one == life and seen <= at)
        restarts = fault.restarts
        went_on = partial(job.log.went_on, life, None if restarts else under_way)
        job.wait("a step after the fault", went_on)
        back = went_on()
        assert back is not None
        pause_s = job.log.pause(at, back if restarts else time.monotonic())
        broken.draws.append(Draw(under_way, back - at, pause_s, lost(list(job.log.uses), life)))
        tell(f"{fault.name}, {broken.loop}: {broken.draws[-1]}")


def report(results: Sequence[Broken]) -> Report:
    """The table, the bars and the single measurements."""
    bars: list[Bar] = []
    for broken in results:
        if broken.loop == OURS:
            bars.append(Bar(f"{broken.fault}: samples missing or doubled", _unsound(broken), at_most=0))
            if broken.same_log is not None:
                even = float(bool(broken.same_log and broken.same_state))
                bars.append(Bar(f"{broken.fault}: log and last state equal the unbroken run's", even, at_least=1))
            if "notice" in broken.fault:
                bars.append(Bar(f"{broken.fault}: steps lost", sum(d.lost for d in broken.draws), at_most=0))
    header = ["fault", "loop", "s until training goes on", "s without a step", "steps lost", "samples missing, doubled"]
    return Report(
        command="python -m benchmarks.host_faults --json benchmarks/results/host_faults.json",
        tables={"host-faults": Table([*header, "ends as the unbroken run"], [_row(one) for one in results])},
        rates={f"{one.fault}: {one.loop}, s": one.draws[0].seconds for one in results if one.draws},
        samples={"steps": STEPS, "steps_between_checkpoints": BETWEEN, "broken": [asdict(one) for one in results]},
        bars=bars,
    )


def _unsound(broken: Broken) -> float:
    return float("inf") if broken.missing is None else broken.missing + (broken.twice or 0)


def _row(broken: Broken) -> list[Cell]:
    draws = broken.draws
    if broken.ended:
        ends = f"does not end: {broken.ended[0]}"
    else:
        ends = "-" if broken.same_log is None else "yes" if broken.same_log and broken.same_state else "no"
    return [
        broken.fault,
        broken.loop,
        several([draw.seconds for draw in draws]),
        several([draw.pause_s for draw in draws]),
        ", ".join(str(draw.lost) for draw in draws) or "-",
        "-" if broken.missing is None else f"{broken.missing:,}, {broken.twice:,}",
        ends,
    ]


def in_order(found: Mapping[tuple[str, str], Broken]) -> list[Broken]:
    """As the table has them."""
    return [found[fault.name, loop] for fault in FAULTS for loop in (OURS, STOCK) if (fault.name, loop) in found]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0, or 1 where a fault could not be measured or a bar is missed."""
    options = parser("What it costs when machines of a cluster fail.")
    options.add_argument("--only", nargs="+", metavar="FAULT", help="measure these, and keep what FILE has of others")
    given = options.parse_args(arguments)
    found = {(one.fault, one.loop): one for one in (read(given.json) if given.only else [])}
    failed = False
    with tempfile.TemporaryDirectory() as folder, Onprem(*SPARE) as lab:
        bench = Bench(lab, Path(folder))
        bench.up()
        for fault in FAULTS:
            if given.only is not None and fault.name not in given.only:
                continue
            for loop in (OURS, STOCK) if fault.stock else (OURS,):
                try:
                    found[fault.name, loop] = bench.measure(fault, loop)
                except HostsError:
                    failed = True
                    traceback.print_exc()
                if given.json is not None:
                    write(given.json, report(in_order(found)).to_json())
    made = report(in_order(found))
    publish(made, given.json)
    return int(failed or not all(bar.met for bar in made.bars))


if __name__ == "__main__":
    sys.exit(main())
