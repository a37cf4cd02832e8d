import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_dist.data.shards import tar
from dcgan_dist.data.shards.tar import Member, TornTar, members

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def archive(files: dict[str, bytes], kind: str = "ustar", **attributes: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=FORMATS[kind]) as writer:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            for key, value in attributes.items():
                setattr(info, key, value)
            writer.addfile(info, io.BytesIO(body))
    return out.getvalue()


def listed(data: bytes) -> list[Member]:
    return list(members(lambda offset, size: data[offset : offset + size], len(data)))


def first_good(data: bytes, is_stream: bool = False) -> tuple[list[Member], str]:
    """What comes before the archive breaks, and how it breaks; nothing where it does not. A stream is read on only."""
    found: list[Member] = []
    at = 0

    def read(offset: int, size: int) -> bytes:
        nonlocal at
        assert offset >= at or not is_stream
        at = offset + size
        return data[offset : offset + size]

    try:
        for member in members(read, None if is_stream else len(data)):
            found.append(member)
    except TornTar as error:
        return found, str(error)
    return found, ""


def forged(**fields: bytes) -> bytes:
    """A member `a.jpg` of one byte with other bytes at `offset_N`, its checksum made right again."""
    block = bytearray(tar.header("a.jpg", 1))
    for key, value in fields.items():
        at = int(key.removeprefix("at_"))
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"x" + bytes(511) + tar.END


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "name",
    ["a.jpg", "deep/er/a.jpg", "d" * 90 + "/" + "n" * 90 + ".jpg", "ümlaut.jpg", "x" * 98 + ".j", "./a.jpg"],
)
def test_members_are_those_that_tarfile_finds(kind: str, name: str) -> None:
    files = {name: b"body of it" * 100, "second": b"", "third": bytes(512)}
    data = archive(files, kind)
    found = listed(data)
    assert {member.name: data[member.offset : member.offset + member.size] for member in found} == files


@pytest.mark.parametrize("kind", ["gnu", "pax"])
def test_names_of_any_length_are_whole(kind: str) -> None:
    name = "folder/" * 60 + "picture.jpg"
    assert [member.name for member in listed(archive({name: b"1", "short": b"2"}, kind))] == [name, "short"]


def test_archive_of_gnu_tar_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link.jpg").symlink_to("elsewhere")
    (tmp_path / "sub" / "z.cls").write_bytes(b"7")
    long = f"sub/{'n' * 150}.jpg"
    for kind, expected in {"v7": {}, "ustar": {}, "gnu": {long: 7}, "pax": {long: 7}}.items():
        for name in expected:
            (tmp_path / name).write_bytes(b"picture")
        subprocess.run(["tar", "-C", tmp_path, f"--format={kind}", "-cf", tmp_path / "a.tar", "sub"], check=True)
        found = listed((tmp_path / "a.tar").read_bytes())
        assert {member.name: member.size for member in found} == {"sub/link.jpg": 0, "sub/z.cls": 1, **expected}
        assert [member.name for member in found if member.is_link] == ["sub/link.jpg"]


def test_size_in_base_256_is_read() -> None:
    found = listed(forged(at_124=b"\x80" + (1).to_bytes(11, "big")))
    assert found == [Member("a.jpg", 512, 1)]


def test_pax_size_overrides_the_header() -> None:
    body = b"12 size=600\n"
    data = archive({"pax": body}, type=tarfile.XHDTYPE)[:1024] + archive({"a.jpg": bytes(600)})
    assert listed(data)[0].size == 600


def test_checksum_of_signed_bytes_is_accepted() -> None:
    block = bytearray(tar.header("abcd.jpg", 0))
    block[0:4] = "üü".encode()
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(byte - 256 if byte > 127 else byte for byte in block)
    assert listed(bytes(block) + tar.END) == [Member("üü.jpg", 512, 0)]


# Hostile and broken archives


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (b"77777777777\0", "in the middle of"),
        (b"\x80" + b"\xff" * 11, "in the middle of"),
        (b"\xff" * 12, "negative"),
        (b"-0000000001\0", "damaged"),
        (b"0x000000001\0", "damaged"),
        (b"1_000000000\0", "damaged"),
    ],
)
def test_sizes_that_cannot_be_are_where_the_archive_breaks(size: bytes, reason: str) -> None:
    good = archive({"b.jpg": b"1"})[:1024]
    found, why = first_good(good + forged(at_124=size))
    assert [member.name for member in found] == ["b.jpg"]
    assert reason in why


@pytest.mark.parametrize("size", [b"-1", b"1e9", b"99999999999999999999", b"", b"0x10"])
def test_pax_sizes_that_cannot_be_are_damage(size: bytes) -> None:
    record = b" size=" + size + b"\n"
    record = str(len(record) + 2).encode() + record
    data = archive({"pax": record}, type=tarfile.XHDTYPE)[:1024] + archive({"a.jpg": b"1"})
    found, why = first_good(data)
    assert found == []
    assert "pax header" in why


@pytest.mark.parametrize(
    "record",
    [b"999 path=x\n", b"0 path=x\n", b"5 path=abc\n", b"nonsense", b"11 path=abc", b"-5 path=x\n", b"3 \na=b\n"],
)
def test_pax_records_that_lie_about_their_length_are_damage(record: bytes) -> None:
    data = archive({"pax": record}, type=tarfile.XHDTYPE)[:1024] + archive({"a.jpg": b"1"})
    assert "damaged" in first_good(data)[1]


@pytest.mark.parametrize("kind", [b"L", b"x"])
def test_name_of_a_gigabyte_is_not_read(kind: bytes) -> None:
    reads: list[int] = []
    data = forged(at_124=b"10000000000\0", at_156=kind)

    def read(offset: int, size: int) -> bytes:
        reads.append(size)
        return data[offset : offset + size]

    with pytest.raises(TornTar, match=r"1,073,741,824 bytes of name"):
        list(members(read, 2**40))
    assert max(reads) == 512


@pytest.mark.parametrize("kind", FORMATS)
def test_archive_of_unknown_length_can_be_read_on(kind: str) -> None:
    whole = archive({"a.jpg": b"1" * 700, ("long" * 40 if kind != "ustar" else "b") + ".jpg": b"2", "c.jpg": b""}, kind)
    for length in (*range(0, len(whole), 256), len(whole)):
        expected, torn = first_good(whole[:length])
        found, why = first_good(whole[:length], is_stream=True)
        assert bool(why) == bool(torn)
        # That the last body is not all there is found behind it.
        assert found[: len(expected)] == expected
        assert len(found) <= len(expected) + 1


@pytest.mark.parametrize("record", [b"path=", b"size="])
def test_long_text_of_an_archive_does_not_fill_the_sentence(record: bytes) -> None:
    record = b"100014 " + record + b"\n" * 100_000 + b"\n"
    whole = archive({"pax": record.replace(b"100014", str(len(record)).encode())}, type=tarfile.XHDTYPE)
    end_of_header = 512 + -(-len(record) // 512) * 512
    why = first_good(whole[:end_of_header] + archive({"a.jpg": bytes(600)})[:1024])[1]
    assert why.endswith("\\n'...")
    assert len(why) < 300


@pytest.mark.parametrize("name", ["../../etc/passwd.jpg", "/etc/passwd.jpg", "C:\\x.jpg", "a\nb.jpg"])
def test_evil_names_are_only_text(name: str) -> None:
    assert listed(archive({name: b"1"}))[0].name == name


def test_name_ends_at_a_nul() -> None:
    assert listed(forged(at_0=b"a.jpg\0/../b"))[0].name == "a.jpg"


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_links_devices_and_folders_have_no_body_whatever_they_declare(kind: bytes) -> None:
    link = forged(at_124=b"77777777777\0", at_156=kind)[:512]
    *before, last = listed(link + archive({"b.jpg": b"1"}))
    assert last == Member("b.jpg", 1024, 1)
    assert before == ([Member("a.jpg", 512, 0, is_link=True)] if kind in b"12" else [])


def test_folder_of_an_old_archive_is_told_by_its_name() -> None:
    assert listed(forged(at_0=b"a.jpg/", at_156=b"\0")) == []


def test_sparse_files_are_refused() -> None:
    assert "sparse" in first_good(forged(at_156=b"S"))[1]


@pytest.mark.parametrize("hole", [512, 1024, 10_240])
def test_hole_is_not_taken_for_the_end(hole: int) -> None:
    files = {"a.jpg": b"1", "b.jpg": b"2", "c.jpg": b"3" * 20_000}
    whole = archive(files)
    assert listed(whole[:1024] + bytes(hole)) == listed(whole)[:1]
    found, why = first_good(whole[:1024] + bytes(hole) + whole[1024 + hole :])
    assert found == listed(whole)[:1]
    assert why == "behind its end mark at byte 1,024 there is more"


def test_archive_that_ends_in_a_hole_is_torn_and_one_of_large_records_is_not() -> None:
    data = archive({"a.jpg": b"1"})[:1024]
    assert len(listed(data + bytes(1 << 20))) == 1
    assert "there is more" in first_good(data + bytes((1 << 20) + 512))[1]


def test_second_of_two_archives_in_one_file_is_not_passed_over_in_silence() -> None:
    data = archive({"a.jpg": b"1"})
    assert [member.name for member in first_good(data + data)[0]] == ["a.jpg"]
    assert "there is more" in first_good(data + data)[1]


@given(st.binary(max_size=3000))
def test_noise_breaks_cleanly(noise: bytes) -> None:
    found, why = first_good(noise)
    assert found == []
    assert why or noise[:512] == bytes(512)


@given(st.integers(0, 512 * 8 - 1))
def test_flipped_bit_in_a_header_never_invents_a_member(bit: int) -> None:
    good = {"a.jpg": b"1" * 700, "b.jpg": b"2", "c.jpg": b"3"}
    whole = archive(good)
    data = bytearray(whole)
    data[512 + 1024 + bit // 8] ^= 1 << bit % 8  # in the header of b.jpg
    found, why = first_good(bytes(data))
    # Where it is read all the same, the bit was in the padding of the checksum itself.
    assert found == (listed(whole)[:1] if why else listed(whole))


# Writing


def test_name_in_a_damaged_header_is_refused() -> None:
    with pytest.raises(TornTar, match="the header at byte 0 is damaged"):
        tar.member_name(b"x" + tar.header("a.jpg", 1)[1:])


def test_header_is_what_tarfile_writes() -> None:
    info = tarfile.TarInfo("train-00000001.jpg")
    info.size = 12345
    assert tar.header(info.name, info.size) == info.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "size"), [("", 1), ("n" * 101, 1), ("a", 8**11), ("a", -1)])
def test_header_refuses_what_ustar_cannot_hold(name: str, size: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        tar.header(name, size)
