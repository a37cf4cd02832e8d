"""What test_parquet_fuzz.py runs: `python parquet_fuzz.py FOLDER FIRST END` reads damaged Parquet files.

Each file is made from its number alone. The last line is how many of them were refused, and how many were read.
"""

import json
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from hugging_face import numbered, write

from dcgan_dist.data.readers.parquet_table import read_pictures, read_table
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

ROWS = 20
HANG_S = 60
"""After so long with one file a signal ends the process. A file takes some milliseconds."""


def make(folder: Path) -> list[bytes]:
    """Whole files of each kind, with checksums of their pages."""
    found = []
    columns = {"image": numbered("n", 0, ROWS), "label": pa.array(range(ROWS))}
    for how in (
        {"compression": "snappy", "row_group_size": 3},
        {"compression": "zstd", "row_group_size": ROWS, "use_dictionary": False},
        {"compression": "none", "row_group_size": 7, "data_page_version": "2.0"},
        {"compression": "gzip", "row_group_size": ROWS, "data_page_size": 64},
    ):
        write(folder / "whole", columns, [f"class {n}" for n in range(ROWS)], write_page_checksum=True, **how)
        found.append((folder / "whole").read_bytes())
    return found


def damage(data: bytes, draw: random.Random) -> bytes:
    """A few bytes changed, left out or put in; more often than not in the footer."""
    changed = bytearray(data)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for _ in range(draw.choice([1, 1, 2, 5])):
        at = draw.randrange(footer if draw.random() < 0.6 else 0, len(data) - 10)
        size = draw.randrange(1, 9)
        kind = draw.choice(["change", "flip", "leave out", "put in"])
        if kind == "change":
            changed[at] = draw.randrange(256)
        elif kind == "flip":
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == "leave out":
            del changed[at : at + size]
        else:
            changed[at:at] = draw.randbytes(size)
    return bytes(changed)


def main(folder: Path, first: int, end: int) -> None:
    """Read the damaged files of these numbers."""
    whole = make(folder)
    known = set(numbered("n", 0, ROWS).field("bytes").to_pylist())
    outcomes: Counter[str] = Counter()
    for number in range(first, end):
        print(number, flush=True)
        signal.alarm(HANG_S)
        (folder / "damaged").write_bytes(damage(whole[number % len(whole)], random.Random(number)))
        file = Place(str(folder / "damaged"))
        try:
            table = read_table(file)
            pictures = list(read_pictures(file, np.arange(len(table))))
        except DataError:
            outcomes["refused"] += 1
            continue
        assert len(pictures) == len(table) == len(table.name.to_pylist()) == len(table.size)
        assert known.issuperset(picture for picture in pictures if isinstance(picture, bytes))
        outcomes["read"] += 1
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
