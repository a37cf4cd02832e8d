"""A cluster as a newcomer makes it, by `ray up cluster/onprem.yaml`; its machines are hosts of `hosts.py`."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.hosts import ROOT, Hosts, HostsError

LAPTOP, HEAD, RUNS = "laptop", "head", "/mnt/runs"
"""`RUNS`: a folder that all machines share, where docs/cluster.md has it."""
COLORS = re.compile("\x1b\\[[0-9;]*m")
LOOK_S = 0.5
CHECKOUT = "dcgan-dist"
FILES = (
    *("benchmarks", "cluster", "dcgan_dist", "docs", "tests", "tuning"),
    *(".gitignore", ".rayignore", "cluster.yaml", "constraints.txt", "pyproject.toml", "README.md"),
)
Changes = Mapping[str, Mapping[str, str]]
"""What a user changes: by file of the checkout, what stands there once and what comes in its place."""


class Onprem:
    """A laptop and the machines of a cluster that is still to be made.

    Attributes:
        hosts: all of them.
        runs: `RUNS`, as this machine sees it.
        changes: as below; more may come until the block begins.
    """

    def __init__(self, *workers: str, beside: Sequence[str] = (), changes: Changes | None = None) -> None:
        """
        Args:
            workers: names of the machines that the head makes a cluster of.
            beside: of others in their network.
            changes: besides the three fields of `onprem.yaml`.
        """
        self.hosts, self._workers = Hosts(LAPTOP, HEAD, *workers, *beside), workers
        self.changes = dict(changes or {})
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        self.hosts.__enter__()
        try:
            self.runs = self.hosts.shared
            for name in self.hosts.addresses:
                self.hosts.do(name, "ln", "-s", str(self.runs), RUNS)
            for name in (HEAD, *self._workers):
                give_environment(self.hosts.home(name))
            self._make_laptop()
        except BaseException:
            self.hosts.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hosts.__exit__(kind, error, trace)
        for process in self._started:
            process.wait()  # its host is gone

    def up(self, tunnel: Path, launcher: str = "cluster/onprem.yaml", nodes: int | None = None) -> None:
        """Make the cluster, open the tunnel to its dashboard, and wait for its machines.

        Args:
            tunnel: where what the tunnel says is written.
            launcher: the file that makes the cluster.
            nodes: how many machines there will be; none: all.

        Raises:
            HostsError: it was not made, or its machines do not come.
        """
        status, output = self.run(f"ray up -y {launcher}", 240)
        if status:
            raise HostsError(f"ray up ended with {status}:\n{output}")
        self.start(f"ray dashboard {launcher}", tunnel)
        self.wait_for_nodes(1 + len(self._workers) if nodes is None else nodes, tunnel)

    def wait_for_nodes(self, number: int, tunnel: Path) -> None:
        """Until so many live."""
        self.wait(lambda: self.run("ray list nodes")[1].count("ALIVE") == number, "nodes", tunnel, 240.0)

    def run(self, command: str, timeout_s: float = 120.0) -> tuple[int, str]:
        """Run a line as a user does on the laptop, in the checkout: status, and output without its colors."""
        done = self.hosts.run(LAPTOP, "bash", "-c", self._line(f"{command} 2>&1"), timeout_s=timeout_s)
        return done.returncode, COLORS.sub("", done.stdout)

    def start(self, command: str, output: Path) -> None:
        """Start such a line; what it says goes to a file."""
        self._started.append(self.hosts.start(LAPTOP, "bash", "-c", self._line(f"exec {command}"), output=output))

    def wait(self, there: Callable[[], object], what: str, output: Path, seconds: float = 120.0) -> None:
        """Until something is so.

        Raises:
            HostsError: it took too long; with what `output` says.
        """
        try:
            self.hosts.wait(there, what, seconds, LOOK_S)
        except HostsError as error:
            raise HostsError(f"{error}:\n{output.read_text()}") from None

    def _line(self, command: str) -> str:
        return f"cd ~/{CHECKOUT}; . cluster/client.env; {command}"

    def _make_laptop(self) -> None:
        """Give it a checkout with the three fields of `onprem.yaml` filled in, and the key."""
        home = self.hosts.home(LAPTOP)
        key = home / ".ssh" / "id_ed25519"
        shutil.copy(self.hosts.key, key)
        key.chmod(0o600)
        head, *workers = [self.hosts.addresses[name] for name in (HEAD, *self._workers)]
        fields = {
            "head_ip: HEAD # <--": f"head_ip: {head} # <--",
            "worker_ips: [WORKER, WORKER] # <--": f"worker_ips: [{', '.join(workers)}] # <--",
            "ssh_user: USER # <--": "ssh_user: root # <--",
        }
        launcher = "cluster/onprem.yaml"
        give_checkout(home / CHECKOUT, self.changes | {launcher: fields | dict(self.changes.get(launcher, {}))})


def give_checkout(folder: Path, changes: Changes) -> None:
    """Make a folder a copy of this checkout, in which a user has changed something.

    Raises:
        ValueError: what is to be changed does not stand there once.
    """
    folder.mkdir()
    for name in FILES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    for name, changed in changes.items():
        text = (folder / name).read_text()
        for before, after in changed.items():
            if text.count(before) != 1:
                raise ValueError(f"{name} has {before} {text.count(before)} times, where once was expected")
            text = text.replace(before, after)
        (folder / name).write_text(text)


def give_environment(home: Path) -> None:
    """Put what `cluster/setup.sh` makes on a machine into this home: links, without the minutes that it takes."""
    pins = "".join((ROOT / name).read_text() for name in ("pyproject.toml", "constraints.txt", "cluster/setup.sh"))
    sums = subprocess.run(["cksum"], input=pins, capture_output=True, text=True, check=True).stdout.split()
    environment = home / "dcgan-env"
    environment.mkdir()
    (environment / "pins").write_text(f"{sums[0]}\n")
    for part in Path(sys.prefix).iterdir():
        (environment / part.name).symlink_to(part)
