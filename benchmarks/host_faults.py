"""What it costs when machines of a cluster fail: the training command and Ray's own loop, as jobs on several hosts.

python -m benchmarks.host_faults --json benchmarks/results/host_faults.json
python -m benchmarks.host_faults --json benchmarks/results/host_faults.json --only "host killed"     # the rest is kept

The hosts are those of `tests/harness/hosts.py`, made a cluster by `ray up cluster/onprem.yaml`. Each fault comes to a
job of its own, at a drawn step strictly between two checkpoints. Sample logs tell what was lost, twice or missing.
"""

import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults import (
    BATCH,
    BETWEEN,
    EPOCHS,
    IMAGES,
    OFFSETS,
    OURS,
    STEPS,
    STOCK,
    Broken,
    Draw,
    equal,
    final_state,
    read,
    settings,
    several,
    tell,
)
from benchmarks.report import Bar, Cell, Report, Table, parser, publish, write
from dcgan_dist.run_folder.attempts import attempts
from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.storage import Place
from tests.harness.hosts import ROOT, HostsError
from tests.harness.lineage import SampleLog, judge, lost, same
from tests.harness.onprem import HEAD, LAPTOP, RUNS, Onprem

SPARE = ("w1", "w2", "w3", "w4")
"""Machines beside the head, which only coordinates: two of them train, each with all of its CPUs."""
CHANGES = {
    "cluster/onprem.yaml": {"ray start --head --port=6379": "ray start --head --port=6379 --num-cpus=0"},
    "cluster/node.env": {"# export RAY_gcs_storage=rocksdb": "export RAY_gcs_storage=rocksdb"},
}
"""Of the files that come with this: switches that they name."""
CPUS = 2
MAPS = 40
"""Base maps of both networks: a step takes long enough to be met, also by a notice that takes seconds to be given."""
SEED = 5
PEER, OTHERS = "~/peer", shutil.ignore_patterns("__pycache__", "results")
"""Folder on the laptop of what Ray's loop needs, and what it does not."""
LOOK_S = 0.02
WAIT_S = 240.0
SHORT_S, LONG_S = 5.0, 40.0
"""Cuts that are shorter, and longer, than the 15 s after which `cluster/node.env` has a silent machine given up."""
NOTICE_S = 12
"""Short enough for a loop that does not leave by itself to be still at work when its machine goes."""
METADATA_PORT = 8100
AWAY_S = 10.0
"""How long the head is away."""
SETTINGS = (*settings(STEPS, MAPS), f"--workers.cpus={CPUS}")


class Job:
    """A job of either loop.

    Attributes:
        folder: of its run, as this machine sees it.
        log: its sample log.
        driven_by_head: whether its driver runs there.
    """

    def __init__(self, lab: Onprem, name: str, options: str, command: str, output: Path) -> None:
        """
        Args:
            name: of the run and of the job.
            options: of `ray job submit`.
            command: that the job runs.
            output: where what it says is kept.
        """
        self.lab, self.name, self.folder, self.output = lab, name, lab.runs / name, output
        self.log = SampleLog(self.folder / "audit")
        self.driven_by_head = "--entrypoint-num-cpus" not in options
        lab.start(f"ray job submit --submission-id {name} {options} -- {command}", output)

    def resume(self) -> None:
        """Go on with the run in another job, as soon as the cluster takes any."""
        self.name = f"{self.name}again"
        command = f"python -m dcgan_dist.train --resume={self.folder.name} --storage={RUNS}"
        line = f"ray job submit --submission-id {self.name} --no-wait --working-dir . -- {command}"
        self.lab.hosts.wait(lambda: self.lab.run(line)[0] == 0, "the cluster to take a job", WAIT_S)

    def ended(self) -> bool:
        """Whether its run has come to its end. The command on the laptop does not survive the head."""
        record = self.folder / "run.json"
        if record.is_file():
            return bool(json.loads(record.read_text())["status"] == "finished")
        return f"Job '{self.name}' succeeded" in self.said()

    def said(self) -> str:
        """All that it has said."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def wait(self, what: str, there: Callable[[], object]) -> None:
        """Until something is so, while the sample log is read.

        Raises:
            HostsError: the job has failed, or ended before, or it took too long.
        """
        deadline = time.monotonic() + WAIT_S
        while True:
            self.log.look()
            if there():
                return
            if f"Job '{self.name}' failed" in self.said():
                raise HostsError(f"{what}: the job has failed")
            if self.ended():
                self.log.look()
                if there():
                    return
                raise HostsError(f"{what}: the job has ended before")
            if time.monotonic() > deadline:
                raise HostsError(f"{what}: not within {WAIT_S:g} s")
            time.sleep(LOOK_S)

    def workers(self) -> dict[str, list[int]]:
        """Processes of its workers, by the host that they are on."""
        found = {}
        for host in SPARE:
            told = self.lab.hosts.run(host, "pgrep", "-f", "^ray::RayTrainWorker").stdout
            if told:
                found[host] = [int(pid) for pid in told.split()]
        return found

    def victim(self, draws: random.Random) -> str:
        """A machine that trains."""
        return draws.choice(sorted(self.workers()))


Act = Callable[[Job, random.Random], float]
"""Brings a fault about; returns when it came, by the clock of the sample log."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        act: brings it about.
        restarts: whether another attempt has to begin before training goes on.
        stock: whether Ray's loop is broken by it, too.
        workers: what the command is told.
        without: a host that is away at first.
        same: whether the run has to end as the unbroken one.
        shown: whether what the fault is about has happened in the end.
        submit: options of `ray job submit`.
        settings: of the training command, besides the others.
    """

    name: str
    act: Act
    restarts: bool = True
    stock: bool = False
    workers: str = "2"
    without: str = ""
    same: bool = True
    shown: Callable[["Job"], bool] | None = None
    submit: str = ""
    settings: str = ""


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
    time.sleep(seconds)
    job.lab.hosts.heal(host)
    return at


def give_notice(job: Job, draws: random.Random) -> float:
    """The watch of a machine that trains is told by a server that answers as Azure's; later the machine goes."""
    host = job.victim(draws)
    hosts = job.lab.hosts
    served = hosts.home(LAPTOP) / "served" / "metadata"
    (served / "instance" / "compute").mkdir(parents=True, exist_ok=True)
    (served / "instance" / "compute" / "name").write_text(host)
    server = hosts.start(
        LAPTOP, "python", "-m", "http.server", "--directory", "served", str(METADATA_PORT),
        output=job.output.with_name("metadata.txt"),
    )  # fmt: skip
    watch = "python dcgan-dist/cluster/preemption_watch.py --cloud azure"
    metadata = f"http://{hosts.addresses[LAPTOP]}:{METADATA_PORT}"
    try:
        at = time.monotonic()
        goes = format_datetime(datetime.now(UTC) + timedelta(seconds=NOTICE_S), usegmt=True)
        event = {"EventType": "Preempt", "Resources": [host], "NotBefore": goes}
        (served / "scheduledevents").write_text(json.dumps({"Events": [event]}))
        hosts.do(host, "bash", "-c", f". dcgan-dist/cluster/node.env; {watch} --metadata {metadata}")
        left_s = at + NOTICE_S - time.monotonic()
        if left_s < 0:
            raise HostsError(f"the watch took {NOTICE_S - left_s:.0f} s to tell Ray")
        time.sleep(left_s)
        hosts.kill(host)
    finally:
        hosts.do(LAPTOP, "pkill", "-f", "http.server")
        server.wait()
    return at


def kill_judge(job: Job, draws: random.Random) -> float:
    """The machine that judges checkpoints loses its power."""
    (host,) = [one for one in SPARE if job.lab.hosts.run(one, "pgrep", "-f", "^ray::_Actor").returncode == 0]
    at = time.monotonic()
    job.lab.hosts.kill(host)
    return at


def kill_head(job: Job, draws: random.Random) -> float:
    """The head loses its power, comes back and is started again; a run whose driver was on it is resumed."""
    hosts, driven_there = job.lab.hosts, not job.lab.hosts.run(HEAD, "pgrep", "-f", "dcgan_dist.train").returncode
    if driven_there != job.driven_by_head:
        raise HostsError(f"the driver is {'' if driven_there else 'not '}on the head")
    at = time.monotonic()
    hosts.kill(HEAD)
    time.sleep(AWAY_S)
    hosts.boot(HEAD)
    start = "ray start --head --port=6379 --dashboard-host=127.0.0.1 --num-cpus=0"
    hosts.do(HEAD, "bash", "-c", f". ~/dcgan-dist/cluster/node.env; {start}")
    job.lab.start("ray dashboard cluster/onprem.yaml", job.output.with_name("tunnel.txt"))
    if driven_there:
        job.resume()
    return at


def add_host(job: Job, draws: random.Random) -> float:
    """A machine that was away comes, and the head starts Ray on it."""
    at = time.monotonic()
    job.lab.hosts.boot(SPARE[-1])
    return at


def has_grown(job: Job) -> bool:
    """To three workers."""
    return attempts(Place(str(job.folder)))[-1].workers == 3


def was_judged(job: Job) -> bool:
    """Whether the last checkpoint has its result; it is written after the fault."""
    run = Place(str(job.folder))
    judged = {json.loads(file.read_bytes())["checkpoint"] for file, _ in (run / "evaluation").files()}
    return max(manifests(run)) in judged


FAULTS = (
    Fault("worker killed", kill_worker, stock=True),
    Fault("host killed", kill_host, stock=True),
    Fault(f"host cut off for {SHORT_S:g} s", partial(cut_host, SHORT_S), restarts=False, stock=True),
    Fault(f"host cut off for {LONG_S:g} s", partial(cut_host, LONG_S), stock=True),
    Fault(f"host leaves with a notice of {NOTICE_S} s", give_notice, stock=True),
    Fault("host that judges killed", kill_judge, restarts=False, shown=was_judged, settings="--probe=rooms"),
    # Before the head is killed: started again by hand, it starts Ray on no other machine.
    Fault("host added", add_host, workers="2:3", without=SPARE[-1], same=False, shown=has_grown),
    Fault("head killed, driver on it, resumed", kill_head),
    Fault("head killed, driver elsewhere", kill_head, restarts=False, submit="--entrypoint-num-cpus=1"),
)


class Bench:
    """Jobs of both loops on one cluster."""

    def __init__(self, lab: Onprem, folder: Path) -> None:
        self._lab, self._folder = lab, folder
        self._tunnel = folder / "tunnel.txt"
        lab.up(self._tunnel)
        self._unbroken: tuple[Any, Any] | None = None
        self._jobs = 0
        for package in ("benchmarks", "dcgan_dist"):
            shutil.copytree(ROOT / package, lab.hosts.home(LAPTOP) / PEER.removeprefix("~/") / package, ignore=OTHERS)

    def measure(self, fault: Fault, loop: str) -> Broken:
        """One fault to a job of a loop; then all machines are there again.

        Raises:
            HostsError: ours does not go on. Ray's may: that is a result.
        """
        self._all_there()
        log, state = self.unbroken()
        if fault.without:
            self._lab.hosts.kill(fault.without)
            self._lab.wait_for_nodes(len(SPARE), self._tunnel)
        broken = Broken(fault.name, loop)
        job = self._start(loop, fault)
        try:
            at = self._break(job, fault, broken)
            job.wait("the end", job.ended)
            if not fault.restarts:
                begin, end = job.log.standstill(at, time.monotonic())
                broken.draws[-1] = replace(broken.draws[-1], pause_s=end - begin)
            if fault.shown is not None and not fault.shown(job):
                raise HostsError(f"not {fault.shown.__name__.replace('_', ' ')}")
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
            job = self._start(OURS, None)
            job.wait("the end of the unbroken run", job.ended)
            self._unbroken = job.log.uses, final_state(job.folder)
        return self._unbroken

    def _all_there(self) -> None:
        for name in SPARE:
            if not self._lab.hosts.is_up(name):
                self._lab.hosts.boot(name)
        self._lab.wait_for_nodes(1 + len(SPARE), self._tunnel)

    def _start(self, loop: str, fault: Fault | None) -> Job:
        self._jobs += 1
        name, workers = f"job{self._jobs}", fault.workers if fault else "2"
        submit = f"{fault.submit if fault else ''} --working-dir {'.' if loop == OURS else PEER}"
        if loop == OURS:
            options = " ".join([f"--name={name}", f"--storage={RUNS}", f"--workers={workers}", *SETTINGS])
            command = f"python -m dcgan_dist.train {options} {fault.settings if fault else ''}"
        else:
            (data,) = (self._lab.runs / "data").iterdir()
            options = (
                f"--data={RUNS}/data/{data.name} --storage={RUNS} --name={name} --epochs={EPOCHS} --batch-size={BATCH} "
                f"--between={BETWEEN} --workers={workers} --threads=1 --maps={MAPS} --max-failures=3 --cpus={CPUS}"
            )
            command = f"python -m benchmarks.stock {options}"
        return Job(self._lab, name, submit, command, self._folder / f"{name}.txt")

    def _break(self, job: Job, fault: Fault, broken: Broken) -> float:
        """Bring a fault about and see training go on; when it came."""
        draws = random.Random(f"{SEED} {fault.name}")
        job.wait("the first step", lambda: job.log.newest)
        step = BETWEEN + draws.randint(*OFFSETS)
        job.wait(f"step {step}", lambda: job.log.newest is not None and job.log.newest.last >= step)
        assert job.log.newest is not None
        attempt = job.log.newest.number
        with ThreadPoolExecutor(1) as pool:
            acting = pool.submit(fault.act, job, draws)
            job.wait("the fault", acting.done)  # the sample log is read meanwhile
            at = acting.result()

        def reached(by: float) -> int:
            return max(step for (one, step), seen in job.log.seen.items() if one == attempt and seen <= by)

        # Where no other attempt has to begin, the first steps may come before the fault is felt.
        went_on = partial(job.log.went_on, attempt, None if fault.restarts else reached(time.monotonic()))
        job.wait("a step after the fault", went_on)
        back = went_on()
        assert back is not None
        begin, end = job.log.standstill(at, back)
        seconds = (back if fault.restarts else end) - at
        broken.draws.append(Draw(reached(at), seconds, end - begin, lost(list(job.log.uses), attempt)))
        tell(f"{fault.name}, {broken.loop}: {broken.draws[-1]}")
        return at


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
    with tempfile.TemporaryDirectory() as folder, Onprem(*SPARE, changes=CHANGES) as lab:
        bench = Bench(lab, Path(folder))
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
