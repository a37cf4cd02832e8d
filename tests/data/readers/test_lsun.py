"""LSUN's databases as a source: against the library that writes them, by their names, and what is none of them."""

import os
import pickle
import random
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from urllib.parse import unquote_to_bytes

import lmdb
import numpy as np
import pytest

from dcgan_dist.data.readers.lsun import LSUN
from dcgan_dist.data.readers.source import Request, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers.whole import original

Value = tuple[bytes, bytes]


def write(folder: Path, values: Sequence[Value]) -> Place:
    """A database as the publisher's tool writes it: one `put` a picture, in no order."""
    folder.parent.mkdir(exist_ok=True)
    with lmdb.open(str(folder), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
        for key, value in values:
            transaction.put(key, value)
    return Place(str(folder))


def pictures(number: int, name: str = "room") -> list[Value]:
    """Keys as LSUN has them, and a few that are any bytes; values begin as JPEG, WebP, or none of both."""
    chosen = random.Random(name)
    heads = (b"\xff\xd8\xff\xe0", b"RIFF....WEBP", b"no picture", b"")
    keys = [sha1(f"{name}{i}".encode()).hexdigest().encode() for i in range(number - 4)]
    keys += [b"000013", b"a/b%2F c", b"\x00\xff\xe4", "schön".encode()]
    return [(key, chosen.choice(heads) + chosen.randbytes(chosen.choice((0, 700, 9_000, 20_000)))) for key in keys]


def read(source: Source) -> dict[str, bytes]:
    """All pictures by key, in two parts, each as another process gets it."""
    samples = source.samples
    rows = np.lexsort((samples.offset, samples.file))
    fetched: dict[str, bytes] = {}
    for part in np.array_split(rows, 2):
        fetch, files, some = pickle.loads(pickle.dumps((source.fetch, source.files, samples.take(part))))
        for key, picture in zip(some.key.to_pylist(), fetch(files, some), strict=True):
            assert isinstance(picture, bytes)
            assert key not in fetched
            fetched[key] = picture
    return fetched


def by_library(folder: Path) -> list[Value]:
    with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as reading:
        return list(reading.cursor())


def test_pictures_are_those_that_the_library_reads(tmp_path: Path) -> None:
    folder = write(tmp_path / "bedroom_train_lmdb", pictures(2_000))
    told: list[tuple[int, int | None]] = []
    source = LSUN.open([folder], Request(seen=lambda done, total: told.append((done, total))))
    expected = by_library(folder.local_path)
    keys = source.samples.key.to_pylist()
    assert [unquote_to_bytes(key.removeprefix("bedroom_train_lmdb/")) for key in keys] == [key for key, _ in expected]
    found = read(source)
    assert [found[key] for key in keys] == [value for _, value in expected]
    assert source.samples.size.tolist() == [len(value) for _, value in expected]
    assert (source.splits, source.classes, set(source.samples.label.tolist())) == (("train",), None, {-1})
    assert told == [(2_000, 2_000)]
    assert source.notes == ("bedroom_train_lmdb has 2,000 pictures, LSUN as published 3,033,042",)
    assert source.witness == folder / "data.mdb"
    assert "bedroom_train_lmdb/a%2Fb%252F%20c" in keys


@pytest.mark.parametrize("root", ["built", "original"])
def test_some_of_any_database_are_what_the_library_reads(root: str, tmp_path: Path) -> None:
    if root == "built":
        write(tmp_path / "tower_val_lmdb", pictures(900))
        write(tmp_path / "bridge_train_lmdb", pictures(30))
    source = LSUN.open([Place(str(original("lsun") if root == "original" else tmp_path))], Request())
    rows = np.sort(np.random.default_rng(1).permutation(len(source.samples))[:400])
    some = source.samples.take(rows[np.lexsort((source.samples.offset[rows], source.samples.file[rows]))])
    for number, file in enumerate(source.files):
        mine = some.take(np.flatnonzero(some.file == number))
        with lmdb.open(file.parent.address, readonly=True, lock=False) as environment, environment.begin() as reading:
            assert environment.stat()["entries"] == np.count_nonzero(source.samples.file == number)
            for key, picture in zip(mine.key.to_pylist(), source.fetch(source.files, mine), strict=True):
                assert reading.get(unquote_to_bytes(key.partition("/")[2])) == picture


def test_a_database_on_an_object_store_is_the_same_source(tmp_path: Path, s3: Place) -> None:
    here = LSUN.open([write(tmp_path / "kitchen_val_lmdb", pictures(700))], Request())
    (s3 / "lsun" / "kitchen_val_lmdb" / "data.mdb").write_bytes(here.files[0].read_bytes())
    there = LSUN.open([s3 / "lsun"], Request())
    assert there.samples.key == here.samples.key
    assert read(there) == read(here)
    assert there.splits == ("val",)


def test_categories_are_classes_by_name_over_all_splits(tmp_path: Path) -> None:
    for name in (
        "tower_train_lmdb",
        "church_outdoor_train_lmdb",
        "bridge_val_lmdb",
        "tower_val_lmdb",
        "test_lmdb",
        "cat",
    ):
        write(tmp_path / name, pictures(9, name))
    (tmp_path / "more").mkdir()
    for name in ("tower_train_lmdb.zip", "kitchen_val_lmdb.zip"):
        (tmp_path / name).write_bytes(b"PK")
    source = LSUN.open([Place(str(tmp_path))], Request())
    assert (source.splits, source.classes) == (("train", "val", "test"), ("bridge", "cat", "church_outdoor", "tower"))
    assert source.notes == (
        "cat is taken as the category cat of train",
        f"passed over: {tmp_path}/kitchen_val_lmdb.zip, which is not unpacked",
        f"passed over: 1 file or folder in {tmp_path}: more",
    )
    samples, found = source.samples, read(source)
    names = [key.partition("/")[0] for key in samples.key.to_pylist()]
    belongs = set(zip(names, samples.split.tolist(), samples.label.tolist(), strict=True))
    assert belongs == {
        ("cat", 0, 1),
        ("church_outdoor_train_lmdb", 0, 2),
        ("tower_train_lmdb", 0, 3),
        ("bridge_val_lmdb", 1, 0),
        ("tower_val_lmdb", 1, 3),
        ("test_lmdb", 2, -1),
    }
    for name in set(names):
        expected = [value for _, value in by_library(tmp_path / name)]
        assert [found[key] for key in samples.key.to_pylist() if key.startswith(f"{name}/")] == expected
    # The same numbers of the same classes where only a split without some of them is read.
    some = LSUN.open([Place(str(tmp_path))], Request(("val",)))
    assert (some.splits, some.classes) == (("val",), source.classes)
    assert sorted(set(some.samples.label.tolist())) == [0, 3]
    # Whichever way the same databases are given.
    folders = [Place(str(tmp_path / name)) for name in ("test_lmdb", "tower_val_lmdb", "cat", "bridge_val_lmdb")]
    others = [Place(f"{tmp_path}/{name}_train_lmdb/data.mdb") for name in ("tower", "church_outdoor")]
    assert LSUN.open([*folders, *others, folders[0]], Request()).samples.key == samples.key


def test_a_split_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    folder = write(tmp_path / "tower_val_lmdb", pictures(5))
    with pytest.raises(SettingsError, match=r"split is 'val,train' but \S+ has val"):
        LSUN.open([folder], Request(("val", "train")))


@pytest.mark.parametrize(
    ("files", "address", "sentence"),
    [
        (
            (),
            "nowhere",
            r"there is no folder with data\.mdb at \S+/nowhere: get CATEGORY_train_lmdb\.zip by the script",
        ),
        (("in/bedroom_train_lmdb.zip",), "in", r"at \S+/in: unpack bedroom_train_lmdb\.zip there"),
        (
            ("in/bedroom_train_lmdb.zip",),
            "in/bedroom_train_lmdb.zip",
            r"lmdb\.zip is a zip: unpack it, and give the folder bedroom_train_lmdb",
        ),
        (("in/notes.txt",), "in/notes.txt", r"notes\.txt is no LMDB, but a folder with data\.mdb is expected"),
        (
            ("in/tower_val_lmdb/lock.mdb", "in/cat/data.mdb"),
            "in",
            r"no data\.mdb in \S+/tower_val_lmdb: unpack",
        ),
        (("in/cat/data.mdb",), "in", r"cat/data\.mdb is no LMDB: it is a page of HTML or XML: the download"),
    ],
)
def test_what_is_no_database_is_one_sentence(
    tmp_path: Path, files: tuple[str, ...], address: str, sentence: str
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("<!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(DataError, match=sentence):
        LSUN.open([Place(str(tmp_path / address))], Request())


def test_two_databases_of_one_name_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    folders = [write(tmp_path / copy / "tower_val_lmdb", pictures(5)) for copy in ("a", "b")]
    with pytest.raises(DataError, match=r"a/tower_val_lmdb and \S+b/tower_val_lmdb have the same name"):
        LSUN.open(folders, Request())
    with pytest.raises(DataError, match=r"bridge_val_lmdb/data\.mdb holds no values"):
        LSUN.open([write(tmp_path / "bridge_val_lmdb", [])], Request())


def test_a_database_that_is_cut_off_ends_no_process(tmp_path: Path) -> None:
    folder = write(tmp_path / "bedroom_train_lmdb", pictures(60))
    source = LSUN.open([folder], Request())
    file = folder.local_path / "data.mdb"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(DataError, match=r"data\.mdb is cut off: it has [\d,]+ of [\d,]+ bytes; copy or"):
        LSUN.open([folder], Request())
    with pytest.raises(DataError, match=r"data\.mdb has become shorter since it was listed"):
        read(source)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("tower_val_lmdb", "an LMDB, as LSUN has them"),
        ("tower_val_lmdb/data.mdb", "an LMDB, as LSUN has them"),
        ("bedroom_train_lmdb.zip", "an LMDB, as LSUN has them"),
        (".", "a folder with LMDBs, as LSUN has them"),
        ("other", ""),
        ("other/photos.zip", ""),
        ("nowhere", ""),
    ],
)
def test_databases_are_recognized(tmp_path: Path, name: str, seen: str) -> None:
    for file in ("tower_val_lmdb/data.mdb", "bedroom_train_lmdb.zip", "other/photos.zip"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")
    assert LSUN.recognize(Place(os.path.normpath(tmp_path / name))) == seen
