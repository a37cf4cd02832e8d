"""Files in tars, in tars within tars, and in tars that are compressed as a whole."""

import io
import os
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers import tars
from dcgan_dist.data.readers.ranges import fetch_ranges
from dcgan_dist.data.readers.tars import (
    PackedTar,
    Tar,
    fetch_packed_members,
    is_packed,
    window_bytes,
)
from dcgan_dist.errors import DataError
from dcgan_dist.storage import MissingFile, Place
from tests.data.readers.tar_files import link, packed, samples_at, tar_of

BODIES = {f"folder/{number}.JPEG": np.random.default_rng(number).bytes(300 * number) for number in range(7)}
INNER = {f"{name}.tar": tar_of({f"{name}{key}": body + name.encode() for key, body in BODIES.items()}) for name in "ab"}


@pytest.fixture(params=["disk", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(str(tmp_path)) if request.param == "disk" else request.getfixturevalue("s3")


def write(file: Place, data: bytes) -> Place:
    file.write_bytes(data)
    return file


def test_files_in_a_tar_in_a_tar_are_ranges_of_the_outer_one(folder: Place) -> None:
    whole = tar_of(INNER)
    file = write(folder / "outer.tar", whole)
    outer = list(Tar.of(file).members())
    assert [(member.name, member.size) for member in outer] == [(name, len(data)) for name, data in INNER.items()]
    for one, data in zip(outer, INNER.values(), strict=True):
        found = list(Tar(file, one.offset, one.size, one.name).members())
        with tarfile.open(fileobj=io.BytesIO(data)) as peer:
            expected = {member.name: peer.extractfile(member).read() for member in peer}  # type: ignore[union-attr]
        assert {member.name: whole[member.offset : member.offset + member.size] for member in found} == expected
        assert [member.name for member in found] == list(expected)
        pictures = fetch_ranges([file], samples_at([(0, member.offset, member.size) for member in found]))
        assert list(pictures) == list(expected.values())


def test_on_a_disk_only_headers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tar_of({str(number): bytes(100_000) for number in range(9)})
    file = write(Place(str(tmp_path / "a.tar")), data)
    sizes = []
    pread = os.pread

    def counted(opened: int, size: int, offset: int) -> bytes:
        read = pread(opened, size, offset)
        sizes.append(len(read))
        return read

    monkeypatch.setattr(os, "pread", counted)
    assert len(list(Tar.of(file).members())) == 9
    assert sum(sizes) == 512 + 9 * 512 + len(data) - 9 * 100_864


@pytest.mark.parametrize(("body", "requests"), [(900, [1_000, *[8_000] * 3]), (9_000, [1_000] * 11)])
def test_on_a_store_headers_that_are_near_are_read_together(
    s3: Place, monkeypatch: pytest.MonkeyPatch, body: int, requests: list[int]
) -> None:
    monkeypatch.setattr(tars, "_WINDOW", 8_000)
    monkeypatch.setattr(tars, "_NARROW", 1_000)
    file = write(s3 / "a.tar", tar_of({str(number): bytes(body) for number in range(10)}))
    asked = []
    read_range = Place.read_range

    def counted(self: Place, offset: int, size: int) -> bytes:
        asked.append(size)
        return read_range(self, offset, size)

    monkeypatch.setattr(Place, "read_range", counted)
    assert len(list(Tar.of(file).members())) == 10
    assert asked[: len(requests)] == requests
    assert len(asked) <= len(requests) + 1  # the zeros behind the end mark


@pytest.mark.parametrize(
    ("gap", "wide"),
    [(-500, True), (0, True), (110_000, True), (8 << 20, True), ((8 << 20) + 1, False), (1 << 40, False)],
)
def test_much_is_asked_for_only_where_it_will_be_used(gap: int, wide: bool) -> None:
    assert window_bytes(gap) == (8 << 20 if wide else 64 << 10)


def test_names_are_only_text_and_links_are_told(tmp_path: Path) -> None:
    names = ["../../up.JPEG", "/etc/passwd", "a\nb", "\udcff.JPEG"]
    data = tar_of(dict.fromkeys(names, b"1"), link("s"), link("h", tarfile.LNKTYPE), link("d", tarfile.CHRTYPE))
    file = write(Place(str(tmp_path / "a.tar")), data)
    found = list(Tar.of(file).members())
    assert [(member.name, member.is_link) for member in found] == [
        ("s", True),
        ("h", True),
        *((name, False) for name in names),
    ]
    assert os.listdir(tmp_path) == ["a.tar"]


HTML = b"\n<!DOCTYPE html><title>Sign in</title>" + b" " * 600


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "a.tar is not a tar: it is empty"),
        (HTML, "a.tar is not a tar: it is a page of HTML or XML: the download failed"),
        (b"short", "a.tar is not a tar: it begins with b'short'"),
        (b"PK\3\4" + bytes(2000), r"a.tar is not a tar: it begins with b'PK\\x03\\x04"),
        (bytes(500), "a.tar is damaged or not whole: it ends before byte 512 without an end mark; all of it is lost"),
        (
            bytes(2 << 20),
            "a.tar is damaged or not whole: behind its end mark at byte 0 there is more; all of it is lost",
        ),
    ],
)
@pytest.mark.parametrize("is_in_gzip", [False, True])
def test_what_is_no_tar_is_told_as_what_it_is(tmp_path: Path, data: bytes, told: str, is_in_gzip: bool) -> None:
    file = write(Place(str(tmp_path / "a.tar")), packed(data) if is_in_gzip else data)
    with pytest.raises(DataError, match=told):
        list((PackedTar(file) if is_in_gzip else Tar.of(file)).members())


@pytest.mark.parametrize("is_in_gzip", [False, True])
def test_archive_without_files_has_none(tmp_path: Path, is_in_gzip: bool) -> None:
    data = tar_of({})
    file = write(Place(str(tmp_path / "a.tar")), packed(data) if is_in_gzip else data)
    assert list((PackedTar(file) if is_in_gzip else Tar.of(file)).members()) == []


CUT = [
    (512, "it ends at byte 512 in the middle of 'a'; all of it is lost"),
    (1_500, "it ends at byte 1,500 in the middle of 'a'; all of it is lost"),
    (1_536, "it ends before byte 2,048 without an end mark; what follows a, its file 1, is lost: download it again"),
    (2_600, "it ends at byte 2,600 in the middle of 'b'; what follows a, its file 1, is lost: download it again"),
    (3_100, "it ends before byte 3,584 without an end mark; what follows b, its file 2, is lost"),
]


@pytest.mark.parametrize(("length", "told"), CUT)
def test_what_a_tar_has_lost_is_told(folder: Place, length: int, told: str) -> None:
    file = write(folder / "a.tar", tar_of({"a": b"x" * 1_000, "b": b"y" * 1_000, "c": b"z"})[:length])
    with pytest.raises(DataError, match=f"a.tar is damaged or not whole: {told}"):
        list(Tar.of(file).members())


def test_tar_that_another_tar_cuts_off_is_named(tmp_path: Path) -> None:
    inner = tar_of({"x": b"1" * 600})
    file = write(Place(str(tmp_path / "outer.tar")), tar_of({"in/n1\n.tar": inner[:1_024], "b.tar": inner}))
    (one, _) = Tar.of(file).members()
    with pytest.raises(
        DataError, match=r"in/n1\\n.tar in .*outer.tar is damaged or not whole: it ends at byte 1,024 in"
    ):
        list(Tar(file, one.offset, one.size, one.name).members())


def test_files_that_are_not_there_or_not_allowed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFile, match=r"b\.tar"):
        Tar.of(Place(str(tmp_path / "b.tar")))
    file = write(Place(str(tmp_path / "a.tar")), tar_of({"a": b"1"}))

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    for function in ("pread", "open"):  # root may read all files
        monkeypatch.setattr(os, function, refused)
        with pytest.raises(DataError, match=r"cannot read .*a\.tar: Permission denied"):
            list(Tar.of(file).members())


def test_no_file_stays_open(tmp_path: Path) -> None:
    file = write(Place(str(tmp_path / "a.tar")), tar_of({"a": b"1", "b": b"2"}))
    before = len(os.listdir("/proc/self/fd"))
    found = Tar.of(file).members()
    assert next(found).name == "a"
    assert len(os.listdir("/proc/self/fd")) == before + 1
    found.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(os.listdir("/proc/self/fd")) == before


def test_compressed_tar_is_read_on(folder: Place) -> None:
    data = tar_of(BODIES, link("gone"))
    file = write(folder / "packed.tar", packed(data[:1_700]) + packed(data[1_700:]))
    assert is_packed(file)
    content = PackedTar(file)
    found, bodies = [], {}
    for member in content.members():
        found.append(member)
        if member.size:
            bodies[member.name] = content.read(member.offset, member.size)
    plain = write(folder / "plain.tar.gz", data)
    assert not is_packed(plain)
    assert found == list(Tar.of(plain).members())
    assert bodies == {name: body for name, body in BODIES.items() if body}
    places = [(0, member.offset, member.size) for member in found if not member.is_link]
    assert list(fetch_packed_members([file], samples_at(places))) == list(BODIES.values())
    assert list(fetch_packed_members([file], samples_at(places[2::2]))) == list(BODIES.values())[2::2]


def test_pictures_of_several_compressed_tars_are_told_apart(tmp_path: Path) -> None:
    files = [write(Place(str(tmp_path / name)), packed(tar_of({"x": name.encode() * 500}))) for name in "abc"]
    places = [(0, 512, 500), (2, 512, 400), (2, 912, 100)]
    assert list(fetch_packed_members(files, samples_at(places))) == [b"a" * 500, b"c" * 400, b"c" * 100]
    assert list(fetch_packed_members(files, samples_at([]))) == []


def test_damage_of_what_is_compressed_is_told(tmp_path: Path) -> None:
    file = Place(str(tmp_path / "a.tar.gz"))
    data = tar_of(BODIES)
    write(file, packed(data)[:-2_000])
    with pytest.raises(DataError, match=r"a\.tar\.gz ends in the middle of what is compressed in it"):
        list(PackedTar(file).members())
    write(file, packed(data[:3_000]))
    with pytest.raises(DataError, match=r"a\.tar\.gz is damaged or not whole: it ends before byte .*, is lost"):
        list(PackedTar(file).members())
    wrong = bytearray(packed(data))
    wrong[-8] ^= 1  # of the checksum, which is at the very end
    write(file, bytes(wrong))
    with pytest.raises(DataError, match=r"a\.tar\.gz is damaged"):
        list(PackedTar(file).members())


def test_files_too_large_for_a_picture_are_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "DataSettings", lambda: SimpleNamespace(max_image_bytes=1_000))
    data = tar_of({"a": b"1" * 1_000, "b": b"2" * 1_001, "c": b"3" * 7})
    file = write(Place(str(tmp_path / "a.tar")), packed(data))
    one, two, three = fetch_packed_members([file], samples_at([(0, 512, 1_000), (0, 2_048, 1_001), (0, 3_584, 7)]))
    assert one == b"1" * 1_000
    assert isinstance(two, BadImage)
    assert str(two) == "has 1,001 bytes, more than the 1,000 that are allowed"
    assert len(three) == 7


def test_compressed_tar_that_became_shorter_is_named(tmp_path: Path) -> None:
    file = write(Place(str(tmp_path / "a.tar.gz")), packed(tar_of({"a": b"1"})))
    with pytest.raises(DataError, match=r"a\.tar\.gz has become shorter since it was listed"):
        list(fetch_packed_members([file], samples_at([(0, 512, 1), (0, 9_000, 5_000)])))
