"""The processes that make JPEGs of pictures."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import simplejpeg

from dcgan_dist.data.image_decoding import BadImage, Fit, decode, is_ready
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.readers.source import Item
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings

_TASK_PICTURES = 32


def make_jpegs(items: Sequence[Item], options: PrepareOptions) -> Iterator[bytes | str]:
    """For each picture, in order, a JPEG, or why there is none; all cores work a little ahead of what is taken.

    Raises `DataError` where the source fails, or a process is killed.
    """
    tasks = [items[i : i + _TASK_PICTURES] for i in range(0, len(items), _TASK_PICTURES)]
    processes = min(options.processes or os.cpu_count() or 1, len(tasks))
    # A forked child would inherit the locks of pyarrow's threads.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    under_way: deque[Future[list[bytes | str]]] = deque()
    try:
        for task in tasks:
            under_way.append(pool.submit(_make_some, task, options.size, options.fit, options.quality))
            if len(under_way) > 3 * processes:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process that decodes pictures was killed, perhaps because memory ran out: run the command again "
            "with fewer --processes to continue"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Make a process of the pool end with the command, and only with it."""
    # Ctrl-C reaches every process of the terminal; the command alone acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_it() -> None:
        parent.join()
        os._exit(1)

    # The pool's processes hold both ends of its queue, so they would wait for ever for a command that was killed.
    threading.Thread(target=end_with_it, daemon=True).start()


def _make_some(items: Sequence[Item], size: int, fit: Fit, quality: int) -> list[bytes | str]:
    """For each picture a JPEG of `size` x `size` pixels, or why there is none."""
    limits = DataSettings()
    pixels = np.empty((size, size, 3), np.uint8)
    results: list[bytes | str] = []
    for item in items:
        try:
            data = item.read(limits.max_image_bytes)
            decode(data, pixels, fit=fit, max_pixels=limits.max_image_pixels)
        except BadImage as error:
            results.append(str(error))
            continue
        if not is_ready(data, size):
            data = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="444")
        results.append(data)
    return results
