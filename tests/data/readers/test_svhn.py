"""SVHN's files, as `savemat` of SciPy makes them and as published."""

import io
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from dcgan_dist.data.readers import stream
from dcgan_dist.data.readers.source import Request
from dcgan_dist.data.readers.svhn import SVHN
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers.whole import original, read_whole

COUNTS = {"train": 40, "extra": 25, "test": 11}


def digits(number: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays as in a file: each digit is there, 0 as 10."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (32, 32, 3, number), np.uint8)
    return {"X": pixels, "y": random.permutation(np.arange(number, dtype=np.uint8) % 10 + 1)[:, None]}


def saved(held: dict[str, np.ndarray], compressed: bool = True) -> bytes:
    file = io.BytesIO()
    savemat(file, held, do_compression=compressed)
    return file.getvalue()


def files(folder: Path, *splits: str, compressed: bool = True) -> Place:
    folder.mkdir(exist_ok=True)
    for seed, split in enumerate(splits):
        (folder / f"{split}_32x32.mat").write_bytes(saved(digits(COUNTS[split], seed), compressed))
    return Place(str(folder))


@pytest.mark.parametrize("kind", ["compressed", "plain", "original"])
@pytest.mark.parametrize("split", ["train", "extra", "test"])
def test_torchvision_reads_the_same(split: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import svhn  # takes seconds to import

    if kind == "original":
        folder = Place(str(original("svhn", f"{split}_32x32.mat")))
    else:
        folder = files(tmp_path, "train", "extra", "test", compressed=kind == "compressed")
    monkeypatch.setattr(svhn, "check_integrity", lambda *_: True)
    peer = svhn.SVHN(str(folder), split)
    source = SVHN.open([folder], Request(splits=(split,)))
    found = list(read_whole(source).values())
    assert source.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert len(found) == len(peer)
    assert [label for _, label, _ in found] == peer.labels.tolist()
    assert {label for _, label, _ in found} == set(range(10))
    assert np.array_equal(np.stack([pixels for _, _, pixels in found]).transpose(0, 3, 1, 2), peer.data)


def test_files_make_up_splits_whatever_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BLOCK", 5_000)
    folder = files(tmp_path, "test", "extra", "train")
    told: list[tuple[int, int | None]] = []
    source = SVHN.open(
        [folder / f"{split}_32x32.mat" for split in ("test", "train", "extra")],
        Request(seen=lambda done, total: told.append((done, total))),
    )
    assert source.splits == ("train", "extra", "test")
    assert source.streamed
    assert told == [(40, None), (65, None), (76, None)]
    assert source.notes[1] == "extra has 25 pictures, SVHN as published 531,131"
    found = read_whole(source)
    held = digits(25, 1)
    assert [key for key in found if key.startswith("extra")] == [f"extra/{i:06d}" for i in range(25)]
    for i in range(25):
        split, label, pixels = found[f"extra/{i:06d}"]
        assert (split, label) == ("extra", held["y"][i, 0] % 10)
        assert np.array_equal(pixels, held["X"][..., i])


@pytest.mark.parametrize("compressed", [True, False])
def test_some_samples_are_read_alone(compressed: bool, tmp_path: Path) -> None:
    source = SVHN.open([files(tmp_path, "train", "test", compressed=compressed)], Request())
    rows = np.array([3, 4, 20, 38, 45])
    pictures = list(source.fetch(source.files, source.samples.take(rows)))
    held = np.concatenate([digits(40, 0)["X"], digits(11, 1)["X"]], axis=3)
    assert np.array_equal(np.stack(pictures, axis=3), held[..., rows])


def test_no_picture_is_read_while_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BLOCK", 5_000)
    folder = files(tmp_path, "test")
    path = folder.local_path / "test_32x32.mat"
    data = bytearray(path.read_bytes())
    data[20_000:20_100] = bytes(100)  # of the pictures, which do not become smaller than 33,792 bytes
    path.write_bytes(data)
    source = SVHN.open([folder], Request())
    assert len(source.samples) == 11
    with pytest.raises(DataError, match=r"test_32x32\.mat is damaged"):
        read_whole(source)


def test_a_wrong_checksum_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BLOCK", 8)  # all parts are filled up to that: no block of them ends in the checksum
    data = bytearray(saved(digits(4)))
    end = 128 + 8 + int.from_bytes(data[132:136], "little")
    data[end - 1] ^= 1
    (tmp_path / "test_32x32.mat").write_bytes(data)
    source = SVHN.open([Place(str(tmp_path))], Request())
    with pytest.raises(DataError, match=r"test_32x32\.mat is damaged .*incorrect data check"):
        read_whole(source)


def test_files_are_read_from_an_object_store(s3: Place, tmp_path: Path) -> None:
    (s3 / "svhn/test_32x32.mat").write_bytes(files(tmp_path, "test").local_path.joinpath("test_32x32.mat").read_bytes())
    assert SVHN.recognize(s3 / "svhn") == "SVHN"
    found = read_whole(SVHN.open([s3 / "svhn"], Request()))
    assert np.array_equal(found["test/000010"][2], digits(11, 0)["X"][..., 10])


def test_splits_are_chosen_and_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = files(tmp_path, "test", "train")
    assert SVHN.open([folder], Request()).splits == ("train", "test")
    assert SVHN.open([folder], Request(splits=("test",))).splits == ("test",)
    with pytest.raises(DataError, match=r"split extra is not whole: there is no extra_32x32\.mat at"):
        SVHN.open([folder], Request(splits=("extra", "test")))
    with pytest.raises(SettingsError, match="split is 'val' but SVHN has train, extra, test"):
        SVHN.open([folder], Request(splits=("val",)))


PIXELS, LABELS = digits(5).values()


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({"X": PIXELS}, "does not have the arrays X and y"),
        ({"digitStruct": LABELS}, "does not have the arrays X and y"),
        ({"X": PIXELS[:, :, :2], "y": LABELS}, r"has X uint8 (32, 32, 2, 5) and y (5, 1), but"),
        ({"X": PIXELS, "y": LABELS[:4]}, r"has X uint8 (32, 32, 3, 5) and y (4, 1), but"),
        ({"X": PIXELS.astype(float), "y": LABELS}, r"has X float64 (32, 32, 3, 5)"),
        ({"X": PIXELS[..., :0], "y": LABELS[:0]}, "SVHN's split train at "),
        ({"X": PIXELS, "y": LABELS * 0}, "digits that are not 1 to 10"),
        ({"X": PIXELS, "y": LABELS + 0.5}, "digits that are not 1 to 10"),
        ({"X": PIXELS, "y": np.full((5, 1), np.nan)}, "digits that are not 1 to 10"),
    ],
)
def test_other_arrays_are_refused(held: dict[str, np.ndarray], expected: str, tmp_path: Path) -> None:
    (tmp_path / "train_32x32.mat").write_bytes(saved(held))
    with pytest.raises(DataError) as caught:
        SVHN.open([Place(str(tmp_path))], Request())
    assert expected in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_page_of_html_is_said(tmp_path: Path) -> None:
    (tmp_path / "train_32x32.mat").write_bytes(b"<html>Forbidden</html>")
    with pytest.raises(DataError, match=r"train_32x32\.mat is no MATLAB file of version 5: it is a page of HTML"):
        SVHN.open([Place(str(tmp_path))], Request())


def test_a_file_that_has_become_shorter_is_said(tmp_path: Path) -> None:
    source = SVHN.open([files(tmp_path, "train")], Request())
    (tmp_path / "train_32x32.mat").write_bytes(saved(digits(7)))
    with pytest.raises(DataError, match="become shorter since it was listed: it ends before picture 7"):
        read_whole(source)


@pytest.mark.parametrize(
    ("name", "expected"), [("extra_32x32.mat", "SVHN"), ("test.tar.gz", ""), ("train_64x64.mat", ""), ("x.jpg", "")]
)
def test_it_is_recognized_by_names(name: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert SVHN.recognize(Place(str(tmp_path / name))) == expected
    assert SVHN.recognize(Place(str(tmp_path))) == expected
    assert SVHN.recognize(Place(str(tmp_path / "nowhere"))) == ""
