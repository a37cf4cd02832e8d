"""Parquet files of pictures as Hugging Face's `datasets` 5.2 writes them, for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(file: Path, columns: Mapping[str, pa.Array], names: Sequence[str] | None = None, **how: object) -> None:
    """Write a file with row groups of three rows; what columns mean, and names of classes, is in its metadata."""
    features: dict[str, object] = {}
    for name, column in columns.items():
        if column.type == IMAGE:
            features[name] = {"_type": "Image"}
        elif name == "label" and names is not None:
            features[name] = {"names": list(names), "_type": "ClassLabel"}
        else:
            features[name] = {"dtype": str(column.type), "_type": "Value"}
    said = {"huggingface": json.dumps({"info": {"features": features}})}
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(dict(columns)).replace_schema_metadata(said)
    pq.write_table(table, file, **({"row_group_size": 3} | how))


def images(*rows: tuple[bytes | None, str | None]) -> pa.Array:
    """A column of pictures: bytes and path of each."""
    return pa.array([{"bytes": data, "path": path} for data, path in rows], IMAGE)


def numbered(prefix: str, first: int, last: int) -> pa.Array:
    """A column of pictures that can be told apart: `PREFIX_7.JPEG` has the bytes of its number, repeated."""
    return images(*((b"%d;" % n * (n + 1), f"{prefix}_{n}.JPEG") for n in range(first, last)))
