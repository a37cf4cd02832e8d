"""The pictures in ImageNet's archives."""

import time
from pathlib import Path

import pytest

from dcgan_dist.data.readers import imagenet_pictures
from dcgan_dist.data.readers.imagenet_names import NO_CLASS
from dcgan_dist.data.readers.imagenet_pictures import Archive, Progress, find_tars, first_name, list_pictures
from dcgan_dist.data.readers.tars import Tar
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place
from tests.data.readers.tar_files import link, packed, tar_of


def written(file: Path, data: bytes) -> Place:
    file.write_bytes(data)
    return Place(str(file))


def nothing(done: int, total: int | None) -> None:
    """For whoever asks for no progress."""


def test_first_file_is_named(tmp_path: Path) -> None:
    data = tar_of({"b": b"1", "a": b"2"})
    assert first_name(written(tmp_path / "x", data)) == first_name(written(tmp_path / "y", packed(data))) == "b"
    assert first_name(written(tmp_path / "z", tar_of({}))) == ""


def test_tars_of_classes_are_found(tmp_path: Path) -> None:
    inner = tar_of({"n00000005_1.JPEG": b"1"})
    outer = tar_of({"n00000005.tar": inner, "x": b"2", "n00000003.tar": inner[:512], "y": b"3"}, link("n00000001.tar"))
    file = written(tmp_path / "outer", outer)
    archives, notes = find_tars(file, 4, "train")
    assert [(one.file, one.split, one.wnid, str(one.content)) for one in archives] == [
        (4, "train", 5, f"n00000005.tar in {file}"),
        (4, "train", 3, f"n00000003.tar in {file}"),
    ]
    assert [one.content.length for one in archives if isinstance(one.content, Tar)] == [len(inner), 512]
    assert notes == (f"passed over: 3 files in {file} that are no tars of classes by name, for example n00000001.tar",)


@pytest.mark.parametrize(("name", "wnid"), [("n00000007.tar", 7), ("mine.tar", NO_CLASS)])
def test_tar_of_pictures_is_an_archive_itself(tmp_path: Path, name: str, wnid: int) -> None:
    file = written(tmp_path / name, tar_of({"n00000005_1.JPEG": b"1"}))
    assert find_tars(file, 2, "train") == ([Archive(2, "train", Tar.of(file), wnid)], ())


def test_pictures_of_archives_are_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet_pictures, "_ROWS", 2)
    names = [f"ILSVRC2012_val_{number:08d}_n{1_000 + number:08d}.JPEG" for number in (5, 1, 9, 8, 2)]
    parts = {"b": names[:3], "a": names[3:]}
    archives = []
    for number, (part, some) in enumerate(parts.items()):
        data = tar_of({"README": b"x", **{name: b"1" * len(name + part) for name in some}})
        archives += find_tars(written(tmp_path / part, packed(data)), 6 + number, "val")[0]
    seen: list[tuple[int, int | None]] = []
    found, notes = list_pictures(archives, Progress(lambda done, total: seen.append((done, total))))
    assert found.key.to_pylist() == [f"ILSVRC2012_val_{number:08d}.JPEG" for number in (5, 1, 9, 8, 2)]
    assert found.number.tolist() == [5, 1, 9, 8, 2]
    assert found.wnid.tolist() == [1_005, 1_001, 1_009, 1_008, 1_002]
    assert found.file.tolist() == [6, 6, 6, 7, 7]
    assert found.offset.tolist() == [1_536, 2_560, 3_584, 1_536, 2_560]
    assert found.size.tolist() == [len(names[0]) + 1] * 5
    assert notes == (
        f"passed over: 2 files that are no pictures of ImageNet by name, for example README in {tmp_path / 'b'}",
    )
    assert sorted(seen) == seen
    assert [seen[-1], len(seen)] == [(5, None), 3]


@pytest.mark.parametrize(
    ("files", "split", "told"),
    [
        (
            {"n00000005_1.JPEG": b"1"},
            "val",
            "is taken for an archive of val, but holds n00000005/n00000005_1.JPEG: give it",
        ),
        ({"n00000006_1.JPEG": b"1"}, "train", "holds n00000006/n00000006_1.JPEG, which is not of the class n00000005"),
        ({"../n00000005.JPEG": b"1"}, "train", r"holds no pictures of ImageNet's: it holds \.\./n00000005\.JPEG in"),
        ({}, "train", "holds no pictures of ImageNet's: it is empty; download it again"),
    ],
)
def test_archive_that_is_not_what_its_name_says_is_told(
    tmp_path: Path, files: dict[str, bytes], split: str, told: str
) -> None:
    file = written(tmp_path / "n00000005.tar", tar_of(files))
    with pytest.raises(DataError, match=rf"n00000005\.tar {told}"):
        list_pictures(find_tars(file, 0, split)[0], Progress(nothing))


def test_links_and_devices_are_no_pictures(tmp_path: Path) -> None:
    others = [link("n00000005_2.JPEG"), link("n00000005_3.JPEG", b"1"), link("n00000005_4.JPEG", b"3")]
    file = written(tmp_path / "n00000005.tar", tar_of({"n00000005_1.JPEG": b"1"}, *others))
    found, (note,) = list_pictures(find_tars(file, 0, "train")[0], Progress(nothing))
    assert found.key.to_pylist() == ["n00000005/n00000005_1.JPEG"]
    assert note.startswith(
        "passed over: 2 files that are no pictures of ImageNet by name, for example n00000005_2.JPEG"
    )


def test_one_archive_that_fails_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet_pictures, "_ROWS", 1)
    monkeypatch.setattr(imagenet_pictures, "_AT_ONCE", 1)
    pictures = {f"n02084071_{number}.JPEG": b"1" for number in range(500)}
    file = written(tmp_path / "a.tar", tar_of({"n01440764.tar": b"<html>", "n02084071.tar": tar_of(pictures)}))
    seen: list[int] = []

    def slowly(done: int, total: int | None) -> None:
        seen.append(done)
        time.sleep(0.005)

    archives, _ = find_tars(file, 0, "train")
    with pytest.raises(DataError, match=r"n01440764\.tar in .* is not a tar"):
        list_pictures(archives, Progress(slowly))
    assert len(seen) < 500
