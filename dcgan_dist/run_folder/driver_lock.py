"""One driver at a time: what a command trains, a run or a sweep, no other command goes on with meanwhile.

The driver holds a lock on a file of the folder, which the kernel takes back however the process ends, so that nothing
has to be cleaned up after a kill. Object stores have no locks, and some file systems none that other machines see:
there an older driver notices by the next attempt that it has been replaced, and writes no more checkpoints.
"""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.storage import Place

LOCK_FILE = "driver.lock"
"""It stays when the driver has ended: not its presence counts, but whether it is locked."""
LOOKS, LOOK_S = 3, 0.1
"""How often a lock that is held is tried again, and the pause before that."""


@contextmanager
def sole_driver(folder: Place) -> Iterator[None]:
    """Be the only driver of a run's or a sweep's folder within the block.

    Raises:
        CheckpointError: another process drives it.
        DataError: nothing can be written there.
    """
    if not folder.is_local:
        yield
        return
    folder.make_folder()
    lock = (folder / LOCK_FILE).local_path
    try:
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DataError(f"{lock} cannot be written: {error.strerror}") from error
    try:
        _lock(file, folder)
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def require_no_driver(folder: Place) -> None:
    """See that nobody drives what is to be resumed; nothing is written. Raises `CheckpointError` otherwise."""
    lock = folder / LOCK_FILE
    if folder.is_local and lock.is_file() and os.access(lock.local_path, os.R_OK | os.W_OK):
        with lock.local_path.open("r+") as file:
            _lock(file.fileno(), folder)


def is_gone(folder: Place) -> bool:
    """Whether the last driver was a process of this machine, which has ended; False where that cannot be known."""
    lock = folder / LOCK_FILE
    if not (folder.is_local and lock.is_file() and os.access(lock.local_path, os.R_OK | os.W_OK)):
        return False
    if not lock.read_bytes().decode(errors="replace").strip().endswith(f" on {socket.gethostname()}"):
        return False
    try:
        require_no_driver(folder)
    except CheckpointError:
        return False
    return True


def _lock(file: int, folder: Place) -> None:
    try:
        _take(file)
    except BlockingIOError:
        holder = os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
        raise CheckpointError(
            f"{folder} is in use by {holder}: wait until that has ended, or stop it first (by one Ctrl-C, "
            "SIGTERM or ray job stop, which lets it finish what it writes)"
        ) from None
    except OSError:
        # A file system without locks: attempts alone tell drivers apart.
        return


def _take(file: int) -> None:
    """Take the lock, or raise `BlockingIOError`; who only looks whether it is taken holds it for a moment, too."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(LOOK_S)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
