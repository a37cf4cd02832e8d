"""Where the values of an LMDB lie, by its pages: against the library that wrote it, and against damage."""

import random
import struct
from pathlib import Path
from typing import ClassVar

import lmdb
import pytest

from dcgan_dist.data.readers.lmdb_pages import Values, open_lmdb
from dcgan_dist.errors import DataError
from dcgan_dist.storage import FileInfo, Place

PAGE = 4096
Value = tuple[bytes, bytes]


def write(folder: Path, values: list[Value]) -> Place:
    """An LMDB as the library writes it."""
    with lmdb.open(str(folder), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
        for key, value in values:
            transaction.put(key, value)
    return Place(str(folder / "data.mdb"))


def some_values(number: int, seed: int = 3) -> list[Value]:
    """In no order, with keys of any bytes and values that fit into a page or take many."""
    chosen = random.Random(seed)
    keys = {chosen.randbytes(chosen.choice((1, 6, 40, 200))) for _ in range(number)}
    return [(key, chosen.randbytes(chosen.choice((0, 30, 1500, 2100, 9000)))) for key in sorted(keys, key=hash)]


def read(file: Place) -> list[Value]:
    """Keys and values by the pages."""
    data = file.read_bytes()
    return [
        (key, data[offset : offset + size])
        for values in open_lmdb(file).values()
        for key, offset, size in zip(values.keys, values.offsets, values.sizes, strict=True)
    ]


def read_by_library(file: Place) -> list[Value]:
    with (
        lmdb.open(file.address, subdir=False, readonly=True, lock=False) as environment,
        environment.begin() as reading,
    ):
        return list(reading.cursor())


@pytest.mark.parametrize("number", [1, 3, 40, 2_000])
def test_keys_and_values_are_those_that_the_library_reads(tmp_path: Path, number: int) -> None:
    values = some_values(number)
    file = write(tmp_path, values)
    assert read(file) == read_by_library(file) == sorted(values)
    assert len(open_lmdb(file)) == len(values)


def test_what_was_written_over_and_deleted_is_gone(tmp_path: Path) -> None:
    values = some_values(600)
    file = write(tmp_path, values)
    write(tmp_path, [(key, value[:-7]) for key, value in values[::3]])
    with lmdb.open(str(tmp_path)) as environment, environment.begin(write=True) as transaction:
        for key, _ in values[::5]:
            transaction.delete(key)
    found = read(file)
    assert found == read_by_library(file)
    assert len(found) == len(values) - len(values[::5])


def test_a_file_without_values_has_none(tmp_path: Path) -> None:
    file = write(tmp_path, [])
    assert (len(open_lmdb(file)), read(file)) == (0, [])


class Pages(Place):
    """A file of which only some pages of 512 bytes are there, by number: a disk has no room for all."""

    pages: ClassVar[dict[int, bytes]] = {}

    def info(self) -> FileInfo:
        return FileInfo(1 << 60, "")

    def read_range(self, offset: int, size: int) -> bytes:
        return self.pages[offset // 512].ljust(512, b"\0")[:size]


def page(number: int, flags: int, *nodes: bytes) -> bytes:
    head = struct.pack("<QHHHH", number, 0, flags, 16 + 2 * len(nodes), 0)
    ends = [100 + sum(map(len, nodes[:i])) for i in range(len(nodes))]
    return (head + struct.pack(f"<{len(ends)}H", *ends)).ljust(100, b"\0") + b"".join(nodes)


def child(number: int) -> bytes:
    return struct.pack("<HHHH", number & 0xFFFF, number >> 16 & 0xFFFF, number >> 32, 0)


def read_pages(
    pages: dict[int, bytes], depth: int, entries: int, last_page: int, monkeypatch: pytest.MonkeyPatch
) -> list[Values]:
    """What is found where the root is page 2."""
    tree = struct.pack("<4xHHQQQQQ", 0, depth, 1, 1, 1, entries, 2)
    for number in (0, 1):
        head = struct.pack("<QHHHHIIQQI44x", number, 0, 8, 0, 0, 0xBEEFC0DE, 1, 0, 0, 512)
        pages[number] = head + tree + struct.pack("<QQ", last_page, number)
    monkeypatch.setattr(Pages, "pages", pages)
    return list(open_lmdb(Pages("/data.mdb")).values())


@pytest.mark.parametrize("far", [5, 3 << 16, 7 << 32, (7 << 32) + (3 << 16) + 5])
def test_pages_have_numbers_of_48_bits(far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    value = struct.pack("<HHHH", 1_234, 3, 1, 4) + b"name" + struct.pack("<Q", far + 9)
    pages = {2: page(2, 1, child(far)), far: page(far, 2, value)}
    (values,) = read_pages(pages, 2, 1, far + 200_000, monkeypatch)
    assert (values.keys, values.offsets, values.sizes) == ([b"name"], [(far + 9) * 512 + 16], [(3 << 16) + 1_234])


def test_a_tree_that_leads_to_a_page_twice_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    value = struct.pack("<HHHH", 5, 0, 0, 4) + b"namevalue"
    pages = {2: page(2, 1, child(3), child(3)), 3: page(3, 2, value)}
    with pytest.raises(DataError, match=r"data\.mdb is damaged: the keys of page 3 are not in order; get it again"):
        read_pages(pages, 2, 2, 40, monkeypatch)
    # Twenty ways down on each of 30 levels.
    pages = {number: page(number, 1, *[child(number + 1)] * 20) for number in range(2, 32)}
    with pytest.raises(DataError, match="is damaged: its tree has more pages than the file"):
        read_pages(pages, 30, 2, 390, monkeypatch)


def test_only_the_tree_is_read(tmp_path: Path) -> None:
    values = [(b"%040d" % number, bytes(9_000)) for number in range(400)]
    file = write(tmp_path, values)
    data = bytearray(file.read_bytes())
    found = read(file)
    for offset in sorted(offset for part in open_lmdb(file).values() for offset in part.offsets):
        data[offset - 16 : offset + 9_000] = b"x" * 9_016
    file.local_path.write_bytes(data)
    assert [key for key, _ in read(file)] == [key for key, _ in found]


def test_a_file_that_is_cut_off_anywhere_is_one_sentence(tmp_path: Path) -> None:
    file = write(tmp_path, some_values(300))
    data = file.read_bytes()
    for size in (0, 1, 151, 152, PAGE, PAGE + 151, 2 * PAGE, len(data) // 2, len(data) - PAGE, len(data) - 1):
        file.local_path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"data\.mdb is (cut off: it has .* of .* bytes|no LMDB)"):
            open_lmdb(file)


@pytest.mark.parametrize("number", [1, 60, 300])
def test_damage_is_one_sentence_or_changes_nothing_of_the_list(tmp_path: Path, number: int) -> None:
    values = [(key, value + b"." * 2_100) for key, value in some_values(number)]
    file = write(tmp_path, values)
    data, whole = file.read_bytes(), [key for key, _ in read(file)]
    chosen = random.Random(number)
    tree = [at for at in range(2 * PAGE, len(data), PAGE) if struct.unpack_from("<QHH", data, at)[2] in (1, 2)]
    sentences = set()
    for _ in range(300):
        damaged = bytearray(data)
        of_meta = chosen.choice((0, PAGE)) + chosen.choice((16, 20, 40, 92, 94, 120, 128, 136))
        of_tree = chosen.choice(tree) + chosen.choice((0, 8, 10, 12, 14, 16, 18, chosen.randrange(PAGE - 8)))
        at = chosen.choice((of_meta, of_tree, of_tree))
        damage = chosen.choice((bytes(8), b"\xff" * 8, chosen.randbytes(1), struct.pack("<Q", chosen.randrange(9))))
        damaged[at : at + len(damage)] = damage
        file.local_path.write_bytes(damaged)
        try:
            keys = [key for key, _ in read(file)]
        except DataError as error:
            sentences.add(str(error).partition(".mdb ")[2][:20])
        else:
            # A key may have been changed to one that is still in order.
            assert len(keys) == len(set(keys)) == len(whole)
    assert len(sentences) > 2


def meta_with(data: bytes, offset: int, value: bytes) -> bytes:
    """With a field of both meta pages changed."""
    changed = bytearray(data)
    for page in (0, PAGE):
        changed[page + offset : page + offset + len(value)] = value
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "value", "sentence"),
    [
        (16, bytes(4), "is no LMDB"),
        (20, struct.pack("<I", 999), "is an LMDB of format 999, but 1 is read"),
        (40, bytes(4), "is no LMDB"),
        (40, struct.pack("<I", 4097), "is no LMDB"),
        (92, b"\x04", "has numbers as keys or several values a key"),
        (94, struct.pack("<H", 60_000), "its tree has depth 60000"),
        (120, struct.pack("<Q", 1 << 60), "says that it holds 1,152,921,504,606,846,976 values, but 4 are found"),
        (128, struct.pack("<Q", 1), "its tree has depth 1 and root 1"),
        (136, struct.pack("<Q", 1 << 50), "is cut off"),
    ],
)
def test_what_meta_pages_declare_is_checked(tmp_path: Path, offset: int, value: bytes, sentence: str) -> None:
    file = write(tmp_path, [(b"%d" % number, b"value") for number in range(4)])
    file.local_path.write_bytes(meta_with(file.read_bytes(), offset, value))
    with pytest.raises(DataError, match=sentence):
        list(open_lmdb(file).values())


def test_databases_with_names_are_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), max_dbs=2) as environment:
        environment.open_db(b"inner")
    with pytest.raises(DataError, match="holds databases or lists inside it"):
        read(Place(str(tmp_path / "data.mdb")))
