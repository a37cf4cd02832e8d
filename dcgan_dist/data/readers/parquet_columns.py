"""Which columns of a Parquet file hold pictures, their names and their classes, by the schema alone.

Hugging Face's library writes what a column means, and names of classes, into the schema's metadata; others do not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from dcgan_dist.errors import DataError

PICTURES = ("image", "img", "picture", "jpeg", "jpg", "png", "webp")
LABELS = ("label", "labels", "fine_label", "cls")
"""Names of columns that are known, in lower case: what comes first is taken if there are several."""

_TOLD = 8

Leaf = tuple[str, ...]
"""A column of values by the names that lead to it: `("image", "bytes")`, or `("jpg",)`."""


@dataclass(frozen=True)
class Columns:
    """What is read of a file.

    Attributes:
        picture: the files of the pictures.
        path: the name that each had as a file; () where there is none.
        label: class numbers; () where there are none.
        classes: names of the classes by number; None where the file does not tell.
        left_out: other columns, which are not read.
    """

    picture: Leaf
    path: Leaf
    label: Leaf
    classes: tuple[str, ...] | None
    left_out: tuple[str, ...]


def find_columns(schema: pa.Schema, file: object) -> Columns:
    """The columns of a set of pictures.

    Pictures are `binary`, or a `struct` with `bytes: binary` and perhaps `path: string`, in a column that has one of
    the names in `PICTURES`, or that Hugging Face's metadata calls an image. Classes are whole numbers, in a column that
    has one of the names in `LABELS`, or else in the only one that the metadata calls a class.

    Args:
        schema: of the file.
        file: for messages.

    Raises:
        DataError: there is no column of pictures, or two classes have one name.
    """
    features = _features(schema.metadata)
    kinds = {name: feature.get("_type") for name, feature in features.items()}
    pictures = {field.name: leaf for field in schema if (leaf := _picture(field))}
    named = [name for known in PICTURES for name in pictures if name.lower() == known]
    image = next(iter(named + [name for name in pictures if kinds.get(name) == "Image"]), None)
    if image is None or len(set(schema.names)) < len(schema):
        raise DataError(f"{file} {_why_not(schema)}")
    numbers = [field.name for field in schema if pa.types.is_integer(field.type)]
    labels = [name for known in LABELS for name in numbers if name.lower() == known]
    classes = [name for name in numbers if kinds.get(name) == "ClassLabel"]
    label = labels[0] if labels else classes[0] if len(classes) == 1 else None
    return Columns(
        picture=pictures[image],
        path=_path(schema.field(image)),
        label=() if label is None else (label,),
        classes=None if label is None else _class_names(features.get(label, {}), file),
        left_out=tuple(name for name in schema.names if name not in (image, label)),
    )


def _picture(field: pa.Field) -> Leaf:
    """What of a column holds files; () where nothing does."""
    if _is_binary(field.type):
        return (field.name,)
    if pa.types.is_struct(field.type):
        number = field.type.get_field_index("bytes")
        if number >= 0 and _is_binary(field.type.field(number).type):
            return (field.name, "bytes")
    return ()


def _path(field: pa.Field) -> Leaf:
    if pa.types.is_struct(field.type):
        number = field.type.get_field_index("path")
        if number >= 0 and _is_text(field.type.field(number).type):
            return (field.name, "path")
    return ()


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _features(metadata: Mapping[bytes, bytes] | None) -> dict[str, dict[str, object]]:
    """What Hugging Face's metadata says of columns; nothing where there is none, or only rubbish."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return {}


def _class_names(feature: Mapping[str, object], file: object) -> tuple[str, ...] | None:
    names = feature.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return None
    first = {name: number for number, name in reversed(list(enumerate(names)))}
    for number, name in enumerate(names):
        if first[name] != number:
            # Hugging Face's library opens no such file either.
            raise DataError(
                f"{file} has the name {name!r} for two classes, {first[name]} and {number}: give each one of its own "
                "in its metadata, and write it again"
            )
    return tuple(names)


def _why_not(schema: pa.Schema) -> str:
    columns = [f"{field.name} ({_short(field.type)})" for field in schema]
    told = ", ".join(columns[:_TOLD]) + (f" and {len(columns) - _TOLD:,} others" if len(columns) > _TOLD else "")
    if len(set(schema.names)) < len(schema):
        return f"has two columns of one name: {told}; write it again"
    text = [field.name for field in schema if field.name.lower() in PICTURES and _is_text(field.type)]
    why = f"; its {text[0]} only says where pictures are, write it again with their bytes" if text else ""
    return (
        f"has no column of pictures: it has {told or 'none'}; expected is image, or {', '.join(PICTURES[1:4])}, as "
        f"binary or as struct<bytes: binary, path: string>{why}"
    )


def _short(kind: pa.DataType) -> str:
    text = str(kind)
    return text if len(text) <= 60 else f"{text[:57]}..."
