"""Which columns hold pictures and classes."""

import json

import pyarrow as pa
import pytest

from dcgan_dist.data.readers.parquet_columns import Columns, find_columns
from dcgan_dist.errors import DataError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASS = {"_type": "ClassLabel", "names": ["cat", "dog"]}


def schema(columns: dict[str, pa.DataType], features: object = None) -> pa.Schema:
    said = {} if features is None else {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(columns.items())).with_metadata(said)


@pytest.mark.parametrize(
    ("columns", "features", "found"),
    [
        (
            {"label": pa.int64(), "image": IMAGE, "id": pa.string()},
            {"image": {"_type": "Image"}, "label": CLASS},
            Columns(("image", "bytes"), ("image", "path"), ("label",), ("cat", "dog"), ("id",)),
        ),
        (
            {"img": pa.struct([("bytes", pa.large_binary())]), "fine_label": pa.int8(), "coarse_label": pa.int8()},
            {"fine_label": CLASS, "coarse_label": {"_type": "ClassLabel", "names": ["animal"]}},
            Columns(("img", "bytes"), (), ("fine_label",), ("cat", "dog"), ("coarse_label",)),
        ),
        (
            {"jpg": pa.binary(), "cls": pa.uint16(), "__key__": pa.string()},
            None,
            Columns(("jpg",), (), ("cls",), None, ("__key__",)),
        ),
        (
            {"mask": IMAGE, "Picture": pa.binary(), "labels": pa.list_(pa.int64())},
            {"mask": {"_type": "Image"}},
            Columns(("Picture",), (), (), None, ("mask", "labels")),
        ),
        (
            {"photo": IMAGE, "species": pa.int32()},
            {"photo": {"_type": "Image"}, "species": CLASS},
            Columns(("photo", "bytes"), ("photo", "path"), ("species",), ("cat", "dog"), ()),
        ),
        (
            {"image": IMAGE, "one": pa.int32(), "two": pa.int32()},
            {"one": CLASS, "two": CLASS},
            Columns(("image", "bytes"), ("image", "path"), (), None, ("one", "two")),
        ),
        (
            {"image": pa.struct([("path", pa.binary()), ("bytes", pa.binary())]), "label": pa.string()},
            {"label": CLASS},
            Columns(("image", "bytes"), (), (), None, ("label",)),
        ),
    ],
)
def test_columns_are_known_by_name_and_type(columns: dict[str, pa.DataType], features: object, found: Columns) -> None:
    assert find_columns(schema(columns, features), "f") == found


@pytest.mark.parametrize("names", [None, [], {"0": "cat"}, ["cat", 7], "cat"])
def test_names_of_classes_that_are_no_list_of_words_are_none(names: object) -> None:
    features = {"label": {"_type": "ClassLabel", "names": names}}
    assert find_columns(schema({"image": IMAGE, "label": pa.int64()}, features), "f").classes is None


def test_two_classes_of_one_name_are_refused() -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["dog", "crane", "cat", "crane", "dog"]}}
    with pytest.raises(DataError, match=r"^f has the name 'crane' for two classes, 1 and 3: give each one"):
        find_columns(schema({"image": IMAGE, "label": pa.int64()}, features), "f")


@pytest.mark.parametrize(
    "said",
    [b"", b"\xff", b"7", b"[]", b'{"info": 1}', b'{"info": {"features": []}}', b"[" * 100_000, b'{"info": null}'],
)
def test_metadata_that_is_rubbish_says_nothing(said: bytes) -> None:
    odd = schema({"image": IMAGE, "label": pa.int64()}).with_metadata({"huggingface": said})
    assert find_columns(odd, "f") == Columns(("image", "bytes"), ("image", "path"), ("label",), None, ())


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            [("image", pa.string()), ("label", pa.int64())],
            r"^f has no column of pictures: it has image \(string\), label \(int64\); expected is image, or img.*; its "
            "image only says where pictures are, write it again with their bytes$",
        ),
        ([("image", pa.list_(pa.uint8()))], r"it has image \(list<\w+: uint8>\); expected is .*string>$"),
        ([("image", pa.struct([("path", pa.string())]))], "it has image .struct<path: string>.; expected"),
        ([], "it has none; expected is image"),
        ([(f"c{n}", pa.int8()) for n in range(10)], r"c7 \(int8\) and 2 others; expected"),
        ([("image", IMAGE), ("image", pa.int8())], "^f has two columns of one name: image"),
    ],
)
def test_a_file_without_pictures_is_one_sentence(columns: list[tuple[str, pa.DataType]], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        find_columns(pa.schema(columns), "f")
