"""From the words of the command to a source."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.preparation import opening
from dcgan_dist.data.preparation.naming import Named
from dcgan_dist.data.preparation.opening import open_named, open_source
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.readers.folder import FOLDER
from dcgan_dist.data.readers.source import Reader, Request, Samples, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place


def open_rows(addresses: Sequence[Place], request: Request) -> Source:
    assert request.splits == ("new", "old")
    request.seen(3, None)
    row = np.zeros(1, np.int32)
    samples = Samples(pa.array(["a"], pa.large_string()), row, row.astype(np.int64), row, row.astype(np.int16), row)
    return Source(str(addresses[0]), tuple(addresses), samples, iter, ("new",), notes=("of rows",))  # type: ignore[arg-type]


ROWS = Reader("rows", open_rows, lambda place: "a table of rows" if place.name.endswith(".rows") else "")
READERS = {"rows": ROWS, "folder": FOLDER}


def test_a_format_is_recognized_and_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "a.rows").write_bytes(b"x")
    place = Place(str(tmp_path / "a.rows"))
    name, source = open_source("", [place], ("new", "old"), READERS)
    assert (name, source.notes) == ("rows", (f"read as rows: {place} is a table of rows", "of rows"))
    assert open_source("rows", [place], ("new", "old"), READERS)[1].notes == ("of rows",)


def test_a_format_that_nobody_knows_has_to_be_named(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"x")
    with pytest.raises(SettingsError, match=r"b is in no format that is known here: .* out of rows, folder$"):
        open_source("", [Place(str(tmp_path / "b"))], (), READERS)


def test_the_first_reader_that_knows_an_address_takes_it(tmp_path: Path) -> None:
    other = replace(ROWS, recognize=lambda place: "anything", open=lambda addresses, request: pytest.fail("not asked"))
    (tmp_path / "a.rows").write_bytes(b"x")
    assert open_source("", [Place(str(tmp_path / "a.rows"))], ("new", "old"), READERS | {"other": other})[0] == "rows"


def test_scenes_need_no_address() -> None:
    options = PrepareOptions((), size=32, scenes="faces", count=7)
    name, source = open_named(Named(False, "scenes", (), "out"), options)
    assert (name, source.where, len(source.samples), source.witness) == ("scenes", "7 faces", 7, None)
    first = next(iter(source.fetch((), source.samples)))
    assert isinstance(first, np.ndarray)
    assert first.shape == (32, 32, 3)


def test_a_keep_list_is_of_shards(tmp_path: Path) -> None:
    (tmp_path / "a.rows").write_bytes(b"x")
    keep = KeepList("keep.parquet", "ab", (), np.zeros(0, np.int64))
    with pytest.raises(SettingsError, match=r"keep is keep.parquet, a list of samples in shards, but .*a.rows is "):
        open_source("", [Place(str(tmp_path / "a.rows"))], ("new", "old"), READERS, keep)
    with pytest.raises(SettingsError, match=r"keep is keep.parquet, a list of samples in shards, but scenes are drawn"):
        open_named(Named(False, "scenes", (), "out"), PrepareOptions((), size=32), keep)


def test_files_are_downloaded_into_the_folder_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(name: str, folder: Place, splits: Sequence[str], progress: Callable[..., None]) -> list[Place]:
        calls.append((name, folder, splits))
        progress("train_32x32.mat", 3 << 20, 9 << 20)
        (folder / "train_32x32.mat").write_bytes(b"<html>")
        return []

    monkeypatch.setattr(opening, "download", download)
    options = PrepareOptions((), download=True, split="train")
    with pytest.raises(DataError, match="HTML"):
        open_named(Named(False, "svhn", (str(tmp_path / "files"),), "out"), options)
    assert calls == [("svhn", Place(str(tmp_path / "files")), ("train",))]


@pytest.mark.parametrize("named", [Named(False, "", ("a",), "out"), Named(False, "mnist", ("a", "b"), "out")])
def test_a_download_needs_a_data_set_and_one_folder(named: Named) -> None:
    with pytest.raises(SettingsError, match="download is on but needs the name of a data set and one folder"):
        open_named(named, PrepareOptions((), download=True))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pics.zip", "pics.zip is an archive, which nothing here reads: unpack it to a folder, .*, then give that$"),
        ("pics.tar.gz", "pics.tar.gz is a compressed tar, .* -C FOLDER, then give that$"),
        ("x.h5", "x.h5 is HDF5, .*, then give that$"),
        ("IMG_0001.JPG", r"IMG_0001.JPG is a single picture: give the folder that holds it, \S+/files$"),
    ],
)
def test_a_file_that_no_reader_takes_is_told_by_its_name(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / name).write_bytes(b"x")
    with pytest.raises(SettingsError, match=told):
        open_named(Named(False, "", (str(tmp_path / "files" / name),), "out"), PrepareOptions(()))


@pytest.mark.parametrize(
    ("reader", "addresses", "told"),
    [
        ("cifar10", ("none",), "none: give a folder or files that are there; --download fetches the files into"),
        ("imagenet", ("none",), "; ImageNet is for those who have agreed to its terms: log in at https"),
        ("", ("imagnet", "a"), "imagnet: .*; if a format was meant, these are known: imagenet, .*, folder, scenes$"),
        ("", ("a/imagnet", "a"), "give a folder or files that are there$"),
        ("folder", ("none",), "give a folder or files that are there$"),
    ],
)
def test_of_an_address_where_nothing_is_it_is_said_what_may_have_been_meant(
    reader: str, addresses: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=told):
        open_named(Named(False, reader, addresses, "out"), PrepareOptions(()))


def test_what_else_a_folder_holds_is_said_to_be_passed_over(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "a.rows"))
    place.local_path.write_bytes(b"x")
    other = replace(ROWS, recognize=lambda place: "columns")
    _, source = open_source("", [place], ("new", "old"), READERS | {"columns": other})
    assert source.notes[0] == (
        f"read as rows: {place} is a table of rows; passed over: it is also columns, which is read if columns "
        "is written before it"
    )
