"""Processes of this machine that do the work where no Ray cluster is named."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any, Protocol, TypeVar

from dcgan_dist.cluster.environment import local_cores
from dcgan_dist.errors import DataError

T = TypeVar("T")

# A fork of the command itself would inherit the locks of pyarrow's threads; this is one of a process that has imported
# what the work needs and has done nothing else, so that to start Python and to import is paid for once.
_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(
    [f"dcgan_dist.data.{name}" for name in ("preparation.convert", "checking.shard", "readers.registry")]
)


class Workers(Protocol):
    """Processes that call a function for each of some arguments."""

    @property
    def number(self) -> int:
        """How many calls can run at once, at least 1."""

    def each(self, function: Callable[..., T], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """What the function returns, in the order in which the calls end; about so many are under way as can run.

        Args:
            function: called as `function(common, *arguments[i])`.
            common: what all calls are given.
            arguments: of each call.

        Raises:
            DataError: the function does, or the processes do not come to an end of it.
        """


class ThisProcess:
    """Does the work itself, where one process is asked for: what runs can be stopped at and looked into."""

    number = 1

    def each(self, function: Callable[..., T], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """As `Workers` has it."""
        return (function(common, *given) for given in arguments)


class Processes:
    """Some processes of this machine; made by `processes`."""

    def __init__(self, pool: ProcessPoolExecutor, number: int) -> None:
        self._pool, self.number = pool, number

    def each(self, function: Callable[..., T], common: Any, arguments: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        """As `Workers` has it."""
        waiting = iter(arguments)
        under_way: set[Future[T]] = set()
        try:
            while True:
                # One more than there are processes, so that none waits for this one.
                for given in waiting:
                    under_way.add(self._pool.submit(function, common, *given))
                    if len(under_way) > self.number:
                        break
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for one in done:
                    yield one.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process that decodes pictures was killed, perhaps because memory ran out: run the command again "
                "with fewer --processes to continue"
            ) from error


def get_ready(number: int) -> None:
    """Begin with what `processes` takes a while for, and do not wait for it."""
    if (number or local_cores()) > 1:
        forkserver.ensure_running()


@contextmanager
def processes(number: int) -> Iterator[Workers]:
    """Processes that end with the block.

    Args:
        number: how many; 0: one per core; 1: this one.
    """
    number = number or local_cores()
    if number == 1:
        yield ThisProcess()
        return
    pool = ProcessPoolExecutor(number, _FORKED, initializer=_follow_parent, initargs=(dict(os.environ),))
    others = set(multiprocessing.active_children())
    try:
        yield Processes(pool, number)
    except BaseException:
        # A call may go on for many minutes. Whatever it writes is there as a whole, or not at all.
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent(environment: Mapping[str, str]) -> None:
    """Make a process of the pool end with the command, and only with it; and have its environment."""
    # What it is forked from has that of when it was started.
    os.environ.clear()
    os.environ.update(environment)
    # Ctrl-C reaches every process of the terminal; the command alone acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_it() -> None:
        parent.join()
        os._exit(1)

    # The pool's processes hold both ends of its queue, so they would wait for ever for a command that was killed.
    threading.Thread(target=end_with_it, daemon=True).start()
