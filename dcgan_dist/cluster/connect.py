"""Joining a Ray cluster, or starting one on this machine for the length of a run."""

import ctypes
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dcgan_dist.cluster.environment import local_cores, require_ray_folder, token_from
from dcgan_dist.cluster.placement import READER_CPUS
from dcgan_dist.cluster.ray_internals import require_accepted, session_folder
from dcgan_dist.errors import ClusterError
from dcgan_dist.extensions import travelling
from dcgan_dist.settings import Settings

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # The monitor alone writes to the terminal.
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    # So would Ray print pages of a raylet's log beside our line, when a worker or a machine is lost.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "(?s).*",
    # The controller looks at the workers this often: what a death, and the end of a run, wait for.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    # The supervisor watches for notices, and ends the group with a checkpoint. Ray Train's own watcher is one more
    # process of each group, upon whose word the controller ends the group too, when the time is over.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Relative addresses mean the folder in which the command was given.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Of each log the newest part and the one before: a run of weeks would fill a disk. By default Ray begins a new part
    # after 512 MiB, and never for what workers print.
    "RAY_ROTATION_MAX_BYTES": str(16 << 20),
    "RAY_ROTATION_BACKUP_COUNT": "1",
    # Under `uv run` Ray would start each worker by `uv run` again.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""What Ray reads from the environment; what the user has set stays. It must stand before `ray` is imported."""

WORKER_ENVIRONMENT = {
    # A step frees all that it allocated. By default glibc gives each large piece back to the system at once, which
    # clears it again for the next step.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    # Threads other than the first get heaps of 64 MiB, which is less than a layer of the wide networks.
    "MALLOC_ARENA_MAX": "1",
    # By default threads spin for milliseconds where they wait for each other, at the end of every operation: beside any
    # other busy process the one spins on the core that the other needs, and training all but stands still.
    "GOMP_SPINCOUNT": "10000",
}
"""What training workers are started with; read by glibc and libgomp where a process starts, meaningless elsewhere. What
the user has set stays here too."""

FORWARDED = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
"""What the processes of a cluster that was started elsewhere are told of the store. Credentials are not among them:
what is told can be read by all who see the cluster's jobs, so its machines bring their own."""

LONGEST_START_S = 1e8
"""How long Ray can be told to wait for workers, three years: of 1e300 seconds it does not wait one."""
ANSWER_S = 10.0
"""How long the cluster's address may take to answer."""

LATE_NS = 50_000_000
"""How late a timer may wake a process of a Ray that is started here. Each of some fifteen processes is woken 150 to 200
times a second, and takes a core from a thread of the step for which the others then wait: on two cores this costs a
seventh of the speed. Timers that may be late fire together."""
PR_SET_TIMERSLACK, PR_GET_TIMERSLACK = 29, 30
"""Of Linux, `prctl(2)`."""


def set_driver_environment(wait_s: float | None) -> None:
    """Set what Ray reads from the environment of a process that drives a run; `wait_s` as of `set_environment`."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if wait_s is not None:
        os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", f"{min(wait_s, LONGEST_START_S):g}")


def set_environment(address: str, wait_s: float | None = None) -> None:
    """Set what Ray reads from the environment, for this process and all that it starts.

    Args:
        address: see `address_of`.
        wait_s: how long the workers of a run may take to start; None: there is no run.
    """
    set_driver_environment(wait_s)
    if not address_of(address) and "RAY_AUTH_MODE" not in os.environ:
        # Without a token anybody on the machine could run code in our name. This one lives as long as the cluster does.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def worker_environment() -> dict[str, str]:
    """What training workers are started with."""
    return {name: os.environ.get(name, value) for name, value in WORKER_ENVIRONMENT.items()}


def carry_code() -> None:
    """Let what this process pickles for others hold a user's own code by value: its files are on this machine only."""
    from ray import cloudpickle

    for module in travelling():
        cloudpickle.register_pickle_by_value(module)


def has_address(address: str) -> bool:
    """Whether a cluster is to be joined, and none started here."""
    return bool(address_of(address))


def address_of(address: str) -> str:
    """Address of the cluster to join: what is given, else $RAY_ADDRESS; empty: one is started here."""
    return address or os.environ.get("RAY_ADDRESS") or ""


def describe_connecting(address: str) -> str:
    """What `connected` does first, for people: it takes seconds, and a minute on a busy machine."""
    address = address_of(address)
    return f"joining the Ray cluster at {address}" if address else "starting Ray on this machine"


def _require_answer(address: str) -> None:
    """See that somebody listens at HOST:PORT: Ray itself tries for minutes, and then ends the process."""
    if address.startswith(("http://", "https://")):
        raise ClusterError(
            f"the cluster's address is {address}, which takes jobs: give the command to it by ray job submit "
            "--working-dir . -- python -m ..., or run it on this machine with RAY_ADDRESS= before it"
        )
    if address.startswith("ray://"):
        host = address.removeprefix("ray://").partition(":")[0] or "HOST"
        raise ClusterError(
            f"the cluster's address is {address}, which is that of Ray Client, by which no run can be driven: give "
            f"{host}:6379, from a machine that reaches the cluster's own, or submit the command as a job"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # "auto", or a kind of address that only Ray knows
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"workers.address is {address} but no Ray cluster answers there ({error}): start one with "
            "ray start --head, or leave the address out"
        ) from error
    _require_token(address)


def _require_token(address: str) -> None:
    """See that the cluster takes the token of this process: else Ray tries for half a minute, or ends the process."""
    from ray.exceptions import AuthenticationError, RpcError

    source = token_from(os.environ)
    # As Ray does it, but before this process asks for the first time.
    if source:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    asked = os.environ.get("RAY_AUTH_MODE", "").lower() == "token"
    if not asked or source:
        try:
            with _without_stderr():
                require_accepted(address, ANSWER_S)
            return
        except (RpcError, RuntimeError, ConnectionError):
            return  # ray.init tells what else is wrong
        except AuthenticationError:
            pass
    has = f"that of {source} is another one" if asked and source else "this shell has none"
    raise ClusterError(
        f"the cluster at {address} asks for a token but {has}: put the cluster's own into a file, and export "
        "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=FILE (cluster/client.env does that)"
    )


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Ray's core writes lines of its own there, which no setting of Python's reaches."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _late_timers() -> Iterator[None]:
    """Let timers of all that is started in the block be up to `LATE_NS` late; this process keeps its own."""
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None).prctl
    before = prctl(PR_GET_TIMERSLACK)
    prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(LATE_NS))
    try:
        yield
    finally:
        prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(before))


def cpus_for(settings: Settings) -> float:
    """Logical CPUs of a Ray that is started here for a run with these settings.

    Workers compute in threads of their own and reading takes turns with them, so that Ray's count of CPUs is only a
    count of what may run at once; a laptop with two cores runs two workers and their readers.
    """
    workers, probe = settings.workers, settings.probe
    evaluation = probe.actors * probe.cpus if probe.tasks else 0.0
    return workers.number * workers.cpus + max(READER_CPUS, local_cores()) + evaluation


@contextmanager
def connected(address: str, cpus: float) -> Iterator[None]:
    """Be connected to a Ray cluster; one that was started here ends with the block, and its logs go unless it failed.

    Args:
        address: see `address_of`.
        cpus: logical CPUs of one that is started here.

    Raises:
        ClusterError: there is no cluster at the address, or none can be started here.
    """
    import ray

    address = address_of(address)
    if address:
        _require_answer(address)
        told = {name: os.environ[name] for name in FORWARDED if name in os.environ}
        try:
            ray.init(
                address=address,
                namespace="dcgan-dist",
                log_to_driver=False,
                configure_logging=False,
                runtime_env={"env_vars": told} if told else None,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"workers.address is {address} but no Ray cluster answers there ({str(error).splitlines()[0]}): "
                "start one with ray start --head, or leave the address out"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()
        return

    require_ray_folder(os.environ, os.getpid())
    try:
        with _late_timers():
            ray.init(
                address="local",
                num_cpus=int(-(-cpus // 1)),
                namespace="dcgan-dist",
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
    except Exception as error:  # of no class of its own where its processes are too slow
        ray.shutdown()
        reason = str(error).partition("\n")[0]
        raise ClusterError(
            f"Ray did not start on this machine ({reason}): if the machine is busy or short of memory, close other "
            "programs, and run the command again"
        ) from error
    session = session_folder()
    try:
        yield
    except Exception:
        ray.shutdown()
        raise
    except BaseException:
        ray.shutdown()
        shutil.rmtree(session, ignore_errors=True)
        raise
    else:
        ray.shutdown()
        shutil.rmtree(session, ignore_errors=True)
