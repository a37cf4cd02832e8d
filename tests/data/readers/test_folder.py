"""A folder as a source of pictures."""

import pickle
from pathlib import Path

import pytest

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.folder import ReadFile, open_folder
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place


def write(folder: Path, *names: str) -> Place:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return Place(str(folder))


def test_classes_are_the_first_folders_however_deep_the_pictures_are(tmp_path: Path) -> None:
    folder = write(tmp_path, "n02/images/a.JPEG", "n01/images/more/b.JPEG", "n01/._b.JPEG", "n01/.cache/c.jpg")
    source = open_folder(folder, ("photos",))
    items = list(source.items)
    assert (source.where, source.count, source.splits, source.classes) == (folder, 2, ("photos",), ("n01", "n02"))
    assert [(item.key, item.split, item.label, item.size) for item in items] == [
        ("n01/images/more/b.JPEG", "photos", 0, 22),
        ("n02/images/a.JPEG", "photos", 1, 17),
    ]
    for item in pickle.loads(pickle.dumps(items)):
        assert item.read(100) == item.key.encode()


def test_folders_of_splits_are_splits_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path, "test/ant/1.jpg", "train/bee/2.png", "train/bee/3.gif", "more/4.jpg")
    source = open_folder(folder, ("train", "test"))
    assert (source.count, source.splits, source.classes) == (2, ("train", "test"), ("ant", "bee"))
    assert [(item.key, item.split, item.label) for item in source.items] == [
        ("test/ant/1.jpg", "test", 0),
        ("train/bee/2.png", "train", 1),
    ]
    left_out, passed = source.told
    assert left_out == "left out: 1 picture not in train/, test/, for example more/4.jpg"
    assert passed.startswith("passed over: 1 .gif; for example train/bee/3.gif (")


def test_a_folder_on_an_object_store_is_the_same_source(tmp_path: Path, s3: Place) -> None:
    names = ("cat/a.jpg", "dog/b.jpg")
    for name in names:
        (s3 / "in" / name).write_bytes(name.encode())
    here, there = open_folder(write(tmp_path, *names), ()), open_folder(s3 / "in", ())
    assert [(one.key, one.split, one.size, one.label, one.read(9)) for one in there.items] == [
        (one.key, one.split, one.size, one.label, one.read(9)) for one in here.items
    ]


@pytest.mark.parametrize(
    ("names", "inside", "splits", "sentence"),
    [
        ((), "nowhere", (), r"there is no folder \S+/nowhere: give the folder"),
        (("photos.zip",), "photos.zip", (), r"photos\.zip is a file: unpack it"),
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
        open_folder(folder, splits)


def test_files_of_a_disk_that_cannot_be_read_are_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    for name, reason in {
        "gone.jpg": "is not there: a broken link, or removed meanwhile",
        f"{'long' * 99}.jpg": "cannot be read: File name too long",
        "itself.jpg": "cannot be read: Too many levels of symbolic links",
    }.items():
        with pytest.raises(BadImage, match=reason):
            ReadFile(Place(str(tmp_path)), name)()


def test_a_store_that_fails_is_no_bad_picture(s3: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadImage, match="is not there"):
        ReadFile(s3, "gone.jpg")()
    monkeypatch.setattr("dcgan_dist.storage.PAUSES_S", ())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"cannot read s3://\S+/a\.jpg"):
        ReadFile(s3, "a.jpg")()
