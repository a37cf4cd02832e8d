"""What a shell has set for Ray and for the connections between workers, checked before they fail on it."""

import os
import socket
import string
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from dcgan_dist.errors import ClusterError

SOCKET_BYTES = 107
"""Longest path of a Unix socket (Linux, unix(7): 108 with the zero at its end)."""
SESSION = "ray/session_2026-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
"""The longest of Ray's sockets below the folder for temporary files."""
FOLDERS = ("RAY_TMPDIR", "TMPDIR")
"""Where Ray looks for that folder; /tmp else."""


def require_ray_folder(environment: Mapping[str, str], pid: int) -> None:
    """See that a Ray that is started here can keep its files and sockets where it will.

    Raises:
        ClusterError: it cannot.
    """
    name = next((name for name in FOLDERS if name in environment), "")
    folder = environment.get(name, "/tmp")
    what = f"{name} is {folder}" if name else f"{folder} is the folder for temporary files"
    needed = len(os.fsencode(os.path.join(folder, SESSION.format(pid=pid))))
    if needed > SOCKET_BYTES:
        raise ClusterError(
            f"{what} but is too long for Ray, whose sockets in it would have paths of {needed} bytes where the system "
            f"allows {SOCKET_BYTES}: set RAY_TMPDIR to a shorter folder, for example RAY_TMPDIR=/tmp"
        )
    try:
        ours = Path(folder) / "ray"
        ours.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(dir=ours).cleanup()
    except OSError as error:
        raise ClusterError(
            f"{what} but Ray cannot keep its files there ({error.strerror}): set RAY_TMPDIR to a folder that this user "
            "can write"
        ) from error


def local_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def interfaces() -> list[str]:
    """Names of this machine's network interfaces."""
    return [name for _, name in socket.if_nameindex()]


def require_interfaces(environment: Mapping[str, str], there: Sequence[str], *, gpus: bool) -> None:
    """See that the network interfaces that workers on this machine are told to use exist.

    Args:
        there: names of those that do.
        gpus: whether workers have GPUs, so that NCCL connects them.

    Raises:
        ClusterError: one does not, with those that do.
    """
    for variable, missing in (("GLOO_SOCKET_IFNAME", missing_gloo), ("NCCL_SOCKET_IFNAME", missing_nccl)):
        value = environment.get(variable, "")
        if value and (gpus or variable.startswith("GLOO")) and (name := missing(value, there)):
            raise ClusterError(
                f"{variable} is {value} but this machine has no network interface {name}: it has {', '.join(there)}; "
                "name one of them, or unset the variable"
            )


def missing_gloo(value: str, there: Sequence[str]) -> str:
    """The first interface of a list that does not exist; gloo fails on it. Empty: none."""
    return next((name for name in value.split(",") if name not in there), "")


def missing_nccl(value: str, there: Sequence[str]) -> str:
    """The interfaces of a list where none exists; empty: one does.

    NCCL takes beginnings of names, whole names after `=`, and all but these after `^` (NCCL's page of its environment
    variables).
    """
    if value.startswith("^"):
        return ""
    names = value.removeprefix("=").split(",")
    whole = value.startswith("=")
    found = any(name == wanted if whole else name.startswith(wanted) for name in there for wanted in names)
    return "" if found else value.removeprefix("=")


def token_from(environment: Mapping[str, str]) -> str:
    """Where Ray finds the token of a cluster; empty: nowhere."""
    if environment.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    named = environment.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named or Path(environment.get("HOME") or "~").expanduser() / ".ray" / "auth_token")
    return str(file) if file.is_file() else ""


def ascii_name(name: str) -> str:
    """A name as Ray's metrics can bear it, which take ASCII alone: other characters as in a URL."""
    return quote(name, safe=string.punctuation + " ")
