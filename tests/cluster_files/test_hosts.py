"""Hosts made of namespaces: whether they are as apart from each other, and as joined, as machines of a network are."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.harness.hosts import MARK, ROOT, Hosts, HostsError, remove_left


@pytest.fixture(scope="module")
def hosts(namespaces: None) -> Iterator[Hosts]:
    with Hosts("laptop", "one", "two") as made:
        yield made


def reaches(hosts: Hosts, name: str, other: str, port: int = 22) -> bool:
    connect = f"timeout 2 bash -c '</dev/tcp/{hosts.addresses[other]}/{port}'"
    return hosts.run(name, "bash", "-c", connect).returncode == 0


def test_each_has_a_name_a_home_and_processes_of_its_own(hosts: Hosts) -> None:
    assert [hosts.do(name, "hostname").strip() for name in hosts.addresses] == ["laptop", "one", "two"]
    hosts.do("one", "sh", "-c", "echo mine > note; sleep 100 >/dev/null 2>&1 &")
    assert hosts.do("one", "cat", "note") == "mine\n"
    assert hosts.run("two", "cat", "note").returncode != 0
    assert "sleep 100" in hosts.do("one", "ps", "ax")
    assert "sleep 100" not in hosts.do("two", "ps", "ax")
    (hosts.shared / "word").write_text("all")
    assert [hosts.do(name, "cat", str(hosts.shared / "word")) for name in ("one", "two")] == ["all", "all"]


def test_only_the_laptop_has_the_checkout(hosts: Hosts) -> None:
    look = ("python", "-c", "import dcgan_dist")
    assert hosts.run("laptop", "sh", "-c", f"cd {ROOT} && python -c 'import dcgan_dist'").returncode == 0
    assert "ModuleNotFoundError" in hosts.run("one", *look).stderr
    hosts.do("one", "python", "-c", "import ray")


def test_one_logs_into_another_with_the_key(hosts: Hosts) -> None:
    key = hosts.home("laptop") / "key"
    key.write_bytes(hosts.key.read_bytes())
    key.chmod(0o600)
    options = ("-i", "key", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no")
    assert hosts.do("laptop", "ssh", *options, "two", "hostname").strip() == "two"
    assert hosts.run("one", "ssh", *options[2:], "two", "hostname").returncode != 0


def test_a_line_can_be_cut_and_made_narrow(hosts: Hosts) -> None:
    assert reaches(hosts, "one", "two")
    hosts.cut("two")
    assert not reaches(hosts, "one", "two")
    hosts.heal("two")
    hosts.wait(lambda: reaches(hosts, "one", "two"), "the line", 20)
    copy = f"head -c 3000000 /dev/zero | timeout 30 bash -c 'cat >/dev/tcp/{hosts.addresses['two']}/5000'"
    seconds = []
    for bits in (None, 8_000_000):
        hosts.limit("one", bits)
        sink = "import socket; s = socket.create_server(('', 5000)); c, _ = s.accept()\nwhile c.recv(1 << 20): pass"
        listener = hosts.start("two", "python", "-c", sink)
        hosts.wait(lambda: "5000" in hosts.do("two", "ss", "-Hltn"), "the listener", 20)
        before, began = hosts.sent("one"), time.monotonic()
        hosts.do("one", "bash", "-c", copy)
        listener.communicate(timeout=30)
        seconds.append(time.monotonic() - began)
        assert 3_000_000 < hosts.sent("one") - before < 3_600_000
    hosts.limit("one", None)
    assert seconds[1] > 2.5, "3 MB take 3 s at 8 Mbit/s, and bytes cannot go faster than the line lets them"
    assert seconds[1] > 2 * seconds[0]


def test_a_host_that_is_killed_comes_back_with_its_home(hosts: Hosts) -> None:
    hosts.do("one", "sh", "-c", "echo kept > kept; echo gone > /tmp/gone; sleep 1000 >/dev/null 2>&1 &")
    hosts.kill("one")
    assert not reaches(hosts, "two", "one")
    hosts.boot("one")
    assert reaches(hosts, "two", "one")
    assert hosts.do("one", "cat", "kept") == "kept\n"
    assert hosts.run("one", "cat", "/tmp/gone").returncode != 0
    assert "sleep 1000" not in hosts.do("one", "ps", "ax")


def test_a_command_that_fails_says_what_it_said(hosts: Hosts) -> None:
    with pytest.raises(HostsError, match="on one ended with 3: no room"):
        hosts.do("one", "sh", "-c", "echo no room >&2; exit 3")
    with pytest.raises(HostsError, match="took over"):
        hosts.run("one", "sleep", "60", timeout_s=0.5)


def left_of(maker: int) -> list[Path]:
    """Networks and files of the hosts that a process has made."""
    return [
        one for folder in (Path("/run/netns"), Path(tempfile.gettempdir())) for one in folder.glob(f"{MARK}-{maker}-*")
    ]


def test_nothing_is_left(hosts: Hosts) -> None:
    before = left_of(os.getpid())

    def make_and_fail() -> None:
        with Hosts("other"):
            assert len(left_of(os.getpid())) == len(before) + 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make_and_fail()
    assert left_of(os.getpid()) == before


MAKE = """
import time
from tests.harness.hosts import Hosts
with Hosts("other"):
    print("made", flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.usefixtures("namespaces")
def test_nothing_is_left_of_who_was_ended(number: signal.Signals) -> None:
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Where tests run in the background, SIGINT is ignored by them, and by all that they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert maker.stdout is not None
    with maker.stdout as told:
        assert told.readline() == b"made\n"
    maker.send_signal(number)
    assert maker.wait(30) != 0
    if number == signal.SIGKILL:
        assert left_of(maker.pid)
        remove_left()
    assert not left_of(maker.pid)
    assert (
        f"{MARK}-{maker.pid}" not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    )
