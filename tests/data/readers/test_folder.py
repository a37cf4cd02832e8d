"""A folder as a source of pictures."""

import errno
import os
import pickle
import shutil
from pathlib import Path

import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.folder import FOLDER, fetch_files, open_folder
from dcgan_dist.data.readers.source import Request, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place


def write(folder: Path, *names: str) -> Place:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return Place(str(folder))


def opened(folder: Place, *splits: str) -> Source:
    return open_folder([folder], Request(splits))


def rows(source: Source) -> list[tuple[str, str, str | None, int]]:
    """Key, split, class and size of each sample."""
    samples, classes = source.samples, source.classes or ()
    numbers = zip(samples.key.to_pylist(), samples.split, samples.label, samples.size, strict=True)
    return [
        (key, source.splits[split], classes[label] if label >= 0 else None, int(size))
        for key, split, label, size in numbers
    ]


def test_classes_are_the_first_folders_however_deep_the_pictures_are(tmp_path: Path) -> None:
    folder = write(tmp_path, "n02/images/a.JPEG", "n01/images/more/b.JPEG", "n01/._b.JPEG", "n01/.cache/c.jpg")
    seen = []
    source = open_folder([folder], Request(("photos",), lambda *given: seen.append(given)))
    assert (source.where, source.files, source.splits, source.classes) == (
        str(folder), (folder,), ("photos",), ("n01", "n02")
    )  # fmt: skip
    assert rows(source) == [("n01/images/more/b.JPEG", "photos", "n01", 22), ("n02/images/a.JPEG", "photos", "n02", 17)]
    assert seen == [(2, 2)]
    assert list(pickle.loads(pickle.dumps(source.fetch))(source.files, source.samples)) == [
        b"n01/images/more/b.JPEG", b"n02/images/a.JPEG"
    ]  # fmt: skip


def test_folders_of_splits_are_splits_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, "test/ant/1.jpg", "train/bee/2.png", "train/bee/3.gif", "more/4.jpg")
    source = opened(folder, "train", "test")
    assert (source.splits, source.classes) == (("train", "test"), ("ant", "bee"))
    assert rows(source) == [("test/ant/1.jpg", "test", "ant", 14), ("train/bee/2.png", "train", "bee", 15)]
    left_out, passed = source.notes
    assert left_out == "left out: 1 picture not in train/, test/, for example more/4.jpg"
    assert passed.startswith("passed over: 1 .gif; for example train/bee/3.gif (")


def test_a_folder_on_an_object_store_is_the_same_source(tmp_path: Path, s3: Place) -> None:
    names = ("cat/a.jpg", "dog/b.jpg")
    for name in names:
        (s3 / "in" / name).write_bytes(name.encode())
    here, there = opened(write(tmp_path, *names)), opened(s3 / "in")
    assert rows(there) == rows(here)
    assert list(there.fetch(there.files, there.samples)) == [name.encode() for name in names]


@pytest.mark.parametrize(
    ("names", "inside", "splits", "sentence"),
    [
        ((), "nowhere", (), r"there is no folder \S+/nowhere: give the folder"),
        (("photos.zip",), "photos.zip", (), r"photos\.zip is a file: unpack it"),
        (("in/1.JPG",), "in/1.JPG", (), r"in/1\.JPG is a single picture: give the folder that holds it, \S+/in$"),
        (("in/notes.txt",), "in", (), r"no pictures in \S+/in; passed over: 1 \.txt"),
        (("in/train/1.jpg",), "in", ("train", "old"), r"there are no pictures in \S+/in/old"),
        (("in/train/1.jpg", "in/test/1.jpg", "in/x/1.jpg"), "in", (), "holds train/, test/ beside x/: give --split"),
    ],
)
def test_what_is_no_folder_of_pictures_is_one_sentence(
    tmp_path: Path, names: tuple[str, ...], inside: str, splits: tuple[str, ...], sentence: str
) -> None:
    folder = write(tmp_path, *names) / inside
    with pytest.raises((DataError, SettingsError), match=sentence):
        opened(folder, *splits)


def test_one_folder_is_taken(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="2 folders of pictures were given, but one is taken: prepare them apart"):
        open_folder([Place(str(tmp_path / "a")), Place(str(tmp_path / "b"))], Request())


def test_any_folder_is_recognized(tmp_path: Path) -> None:
    assert FOLDER.recognize(write(tmp_path, "a.txt")) == "a folder of pictures"
    assert FOLDER.recognize(Place(str(tmp_path / "a.txt"))) == ""


def test_files_of_a_disk_that_cannot_be_read_are_bad_pictures(tmp_path: Path) -> None:
    folder = write(tmp_path, "a.jpg", "gone.jpg")
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    source = opened(folder)
    (tmp_path / "gone.jpg").unlink()
    first, gone, itself = fetch_files(source.files, source.samples)
    assert first == b"a.jpg"
    assert isinstance(gone, BadImage)
    assert str(gone) == "is not there: a broken link, or removed meanwhile"
    assert isinstance(itself, BadImage)
    assert str(itself) == "cannot be read: Too many levels of symbolic links"


def test_a_file_too_large_for_a_picture_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path, "a.jpg", "b.jpg")
    # Takes no space on the disk, but reading it would take that much memory.
    os.truncate(tmp_path / "b.jpg", 1 << 40)
    source = opened(folder)
    first, second = fetch_files(source.files, source.samples)
    assert first == b"a.jpg"
    assert isinstance(second, BadImage)
    assert str(second) == "has 1,099,511,627,776 bytes, more than the 67,108,864 that are allowed"


def test_a_store_that_fails_is_no_bad_picture(s3: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "gone.jpg"):
        (s3 / name).write_bytes(b"x")
    source = opened(s3)
    (s3 / "gone.jpg").delete()
    found = list(fetch_files(source.files, source.samples))
    assert found[0] == b"x"
    assert isinstance(found[1], BadImage)
    monkeypatch.setattr("dcgan_dist.storage.PAUSES_S", ())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot read s3://\S+/a\.jpg"):
        list(fetch_files(source.files, source.samples))


def test_a_disk_that_fails_as_a_whole_makes_no_bad_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "in", "a.jpg", "b.jpg")
    source = opened(folder)

    def fail(self: Place) -> bytes:
        try:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        except OSError as error:
            raise DataError("cannot read it") from error

    with monkeypatch.context() as patch:
        patch.setattr(Place, "read_bytes", fail)
        with pytest.raises(DataError, match="cannot read it"):
            list(fetch_files(source.files, source.samples))
    shutil.rmtree(tmp_path / "in")
    with pytest.raises(DataError, match=r"the folder of \S+/in/a\.jpg is not there any more: run the command again"):
        list(fetch_files(source.files, source.samples))
