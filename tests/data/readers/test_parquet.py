"""Parquet files as a source, against pyarrow's own reading of them."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.parquet import PARQUET
from dcgan_dist.data.readers.source import Request, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers.hugging_face import images, numbered, write
from tests.data.readers.whole import original

NAMES = ("tench", "goldfish", "shark")


def image_set(folder: Path) -> Place:
    """Two files to train on, one to validate with, and one of tests, as of ImageNet: those have no labels."""
    for file, prefix, first, labels in (
        ("train-00000-of-00002", "n01440764", 10, [0, 2, 1, 0, 2, 2, 1]),
        ("train-00001-of-00002", "n01443537", 17, [1, 0]),
        ("validation-00000-of-00001", "ILSVRC2012_val", 30, [2, 1, 0, 0]),
        ("test-00000-of-00001", "ILSVRC2012_test", 50, [-1, -1]),
    ):
        columns = {"image": numbered(prefix, first, first + len(labels)), "label": pa.array(labels)}
        write(folder / "data" / f"{file}.parquet", columns, NAMES)
    return Place(str(folder))


Rows = list[tuple[str, str, int, bytes]]


def rows_of(source: Source, parts: int = 3) -> Rows:
    """Split, key, label and picture of each sample, read in parts as tasks read them."""
    samples = source.samples
    found: Rows = []
    for part in np.array_split(np.lexsort((samples.offset, samples.file)), parts):
        fetch, some = pickle.loads(pickle.dumps((source.fetch, samples.take(part))))
        pictures = list(fetch(source.files, some))
        assert len(pictures) == len(some)
        for i, picture in enumerate(pictures):
            assert not isinstance(picture, BadImage)
            found.append((source.splits[some.split[i]], some.key[i].as_py(), int(some.label[i]), picture))
    return found


def rows_by_pyarrow(folder: Path, splits: dict[str, str]) -> Rows:
    """The same, by reading whole files at once."""
    found = []
    for split, prefix in splits.items():
        for file in sorted(folder.rglob(f"{prefix}-*.parquet")):
            for row in pq.read_table(file).to_pylist():
                found.append((split, row["image"]["path"], row["label"], row["image"]["bytes"]))
    return found


SPLITS = {"train": "train", "val": "validation", "test": "test"}


@pytest.fixture(params=["built", "original"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A set as its publisher has it: built here, and the real one where somebody has it."""
    if request.param == "built":
        yield image_set(tmp_path)
        return
    yield Place(str(original("parquet")))


def test_a_set_is_what_pyarrow_reads_of_it(published: Place) -> None:
    assert PARQUET.recognize(published) == "a folder of Parquet files"
    source = PARQUET.open([published], Request())
    assert PARQUET.recognize(source.files[0]) == "a Parquet file"
    here = {split: prefix for split, prefix in SPLITS.items() if split in source.splits}
    assert list(here) == list(source.splits)
    assert rows_of(source) == rows_by_pyarrow(published.local_path, here)


def test_classes_order_and_notes_are_of_the_whole_set(tmp_path: Path) -> None:
    folder = image_set(tmp_path)
    seen: list[tuple[int, int | None]] = []
    source = PARQUET.open([folder], Request(seen=lambda done, total: seen.append((done, total))))
    assert (source.where, source.splits, source.classes) == (str(folder), ("train", "val", "test"), NAMES)
    assert [file.name[:8] for file in source.files] == ["train-00", "train-00", "validati", "test-000"]
    assert seen == [(7, None), (9, None), (13, None), (15, None)]
    assert source.notes == (
        "read: 2 files as train, 1 file as val, 1 file as test; pictures from column image, classes from label; "
        "keys are names of files",
    )
    assert source.witness == source.files[0]
    assert not source.streamed


def test_files_in_any_order_are_the_same_source_as_their_folder(tmp_path: Path) -> None:
    folder = image_set(tmp_path)
    whole = PARQUET.open([folder], Request())
    files = PARQUET.open([*reversed(whole.files), whole.files[1]], Request())
    assert (files.files, files.splits, files.notes) == (whole.files, whole.splits, whole.notes)
    assert rows_of(files, 1) == rows_of(whole, 5)


def test_only_splits_that_are_asked_for_are_looked_at(tmp_path: Path) -> None:
    folder = image_set(tmp_path)
    whole = rows_of(PARQUET.open([folder], Request()))
    for file in (folder / "data").local_path.glob("train-*"):
        file.write_bytes(b"<html>")
    source = PARQUET.open([folder], Request(("test", "val")))
    assert source.splits == ("test", "val")
    assert sorted(rows_of(source)) == sorted(row for row in whole if row[0] != "train")
    with pytest.raises(
        SettingsError, match=r"^split is 'extra' but \S+ has no files of extra: it has train, val, test$"
    ):
        PARQUET.open([folder], Request(("extra",)))


def test_a_set_on_an_object_store_is_the_same_source(tmp_path: Path, s3: Place) -> None:
    here = PARQUET.open([image_set(tmp_path)], Request())
    for file in here.files:
        (s3 / "set" / file.name).write_bytes(file.read_bytes())
    assert PARQUET.recognize(s3 / "set") == "a folder of Parquet files"
    there = PARQUET.open([s3 / "set"], Request())
    assert rows_of(there) == rows_of(here)


@pytest.mark.parametrize("names", [("a/1.jpg", "2.jpg", "b/1.jpg"), (None, "2.jpg", "3.jpg"), ("1.jpg", "2.jpg", "")])
def test_keys_are_numbers_where_not_each_picture_has_a_name_of_its_own(
    tmp_path: Path, names: tuple[str | None, ...]
) -> None:
    write(tmp_path / "train-00000-of-00002.parquet", {"image": images((b"1", names[0]))})
    write(tmp_path / "train-00001-of-00002.parquet", {"image": images((b"2", names[1]))})
    write(tmp_path / "test.parquet", {"image": images((b"3", names[2]))})
    source = PARQUET.open([Place(str(tmp_path))], Request())
    assert [(key, picture) for _, key, _, picture in rows_of(source)] == [
        ("train/000000", b"1"),
        ("train/000001", b"2"),
        ("test/000000", b"3"),
    ]
    assert source.notes == (
        "read: 2 files as train, 1 file as test; pictures from column image, no classes; keys are numbers, since not "
        "each picture has a name of its own",
    )
    assert (source.classes, set(source.samples.label.tolist())) == (None, {-1})


def test_files_in_part_are_taken_and_told_but_not_a_folder_in_part(tmp_path: Path) -> None:
    folder = image_set(tmp_path)
    lost = folder / "data/train-00000-of-00002.parquet"
    lost.delete()
    with pytest.raises(
        DataError,
        match=rf"^{tmp_path} lacks 1 of 2 files of train, for example {lost.name}: download what is missing, or",
    ):
        PARQUET.open([folder], Request())
    assert PARQUET.open([folder], Request(("val",))).splits == ("val",)
    source = PARQUET.open([folder / "data/train-00001-of-00002.parquet"], Request())
    assert source.notes[-1] == f"not there: 1 of 2 files of train, for example {lost.name}"
    assert len(source.samples) == 2


def test_columns_that_are_left_out_are_told(tmp_path: Path) -> None:
    columns = {"image": numbered("n", 0, 2), **{f"c{n}": pa.array([n, n]) for n in range(8)}}
    write(tmp_path / "train.parquet", columns)
    notes = PARQUET.open([Place(str(tmp_path / "train.parquet"))], Request()).notes
    assert notes[1:] == ("left out: columns c0, c1, c2, c3, c4, c5 and 2 others",)


def test_files_without_rows_leave_no_trace_unless_they_are_asked_for(tmp_path: Path) -> None:
    folder = Place(str(tmp_path))
    empty = numbered("n", 0, 0)
    write(tmp_path / "test.parquet", {"image": empty})
    with pytest.raises(DataError, match=r"^there are no pictures of test in \S+: its files have no rows$"):
        PARQUET.open([folder], Request())
    write(tmp_path / "train.parquet", {"image": numbered("n", 0, 5)})
    source = PARQUET.open([folder], Request())
    assert (source.splits, source.files) == (("train",), (folder / "train.parquet",))
    with pytest.raises(DataError, match="there are no pictures of test"):
        PARQUET.open([folder], Request(("train", "test")))


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"train": ("a", "b"), "test": ("b", "a")},
            r"^\S+/train.parquet and \S+/test.parquet name other classes: give",
        ),
        ({"train": ("a", "b"), "test": None}, r"name other classes"),
        (
            {"train-x": ("a", "b"), "train-y": ()},
            r"^of train, only one of \S+/train-x.parquet and \S+y.parquet has class",
        ),
    ],
)
def test_one_number_is_one_class(tmp_path: Path, files: dict[str, tuple[str, ...] | None], sentence: str) -> None:
    for name, names in files.items():
        labels = {"label": pa.array([0, 1])} if names != () else {}
        write(tmp_path / f"{name}.parquet", {"image": numbered("n", 0, 2), **labels}, names)
    with pytest.raises(DataError, match=sentence):
        PARQUET.open([Place(str(tmp_path))], Request())


def test_files_agree_on_the_column_of_pictures(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", {"image": numbered("n", 0, 2)})
    write(tmp_path / "test.parquet", {"mask": numbered("n", 2, 4)})
    with pytest.raises(
        DataError,
        match=r"^\S+/train.parquet has its pictures in column image, but \S+/test.parquet in mask: give files",
    ):
        PARQUET.open([Place(str(tmp_path))], Request())


def test_a_split_may_be_without_labels(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", {"image": numbered("n", 0, 2), "label": pa.array([1, 0])}, ("a", "b"))
    write(tmp_path / "test.parquet", {"image": numbered("m", 0, 2)})
    source = PARQUET.open([Place(str(tmp_path))], Request(("test", "train")))
    assert (source.classes, source.samples.label.tolist()) == (("a", "b"), [-1, -1, 1, 0])


def test_pictures_that_were_left_behind_are_one_sentence(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write(tmp_path / f"{name}.parquet", {"image": images((None, f"/home/x/{name}.jpg"), (None, "/home/x/b.jpg"))})
    with pytest.raises(
        DataError, match=r"holds names of pictures, such as train.jpg, but all their bytes are null: write"
    ):
        PARQUET.open([Place(str(tmp_path))], Request())
    write(tmp_path / "test.parquet", {"image": images((b"1", "x.jpg"), (None, "y.jpg"))})
    source = PARQUET.open([Place(str(tmp_path))], Request())
    pictures = list(source.fetch(source.files, source.samples))
    assert [isinstance(picture, BadImage) for picture in pictures] == [True, True, False, True]


def test_what_is_no_set_of_parquet_is_not_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    assert PARQUET.recognize(Place(str(tmp_path))) == ""
    assert PARQUET.recognize(Place(str(tmp_path / "gone"))) == ""

    def refuse(folder: Place) -> dict[str, object]:
        raise DataError(f"{folder} holds a name that is not UTF-8")

    monkeypatch.setattr(Place, "children", refuse)
    assert PARQUET.recognize(Place(str(tmp_path))) == ""
