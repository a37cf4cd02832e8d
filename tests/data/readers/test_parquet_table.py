"""One Parquet file: what is listed of it, which pictures it gives, and what is said where it is no such file."""

import io
import tracemalloc
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.parquet_table import file_names, read_pictures, read_table
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place
from tests.data.readers.hugging_face import images, numbered, write


def rows(*numbers: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(numbers, np.int64)


def labeled(file: Path, *labels: int | None, names: tuple[str, ...] | None = ("a", "b")) -> Place:
    label = pa.array(labels, pa.int64())
    write(file, {"image": numbered("n", 0, len(labels)), "label": label}, names)
    return Place(str(file))


def test_a_file_is_listed_without_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    big = images(*((bytes([n]) * 100_000, f"x/n_{n}.JPEG") for n in range(7)))
    write(file, {"image": big, "label": pa.array([1, 0, None, -1, 1, 0, 0])}, ("a", "b"), compression="none")
    read: list[int] = []
    original = Place.read_range

    def read_range(place: Place, offset: int, size: int) -> bytes:
        read.append(size)
        return original(place, offset, size)

    monkeypatch.setattr(Place, "read_range", read_range)
    table = read_table(Place(str(file)))
    assert table.name.to_pylist() == [f"n_{n}.JPEG" for n in range(7)]
    assert table.label.tolist() == [1, 0, -1, -1, 1, 0, 0]
    assert table.label.dtype == np.int32
    # On average over a row group of 3 rows, with labels, names, and headers of pages.
    assert all(100_000 <= size < 100_300 for size in table.size.tolist())
    assert sum(read) < 100_000


@pytest.mark.parametrize("wanted", [rows(0), rows(6), rows(0, 1, 2, 3, 4, 5, 6), rows(1, 5), rows(2, 3), rows()])
@pytest.mark.parametrize("group", [1, 3, 7, 100])
def test_pictures_are_those_of_the_rows_whatever_the_row_groups(
    tmp_path: Path, group: int, wanted: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> None:
    column = numbered("n", 40, 47)
    write(tmp_path / "a", {"image": column}, row_group_size=group)
    expected = [column[int(row)].as_py()["bytes"] for row in wanted]
    assert list(read_pictures(Place(str(tmp_path / "a")), wanted)) == expected


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_many_rows_of_plain_bytes_come_in_batches(tmp_path: Path, kind: pa.DataType) -> None:
    values = [b"%d" % n for n in range(1000)]
    pq.write_table(pa.table({"jpg": pa.array(values, kind)}), tmp_path / "a", row_group_size=300)
    wanted = rows(*range(7, 1000, 13))
    assert list(read_pictures(Place(str(tmp_path / "a")), wanted)) == [values[row] for row in wanted]


def test_a_row_group_is_streamed_and_not_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [bytes([n]) * (1 << 20) for n in range(40)]
    table = pa.table({"jpg": pictures})
    pq.write_table(table, tmp_path / "a", compression="none", use_dictionary=False, write_batch_size=1)
    read: list[int] = []
    original = Place.read_range

    def read_range(place: Place, offset: int, size: int) -> bytes:
        read.append(size)
        return original(place, offset, size)

    monkeypatch.setattr(Place, "read_range", read_range)
    assert list(read_pictures(Place(str(tmp_path / "a")), rows(1, 39))) == [pictures[1], pictures[39]]
    assert max(read) <= 8 << 20 < sum(read)


def test_a_null_is_one_bad_picture(tmp_path: Path) -> None:
    column = pa.array([{"bytes": b"x", "path": "1"}, None, {"bytes": None, "path": "3"}, {"bytes": b"y", "path": None}])
    write(tmp_path / "a", {"image": column.cast(images().type)}, row_group_size=9)
    file = Place(str(tmp_path / "a"))
    table = read_table(file)
    assert table.name.to_pylist() == ["1", None, "3", None]
    found = list(read_pictures(file, rows(0, 1, 2, 3)))
    assert (found[0], found[3]) == (b"x", b"y")
    for bad in found[1:3]:
        assert isinstance(bad, BadImage)
        assert str(bad) == "its bytes are null: only its name was written"


def test_a_file_without_names_and_labels_is_listed_by_its_footer(tmp_path: Path) -> None:
    pq.write_table(pa.table({"png": [b"1", b"22", None]}), tmp_path / "a")
    table = read_table(Place(str(tmp_path / "a")))
    assert (table.name.to_pylist(), table.label.tolist()) == ([None] * 3, [-1] * 3)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/home/x/a.jpg", "b.jpg", r"C:\y\c.jpg", "d\n/e"], ["a.jpg", "b.jpg", "c.jpg", "e"]),
        (["", "a/", None, "ü/ß.png"], [None, None, None, "ß.png"]),
        (["x" * 5000, "y"], ["x" * 5000, "y"]),
        (["x" * 5000, "y" * 5000], [None, None]),
        ([], []),
    ],
)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_names_are_what_follows_the_folders(
    paths: list[str | None], names: list[str | None], kind: pa.DataType
) -> None:
    found = file_names(pa.array(paths, kind))
    assert found.type == pa.large_string()
    assert found.to_pylist() == names


def test_names_that_are_no_utf8_are_none() -> None:
    text = pa.array([b"a\xff.jpg", b"b.jpg"]).view(pa.string())
    assert file_names(text).to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("labels", "names", "sentence"),
    [
        (
            (0, 1, 2),
            ("a", "b"),
            r"\S+/a has the label 2 in row 2 but names 2 classes: expected are numbers from 0 to 1, ",
        ),
        ((0, -2), ("a", "b"), "has the label -2 in row 1 but names 2 classes"),
        ((0, -2), None, "has the label -2 in row 1 but names no classes: expected are numbers from 0 to 2,147,483,647"),
        ((1 << 31,), None, "has the label 2147483648 in row 0"),
    ],
)
def test_a_label_that_is_no_class_is_one_sentence(
    tmp_path: Path, labels: tuple[int, ...], names: tuple[str, ...] | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        read_table(labeled(tmp_path / "a", *labels, names=names))
    assert len(read_table(labeled(tmp_path / "b", 1, 0, -1, names=names))) == 3


def whole() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"image": numbered("n", 0, 50), "label": list(range(50))}),
        buffer,
        write_page_checksum=True,
        compression="none",
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: b"", "is empty: download it again"),
        (
            lambda data: data[: len(data) // 2],
            "is cut off, its end says what is in it and is missing: download it again",
        ),
        (lambda data: data[:-1], "is cut off"),
        (lambda data: data[:5], "is cut off"),
        (lambda data: b"\n<!DOCTYPE html><html>" + data, "is a page of HTML in place of the file: log in at"),
        (lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a pointer of Git LFS and not"),
        (
            lambda data: b"Access to dataset ILSVRC/imagenet-1k is restricted. \xff\n",
            r"is no Parquet, it begins with 'Access to dataset ILSVRC/imagenet-1k is restricted. \\\\xff",
        ),
        (lambda data: bytes(len(data)), "is no Parquet, it begins with"),
        (lambda data: data[:-8] + b"\xff\xff\xff\x7f" + data[-4:], r"is damaged \(.*\): download it again"),
        (lambda data: data[:-8] + b"\xff\xff\xff\xff" + data[-4:], r"is damaged \(.*\): download it again"),
        (lambda data: data[:-200] + bytes(100) + data[-100:], r"is damaged \(.*\): download it again"),
    ],
)
def test_what_is_no_whole_parquet_is_one_sentence(
    tmp_path: Path, change: Callable[[bytes], bytes], sentence: str
) -> None:
    (tmp_path / "a").write_bytes(change(whole()))
    for call in (read_table, lambda file: list(read_pictures(file, rows(0, 49)))):
        with pytest.raises(DataError, match=rf"^{tmp_path}/a {sentence}") as raised:
            call(Place(str(tmp_path / "a")))
        assert "\n" not in str(raised.value)


def test_a_damaged_page_is_found_by_its_checksum(tmp_path: Path) -> None:
    data = bytearray(whole())
    at = data.index(b"49;49;")
    data[at] = ord("5")
    (tmp_path / "a").write_bytes(data)
    assert len(read_table(Place(str(tmp_path / "a")))) == 50
    with pytest.raises(DataError, match=r"/a is damaged \(.*\): download it again"):
        list(read_pictures(Place(str(tmp_path / "a")), rows(0)))


def test_a_file_that_is_gone_or_shorter_than_it_was_listed_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="gone is not there"):
        list(read_pictures(Place(str(tmp_path / "gone")), rows(0)))
    file = labeled(tmp_path / "a", 0, 1)
    with pytest.raises(DataError, match="a has 2 rows but had more when it was listed: call the command again"):
        list(read_pictures(file, rows(0, 2)))


def test_a_file_that_declares_more_rows_than_it_has_bytes_is_refused(tmp_path: Path) -> None:
    # Five million nulls of a column that is compressed by runs are a file of some hundred bytes.
    pq.write_table(pa.table({"jpg": pa.nulls(5_000_000, pa.binary())}), tmp_path / "a")
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"/a is damaged \(it declares 5,000,000 rows in \d\S+ bytes\): download"):
            read_table(Place(str(tmp_path / "a")))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_name_of_a_column_that_is_no_utf8_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(whole().replace(b"label", b"l\xffbel"))
    with pytest.raises(DataError, match=r"/a is damaged \(.*\): download it again"):
        read_table(Place(str(tmp_path / "a")))


def test_a_file_that_declares_far_more_bytes_than_it_has_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"jpg": [bytes(10_000_000)] * 2}), tmp_path / "a", compression="zstd")
    for call in (read_table, lambda file: list(read_pictures(file, rows(0)))):
        with pytest.raises(DataError, match=r"/a is damaged \(it declares 10,\S+ bytes in \d\S+ that are compressed\)"):
            call(Place(str(tmp_path / "a")))


def test_pictures_of_views_with_names_are_read(tmp_path: Path) -> None:
    parts = [pa.array([b"1" * 50, b"22"], pa.binary_view()), pa.array(["x/a.jpg", "b.jpg"], pa.string_view())]
    pq.write_table(pa.table({"image": pa.StructArray.from_arrays(parts, ["bytes", "path"])}), tmp_path / "a")
    assert read_table(Place(str(tmp_path / "a"))).name.to_pylist() == ["a.jpg", "b.jpg"]
    assert list(read_pictures(Place(str(tmp_path / "a")), rows(0, 1))) == [b"1" * 50, b"22"]


def test_a_file_without_any_row_group_is_empty(tmp_path: Path) -> None:
    pq.ParquetWriter(tmp_path / "a", pa.schema([("image", images().type)])).close()
    table = read_table(Place(str(tmp_path / "a")))
    assert (len(table), len(table.name), len(table.size)) == (0, 0, 0)
    assert list(read_pictures(Place(str(tmp_path / "a")), rows())) == []


def test_numbers_in_a_footer_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    # In Thrift's compact protocol a 64-bit field after its neighbor is 0x16; numbers are zigzag: 0x28 is 20, 0x29 -21.
    buffer = io.BytesIO()
    pq.write_table(pa.table({"jpg": [b"%d" % n for n in range(40)]}), buffer, row_group_size=20)
    whole = buffer.getvalue()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    numbers = [at + 1 for at in range(footer, len(whole) - 8) if whole[at] == 0x16]
    rows = [at for at in numbers if whole[at] in (0x28, 0x50)]
    changes = [{at: whole[at] ^ 1} for at in numbers]  # negative
    changes += [{at: 0x2A} for at in rows]  # 21 rows
    changes += [{one: 0x13, other: 0x64} for one, other in permutations(rows, 2)]  # -10 and 50, which are 40 as well
    refused = 0
    for change in changes:
        data = bytearray(whole)
        for at, value in change.items():
            data[at] = value
        (tmp_path / "a").write_bytes(data)
        try:
            table = read_table(Place(str(tmp_path / "a")))
        except DataError as error:
            refused += "it declares" in str(error)
        else:
            assert len(table) == len(table.name) == len(table.size) == 40
            assert table.size.min() > 0
    assert refused > len(rows)
