"""Tars as tests make them: of files by name, links and devices among them, packed or not."""

import gzip
import io
import tarfile

import numpy as np
import pyarrow as pa

from dcgan_dist.data.readers.source import Samples


def tar_of(files: dict[str, bytes], *others: tarfile.TarInfo, kind: int = tarfile.GNU_FORMAT) -> bytes:
    """An archive of files in this order, behind links and the like."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for info in others:
            archive.addfile(info)
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def packed(data: bytes) -> bytes:
    """Compressed by gzip, the same bytes at any time."""
    return gzip.compress(data, 1, mtime=0)


def link(name: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A link to nothing, or a device."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "elsewhere"
    return info


def samples_at(places: list[tuple[int, int, int]]) -> Samples:
    """Samples of file, offset and size."""
    table = np.array(places, np.int64).reshape(-1, 3)
    return Samples(
        pa.array([str(row) for row in range(len(table))], pa.large_string()),
        table[:, 0].astype(np.int32),
        table[:, 1],
        table[:, 2],
        np.zeros(len(table), np.int16),
        np.zeros(len(table), np.int32),
    )
