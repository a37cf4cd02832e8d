"""SIGTERM ends a command in the way of Ctrl-C: what has been begun is let go, and a line says what is left."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """SIGTERM has come; like `KeyboardInterrupt` no error that code between may handle."""


STOPPED = (KeyboardInterrupt, Terminated)
"""What is raised where a command is stopped."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM within the block end the command as Ctrl-C does; raises `Terminated` when it comes."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def status_after(stopped: BaseException) -> int:
    """The exit status of a command that was stopped: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(stopped, Terminated) else signal.SIGINT)
