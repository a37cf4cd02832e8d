"""Hosts of a network, made on this machine: each has its own address, name, processes, files, home and SSH server.

They are Linux namespaces over this machine's own files: whatever is installed here is installed on each of them.
No packet leaves the network, and nothing of it is left when it is closed. It takes root, and `PROGRAMS`.
"""

import itertools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PROGRAMS = ("ip", "nsenter", "unshare", "pivot_root", "ssh", "ssh-keygen", "sshd", "rsync", "tc")
"""Of Debian's packages iproute2, util-linux, openssh-client, openssh-server and rsync."""
SUBNET = "10.77.0"
FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
MARK = "dcgan-hosts"
"""What names of network namespaces and of folders begin with; the process that made them follows."""
START_S = 30.0
_numbers = itertools.count()


class HostsError(Exception):
    """A host, or a command on one, failed."""


def missing() -> str:
    """Why no hosts can be made here; "" where they can."""
    if os.geteuid() != 0:
        return "it takes root"
    path = ":".join(FOLDERS)
    lacking = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if lacking:
        return f"programs are missing: {', '.join(lacking)}"
    probe = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/r && "
    probe += "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r"
    done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", probe], capture_output=True)
    return "" if done.returncode == 0 else f"namespaces cannot be made: {done.stderr.decode().strip()}"


class Hosts:
    """A network of hosts, which all run within the block.

    Attributes:
        addresses: of each host, by name.
        shared: a folder that all of them see at the same path, as they would one on a file server.
        key: of the user who may log into all of them, as root.
        variables: of the environment of every program there, also of who logs in; set before a host boots.
    """

    def __init__(self, laptop: str, *names: str) -> None:
        """
        Args:
            laptop: the one that has this checkout; the others have only what is installed.
            names: of the others.
        """
        names = (laptop, *names)
        self._laptop = laptop
        self._mark = f"{MARK}-{os.getpid()}-{next(_numbers)}"
        self.addresses = {name: f"{SUBNET}.{10 + number}" for number, name in enumerate(names)}
        self.variables: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        reason = missing()
        if reason:
            raise HostsError(reason)
        remove_left()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self._mark}-"))
        self.shared = self._folder / "shared"
        self.shared.mkdir()
        self.key = self._folder / "key"
        try:
            _do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
            _do("ip", "netns", "add", self._space("switch"))
            _do("ip", "-n", self._space("switch"), "link", "add", "bridge", "type", "bridge")
            _do("ip", "-n", self._space("switch"), "link", "set", "bridge", "up")
            for name in self.addresses:
                self._connect(name)
                self.boot(name)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def boot(self, name: str) -> None:
        """Start a host, or start it again: what it wrote is still there, but for /tmp and what was in memory."""
        folder = self._folder / name
        for part in ("upper", "work", "root", "home/.ssh"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "home" / ".ssh").chmod(0o700)
        shutil.copy(self.key.with_suffix(".pub"), folder / "home" / ".ssh" / "authorized_keys")
        lines = ["127.0.0.1 localhost", *(f"{address} {host}" for host, address in self.addresses.items())]
        (folder / "hosts").write_text("".join(f"{line}\n" for line in lines))
        variables = {"PATH": self._path, **self.variables}
        (folder / "bashrc").write_text("".join(f"export {key}={shlex.quote(v)}\n" for key, v in variables.items()))
        hidden = "" if name == self._laptop else str(ROOT)
        inside = [str(HERE / "host.sh"), name, str(folder), str(self.shared), hidden, *self._seen(name)]
        unshared = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--propagation=private"]
        with (folder / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self._space(name)}", *unshared, "bash", *inside],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.wait(lambda: self._answers(name), f"{name} to boot", START_S)

    def kill(self, name: str) -> None:
        """As if its power went: all of it ends at once."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.kill(_child(process.pid), signal.SIGKILL)
        process.wait()

    def is_up(self, name: str) -> bool:
        """Whether it runs."""
        return name in self._processes

    def cut(self, name: str) -> None:
        """Let no packet in or out, and tell nobody."""
        _do("ip", "-n", self._space("switch"), "link", "set", f"to-{name}", "down")

    def heal(self, name: str) -> None:
        """The opposite of `cut`."""
        _do("ip", "-n", self._space("switch"), "link", "set", f"to-{name}", "up")

    def limit(self, name: str, bits: int | None) -> None:
        """Give its line so many bits/s, both ways; none: as many as go."""
        for space, device in ((self._space(name), "eth0"), (self._space("switch"), f"to-{name}")):
            there = ("tc", "-n", space, "qdisc")
            subprocess.run([*there, "del", "dev", device, "root"], capture_output=True)  # it may have none
            if bits is not None:
                burst = max(64_000, bits // 800)  # of 10 ms, which a coarse clock needs
                rate = ("rate", str(bits), "burst", str(burst), "latency", "100ms")
                _do(*there, "add", "dev", device, "root", "tbf", *rate)

    def sent(self, name: str) -> int:
        """Bytes that it has sent since it is there."""
        file = "/sys/class/net/eth0/statistics/tx_bytes"
        return int(self.run(name, "cat", file).stdout)

    def start(
        self, name: str, *command: str, variables: Mapping[str, str] | None = None, output: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start a command on a host, in its home. `output`: where what it says is written."""
        inside = ["nsenter", f"--target={self._first(name)}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root"]
        always = {"HOME": "/root", "PATH": self._path, "LANG": "C.UTF-8", **self.variables}
        environment = always | dict(variables or {})
        settings = [f"{key}={value}" for key, value in environment.items()]
        whole = [*inside, "env", "-i", *settings, "sh", "-c", 'cd; exec "$@"', "sh", *command]
        if output is None:
            return subprocess.Popen(
                whole, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        with output.open("ab") as file:
            return subprocess.Popen(whole, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, text=True)

    def run(
        self, name: str, *command: str, variables: Mapping[str, str] | None = None, timeout_s: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host to its end, and give what it said."""
        process = self.start(name, *command, variables=variables)
        try:
            output, errors = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(_child(process.pid), signal.SIGKILL)
            output, errors = process.communicate()
            raise HostsError(f"{shlex.join(command)} on {name} took over {timeout_s:g} s: {output}{errors}") from None
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def do(self, name: str, *command: str, variables: Mapping[str, str] | None = None, timeout_s: float = 120.0) -> str:
        """`run` what must not fail; what it said."""
        done = self.run(name, *command, variables=variables, timeout_s=timeout_s)
        if done.returncode:
            raise HostsError(
                f"{shlex.join(command)} on {name} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done.stdout

    def home(self, name: str) -> Path:
        """A host's home, as this machine sees it."""
        return self._folder / name / "home"

    @staticmethod
    def wait(there: Callable[[], object], what: str, seconds: float, look_s: float = 0.1) -> None:
        """Until something is so.

        Raises:
            HostsError: it took too long.
        """
        deadline = time.monotonic() + seconds
        while not there():
            if time.monotonic() > deadline:
                raise HostsError(f"waited {seconds:g} s for {what}")
            time.sleep(look_s)

    @property
    def _path(self) -> str:
        return ":".join([str(Path(sys.prefix) / "bin"), *FOLDERS])

    def _seen(self, name: str) -> list[str]:
        """What a host would not see otherwise, since something of its own lies over the folder above."""
        seen = {sys.prefix, sys.base_prefix} | ({str(ROOT)} if name == self._laptop else set())
        return sorted({str(Path(path).resolve()) for path in seen})

    def _connect(self, name: str) -> None:
        space, switch = self._space(name), self._space("switch")
        _do("ip", "netns", "add", space)
        ends = ("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", space)
        _do("ip", "-n", switch, *ends)
        _do("ip", "-n", switch, "link", "set", f"to-{name}", "master", "bridge", "up")
        for device in ("lo", "eth0"):
            _do("ip", "-n", space, "link", "set", device, "up")
        _do("ip", "-n", space, "addr", "add", f"{self.addresses[name]}/24", "dev", "eth0")

    def _space(self, name: str) -> str:
        """Its network's name."""
        return f"{self._mark}-{name}"

    def _first(self, name: str) -> int:
        """Its first process."""
        return _child(self._processes[name].pid)

    def _answers(self, name: str) -> bool:
        """Whether one can log in."""
        process = self._processes[name]
        if process.poll() is not None:
            raise HostsError(f"{name} did not boot: {(self._folder / name / 'log').read_text()}")
        try:
            return self.run(name, "sh", "-c", "ss -Hltn 'sport = 22' | grep -q .").returncode == 0
        except ProcessLookupError:
            return False

    def _close(self) -> None:
        for name in list(self._processes):
            self.kill(name)
        for name in (*self.addresses, "switch"):
            subprocess.run(["ip", "netns", "del", self._space(name)], capture_output=True)  # may not have been made
        shutil.rmtree(self._folder, ignore_errors=True)


def remove_left() -> None:
    """Remove the hosts of processes that were killed."""
    for space in _left(Path("/run/netns")):
        while pids := _do("ip", "netns", "pids", space.name).split():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.1)
        _do("ip", "netns", "del", space.name)
    for folder in _left(Path(tempfile.gettempdir())):
        shutil.rmtree(folder, ignore_errors=True)


def _left(folder: Path) -> list[Path]:
    """What is there of processes that live no more."""
    found = sorted(folder.glob(f"{MARK}-*"))
    makers = [one.name.removeprefix(f"{MARK}-").partition("-")[0] for one in found]
    # Others have names of another kind.
    return [one for one, pid in zip(found, makers, strict=True) if pid.isdigit() and not Path(f"/proc/{pid}").exists()]


def _child(pid: int) -> int:
    """The process that this one has started; raises `ProcessLookupError` where there is none."""
    try:
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, ValueError):
        raise ProcessLookupError(pid) from None
    return int(child)


def _do(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise HostsError(f"{shlex.join(command)}: {done.stderr.strip()}")
    return done.stdout
