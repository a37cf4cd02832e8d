"""What tests share: an object store that lives as long as the run, and data sets found by $DCGAN_DIST_DATA."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest

from dcgan_dist.storage import Place

VARIABLE = "DCGAN_DIST_DATA"
Call = Callable[..., tuple[int, str, str]]
_status: list[int] = []
"""Of the run of the tests, once they have ended."""
_not_run: dict[str, tuple[str, str]] = {}
"""Of each skipped test: its file, and why."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="run the tests that need a GPU, and none else")


def pytest_configure(config: pytest.Config) -> None:
    """All other tests are of CPUs, also where there is a GPU: they start more workers than it has GPUs."""
    if not hasattr(config, "workerinput"):
        # Handlers run in the reverse order: this one after those of all that is imported later.
        atexit.register(_leave)
    if not config.getoption("--gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    with_gpu = config.getoption("--gpu")
    read = cache(Path.read_text)
    for item in items:
        for name in ("ray", "system"):
            if item.get_closest_marker(name) and f"pytest.mark.{name}" not in read(item.path):
                raise pytest.UsageError(f"{item.nodeid}: make finds its file by pytest.mark.{name}, which is not in it")
        if (item.get_closest_marker("gpu") is not None) != with_gpu:
            item.add_marker(
                pytest.mark.skip(
                    reason="--gpu runs those that need a GPU alone" if with_gpu else "needs a GPU: make test-gpu"
                )
            )


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Address of an S3 server on this machine."""
    from moto.server import ThreadedMotoServer  # takes a second to import

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty bucket, which the environment variables of this test lead to."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL_S3": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"test-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
    return Place(f"s3://{bucket}")


@pytest.fixture(scope="module")
def start_ray() -> Iterator[Callable[[int], None]]:
    """`start_ray(CPUS)` gives the module a Ray of its own on this machine, which ends with it."""
    import ray  # takes a second to import

    # pytest's own folders are too deep for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="ray-") as home, pytest.MonkeyPatch.context() as changed:
        for name, value in {
            "HOME": home,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
            "RAY_DATA_LOG_LEVEL": "ERROR",
        }.items():
            changed.setenv(name, value)
        changed.delenv("RAY_ADDRESS", raising=False)
        yield lambda cpus: ray.init(
            num_cpus=cpus, include_dashboard=False, logging_level="ERROR", log_to_driver=False, _temp_dir=home
        )
        ray.shutdown()


@pytest.fixture(scope="module")
def standing_cluster(start_ray: Callable[[int], None]) -> Iterator[None]:
    """A standing cluster with 2 CPUs, which the module's commands join."""
    import ray

    with pytest.MonkeyPatch.context() as changed:
        start_ray(2)
        changed.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
        changed.setenv("PYTHONWARNINGS", "ignore")
        yield


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call(main, *ARGUMENTS)` is a command in this process, given in the test's folder: status, output, errors.

    For what ends before it is connected to Ray, which this process may be already.
    """

    def call(main: Callable[[Sequence[str]], int], *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        with patch.dict(os.environ):
            status = main(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """`shared_data(NAME)` is the folder `$DCGAN_DIST_DATA/NAME`.

    Where the variable is not set the test is skipped; where it is, as in CI, a missing folder is a failure.
    """
    return find_shared_data


@pytest.fixture
def published() -> Path:
    """The authors' published weights, and what they have to give."""
    return find_shared_data("published")


def find_shared_data(name: str) -> Path:
    root = os.environ.get(VARIABLE)
    if not root:
        pytest.skip(f"needs ${VARIABLE}/{name} and the variable is not set")
    folder = Path(root) / name
    if not folder.is_dir():
        pytest.fail(f"{folder} is missing though {VARIABLE} is set: unpack the shared data there", pytrace=False)
    return folder


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _status.append(int(exitstatus))


def _leave() -> None:
    """Leave with pytest's own status once all that was registered for the end is done.

    Threads of Ray's core go on while Python takes itself apart, and now and then one of them meets memory that is gone:
    the process then ends by a segmentation fault after all tests have passed, as if one had failed.
    """
    if "ray" in sys.modules and _status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_status[-1])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        file = report.nodeid.partition("::")[0]
        _not_run[report.nodeid] = file, report.longrepr[2].removeprefix("Skipped: ")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say at the very end of the run what was left out, and why."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or not _not_run:
        return
    told = ", ".join(f"{count} in {file} ({reason})" for (file, reason), count in Counter(_not_run.values()).items())
    terminal.write_line(f"Did not run: {told}")


class Command:
    """A command as a user gives it, in a folder, with a home and a Ray directory of its own."""

    def __init__(self, folder: Path, home: str, module: str = "dcgan_dist.train") -> None:
        """`module`: of `python -m`."""
        self.folder, self.module = folder, module
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {
            "HOME": home,
            "RAY_TMPDIR": home,
            "PYTHONWARNINGS": "ignore",
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it; its output is in one stream."""
        return subprocess.Popen(
            [sys.executable, "-m", self.module, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def left(self) -> dict[int, str]:
        """Processes that were started under this home and are still there, with what they say they are."""
        mark = f"HOME={self.environment['HOME']}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has just ended, or belongs to somebody else
                continue
        return found

    def end(self) -> None:
        """End what a killed driver has left: some processes of Ray's notice its death only after a minute or more."""
        deadline = time.monotonic() + 30
        while left := self.left():
            assert time.monotonic() < deadline, f"{left} are still there"
            for pid in left:  # again and again: some may just have been started by others
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run it to its end: status and output."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=280)
        return process.returncode, output


@pytest.fixture(scope="module")
def command_in() -> Iterator[Callable[[Path, str], Command]]:
    """`command_in(FOLDER, MODULE)` is `python -m MODULE` in that folder, until the module's tests are done."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, module: stack.enter_context(_command(folder, module))


@pytest.fixture
def train_command(tmp_path: Path) -> Iterator[Command]:
    """The training command, in an empty folder."""
    with _command(tmp_path, "dcgan_dist.train") as command:
        yield command


@contextlib.contextmanager
def _command(folder: Path, module: str) -> Iterator[Command]:
    # pytest's own folders are too deep for Ray's sockets.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home:
        command = Command(folder, home, module)
        yield command
        command.end()
