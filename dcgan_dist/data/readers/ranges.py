"""Reading samples that lie in files as ranges of bytes: in tars, in tars of tars, in archives without compression."""

from collections.abc import Iterator, Sequence

import numpy as np

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

# Headers between neighbors are read along with them rather than asked for apart, and what is read at once is bounded.
_GAP_BYTES = 64 << 10
_MOST_BYTES = 16 << 20


def fetch_ranges(files: Sequence[Place], samples: Samples, beside: int = 0) -> Iterator[bytes | BadImage]:
    """A `Fetch`: `offset` and `size` are bytes of the file.

    Neighbors are read together, at most 16 MiB at once beside a larger picture. What is too large for a picture is not
    read: a damaged header can declare any size.

    Args:
        files, samples: as a `Fetch` has them.
        beside: bytes that a range may have beside its picture.

    Raises:
        DataError: a file is not there, or is shorter than it was when it was listed.
    """
    most = DataSettings().max_image_bytes
    fits = samples.size <= most + beside
    pictures = _fetch(files, samples.take(np.flatnonzero(fits)))
    for size, is_read in zip(samples.size.tolist(), fits.tolist(), strict=True):
        yield next(pictures) if is_read else too_large(size, most)


def too_large(size: int, most: int) -> BadImage:
    """What is said of a picture with more bytes than are allowed."""
    return BadImage(f"has {size:,} bytes, more than the {most:,} that are allowed")


def _fetch(files: Sequence[Place], samples: Samples) -> Iterator[bytes]:
    for first, last in _runs(samples):
        file = files[samples.file[first]]
        begin, end = int(samples.offset[first]), int(samples.offset[last - 1] + samples.size[last - 1])
        data = file.read_range(begin, end - begin)
        if len(data) < end - begin:
            raise DataError(f"{file} has become shorter since it was listed: it ends before byte {end:,}")
        for row in range(first, last):
            at = int(samples.offset[row]) - begin
            yield data[at : at + int(samples.size[row])]


def _runs(samples: Samples) -> Iterator[tuple[int, int]]:
    """First and last row, exclusive, of what is read at once."""
    first = 0
    ends = samples.offset + samples.size
    for row in range(1, len(samples) + 1):
        if row < len(samples):
            same = samples.file[row] == samples.file[first] and samples.offset[row] >= ends[row - 1]
            near = same and samples.offset[row] - ends[row - 1] <= _GAP_BYTES
            if near and ends[row] - samples.offset[first] <= _MOST_BYTES:
                continue
        if first < row:
            yield first, row
        first = row
