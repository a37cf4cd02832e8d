"""CIFAR-10's batches as its publisher ships them, in each of their forms, and what else may lie in their place."""

import gzip
import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan_dist.data.readers import cifar10, stream
from dcgan_dist.data.readers.cifar10 import CIFAR10
from dcgan_dist.data.readers.source import Request
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers.whole import original, read_whole

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
NUMBERS = (3, 5, 2, 4, 300, 6)
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

Batch = tuple[NDArray[np.uint8], list[int]]


def batches() -> dict[str, Batch]:
    """Rows of 3,072 bytes, and labels, of each batch."""
    random = np.random.default_rng(11)
    return {
        name: (random.integers(0, 256, (number, 3072), np.uint8), random.integers(0, 10, number).tolist())
        for name, number in zip(BATCHES, NUMBERS, strict=True)
    }


def text(value: str) -> bytes:
    """SHORT_BINSTRING, which Python 2 wrote for each word, and no Python 3 does."""
    return b"U" + bytes([len(value)]) + value.encode()


def number(value: int) -> bytes:
    return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)


def python2(name: str, rows: NDArray[np.uint8], labels: Sequence[int]) -> bytes:
    """A batch as cPickle of Python 2 wrote it, in protocol 2."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text("b") + b"\x87R"
        b"(K\x01" + number(rows.shape[0]) + number(rows.shape[1]) + b"\x86"
        b"cnumpy\ndtype\n" + text("u1") + b"K\x00K\x01\x87R(K\x03" + text("|") + b"NNN" + b"J\xff\xff\xff\xff" * 2
        + b"K\x00tb\x89T" + struct.pack("<i", rows.size) + rows.tobytes() + b"tb"
    )  # fmt: skip
    files = b"".join(text(f"picture_s_{i:06d}.png") for i in range(len(labels)))
    return (
        b"\x80\x02}(" + text("batch_label") + text(f"{name} of 5") + text("labels") + b"]("
        + b"".join(map(number, labels)) + b"e" + text("data") + array + text("filenames") + b"](" + files + b"eu."
    )  # fmt: skip


def binary(rows: NDArray[np.uint8], labels: Sequence[int]) -> bytes:
    return np.concatenate([np.array(labels, np.uint8)[:, None], rows], axis=1).tobytes()


META = (
    b"\x80\x02}(" + text("num_vis") + number(3072) + text("label_names") + b"](" + b"".join(map(text, NAMES)) + b"eu."
)


def python_files() -> dict[str, bytes]:
    files = {name: python2(name, rows, labels) for name, (rows, labels) in batches().items()}
    return {**files, "batches.meta": META, "readme.html": b"<html>"}


def repickled_files() -> dict[str, bytes]:
    files = {name: {"data": rows, "labels": labels} for name, (rows, labels) in batches().items()}
    return {name: pickle.dumps(batch, 2) for name, batch in files.items()}


def binary_files() -> dict[str, bytes]:
    files = {f"{name}.bin": binary(rows, labels) for name, (rows, labels) in batches().items()}
    return {**files, "batches.meta.txt": "\n".join((*NAMES, "", "")).encode()}


def folder(path: Path, files: dict[str, bytes]) -> Place:
    path.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return Place(str(path))


def archive(path: Path, inside: str, files: dict[str, bytes]) -> Place:
    """In the order of the publisher's, which is none."""
    order = (3, 4, 1, 5, 2, 0)
    with tarfile.open(path, "w:gz") as tar:
        for name in sorted(files, key=lambda name: order[int(name[11]) - 1] if name.startswith("data") else 2):
            member = tarfile.TarInfo(f"{inside}/{name}")
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return Place(str(path))


FORMS: dict[str, Callable[[Path], list[Place]]] = {
    "python": lambda at: [folder(at / "cifar-10-batches-py", python_files())],
    "python below": lambda at: [folder(at / "cifar-10-batches-py", python_files()).parent],
    "python files": lambda at: [folder(at, python_files()) / name for name in (*BATCHES[::-1], "batches.meta")],
    "python archive": lambda at: [archive(at / "cifar-10-python.tar.gz", "cifar-10-batches-py", python_files())],
    "python archive in a folder": lambda at: [
        archive(at / "cifar-10-python.tar.gz", "cifar-10-batches-py", python_files()).parent
    ],
    "repickled": lambda at: [folder(at / "any", repickled_files())],
    "binary": lambda at: [folder(at / "cifar-10-batches-bin", binary_files())],
    "binary below": lambda at: [folder(at / "cifar-10-batches-bin", binary_files()).parent],
    "binary archive": lambda at: [archive(at / "cifar-10-binary.tar.gz", "cifar-10-batches-bin", binary_files())],
}


def expected() -> dict[str, tuple[str, int, NDArray[np.uint8]]]:
    """By the description of the format: planes of red, green and blue, row by row."""
    made = batches()
    found = {}
    for split, names in (("train", BATCHES[:5]), ("test", BATCHES[5:])):
        rows = np.concatenate([made[name][0] for name in names])
        labels = [label for name in names for label in made[name][1]]
        for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
            found[f"{split}/{i:06d}"] = (
                split,
                label,
                np.stack([row[:1024], row[1024:2048], row[2048:]], -1).reshape(32, 32, 3),
            )
    return found


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_hold_the_same_samples(form: str, tmp_path: Path) -> None:
    source = CIFAR10.open(FORMS[form](tmp_path), Request())
    assert source.splits == ("train", "test")
    assert source.classes == NAMES
    assert source.streamed
    found, wanted = read_whole(source, 1 if "archive" in form else 4), expected()
    assert list(found) == list(wanted)
    for key, (split, label, pixels) in wanted.items():
        assert found[key][:2] == (split, label)
        assert np.array_equal(found[key][2], pixels)
    assert source.notes == (
        "train has 314 pictures, CIFAR-10 as published 50,000",
        "test has 6 pictures, CIFAR-10 as published 10,000",
    )


@pytest.fixture(params=["built", "original"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder that holds `cifar-10-batches-py`."""
    if request.param == "original":
        return original("cifar10")
    folder(tmp_path / "cifar-10-batches-py", python_files())
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_torchvision_reads_the_same(split: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import cifar  # takes seconds to import

    monkeypatch.setattr(cifar, "check_integrity", lambda *_: True)
    peer = cifar.CIFAR10(str(root), train=split == "train")
    source = CIFAR10.open([Place(str(root))], Request(splits=(split,)))
    found = list(read_whole(source, 3).values())
    assert len(found) == len(peer)
    assert [label for _, label, _ in found] == peer.targets
    assert np.array_equal(np.stack([pixels for _, _, pixels in found]), peer.data)
    assert list(source.classes or ()) == peer.classes


@pytest.mark.parametrize("form", ["python", "python archive"])
def test_some_samples_are_read_alone(form: str, tmp_path: Path) -> None:
    source = CIFAR10.open(FORMS[form](tmp_path), Request())
    order = np.lexsort((source.samples.offset, source.samples.file))[[1, 4, 5, 130, -2]]
    some = source.samples.take(order)
    wanted = expected()
    pictures = list(source.fetch(source.files, some))
    for key, pixels in zip(some.key.to_pylist(), pictures, strict=True):
        assert np.array_equal(pixels, wanted[key][2])  # type: ignore[arg-type]


def test_listing_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    CIFAR10.open(FORMS["binary"](tmp_path), Request(seen=lambda done, total: told.append((done, total))))
    assert told == [(3, None), (8, None), (10, None), (14, None), (314, None), (320, None)]


def test_an_archive_is_read_from_an_object_store(s3: Place, tmp_path: Path) -> None:
    local = archive(tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py", python_files())
    (s3 / "data/cifar-10-python.tar.gz").write_bytes(local.read_bytes())
    assert CIFAR10.recognize(s3 / "data") == "CIFAR-10"
    source = CIFAR10.open([s3 / "data"], Request(splits=("test",)))
    assert source.splits == ("test",)
    found = read_whole(source)
    assert list(found) == [f"test/{i:06d}" for i in range(6)]
    assert np.array_equal(found["test/000005"][2], expected()["test/000005"][2])


@pytest.mark.parametrize("form", ["binary", "python archive"])
def test_splits_are_chosen_and_what_is_missing_is_named(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = batches()
    del made["data_batch_3"]
    monkeypatch.setitem(globals(), "batches", lambda: made)
    addresses = FORMS[form](tmp_path)
    assert CIFAR10.open(addresses, Request(splits=("test",))).splits == ("test",)
    for asked in ((), ("train",)):
        with pytest.raises(DataError, match=r"split train is not whole: there is no data_batch_3 at \S+; get what is"):
            CIFAR10.open(addresses, Request(splits=asked))
    with pytest.raises(SettingsError, match="split is 'val' but CIFAR-10 has train, test"):
        CIFAR10.open(addresses, Request(splits=("val",)))


@pytest.mark.parametrize("form", ["repickled", "binary"])
def test_names_of_classes_are_those_of_the_files_or_known(form: str, tmp_path: Path) -> None:
    (place,) = FORMS[form](tmp_path)
    path = place.local_path / "batches.meta.txt"
    path.unlink(missing_ok=True)
    assert CIFAR10.open([place], Request()).classes == NAMES
    path.write_text("\n".join("abcdefghij"))
    assert CIFAR10.open([place], Request()).classes == tuple("abcdefghij")


def test_a_batch_that_was_read_as_bytes_and_written_again_is_one(tmp_path: Path) -> None:
    data = pickle.dumps({b"labels": [3, 1, 4, 1], b"data": ROWS}, 2)
    assert CIFAR10.open([folder(tmp_path, {"test_batch": data})], Request()).samples.label.tolist() == [3, 1, 4, 1]


class Call:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch ran",)


def one_batch(labels: object, rows: object) -> bytes:
    return pickle.dumps({"labels": labels, "data": rows}, 2)


ROWS = np.zeros((4, 3072), np.uint8)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "it is empty"),
        (b"<html>404</html>", "a page of HTML or XML: the download failed"),
        (python2("x", ROWS, [1] * 4)[:-100], "not a whole pickle"),
        (python2("x", ROWS, [1] * 4)[:3_000], "not a whole pickle"),
        (binary(ROWS, [1] * 4)[:-1], "its 12,291 bytes are neither a pickle nor records of 3,073"),
        (pickle.dumps({"labels": [1], "data": Call()}, 2), "asks for posix.system, which no array of NumPy needs"),
        (one_batch([1] * 5, ROWS), r"pictures (4, 3072) and 5 labels"),
        (one_batch([1] * 4, ROWS[:, :-1]), r"pictures (4, 3071) and 4 labels"),
        (one_batch([1] * 4, ROWS.astype(float)), "an array that is not of bytes"),
        (one_batch([1, 2, 3, "4"], ROWS), "labels that are no numbers"),
        (one_batch([1, 2, 3, 10**30], ROWS), "labels that are no numbers"),
        (python2("x", ROWS[:0], []), "CIFAR-10's split test at {place} has no pictures"),
        (one_batch("1234", ROWS), "its labels are no list of Python; download it again, or write it as the publisher"),
        (one_batch(np.arange(4), ROWS), "its labels are no list of Python"),
        (one_batch([1] * 4, ROWS.tobytes()), "its data are no array of NumPy"),
        (pickle.dumps({"data": ROWS}, 2), "it does not have data and labels"),
        (pickle.dumps([1, 2], 2), "does not have data and labels by name"),
        (one_batch([1, 2, 3, 10], ROWS), "classes from 1 to 10, but there are names for 10"),
        (one_batch([1, 2, 3, -1], ROWS), "classes from -1 to 3"),
        (binary(ROWS, [1, 2, 3, 200]), "classes from 1 to 200"),
    ],
)
def test_what_is_no_batch_is_said(data: bytes, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path / "in", {"test_batch": data})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        CIFAR10.open([place], Request())
    assert expected.format(place=place) in str(caught.value)
    assert str(place) in str(caught.value)
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "it is empty"),
        (b"<html>", "a page of HTML"),
        (b"a b c", "does not have 10 names"),
        (b"a b c d e f g h i a", "does not have 10 names"),
        ("ä b c d e f g h i j".encode(), "codec can't decode"),
        (pickle.dumps({"label_names": list(range(10))}, 2), "does not have 10 names"),
        (pickle.dumps(["a"], 2), "does not have 10 names"),
        (META[:-20], "not a whole pickle"),
    ],
)
def test_what_does_not_name_the_classes_is_said(data: bytes, expected: str, tmp_path: Path) -> None:
    place = folder(tmp_path / "in", {"test_batch": binary(ROWS, [1] * 4), "batches.meta": data})
    with pytest.raises(DataError) as caught:
        CIFAR10.open([place], Request())
    assert expected in str(caught.value)
    assert f"{place}/batches.meta does not have the names of CIFAR-10's classes" in str(caught.value)


def truncated(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def damaged(data: bytes) -> bytes:
    """With a wrong checksum, behind more zeros than end a tar."""
    data = gzip.compress(gzip.decompress(data) + bytes(100_000))
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (truncated, "ends in the middle of what is compressed in it"),
        (damaged, "is damaged"),
        (lambda data: b"", "is no .tar.gz: it is empty"),
        (lambda data: b"<!DOCTYPE html><title>Sorry", "is no .tar.gz: it is a page of HTML"),
        (lambda data: b"PK\3\4" + data, "does not begin as gzip does"),
    ],
)
def test_a_damaged_archive_is_refused(
    change: Callable[[bytes], bytes], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BLOCK", 5_000)
    (place,) = FORMS["python archive"](tmp_path)
    place.write_bytes(change(place.read_bytes()))
    with pytest.raises(DataError) as caught:
        CIFAR10.open([place], Request())
    assert str(place) in str(caught.value)
    assert expected in str(caught.value)


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


def test_names_links_and_devices_of_an_archive_write_nothing(tmp_path: Path) -> None:
    data = packed(
        (link("cifar-10-batches-py/data_batch_1", tarfile.SYMTYPE), b""),
        (link("cifar-10-batches-py/data_batch_2", tarfile.LNKTYPE), b""),
        (link("cifar-10-batches-py/data_batch_3", tarfile.CHRTYPE), b""),
        (tarfile.TarInfo("../../../escaped"), b"x"),
        (tarfile.TarInfo("/../test_batch"), binary(ROWS, [1] * 4)),
    )
    place = folder(tmp_path / "in", {"cifar-10-python.tar.gz": data}) / "cifar-10-python.tar.gz"
    source = CIFAR10.open([place], Request())
    assert source.splits == ("test",)
    assert len(read_whole(source)) == 4
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "cifar-10-python.tar.gz"]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([("a/test_batch", bytes(3_073)), ("b/test_batch", bytes(3_073))], "holds test_batch twice"),
        ([("a/test_batch", bytes(40_000))], "a/test_batch in "),
        ([("a/test_batch", bytes(40_000))], "has 40,000 bytes, but no file of CIFAR-10 has more than 30,000"),
        ([(str(i), bytes(20_000)) for i in range(20)], "becomes more than 200,000 bytes when it is unpacked"),
        ([("a/readme", b"")], "or get cifar-10-python.tar.gz from https://www.cs"),
    ],
)
def test_other_archives_are_refused(
    members: list[tuple[str, bytes]], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "_MOST_BYTES", 30_000)
    monkeypatch.setattr(cifar10, "_MOST_INFLATED", 200_000)
    data = packed(*((tarfile.TarInfo(name), data) for name, data in members))
    place = folder(tmp_path / "in", {"cifar-10-python.tar.gz": data}) / "cifar-10-python.tar.gz"
    with pytest.raises(DataError) as caught:
        CIFAR10.open([place], Request())
    assert expected in str(caught.value)


@pytest.mark.parametrize("ahead", [b"", tarfile.TarInfo("x").tobuf()])
def test_no_header_makes_an_archive_endless(ahead: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "_MOST_INFLATED", 2 << 20)
    records = tarfile.TarInfo("records")
    records.type, records.size = tarfile.XHDTYPE, 1 << 40
    for begin in (ahead + bytes(1024), ahead + records.tobuf(), ahead):
        data = gzip.compress(begin + bytes(64 << 20))
        place = folder(tmp_path, {"cifar-10-python.tar.gz": data[: len(data) // 2]})  # its end would be missed
        with pytest.raises(DataError, match="becomes more than 2,097,152 bytes when it is unpacked"):
            CIFAR10.open([place], Request())


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    place = folder(tmp_path / "in", {"test_batch": b""})
    os.truncate(place.local_path / "test_batch", 1 << 40)
    with pytest.raises(DataError, match=r"test_batch has 1,099,511,627,776 bytes, but no file of CIFAR-10 has more"):
        CIFAR10.open([place], Request())


def test_a_batch_that_has_become_shorter_is_said(tmp_path: Path) -> None:
    (place,) = FORMS["binary"](tmp_path)
    source = CIFAR10.open([place], Request(splits=("test",)))
    (place / "test_batch.bin").write_bytes(binary(ROWS, [1] * 4))
    with pytest.raises(DataError, match=r"test_batch\.bin has become shorter since it was listed: it has 4 pictures"):
        read_whole(source)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data_batch_3", True),
        ("test_batch.bin", True),
        ("cifar-10-python.tar.gz", True),
        ("cifar-10-binary (1).tar.gz", True),
        ("cifar-100-python.tar.gz", False),
        ("data_batch_6", False),
        ("batches.meta", False),
        ("train.tar.gz", False),
    ],
)
def test_files_are_recognized_by_their_names(name: str, expected: bool, tmp_path: Path) -> None:
    place = folder(tmp_path / "in", {name: b""})
    assert bool(CIFAR10.recognize(place / name)) == expected


@pytest.mark.parametrize("form", [form for form in FORMS if form != "python files"])
def test_so_are_folders_that_hold_them(form: str, tmp_path: Path) -> None:
    assert [CIFAR10.recognize(place) for place in FORMS[form](tmp_path)] == ["CIFAR-10"]


@pytest.mark.parametrize("name", ["a.jpg", "batches.meta", "deeper/test_batch"])
def test_other_folders_are_not(name: str, tmp_path: Path) -> None:
    folder((tmp_path / name).parent, {Path(name).name: META})
    assert CIFAR10.recognize(Place(str(tmp_path))) == ""
    assert CIFAR10.recognize(Place(str(tmp_path / "nowhere"))) == ""
