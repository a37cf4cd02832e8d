"""Files in a zip by ranges of bytes: against `zipfile`, and against archives that are damaged or mean harm."""

import random
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers import ranges, zip_entries
from dcgan_dist.data.readers.source import Samples
from dcgan_dist.data.readers.zip_entries import fetch_entries, list_entries, unpack
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place

MOST = 100_000


def write(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> Place:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.comment = comment
    return Place(str(path))


def some_files(number: int) -> dict[str, bytes]:
    chosen = random.Random(number)
    return {f"in/{i:03d}.jpg": chosen.randbytes(chosen.choice((0, 50, 9_000))) + b" " * 200 for i in range(number)}


def fetch(archive: Place) -> dict[str, bytes | BadImage]:
    entries = list_entries(archive)
    number = len(entries)
    samples = Samples(
        key=pa.array([entry.name for entry in entries], pa.large_string()),
        file=np.zeros(number, np.int32),
        offset=np.array([entry.offset for entry in entries], np.int64),
        size=np.array([entry.size for entry in entries], np.int64),
        split=np.zeros(number, np.int16),
        label=np.zeros(number, np.int32),
    )
    return dict(zip(samples.key.to_pylist(), fetch_entries((archive,), samples), strict=True))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_are_those_that_zipfile_reads(tmp_path: Path, method: int) -> None:
    files = some_files(40)
    archive = write(tmp_path / "a.zip", {"in/": b"", **files}, method, comment=b"of some length")
    assert fetch(archive) == files


def test_an_archive_on_an_object_store_is_read_in_place(tmp_path: Path, s3: Place) -> None:
    files = some_files(12)
    (s3 / "a.zip").write_bytes(write(tmp_path / "a.zip", files, zipfile.ZIP_DEFLATED).read_bytes())
    assert fetch(s3 / "a.zip") == files


def test_headers_may_be_longer_than_the_directory_says(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(3):
            info = zipfile.ZipInfo(f"{i}.jpg")
            info.extra = struct.pack("<HH", 0x7075, 100 * i) + bytes(100 * i)
            archive.writestr(info, b"%d" % i * 50)
            info.extra = b""
    assert fetch(Place(str(tmp_path / "a.zip"))) == {f"{i}.jpg": b"%d" % i * 50 for i in range(3)}


def test_what_the_directory_leaves_out_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, number in {"a.jpg": 90, "removed.jpg": 400_000, "b.jpg": 80}.items():
            archive.writestr(name, b"x" * number)
        del archive.filelist[1]
    found = list_entries(Place(str(tmp_path / "a.zip")))
    assert [entry.name for entry in found] == ["a.jpg", "b.jpg"]
    assert all(entry.size < 140_000 for entry in found)
    assert fetch(Place(str(tmp_path / "a.zip"))) == {"a.jpg": b"x" * 90, "b.jpg": b"x" * 80}


def test_a_picture_may_be_as_large_as_is_allowed_and_no_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ranges, zip_entries):
        monkeypatch.setattr(module, "DataSettings", lambda: SimpleNamespace(max_image_bytes=1_000_000))
    files = {"a.jpg": b"a" * 1_000_000, "b.jpg": b"b" * 1_300_000, "c.jpg": b"c"}
    one, two, three = fetch(write(tmp_path / "a.zip", files)).values()
    assert (one, three) == (files["a.jpg"], b"c")
    assert isinstance(two, BadImage)
    assert str(two).endswith("bytes, more than the 1,000,000 that are allowed")


class Pipe:
    """A file that cannot be sought in, for which `zipfile` writes sizes behind the data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        pass


def test_sizes_behind_the_data_are_no_trouble_where_it_says_its_end_itself(tmp_path: Path) -> None:
    files = some_files(7)
    for method, name in ((zipfile.ZIP_DEFLATED, "deflated.zip"), (zipfile.ZIP_STORED, "stored.zip")):
        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", method) as archive:  # type: ignore[call-overload]
            for file, data in files.items():
                archive.writestr(file, data)
        (tmp_path / name).write_bytes(pipe.data)
    assert fetch(Place(str(tmp_path / "deflated.zip"))) == files
    for bad in fetch(Place(str(tmp_path / "stored.zip"))).values():
        assert str(bad) == "does not say how long it is: unpack the archive, and give the folder"


def entry(data: bytes, *, method: int = 8, size: int | None = None, checksum: int | None = None) -> bytes:
    """A file as it lies in an archive."""
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(data) + packer.flush() if method == 8 else data
    sizes = (zlib.crc32(data) if checksum is None else checksum, len(body), len(data) if size is None else size)
    return struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, method, 0, 0, *sizes, 5, 3) + b"a.jpg" + b"abc" + body


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (entry(bytes(MOST + 1)), "unpacks to more than the 100,000 bytes that are allowed"),
        (entry(bytes(50_000), size=70), "unpacks to more than the 70 bytes that it declares"),
        (entry(bytes(70), size=71), "is damaged in its archive: its checksum"),
        (entry(b"face", checksum=7), "is damaged in its archive: its checksum"),
        (entry(b"face", method=0, checksum=7), "is damaged in its archive: its checksum"),
        (entry(b"face", method=0)[:-1], "is damaged in its archive: its checksum"),
        (entry(b"face" * 20)[:-5], "is cut off in its archive"),
        (entry(b"face")[:29], "is cut off in its archive"),
        (entry(b"face")[:-6] + b"\xff" * 6, "cannot be unpacked: Error -3"),
        (b"x" + entry(b"face")[1:], "is not where the directory of its archive says"),
        (entry(b"face", method=12), "is not where the directory of its archive says"),
    ],
)
def test_damage_of_one_file_is_a_bad_picture(damaged: bytes, reason: str) -> None:
    bad = unpack(damaged, MOST)
    assert isinstance(bad, BadImage)
    assert str(bad).startswith(reason)


@pytest.mark.parametrize("declared", [None, 70], ids=["truly", "less"])
def test_of_a_bomb_no_more_is_unpacked_than_is_allowed(declared: int | None) -> None:
    bomb = entry(bytes(200 * MOST), size=declared)
    tracemalloc.start()
    try:
        bad = unpack(bomb, MOST)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "unpacks to more than" in str(bad)
    assert peak < 4 * MOST + len(bomb)


@pytest.mark.parametrize("behind", [b"", b"PK\x03\x04 the next one"])
def test_what_lies_behind_a_file_is_none_of_it(behind: bytes) -> None:
    for method in (0, 8):
        assert unpack(entry(b"face", method=method) + behind, MOST) == b"face"
    assert unpack(entry(bytes(MOST)) + behind, MOST) == bytes(MOST)


def test_archives_that_are_none_are_one_sentence(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.zip", some_files(30)).read_bytes()
    for data, sentence in {
        b"": r"x\.zip is no zip: it is empty",
        b"\n<!DOCTYPE html>": r"x\.zip is no zip: it is a page of HTML or XML: the download failed",
        b"7z\xbc\xaf": r"x\.zip is no zip: it is something else: get it again",
        whole[: len(whole) // 2]: r"x\.zip is no zip: it is cut off or damaged: get it again",
        whole[:-1]: r"x\.zip is no zip: it is cut off or damaged: get it again",
    }.items():
        (tmp_path / "x.zip").write_bytes(data)
        with pytest.raises(DataError, match=sentence):
            list_entries(Place(str(tmp_path / "x.zip")))
    with pytest.raises(MissingFile):
        list_entries(Place(str(tmp_path / "nowhere.zip")))


def changed(data: bytes, name: bytes, offset: int, value: bytes) -> bytes:
    """With a field of a file's entry in the directory changed."""
    at = data.rindex(name) - 46 + offset
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value", "sentence"),
    [
        (8, b"\x01\0", "has 'in/003.jpg' encrypted, which is not read: unpack it, and give the folder"),
        (10, b"\x0c\0", "has 'in/003.jpg' packed by method 12, which is not read"),
        (20, struct.pack("<I", 1 << 20), "is damaged: its directory is wrong about 'in/003.jpg'"),
        (42, struct.pack("<I", 1 << 20), r"is damaged: its directory is wrong about 'in/003.jpg'"),
        (28, b"\0\0", "(is damaged: its directory is wrong about ''|is no zip: it is cut off or damaged)"),
        (42, struct.pack("<I", 0), "is damaged: its directory is wrong about 'in/00[03].jpg'"),
    ],
)
def test_what_the_directory_declares_is_checked(tmp_path: Path, offset: int, value: bytes, sentence: str) -> None:
    data = write(tmp_path / "a.zip", dict.fromkeys(some_files(5), b"x" * 300)).read_bytes()
    (tmp_path / "a.zip").write_bytes(changed(data, b"in/003.jpg", offset, value))
    with pytest.raises(DataError, match=sentence):
        list_entries(Place(str(tmp_path / "a.zip")))


def test_damage_is_one_sentence_or_a_bad_picture(tmp_path: Path) -> None:
    files = some_files(9)
    data = write(tmp_path / "a.zip", files, zipfile.ZIP_DEFLATED).read_bytes()
    directory = data.index(b"PK\x01\x02")
    chosen, bad, sentences = random.Random(5), 0, 0
    for _ in range(400):
        at = chosen.choice((chosen.randrange(directory), chosen.randrange(directory, len(data) - 4)))
        damaged = bytearray(data)
        damaged[at : at + 4] = chosen.choice((bytes(4), b"\xff" * 4, chosen.randbytes(4)))
        (tmp_path / "a.zip").write_bytes(damaged)
        try:
            found = fetch(Place(str(tmp_path / "a.zip")))
        except DataError:
            sentences += 1
            continue
        bad += sum(isinstance(picture, BadImage) for picture in found.values())
        for picture in found.values():
            assert isinstance(picture, BadImage) or picture in files.values()
    assert bad > 50
    assert sentences > 20
