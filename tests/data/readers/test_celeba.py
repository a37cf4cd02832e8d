"""CelebA as the publisher gives it: against torchvision's reader, and what is missing or is none of it."""

import io
import pickle
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CelebA

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.readers.celeba import CELEBA, find
from dcgan_dist.data.readers.source import Request, Source
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place
from tests.data.readers.whole import original

NAMES = ("5_o_Clock_Shadow", "Bald", "Male", "Smiling", "Young")
LISTS = ("list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """CelebA of 12 pictures: all files as the publisher makes them, the pictures packed and unpacked."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    chosen = random.Random(8)
    files = [f"{number:06d}.jpg" for number in range(1, 13)]
    for name in files:
        picture = io.BytesIO()
        Image.new("RGB", (178, 218), tuple(chosen.randrange(256) for _ in range(3))).save(picture, "JPEG")
        (folder / "img_align_celeba" / name).write_bytes(picture.getvalue())
    values = [" ".join(f"{chosen.choice((-1, 1)):2}" for _ in NAMES) for _ in files]
    rows = [f"{name} {row}\n" for name, row in zip(files, values, strict=True)]
    (folder / LISTS[0]).write_text(f"12\n{' '.join(NAMES)} \n{''.join(rows)}")
    (folder / LISTS[1]).write_text("".join(f"{name} {'000000112222'[i]}\n" for i, name in enumerate(files)))
    (folder / LISTS[2]).write_text("".join(f"{name} {chosen.randrange(1, 10_178)}\n" for name in files))
    pack(folder)
    return folder


def pack(folder: Path, method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w", method) as archive:
        archive.write(folder / "img_align_celeba", "img_align_celeba")
        # In another order than that of the names, which no archive promises.
        for picture in sorted((folder / "img_align_celeba").iterdir(), reverse=True):
            archive.write(picture, f"img_align_celeba/{picture.name}")


def open_at(*addresses: Path, splits: tuple[str, ...] = ()) -> Source:
    return CELEBA.open([Place(str(address)) for address in addresses], Request(splits))


def read(source: Source) -> dict[str, bytes | BadImage]:
    """All pictures by key, in two parts, each as another process gets it."""
    samples = source.samples
    rows = np.lexsort((samples.offset, samples.file))
    fetched: dict[str, bytes | BadImage] = {}
    for part in np.array_split(rows, 2):
        fetch, files, some = pickle.loads(pickle.dumps((source.fetch, source.files, samples.take(part))))
        fetched |= zip(some.key.to_pylist(), fetch(files, some), strict=True)
    return fetched


def known(source: Source) -> list[tuple[object, ...]]:
    """Key, split and attributes of each sample."""
    samples = source.samples
    splits = [source.splits[number] for number in samples.split]
    columns = [column.tolist() for column in samples.attributes.values()]
    return list(zip(samples.key.to_pylist(), splits, *columns, strict=True))


@pytest.mark.parametrize("root", ["built", "original"])
def test_attributes_are_those_that_torchvision_reads(
    root: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = original("celeba") if root == "original" else request.getfixturevalue("published")
    source = open_at(folder)
    # It compares checksums with the publisher's, and wants two lists more.
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    (tmp_path / "theirs" / "celeba").mkdir(parents=True)
    keys = source.samples.key.to_pylist()
    for name in LISTS:
        (tmp_path / "theirs" / "celeba" / name).write_bytes(find([Place(str(folder))])[name].read_bytes())
    for name in ("list_bbox_celeba.txt", "list_landmarks_align_celeba.txt"):
        rows = "".join(f"{key} 1 2\n" for key in keys)
        (tmp_path / "theirs" / "celeba" / name).write_text(f"{len(keys)}\na b\n{rows}")
    assert (source.splits, source.classes) == (("train", "val", "test"), None)
    number = len(source.samples)
    fewer = f"there are {number} pictures, in CelebA as published 202,599"
    assert source.notes == (() if number == 202_599 else (fewer,))
    samples = source.samples
    for number, theirs in enumerate(("train", "valid", "test")):
        other = CelebA(str(tmp_path / "theirs"), theirs)
        mine = samples.take(np.flatnonzero(samples.split == number))
        assert mine.key.to_pylist() == other.filename
        # They take the blank at the end of the line of names for one more.
        assert list(mine.attributes) == [*other.attr_names[:-1], "identity"]
        for i, name in enumerate(other.attr_names[:-1]):
            assert mine.attributes[name].tolist() == other.attr[:, i].tolist()
        assert mine.attributes["identity"].tolist() == other.identity[:, 0].tolist()


@pytest.mark.parametrize("root", ["built", "original"])
def test_pictures_are_those_that_zipfile_reads(root: str, request: pytest.FixtureRequest) -> None:
    folder = original("celeba") if root == "original" else request.getfixturevalue("published")
    source = open_at(folder)
    some = source.samples.take(np.linspace(0, len(source.samples) - 1, 9).astype(np.int64))
    some = some.take(np.lexsort((some.offset, some.file)))
    with zipfile.ZipFile(source.files[0].local_path) as archive:
        for key, picture in zip(some.key.to_pylist(), source.fetch(source.files, some), strict=True):
            assert picture == archive.read(f"img_align_celeba/{key}")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archive_and_folder_are_the_same_source(published: Path, s3: Place, method: int) -> None:
    pack(published, method)
    packed = open_at(published)
    assert packed.files == (Place(str(published / "img_align_celeba.zip")),)
    for name in ("img_align_celeba.zip", *LISTS):
        (s3 / "faces" / name).write_bytes((published / name).read_bytes())
    stored = CELEBA.open([s3 / "faces"], Request())
    expected = {file.name: file.read_bytes() for file in (published / "img_align_celeba").iterdir()}
    unpacked = open_at(published / "img_align_celeba", *(published / name for name in LISTS))
    assert unpacked.files == (Place(str(published / "img_align_celeba")),)
    for source in (packed, stored, unpacked):
        assert read(source) == expected
        assert known(source) == known(packed)
        assert source.witness.exists()
        assert source.samples.label.tolist() == [-1] * 12


@pytest.mark.parametrize("given", ["Anno, Eval and Img", "the files", "a folder above", "Kaggle's folder in a folder"])
def test_the_files_are_found_wherever_they_are_kept(published: Path, tmp_path: Path, given: str) -> None:
    expected = known(open_at(published))
    addresses = [published]
    if given == "Anno, Eval and Img":
        for name, place in zip(("img_align_celeba.zip", *LISTS), ("Img", "Anno", "Eval", "Anno"), strict=True):
            (published / place).mkdir(exist_ok=True)
            (published / name).rename(published / place / name)
        shutil.rmtree(published / "img_align_celeba")
    elif given == "the files":
        addresses = [published / name for name in (*LISTS, "img_align_celeba")]
    elif given == "a folder above":
        addresses = [tmp_path]
    else:
        (published / "img_align_celeba.zip").unlink()
        (published / "img_align_celeba").rename(tmp_path / "inner")
        (published / "img_align_celeba").mkdir()
        (tmp_path / "inner").rename(published / "img_align_celeba" / "img_align_celeba")
    assert known(open_at(*addresses)) == expected


def test_lines_belong_to_pictures_by_name(published: Path) -> None:
    expected = known(open_at(published))
    for name in LISTS:
        lines = (published / name).read_text().splitlines(keepends=True)
        head = 2 if "attr" in name else 0
        (published / name).write_text("".join(lines[:head] + lines[: head - 1 if head else None : -1]))
    assert known(open_at(published)) == expected


def test_splits_that_are_asked_for_are_read_alone(published: Path) -> None:
    rows = known(open_at(published))
    source = open_at(published, splits=("test", "val"))
    assert source.splits == ("val", "test")
    assert known(source) == [row for row in rows if row[1] in ("val", "test")]
    with pytest.raises(SettingsError, match=r"split is 'test,extra' but \S+/celeba has train, val, test"):
        open_at(published, splits=("test", "extra"))


def test_missing_lists_are_told(published: Path) -> None:
    told: list[tuple[int, int | None]] = []
    for name in LISTS:
        (published / name).unlink()
    (published / LISTS[0]).mkdir()
    source = CELEBA.open([Place(str(published))], Request(seen=lambda done, total: told.append((done, total))))
    _, attributes, partition = source.notes
    assert attributes.startswith("no attributes: there is no list_attr_celeba.txt, which is at http://mmlab")
    assert partition.startswith("all pictures are train: there is no list_eval_partition.txt, which is at http")
    assert known(source) == [(f"{number:06d}.jpg", "train") for number in range(1, 13)]
    assert told == [(12, 12)]
    with pytest.raises(SettingsError, match=r"split is 'test' but \S+ has train"):
        open_at(published, splits=("test",))


def test_what_is_beside_pictures_and_lines_without_one_are_told(published: Path) -> None:
    (published / "img_align_celeba" / "000002.jpg").unlink()
    (published / "img_align_celeba" / "000011.jpg").unlink()
    for name in ("._000001.jpg", "Thumbs.db"):
        (published / "img_align_celeba" / name).write_bytes(b"other")
    pack(published)
    lists = [published / name for name in LISTS]
    for pictures in ("img_align_celeba.zip", "img_align_celeba"):
        source = open_at(published / pictures, *lists)
        where = published / pictures
        assert source.notes == (
            "there are 10 pictures, in CelebA as published 202,599",
            *(f"{lists[i]} has 2 lines without a picture in {where}, for example 000002.jpg" for i in (0, 2, 1)),
            f"passed over: 2 files in {where} that are no pictures by name",
        )
        assert len(read(source)) == 10


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_lacks_pictures_is_refused(published: Path, name: str) -> None:
    lines = (published / name).read_text().splitlines(keepends=True)
    (published / name).write_text("".join(lines[:-3]).replace("12\n", "9\n", 1))
    with pytest.raises(DataError, match=rf"{name} has no line for 3 pictures of \S+, for example 000010\.jpg"):
        open_at(published)


def test_two_pictures_of_one_name_are_refused(published: Path) -> None:
    with zipfile.ZipFile(published / "img_align_celeba.zip", "a") as archive:
        archive.writestr("more/000003.jpg", b"another one")
    with pytest.raises(DataError, match=r"img_align_celeba\.zip holds 000003\.jpg twice"):
        open_at(published)


def test_what_is_none_of_celeba_is_one_sentence(published: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "img_align_celeba").mkdir(parents=True)
    (other / "notes.txt").write_text("notes")
    copy = shutil.copy(published / LISTS[0], tmp_path)
    for addresses, sentence in {
        (tmp_path / "nowhere",): r"there is no \S+/nowhere: give the folder that holds CelebA's files",
        (other / "notes.txt",): r"notes\.txt is none of CelebA's files: give img_align_celeba\.zip, list_attr",
        (published / LISTS[0],): r"no img_align_celeba\.zip and no folder img_align_celeba at \S+: get the first from",
        (other,): r"there are no pictures in \S+/other/img_align_celeba: get img_align_celeba\.zip from",
        (published, Path(copy)): r"attr_celeba\.txt and \S+ are the same part of CelebA by their names: give one",
    }.items():
        with pytest.raises(DataError, match=sentence):
            open_at(*addresses)
    lines = (published / LISTS[1]).read_text()
    (published / LISTS[1]).write_text(lines.replace("000012.jpg 2", "000012.jpg 3"))
    with pytest.raises(DataError, match=r"line 12 of \S+partition\.txt is '000012\.jpg 3', but .* a number up to 2"):
        open_at(published)
    (published / "img_align_celeba.zip").write_text("<html><title>Google Drive - Quota exceeded</title>")
    with pytest.raises(DataError, match=r"celeba\.zip is no zip: it is a page of HTML or XML: the download"):
        open_at(published)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("celeba", "CelebA"),
        ("celeba/img_align_celeba.zip", "CelebA"),
        ("celeba/list_eval_partition.txt", "CelebA"),
        ("celeba/img_align_celeba", ""),
        ("celeba/img_align_celeba/000001.jpg", ""),
        ("nowhere", ""),
    ],
)
def test_celeba_is_recognized(published: Path, name: str, seen: str) -> None:
    assert CELEBA.recognize(Place(str(published.parent / name))) == seen
