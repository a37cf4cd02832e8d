"""Commands that are to be broken: in a home of their own, on a Ray of their own or on several nodes of this machine."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dcgan_dist.run_folder.checkpoint import manifests
from dcgan_dist.storage import Place
from tests.harness.lineage import SampleLog

ROOT = Path(__file__).parents[2]
LOOK_S = 0.02
"""Between two looks at what a command does."""
WAIT_S = 240.0
"""How long anything may take before the benchmark gives up."""


class GaveUpError(Exception):
    """What was waited for did not come."""


class Home:
    """A folder that is the home of all that is started. It goes with the block, and all that still runs in it."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        """`variables`: of the environment of all that is started; of ours none that Ray reads are among them."""
        self._variables = variables or {}

    def __enter__(self) -> Self:
        self.path = Path(tempfile.mkdtemp(prefix="faults-"))
        self.work = self.path / "work"
        self.work.mkdir()
        # Ray writes a cluster's address there, and makes no folder for it.
        (self.path / "ray").mkdir()
        self.nodes: Nodes | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.nodes is not None:
            self.nodes.shutdown()
        self.kill_all()
        shutil.rmtree(self.path, ignore_errors=True)

    def environment(self, address: str | None) -> dict[str, str]:
        """Of the commands; `address`: of the Ray cluster that they join."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        joined = {} if address is None else {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "disabled"}
        # The code beside this file, whatever is installed.
        own = {"HOME": str(self.path), "RAY_TMPDIR": str(self.path), "PYTHONPATH": str(ROOT)}
        return (
            kept | own | joined | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"} | dict(self._variables)
        )

    def start_nodes(self) -> "Nodes":
        """A Ray cluster of several nodes; the first call starts it."""
        if self.nodes is None:
            for name in [name for name in os.environ if name.startswith("RAY_")]:
                del os.environ[name]
            os.environ.update(self.environment(None) | {"RAY_AUTH_MODE": "disabled"})
            self.nodes = Nodes(self.path)
        return self.nodes

    def processes(self) -> dict[int, str]:
        """All that runs in this home, with what it says it is."""
        mark = f"HOME={self.path}".encode()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended, or belongs to somebody else
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def tidy(self) -> None:
        """Between two runs: end what a killed driver has left, which some processes of Ray notice only after a minute
        or more. A cluster of several nodes stays, and frees by itself what its drivers had."""
        if self.nodes is None:
            self.kill_all()

    def kill_all(self) -> None:
        """End all that runs in this home, and wait for its end."""
        deadline = time.monotonic() + WAIT_S
        while left := self.processes():
            for pid in left:
                kill(pid)
            if time.monotonic() > deadline:
                raise GaveUpError(f"{left} cannot be ended")
            time.sleep(0.1)


class Nodes:
    """A Ray cluster whose head runs drivers and reads data; each other node has room for one worker."""

    CPUS = 2
    """Of a node beside the head."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "temp_dir": str(folder)}
        )
        self.address: str = self._cluster.address

    @property
    def number(self) -> int:
        """How many there are beside the head."""
        return len(self._cluster.worker_nodes)

    def fill(self, number: int) -> None:
        """Add nodes up to so many."""
        while self.number < number:
            self._cluster.add_node(num_cpus=self.CPUS)

    def keep(self, number: int) -> None:
        """Take nodes away that are more than so many; nothing runs there."""
        for node in list(self._cluster.worker_nodes)[number:]:
            self._cluster.remove_node(node, allow_graceful=True)

    def of(self, pid: int) -> Any:
        """The node that runs this worker."""
        found = self.find(pid)
        assert found is not None, "it runs on the head, or has ended"
        return found

    def find(self, pid: int) -> Any | None:
        """The node that runs this worker; None where it runs on the head."""
        return next((node for node in self._cluster.worker_nodes if self._raylet(node) == parent(pid)), None)

    def kill(self, node: Any) -> None:
        """The node and all that runs on it, at once."""
        raylet = self._raylet(node)
        processes = [int(process.name) for process in Path("/proc").glob("[0-9]*")]
        for pid in [raylet, *(pid for pid in processes if parent(pid) == raylet)]:
            kill(pid)
        self._cluster.remove_node(node, allow_graceful=False)

    def give_notice(self, node: Any, seconds: int) -> None:
        """See `give_notice`."""
        give_notice(self.address, node, seconds)

    def shutdown(self) -> None:
        """All nodes."""
        self._cluster.shutdown()

    @staticmethod
    def _raylet(node: Any) -> int:
        return int(node.all_processes["raylet"][0].process.pid)


class Run:
    """A run of a command, over as many processes as it takes.

    Attributes:
        folder: of the run; its sample log is in `audit`.
        process: the newest driver.
    """

    def __init__(
        self, home: Home, folder: Path, start: Sequence[str], again: Sequence[str], address: str | None
    ) -> None:
        """`start` and `again`: module and arguments with which it begins, and with which it goes on."""
        self.home, self.folder = home, folder
        self._again, self._environment = again, home.environment(address)
        self._output = home.path / f"{folder.name}.txt"
        self.log = SampleLog(folder / "audit")
        self._start(start)

    def _start(self, command: Sequence[str]) -> None:
        with open(self._output, "ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.home.work,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def go_on(self) -> None:
        """Start the next driver of the run."""
        self._start(self._again)

    def kill_driver(self) -> None:
        """Kill the driver, and start the next one."""
        kill(self.process.pid)
        self.process.wait()
        self.go_on()

    def kill_worker(self, task: str) -> None:
        """Kill a process of Ray while it does this task."""

        def found() -> bool:
            working = self._doing(task)
            for pid in working[:1]:
                kill(pid)
            return bool(working)

        self.wait("a worker at work", found)

    def kill_machine(self, task: str) -> None:
        """Kill a node, other than the head, while it does this task."""
        nodes = self.home.nodes
        assert nodes is not None

        def found() -> bool:
            working = [node for pid in self._doing(task) if (node := nodes.find(pid)) is not None]
            for node in working[:1]:
                nodes.kill(node)
            return bool(working)

        self.wait("a machine at work", found)

    def _doing(self, task: str) -> list[int]:
        return [pid for pid, what in self.home.processes().items() if what.startswith(f"ray::{task}")]

    def said(self) -> str:
        """All that its drivers have written to the terminal."""
        return self._output.read_text(errors="replace")

    def wait(self, what: str, there: Callable[[], object], *, running: bool = True) -> None:
        """Until something is so, while the sample log is read.

        Args:
            running: the command must not end before.

        Raises:
            GaveUpError: the command has ended, or it took too long.
        """
        deadline = time.monotonic() + WAIT_S
        while True:
            self.log.look()
            if there():
                return
            if running and self.process.poll() is not None:
                raise GaveUpError(f"{what}: the command has ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                raise GaveUpError(f"{what}: not within {WAIT_S:g} s")
            time.sleep(LOOK_S)

    def end(self) -> int:
        """Wait for the end of the driver: its status; raises `GaveUpError` where it does not come."""
        self.wait("the end", lambda: self.process.poll() is not None, running=False)
        return int(self.process.returncode)

    def worker_of(self, rank: int) -> int:
        """Process of a rank: it has the newest sample log open."""
        newest = self.log.newest
        assert newest is not None
        log = str(self.folder / "audit" / f"{newest.number:06d}-{rank:04d}.jsonl")
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended, or belongs to somebody else
                if log in [os.readlink(file) for file in (process / "fd").iterdir()]:
                    return int(process.name)
        raise GaveUpError(f"no process has the log of rank {rank} open")

    def checkpoints(self) -> dict[str, dict[str, Any]]:
        """Manifests of the checkpoints that are whole, oldest first."""
        return manifests(Place(str(self.folder)))


def parent(pid: int) -> int | None:
    """Process that started this one; None where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def kill(pid: int, number: int = signal.SIGKILL) -> float:
    """Send a signal; when that was, by the clock of `SampleLog`."""
    at = time.monotonic()
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return at


def give_notice(address: str, node: Any, seconds: int) -> None:
    """Tell a cluster what a cloud tells a machine that it will take away."""
    subprocess.run(
        [
            *(sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address", address),
            *("--node-id", node.node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION"),
            *("--reason-message", "spot", "--deadline-remaining-seconds", str(seconds)),
        ],
        check=True,
        capture_output=True,
    )


def later(seconds: float, act: Callable[[], object]) -> threading.Timer:
    """Do it after so many seconds, in a thread."""
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer
