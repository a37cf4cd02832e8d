"""Who drives a run: one process, until it ends in whatever way."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.run_folder.driver_lock import LOCK_FILE, is_gone, require_no_driver, sole_driver
from dcgan_dist.storage import Place, place

HOLDS = """
import sys, time
from dcgan_dist.run_folder.driver_lock import sole_driver
from dcgan_dist.storage import place
with sole_driver(place(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.fixture
def run(tmp_path: Path) -> Place:
    return place(str(tmp_path / "runs" / "live"))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_second_driver_is_refused_until_the_first_has_ended_in_whatever_way(run: Place, end: int) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(run)], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        sentence = rf"{run} is in use by process {first.pid} on {socket.gethostname()}: wait until that has ended"
        with pytest.raises(CheckpointError, match=sentence):
            require_no_driver(run)
        with pytest.raises(CheckpointError, match=sentence), sole_driver(run):
            raise AssertionError("two drivers at once")
        os.kill(first.pid, end)
    require_no_driver(run)
    with sole_driver(run):
        assert (run / LOCK_FILE).read_bytes().decode() == f"process {os.getpid()} on {socket.gethostname()}\n"


def test_threads_of_one_process_are_two_drivers_too(run: Place) -> None:
    with sole_driver(run), pytest.raises(CheckpointError, match=f"process {os.getpid()} on"), sole_driver(run):
        raise AssertionError("two drivers at once")
    with sole_driver(run):
        pass


def test_nothing_is_written_to_see_that_nobody_drives(run: Place) -> None:
    require_no_driver(run)
    assert not run.exists()


def test_an_object_store_has_no_locks_to_wait_for(s3: Place) -> None:
    with sole_driver(s3 / "run"), sole_driver(s3 / "run"):
        require_no_driver(s3 / "run")
    assert (s3 / "run").names() == []


def test_a_lock_that_cannot_be_written_is_one_sentence(run: Place) -> None:
    run.make_folder()
    (run / LOCK_FILE).make_folder()
    with pytest.raises(DataError, match=rf"^{run / LOCK_FILE} cannot be written: Is a directory$"), sole_driver(run):
        raise AssertionError("driven without a lock")


def test_who_only_looks_at_the_lock_keeps_no_driver_out(run: Place) -> None:
    run.make_folder()
    (run / LOCK_FILE).write_bytes(b"")
    with (run / LOCK_FILE).local_path.open("r+") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        release = threading.Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN))
        release.start()
        with sole_driver(run):
            pass
        release.join()


def test_the_lock_names_its_driver_alone_whoever_was_there_before(run: Place) -> None:
    run.make_folder()
    (run / LOCK_FILE).write_bytes(b"process 123456789 on a host with a name that is longer\n")
    with sole_driver(run):
        assert (run / LOCK_FILE).read_bytes().decode() == f"process {os.getpid()} on {socket.gethostname()}\n"


def test_a_file_system_without_locks_keeps_nobody_out(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with sole_driver(run):
        require_no_driver(run)
        assert (run / LOCK_FILE).is_file()


def test_a_lock_that_may_not_be_opened_says_nothing(run: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with sole_driver(run):
        with pytest.raises(CheckpointError, match="is in use by process"):
            require_no_driver(run)
        monkeypatch.setattr(os, "access", lambda path, how: False)
        require_no_driver(run)
        assert not is_gone(run)
