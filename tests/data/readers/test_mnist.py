"""MNIST's and Fashion-MNIST's files, compressed or not."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.readers.mnist import FASHION_MNIST, MNIST
from dcgan_dist.data.readers.source import Reader, Request
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers.whole import original, read_whole

COUNTS = {"train": 300, "t10k": 17}
SPLITS = {"train": "train", "t10k": "test"}
DIGITS = {"train": [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], "t10k": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]}
CLOTHES = {"train": [9, 0, 0, 3, 0, 2, 7, 2, 5, 5], "t10k": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]}


def pixels(part: str) -> np.ndarray:
    return np.random.default_rng(len(part)).integers(0, 256, (COUNTS[part], 28, 28), np.uint8)


def labels(part: str, begins: dict[str, list[int]] = DIGITS) -> list[int]:
    return [*begins[part], *np.random.default_rng(1).integers(0, 10, COUNTS[part] - 10).tolist()]


def images_file(held: np.ndarray) -> bytes:
    return struct.pack(">4I", 0x803, *held.shape) + held.tobytes()


def labels_file(held: list[int]) -> bytes:
    return struct.pack(">2I", 0x801, len(held)) + bytes(held)


def put(folder: Path, *, begins: dict[str, list[int]] = DIGITS, suffix: str = ".gz", dash: str = "-") -> Place:
    """The four files."""
    folder.mkdir(parents=True, exist_ok=True)
    pack = gzip.compress if suffix else bytes
    for part in COUNTS:
        (folder / f"{part}-images{dash}idx3-ubyte{suffix}").write_bytes(pack(images_file(pixels(part))))
        (folder / f"{part}-labels{dash}idx1-ubyte{suffix}").write_bytes(pack(labels_file(labels(part, begins))))
    return Place(str(folder))


@pytest.mark.parametrize(("suffix", "dash", "parts"), [(".gz", "-", 1), ("", "-", 3), ("", ".", 2)])
def test_pictures_are_read_compressed_or_not(suffix: str, dash: str, parts: int, tmp_path: Path) -> None:
    source = MNIST.open([put(tmp_path, suffix=suffix, dash=dash)], Request())
    assert source.splits == ("train", "test")
    assert source.classes == tuple("0123456789")
    assert source.streamed == bool(suffix)
    found = read_whole(source, parts)
    assert list(found) == [f"{split}/{i:06d}" for part, split in SPLITS.items() for i in range(COUNTS[part])]
    for part, split in SPLITS.items():
        for i, (image, label) in enumerate(zip(pixels(part), labels(part), strict=True)):
            assert found[f"{split}/{i:06d}"][:2] == (split, label)
            assert np.array_equal(found[f"{split}/{i:06d}"][2], image)
    assert source.notes == (
        "train has 300 pictures, MNIST as published 60,000",
        "test has 17 pictures, MNIST as published 10,000",
    )


@pytest.fixture(params=["built", "original"])
def roots(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Path]:
    """Folders that torchvision could have made, by the names of its classes."""
    names = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist"}
    if request.param == "original":
        return {name: original(folder) for name, folder in names.items()}
    put(tmp_path / "MNIST/raw")
    put(tmp_path / "FashionMNIST/raw", begins=CLOTHES)
    return dict.fromkeys(names, tmp_path)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(("name", "reader"), [("MNIST", MNIST), ("FashionMNIST", FASHION_MNIST)])
def test_torchvision_reads_the_same(
    name: str, reader: Reader, train: bool, roots: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import mnist  # takes seconds to import

    # It reads what is unpacked, in this folder.
    split = "train" if train else "test"
    source = reader.open([Place(str(roots[name]))], Request(splits=(split,)))
    raw = tmp_path / "unpacked" / name / "raw"
    raw.mkdir(parents=True)
    part = "train" if train else "t10k"
    for path in roots[name].rglob(f"{part}-*.gz"):
        if name == "MNIST" or "fashion" in str(path).lower():
            (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    monkeypatch.setattr(mnist.MNIST, "_check_exists", lambda _: True)
    kind = getattr(mnist, name)
    peer = kind(str(tmp_path / "unpacked"), train=train)
    found = list(read_whole(source).values())
    assert len(found) == len(peer)
    assert [label for _, label, _ in found] == peer.targets.tolist()
    assert np.array_equal(np.stack([image for _, _, image in found]), peer.data.numpy())
    if name == "FashionMNIST":
        assert list(source.classes or ()) == peer.classes
    assert not any("labels" in note for note in source.notes)


def test_what_is_unpacked_is_taken_where_both_are_there(tmp_path: Path) -> None:
    folder = put(tmp_path, suffix="")
    for name in folder.names():
        (tmp_path / f"{name}.gz").write_bytes(b"not read")
    for addresses in ([folder], [folder / name for name in folder.names()[::-1]]):
        source = MNIST.open(addresses, Request())
        assert not source.streamed
        assert len(source.samples) == 317


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_some_samples_are_read_alone(suffix: str, tmp_path: Path) -> None:
    source = MNIST.open([put(tmp_path, suffix=suffix)], Request())
    rows = np.array([2, 3, 150, 299, 305])
    pictures = list(source.fetch(source.files, source.samples.take(rows)))
    held = np.concatenate([pixels("train"), pixels("t10k")])
    assert np.array_equal(np.stack(pictures), held[rows])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_are_read_from_an_object_store(suffix: str, s3: Place, tmp_path: Path) -> None:
    folder = put(tmp_path, suffix=suffix)
    for name in folder.names():
        (s3 / "mnist" / name).write_bytes((folder / name).read_bytes())
    assert MNIST.recognize(s3 / "mnist") == "MNIST"
    found = read_whole(MNIST.open([s3 / "mnist"], Request(splits=("test",))))
    assert np.array_equal(np.stack([image for _, _, image in found.values()]), pixels("t10k"))


def test_splits_are_chosen_and_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = put(tmp_path)
    told: list[tuple[int, int | None]] = []
    MNIST.open([folder], Request(seen=lambda done, total: told.append((done, total))))
    assert told == [(300, None), (317, None)]
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    assert MNIST.open([folder], Request(splits=("test",))).splits == ("test",)
    with pytest.raises(DataError, match="split train is not whole: there is no train-labels-idx1-ubyte at"):
        MNIST.open([folder], Request())
    with pytest.raises(SettingsError, match="split is 'extra' but MNIST has train, test"):
        MNIST.open([folder], Request(splits=("extra",)))


@pytest.mark.parametrize(
    ("begins", "reader", "other"),
    [(CLOTHES, MNIST, "Fashion-MNIST, not of MNIST"), (DIGITS, FASHION_MNIST, "MNIST, not of Fashion-MNIST")],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_one_set_is_not_taken_for_the_other(
    begins: dict[str, list[int]], reader: Reader, other: str, split: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"labels-idx1-ubyte.gz has the labels of {other}: give"):
        reader.open([put(tmp_path, begins=begins)], Request(splits=(split,)))


@pytest.mark.parametrize("reader", [MNIST, FASHION_MNIST])
def test_a_third_set_is_read_and_told(reader: Reader, tmp_path: Path) -> None:
    source = reader.open([put(tmp_path, begins=dict.fromkeys(COUNTS, [3] * 10))], Request())
    assert [note for note in source.notes if "labels" in note] == [
        f"{split} does not begin with the labels of {'MNIST' if reader is MNIST else 'Fashion-MNIST'} as published"
        for split in ("train", "test")
    ]


@pytest.mark.parametrize(
    ("folder", "begins", "expected"),
    [
        ("in", DIGITS, ("MNIST", "")),
        ("in", CLOTHES, ("", "Fashion-MNIST")),
        ("Fashion", DIGITS, ("MNIST", "")),
        ("in", dict.fromkeys(COUNTS, [3] * 10), ("in the format of MNIST", "")),
        ("my-FASHION", dict.fromkeys(COUNTS, [3] * 10), ("", "in the format of Fashion-MNIST")),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_it_is_recognized_by_its_labels(
    folder: str, begins: dict[str, list[int]], expected: tuple[str, str], suffix: str, tmp_path: Path
) -> None:
    place = put(tmp_path / folder, begins=begins, suffix=suffix)
    for name in ("", f"train-labels-idx1-ubyte{suffix}"):
        given = place / name if name else place
        assert (MNIST.recognize(given), FASHION_MNIST.recognize(given)) == expected


@pytest.mark.parametrize("name", ["a.jpg", "train-images.png", "x-images-idx3-ubyte"])
def test_other_files_are_not(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    for reader in (MNIST, FASHION_MNIST):
        assert reader.recognize(Place(str(tmp_path))) == ""
        assert reader.recognize(Place(str(tmp_path / name))) == ""
        assert reader.recognize(Place(str(tmp_path / "nowhere"))) == ""


IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
WHOLE = images_file(pixels("t10k"))
HEADER = struct.Struct(">4I")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        (IMAGES, b"", "does not have images in the idx format, which begins with 00000803: it is empty"),
        (IMAGES, b"<!DOCTYPE html>", "it is a page of HTML"),
        (IMAGES, WHOLE[:10], "begins with 00 00 08 03: download it again"),
        (IMAGES, labels_file(labels("t10k")), "begins with 00 00 08 01"),
        (
            LABELS,
            WHOLE,
            "does not have labels in the idx format, which begins with 00000801: it begins with 00 00 08 03",
        ),
        (IMAGES, HEADER.pack(0x803, 17, 32, 28) + bytes(17 * 28 * 32), "images of 32 x 28 pixels, but needs 28 x 28"),
        (IMAGES, WHOLE[:-1], "declares 13,344 bytes of images with its header, but has fewer"),
        (IMAGES, WHOLE + b"x", "but has more"),
        (IMAGES, HEADER.pack(0x803, 2**32 - 1, 28, 28), "declares 3,367,254,359,296 bytes of images"),
        (LABELS, labels_file(labels("t10k")[:-1]), "has 16 labels, but "),
        (LABELS, labels_file(labels("t10k"))[:-1], "declares 25 bytes of labels with its header, but has fewer"),
        (LABELS, labels_file(labels("t10k")) + b"x", "but has more"),
        (LABELS, labels_file([*labels("t10k")[:-1], 10]), "has class 10, but MNIST has 10 classes"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_other_files_are_refused(name: str, data: bytes, expected: str, suffix: str, tmp_path: Path) -> None:
    place = put(tmp_path, suffix=suffix)
    (tmp_path / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    with pytest.raises(DataError) as caught:
        MNIST.open([place], Request(splits=("test",)))
    assert expected in str(caught.value)
    assert f"{tmp_path}/{name}{suffix}" in str(caught.value)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
@pytest.mark.parametrize("end", [-20, -4, 15])
def test_a_truncated_gzip_is_refused_before_anything_is_read(name: str, end: int, tmp_path: Path) -> None:
    place = put(tmp_path)
    path = tmp_path / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=f"{path} ends in the middle of what is compressed"):
        MNIST.open([place], Request(splits=("test",)))


def test_files_without_pictures_are_refused(tmp_path: Path) -> None:
    place = put(tmp_path, suffix="")
    (tmp_path / IMAGES).write_bytes(HEADER.pack(0x803, 0, 28, 28))
    (tmp_path / LABELS).write_bytes(labels_file([]))
    with pytest.raises(DataError, match=f"MNIST's split test at {tmp_path} has no pictures"):
        MNIST.open([place], Request())


def test_a_bomb_is_inflated_no_further_than_declared(tmp_path: Path) -> None:
    place = put(tmp_path)
    bomb = gzip.compress(struct.pack(">4I", 0x803, 17, 28, 28) + bytes(1 << 28), 9)
    (tmp_path / f"{IMAGES}.gz").write_bytes(bomb[: len(bomb) // 2])  # its end would be missed
    with pytest.raises(DataError, match="declares 13,344 bytes of images with its header, but has more"):
        MNIST.open([place], Request(splits=("test",)))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_that_has_become_shorter_is_said(suffix: str, tmp_path: Path) -> None:
    source = MNIST.open([put(tmp_path, suffix=suffix)], Request(splits=("test",)))
    data = images_file(pixels("t10k")[:5])
    (tmp_path / f"{IMAGES}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    with pytest.raises(DataError, match=r"idx3-ubyte\S* has become shorter since it was listed: it ends before byte"):
        read_whole(source)
