"""What a process can tell of itself and its machine: memory, and how busy a thread is. Linux tells; others do not."""

import os
from contextlib import suppress
from pathlib import Path

import torch


def process_memory() -> int | None:
    """Bytes of this process's memory that are its own, without the object store that it shares."""
    with suppress(OSError):
        _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return None


def machine_memory_share() -> float | None:
    """Share of this machine's memory that is in use and could not be had by a new process."""
    with suppress(OSError):
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        total, available = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        return 1 - available / total
    return None


def gpu_memory_share(device: torch.device) -> float | None:
    """Share of a GPU's memory that is in use, by whomever; None for other devices."""
    if device.type != "cuda":
        return None
    free, total = torch.cuda.mem_get_info(device)
    return 1 - free / total


def thread_seconds(thread: int) -> tuple[float, float] | None:
    """For how long a thread of this process (its native id) has computed since it began, and for how long it could have
    but had no processor.

    The rest of its time it slept: in a collective, say, until the slowest rank came.
    """
    with suppress(OSError):
        running_ns, ready_ns, _ = map(int, Path(f"/proc/self/task/{thread}/schedstat").read_text().split())
        # A kernel that does not count says 0; a thread that asks has run.
        return (running_ns / 1e9, ready_ns / 1e9) if running_ns else None
    return None
