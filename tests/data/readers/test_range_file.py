"""A file on any store, as libraries want one."""

import io
import zipfile
from pathlib import Path

import pytest

from dcgan_dist.data.readers.range_file import RangeFile
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place


def test_it_reads_and_seeks_as_a_file_of_python_does(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(100)))
    file = RangeFile(Place(str(path)))
    with open(path, "rb") as same:
        for offset, whence, size in [(90, 0, 4), (-2, 1, 3), (-5, 2, 100), (10, 0, -1), (120, 0, 7), (3, 0, 0)]:
            assert file.seek(offset, whence) == same.seek(offset, whence)
            assert (file.read(size), file.tell()) == (same.read(size), same.tell())
        assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def test_a_library_reads_an_archive_on_an_object_store_through_it(s3: Place) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/one.txt", b"1" * 1000)
    (s3 / "a.zip").write_bytes(buffer.getvalue())
    assert zipfile.ZipFile(RangeFile(s3 / "a.zip")).read("x/one.txt") == b"1" * 1000


def test_what_fails_is_a_sentence_of_the_store(s3: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFile, match=r"\S+/gone is not there"):
        RangeFile(Place(str(tmp_path / "gone")))
    (s3 / "a").write_bytes(b"abc")
    file = RangeFile(s3 / "a")
    monkeypatch.setattr("dcgan_dist.storage.PAUSES_S", ())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot read s3://\S+/a"):
        file.read(2)
