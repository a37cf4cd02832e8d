import ctypes
import errno
import mmap
import os
import pickle
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist import storage
from dcgan_dist.errors import DataError
from dcgan_dist.storage import (
    MissingFile,
    Place,
    place,
    require_lasting,
    require_writable,
)


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty folder on each kind of store."""
    return Place(str(tmp_path)) if request.param == "local" else request.getfixturevalue("s3") / "some" / "where"


# Addresses


def test_place_fills_in_home_variables_and_the_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("DATA_OF_MINE", "/data")
    assert place("runs/../a").address == f"{tmp_path}/a"
    assert place("~/runs").address == "/home/somebody/runs"
    assert place("$DATA_OF_MINE/x").address == place("${DATA_OF_MINE}/x/").address == "/data/x"
    assert place("file:///data/x").address == "/data/x"
    assert place(" S3://bucket/key/ ").address == "s3://bucket/key"


def test_unset_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(DataError, match=r"NOT_THERE is not set but \$NOT_THERE/x needs it"):
        place("$NOT_THERE/x")


@pytest.mark.parametrize("text", ["", "  "])
def test_empty_address_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="empty address"):
        place(text)


@pytest.mark.parametrize(
    ("address", "parent", "name"),
    [
        ("/a/b", "/a", "b"),
        ("/a", "/", "a"),
        ("/", "/", ""),
        ("s3://bucket/a/b", "s3://bucket/a", "b"),
        ("s3://bucket/a", "s3://bucket", "a"),
        ("s3://bucket", "s3://bucket", "bucket"),
    ],
)
def test_parent_and_name(address: str, parent: str, name: str) -> None:
    assert (Place(address).parent.address, Place(address).name) == (parent, name)


def test_place_travels_as_its_address_alone() -> None:
    where = Place("s3://bucket/key")
    assert pickle.loads(pickle.dumps(where)) == where
    assert not where.is_local
    with pytest.raises(ValueError, match="not a local path"):
        where.local_path  # noqa: B018


@pytest.mark.parametrize("address", ["http://host/x", "nonsense://x/y", "s3:///key"])
def test_store_that_cannot_be_used_is_one_sentence(address: str) -> None:
    with pytest.raises(DataError):
        Place(address).exists()


# Files and folders, on each kind of store


@pytest.mark.parametrize("name", ["file.bin", "file.gz", "file.zst"])
def test_what_was_written_is_read_back(name: str, folder: Place) -> None:
    data = bytes(range(256)) * 5
    file = folder / "deep" / "er" / name
    file.write_bytes(data)
    assert file.read_bytes() == data
    assert file.info().size == len(data)
    assert file.exists()
    assert file.is_file()
    assert not file.is_folder()
    assert (folder / "deep").is_folder()


@pytest.mark.parametrize("ended_by", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_file_whose_writing_is_interrupted_is_not_there_or_as_it_was(
    folder: Place, ended_by: type[BaseException]
) -> None:
    """Also when the process ends, which closes what is open: a killed worker ends by SystemExit."""
    code = (
        "import sys\nfrom dcgan_dist.storage import Place\n"
        "def fill(file):\n    file.write(b'part')\n    raise %s\n"
        "Place(sys.argv[1]).write_with(fill, size=99)"
    )
    (folder / "old").write_bytes(b"as it was")
    for name in ("old", "new"):
        command = [sys.executable, "-c", code % ended_by.__name__, str(folder / name)]
        subprocess.run(command, capture_output=True, check=False, timeout=100)
    assert folder.names() == ["old"]
    assert (folder / "old").read_bytes() == b"as it was"


@pytest.mark.parametrize("cached", [True, False])
def test_a_file_can_be_written_in_pieces(folder: Place, cached: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.storage.UNCACHED_BYTES", 4)

    def fill(file: Any) -> None:
        for piece in (b"one", memoryview(b" two"), b"", b" three"):
            file.write(piece)

    (folder / "new" / "file").write_with(fill, size=13, cached=cached)
    assert (folder / "new" / "file").read_bytes() == b"one two three"


def pages_in_memory(file: Path) -> int:
    """Of a file's content, as the system says."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(file, "r+b") as opened, mmap.mmap(opened.fileno(), 0) as content:
        pages = -(-len(content) // mmap.PAGESIZE)
        there = (ctypes.c_ubyte * pages)()
        start = ctypes.c_char.from_buffer(content)
        failed = libc.mincore(ctypes.byref(start), ctypes.c_size_t(len(content)), there)
        del start
        assert not failed, os.strerror(ctypes.get_errno())
        return sum(page & 1 for page in there)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
def test_a_file_that_nobody_will_read_soon_leaves_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.storage.UNCACHED_BYTES", 1 << 20)
    data = bytes(1 << 16)
    for cached in (True, False):
        where = Place(str(tmp_path / str(cached)))
        where.write_with(lambda file: [file.write(data) for _ in range(64)], size=64 << 16, cached=cached)
        assert where.info().size == 64 << 16
    pages = (64 << 16) // mmap.PAGESIZE
    assert pages_in_memory(tmp_path / "True") == pages
    if subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True).stdout.strip() == "tmpfs":
        pytest.skip("this file system is memory itself")
    assert pages_in_memory(tmp_path / "False") < pages / 4


@pytest.mark.parametrize(("offset", "size"), [(0, 10), (5, 0), (1275, 10), (1280, 10), (5000, 10), (0, 9999)])
def test_range_is_the_slice_of_the_file(folder: Place, offset: int, size: int) -> None:
    data = bytes(range(256)) * 5
    (folder / "file").write_bytes(data)
    assert (folder / "file").read_range(offset, size) == data[offset : offset + size]


def test_listing_shows_files_and_folders(folder: Place) -> None:
    (folder / "b").write_bytes(b"12")
    (folder / "a").write_bytes(b"1")
    (folder / "sub" / "c").write_bytes(b"123")
    assert folder.names() == ["a", "b", "sub"]
    assert {name: info and info.size for name, info in folder.children().items()} == {"a": 1, "b": 2, "sub": None}
    assert [(where, info.size) for where, info in folder.files()] == [(folder / "a", 1), (folder / "b", 2)]
    assert [where for where, _ in folder.files(recursive=True)] == [
        folder / "a",
        folder / "b",
        folder / "sub" / "c",
    ]


def test_folder_that_is_not_there_lists_nothing(folder: Place) -> None:
    nowhere = folder / "nowhere"
    assert nowhere.names() == []
    assert nowhere.files(recursive=True) == []
    assert not nowhere.exists()


def test_missing_file_is_named(folder: Place) -> None:
    missing = folder / "missing"
    calls: list[Callable[[], object]] = [
        missing.read_bytes,
        missing.info,
        lambda: missing.read_range(0, 1),
    ]
    for call in calls:
        with pytest.raises(MissingFile, match="missing"):
            call()


def test_delete_takes_files_and_folders_and_forgives_absence(folder: Place) -> None:
    (folder / "keep").write_bytes(b"1")
    (folder / "sub" / "c").write_bytes(b"1")
    (folder / "file").write_bytes(b"1")
    (folder / "file").delete()
    (folder / "sub").delete()
    (folder / "never").delete()
    assert folder.names() == ["keep"]


def test_version_changes_when_a_file_is_written_again(tmp_path: Path) -> None:
    file = Place(str(tmp_path)) / "file"
    file.write_bytes(b"old")
    os.utime(file.local_path, ns=(1, 1))
    before = file.info()
    file.write_bytes(b"new")
    assert file.info().size == before.size
    assert file.info().version != before.version


def test_made_folder_exists(tmp_path: Path) -> None:
    new = Place(str(tmp_path)) / "x" / "y"
    new.make_folder()
    new.make_folder()
    assert new.is_folder()


# Nothing half-written


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Place(str(tmp_path)) / "file"
    file.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        file.write_bytes(b"new")
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_reader_never_sees_a_part_of_a_file(tmp_path: Path) -> None:
    file = Place(str(tmp_path)) / "file"
    versions = [bytes([i]) * 300_000 for i in range(8)]
    file.write_bytes(versions[0])
    writer = threading.Thread(target=lambda: [file.write_bytes(data) for data in versions])
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(file.read_bytes())
    writer.join()
    assert set(seen) <= set(versions)


@pytest.mark.parametrize("recursive", [False, True])
def test_a_name_that_is_no_utf8_is_one_sentence(recursive: bool, tmp_path: Path) -> None:
    Path(f"{tmp_path}/a\udcff.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"holds a name that is not UTF-8: b'\S+/a\\xff\.jpg'; rename it"):
        Place(str(tmp_path)).files(recursive=recursive)


def test_file_of_a_writer_that_died_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".file.0123abcd.unfinished").write_bytes(b"half")
    assert Place(str(tmp_path)).names() == []


def test_written_file_has_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    (Place(str(tmp_path)) / "file").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


# Failures that a user can mend


def test_full_disk_says_what_is_needed_and_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"no space left to write .*new/file: 2\.0 MB are needed, .* are free"):
        (Place(str(tmp_path)) / "new" / "file").write_bytes(bytes(2_000_000))
    assert os.listdir(tmp_path / "new") == []


def test_device_that_is_really_full_is_told(tmp_path: Path) -> None:
    # /dev/full answers every write as a full disk does.
    with pytest.raises(OSError, match="No space") as caught, open("/dev/full", "wb", buffering=0) as device:
        device.write(b"x")
    known = storage._known(Place(str(tmp_path / "x")), "write", 10, caught.value)
    assert "no space left" in str(known)


def test_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    file = Place(str(tmp_path)) / "file"
    for call in (file.names, (file / "below").read_bytes, lambda: (file / "below").write_bytes(b"x")):
        with pytest.raises(DataError, match="is a file where a folder is needed"):
            call()


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
@pytest.mark.parametrize("ending", ["", "/"])
def test_endpoint_is_taken_from_either_variable(
    name: str, ending: str, s3_endpoint: str, s3: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, s3_endpoint + ending)
    (s3 / "file").write_bytes(b"x")
    assert s3.names() == ["file"]


def test_missing_bucket_is_told(s3: Place) -> None:
    nowhere = Place("s3://no-such-bucket-here/key")
    assert not nowhere.exists()
    with pytest.raises(MissingFile, match="no-such-bucket-here"):
        nowhere.read_bytes()
    with pytest.raises(MissingFile, match="bucket does not exist"):
        nowhere.write_bytes(b"x")


@pytest.mark.parametrize("code", ["ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH"])
def test_refused_access_says_where_credentials_were_looked_for(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    error = OSError(f"When reading information for key 'k' in bucket 'b': AWS Error {code} during HeadObject operation")
    known = storage._known(Place("s3://b/k"), "read", 0, error)
    for part in (
        "access was refused",
        "s3://b/k",
        "AWS_ACCESS_KEY_ID",
        "not set",
        f"{tmp_path}/credentials (not there)",
        "role",
    ):
        assert part in str(known)


def test_passing_failure_of_an_object_store_is_tried_again(s3: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (s3 / "file").write_bytes(b"data")
    monkeypatch.setattr(storage, "PAUSES_S", (0.0, 0.0))
    calls = []

    def flaky(store: Any, path: str) -> str:
        calls.append(path)
        if len(calls) < 3:
            raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation")
        return "done"

    assert (s3 / "file")._ask("read", flaky) == "done"
    assert len(calls) == 3


def test_dead_object_store_ends_in_one_sentence(monkeypatch: pytest.MonkeyPatch, s3: Place) -> None:
    monkeypatch.setattr(storage, "PAUSES_S", ())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot look at s3://.*NETWORK_CONNECTION.*tried 1 times"):
        (s3 / "file").exists()


@pytest.mark.parametrize("folder", ["/etc/passwd", "/etc/passwd/runs", "/proc/runs", "/proc/1/a/b"])
def test_a_folder_that_takes_no_files_is_told_before_anything_is_made(folder: str) -> None:
    with pytest.raises(DataError) as caught:
        require_writable(Place(folder), "--storage")
    assert str(caught.value).startswith(f"--storage is {folder} but ")
    assert str(caught.value).endswith(": give another folder or address")
    assert "\n" not in str(caught.value)


def test_trying_a_folder_leaves_nothing(tmp_path: Path, s3: Place) -> None:
    require_writable(place(str(tmp_path / "a" / "b")), "--storage")
    assert list(tmp_path.iterdir()) == []
    require_writable(s3 / "runs", "--storage")
    assert (s3 / "runs").names() == []
    with pytest.raises(DataError, match="the bucket does not exist; give another folder or address"):
        require_writable(Place("s3://nobody-has-this-bucket/runs"), "--storage")


@pytest.mark.parametrize(
    ("storage", "lasts"),
    [
        ("/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_0123/runs", False),
        ("/tmp/ray/session_1/runtime_resources/working_dir_files/_ray_pkg_0123", False),
        ("/mnt/runs", True),
        ("/mnt/working_dir_files/runs", True),
        ("s3://bucket/runtime_resources/working_dir_files/a", True),
    ],
)
def test_a_jobs_working_folder_keeps_nothing(storage: str, lasts: bool) -> None:
    if lasts:
        require_lasting(Place(storage), "--storage")
    else:
        with pytest.raises(
            DataError, match="which Ray deletes with all that is in it: give the absolute path of a folder"
        ):
            require_lasting(Place(storage), "--storage")


def test_a_relative_storage_of_a_job_lies_in_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_0123"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with pytest.raises(DataError, match="_ray_pkg_0123/runs, in Ray's copy of a job's working folder"):
        require_lasting(place("runs"), "--storage")
