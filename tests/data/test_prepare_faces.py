"""`prepare faces`: photographs of people become images of faces."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import webdataset
from PIL import Image

from dcgan_dist.data.faces.find import find_faces
from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.prepare import main
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.index import Index
from dcgan_dist.storage import Place


@pytest.fixture
def photos(shared_data: Callable[[str], Path], tmp_path: Path) -> Path:
    """12 photographs of one person each in two class folders, one of two people, one of none, and one that is bad."""
    files = []
    with tarfile.open(shared_data("faces") / "faces-000000.tar") as shard:
        for member in shard:
            if member.name.endswith(".jpg"):
                files.append(shard.extractfile(member).read())  # type: ignore[union-attr]
    alone = [data for data in files[:40] if len(find_faces(pixels(data), FaceOptions(), 64).faces) == 1][:14]
    folder = tmp_path / "photos"
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
    for number, data in enumerate(alone[:12]):
        (folder / ("one", "two")[number % 2] / f"{number:02}.jpg").write_bytes(data)
    both = np.concatenate([pixels(alone[12]), pixels(alone[13])], axis=1)
    Image.fromarray(both).save(folder / "two" / "both.png")
    Image.new("RGB", (300, 200), "grey").save(folder / "one" / "wall.jpg")
    (folder / "two" / "bad.jpg").write_bytes(b"no picture")
    return folder


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def run(*arguments: object) -> int:
    return main([*map(str, arguments), "--processes", "1"])


def samples(folder: Path) -> list[dict[str, Any]]:
    return list(webdataset.WebDataset([str(shard) for shard in expand(f"{folder}/*.tar")], shardshuffle=False))


def test_each_face_becomes_an_image_with_its_class_and_where_it_was(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("faces", photos, out, "--images-per-shard", 5, "--faces.margin", 0.2) == 0
    told = capsys.readouterr().out
    assert "14 images of 2 classes in 3 shards" in told
    assert "; 1 picture left out as bad" in told
    assert "; 1 of 15 photographs show no face of 46 pixels" in told
    index = Index.load(Place(str(out)))
    assert np.bincount(index.label).tolist() == [6, 8]
    found = {json.loads(sample["json"])["source"]: sample for sample in samples(out)}
    assert len(found) == 14
    assert {key for key in found if key.startswith("two/both.png")} == {"two/both.png#0", "two/both.png#1"}
    for key, sample in found.items():
        said = json.loads(sample["json"])
        face, photo = said["face"], np.asarray(Image.open(photos / key.partition("#")[0]))
        assert face["source"] == key.partition("#")[0]
        assert said["class"] == key.partition("/")[0] == index.classes[int(sample["cls"])]  # type: ignore[index]
        assert face["detector"]["margin"] == 0.2
        assert face["confidence"] > 0
        x, y, side, _ = face["crop"]
        assert side == round(1.4 * face["box"][2]) >= 64
        cut = Image.fromarray(photo[y : y + side, x : x + side]).resize((64, 64), Image.Resampling.BILINEAR)
        assert np.abs(pixels(sample["jpg"]).astype(int) - np.asarray(cut)).mean() < 3
    prepared = json.loads((out / "dataset.json").read_text())["prepared"]
    assert (prepared["pictures"], prepared["without_face"], prepared["without_room"]) == (15, 1, 0)
    assert [one["source"] for one in prepared["left_out"]] == ["two/bad.jpg"]
    assert prepared["options"]["faces.margin"] == 0.2
    assert "opencv" in prepared["versions"]


def test_a_photograph_that_the_detector_fails_on_is_left_out_with_the_reason(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = cv2.cvtColor

    def convert(picture: Any, code: int) -> Any:
        return real(picture[..., :1] if picture.shape[1] == 500 else picture, code)  # one channel, which no code takes

    monkeypatch.setattr(cv2, "cvtColor", convert)
    assert run("faces", photos, tmp_path / "out") == 0
    told = capsys.readouterr()
    assert "12 images of 2 classes" in told.out
    assert "left out: two/both.png: OpenCV fails to look for faces in it: " in told.err


def test_the_shards_are_the_same_for_any_number_of_processes_and_called_again(photos: Path, tmp_path: Path) -> None:
    for processes in ("1", "2"):
        assert main(["faces", str(photos), str(tmp_path / processes), "--processes", processes]) == 0
    shards = [(tmp_path / number / "train-000000.tar").read_bytes() for number in ("1", "2")]
    assert shards[0] == shards[1]
    assert run("faces", photos, tmp_path / "1") == 0
    assert (tmp_path / "1" / "train-000000.tar").read_bytes() == shards[0]


def test_faces_of_a_photograph_stay_in_one_split(photos: Path, tmp_path: Path) -> None:
    assert run("faces", photos, tmp_path / "out", "--holdout", 0.5) == 0
    split = {}
    for sample in samples(tmp_path / "out"):
        said = json.loads(sample["json"])
        split.setdefault(said["face"]["source"], set()).add(sample["__key__"].partition("-")[0])
    assert all(len(splits) == 1 for splits in split.values())
    assert set().union(*split.values()) == {"train", "test"}


@pytest.mark.parametrize(
    ("first", "again", "told"),
    [
        (["faces"], [], "faces is False but"),
        ([], ["faces"], "faces is True but"),
        (["faces"], ["faces", "--faces.margin", "0.5"], "faces.margin is 0.5 but"),
    ],
)
def test_a_target_is_continued_with_the_same_faces_only(
    first: list[str], again: list[str], told: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [photos, tmp_path / "out"]
    assert run(*first[:1], *words, *first[1:]) == 0
    capsys.readouterr()
    assert run(*again[:1], *words, *again[1:]) == 2
    assert told in capsys.readouterr().err


def test_photographs_of_nobody_fail_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.new("RGB", (90, 80 + number), "white").save(tmp_path / "photos" / f"{number}.png")
    assert run("faces", tmp_path / "photos", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "error: no face was found in any of 3 pictures in " in told


def test_photographs_whose_faces_have_no_room_are_counted_apart(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (close := tmp_path / "close").mkdir()
    (close / "whole.jpg").write_bytes((photos / "one" / "00.jpg").read_bytes())
    [face] = find_faces(pixels((photos / "one" / "00.jpg").read_bytes()), FaceOptions(), 64).faces
    x, y, side, _ = face.crop
    whole = Image.open(close / "whole.jpg")
    whole.crop((x + 8, y + 8, x + side - 8, y + side - 8)).save(close / "close.png")
    Image.new("RGB", (300, 200), "grey").save(close / "wall.jpg")
    assert run("faces", close, tmp_path / "out", "--faces.least", 45) == 0
    told = capsys.readouterr().out
    assert "; 1 of 3 photographs show no face of 45 pixels; 1 more only faces whose square is larger" in told
    prepared = json.loads((tmp_path / "out" / "dataset.json").read_text())["prepared"]
    assert (prepared["without_face"], prepared["without_room"]) == (1, 1)
    (close / "whole.jpg").unlink()
    assert run("faces", close, tmp_path / "none", "--faces.margin", 1, "--faces.least", 45) == 1
    assert "none of the faces in 1 picture in " in capsys.readouterr().err


def test_the_pictures_of_a_split_without_a_face_are_counted(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "test"):
        (tmp_path / "all" / split).mkdir(parents=True)
    (tmp_path / "all" / "train" / "a.jpg").write_bytes((photos / "one" / "00.jpg").read_bytes())
    for name in ("test/0", "test/1", "train/2"):
        Image.new("RGB", (90, 80 + int(name[-1])), "white").save(tmp_path / "all" / f"{name}.png")
    assert run("faces", tmp_path / "all", tmp_path / "out") == 1
    assert "error: no face was found in any of 2 pictures of test in " in capsys.readouterr().err


def test_options_of_faces_without_the_word_are_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "photos", tmp_path / "out", "--faces.neighbors", 3) == 2
    assert "the first word is not faces" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
