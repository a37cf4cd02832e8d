"""What tests of readers share: reading a whole source as tasks do, and published data sets where somebody has them."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan_dist.data.readers.source import Source


def read_whole(source: Source, parts: int = 1) -> dict[str, tuple[str, int, NDArray[np.uint8]]]:
    """Split, class and pixels of each sample by its key, in the source's order.

    As in tasks, the samples are sorted by file and offset, cut into parts, and sent along with what fetches them.
    """
    samples = source.samples
    order = np.lexsort((samples.offset, samples.file))
    found = {}
    for rows in np.array_split(order, parts):
        fetch, some = pickle.loads(pickle.dumps((source.fetch, samples.take(rows))))
        pictures = list(fetch(source.files, some))
        assert len(pictures) == len(some)
        for row, key, pixels in zip(rows, some.key.to_pylist(), pictures, strict=True):
            assert isinstance(pixels, np.ndarray)
            assert pixels.dtype == np.uint8
            assert pixels.nbytes == samples.size[row]
            found[key] = source.splits[samples.split[row]], int(samples.label[row]), pixels
    assert len(found) == len(samples)
    return {key: found[key] for key in samples.key.to_pylist()}


def original(name: str, file: str = "") -> Path:
    """`$DCGAN_DIST_DATA/original/NAME` with the files as published.

    A test is skipped where nobody has them, or not that file of them: their licenses do not let them lie beside the
    code, so what is built in the same format is what every machine reads.
    """
    folder = Path(os.environ.get("DCGAN_DIST_DATA", "/nonexistent")) / "original" / name
    if not (folder / file).exists():
        pytest.skip(f"needs the published files in $DCGAN_DIST_DATA/original/{name}{f' ({file})' if file else ''}")
    return folder
