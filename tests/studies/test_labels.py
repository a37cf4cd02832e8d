"""Boxes that a person drew, from COCO's JSON and from Label Studio's."""

import json
from pathlib import Path
from typing import Any

import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import Place
from dcgan_dist.studies.labels import read_boxes

COCO: dict[str, Any] = {
    "images": [
        {"id": 70, "file_name": "samples/000002.png", "width": 64, "height": 32},
        {"id": 71, "file_name": "000011.PNG", "width": 100, "height": 100},
    ],
    "annotations": [
        {"id": 1, "image_id": 70, "category_id": 5, "bbox": [16, 8, 32, 16]},
        {"id": 2, "image_id": 70, "category_id": 6, "bbox": [0, 0, 64, 32]},
        {"id": 3, "image_id": 71, "category_id": 5, "bbox": [90.0, 0, 10.3, 50]},
        {"id": 4, "image_id": 71, "category_id": 5, "bbox": [0, 0, 10, 20]},
    ],
    "categories": [{"id": 5, "name": "window"}, {"id": 6, "name": "bed"}, {"id": 9, "name": "door"}],
}


def task(image: str, **value: Any) -> dict[str, Any]:
    box = {"x": 25.0, "y": 25.0, "width": 50.0, "height": 50.0, "rotation": 0, "rectanglelabels": ["window"], **value}
    return {"data": {"image": image}, "annotations": [{"result": [{"type": "rectanglelabels", "value": box}]}]}


STUDIO = [
    task("/data/upload/1/8a3f-000002.png"),
    task("s3://bucket/000004.jpg", rectanglelabels=["bed"]),
    {"data": {"image": "000005.png"}, "annotations": [{"was_cancelled": True, "result": [{"type": "?"}]}]},
    {"data": {"image": "000006.png"}, "annotations": [{"result": [{"type": "choices", "value": {}}]}]},
]


@pytest.fixture
def file(tmp_path: Path) -> Place:
    return Place(str(tmp_path / "mine.json"))


def test_boxes_of_coco_are_fractions_of_the_images_and_cut_at_their_edges(file: Place) -> None:
    file.write_bytes(json.dumps(COCO).encode())
    assert read_boxes(file, "window", 12) == {2: [(0.25, 0.25, 0.75, 0.75)], 11: [(0.9, 0, 1, 0.5), (0, 0, 0.1, 0.2)]}
    assert read_boxes(file, "bed", 3) == {2: [(0, 0, 1, 1)]}


def test_boxes_of_label_studio_are_percentages_and_cancelled_annotations_are_none(file: Place) -> None:
    file.write_bytes(json.dumps(STUDIO).encode())
    assert read_boxes(file, "window", 7) == {2: [(0.25, 0.25, 0.75, 0.75)]}
    assert read_boxes(file, "bed", 7) == {4: [(0.25, 0.25, 0.75, 0.75)]}


def coco(**change: Any) -> dict[str, Any]:
    """With one of its lists replaced."""
    return {**COCO, **change}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is not there"),
        (b"\xff{", "is no JSON"),
        (b"not", "is no JSON"),
        ({"images": []}, "neither COCO's JSON .* nor that of Label Studio"),
        (3, "neither COCO's JSON"),
        (coco(categories=[]), "something is missing or is of another kind .KeyError"),
        (coco(images=[]), "something is missing"),
        (coco(annotations=[]), "has no box labeled 'window'; it has none at all"),
        (coco(annotations=[COCO["annotations"][1]]), "has no box labeled 'window'; it has bed"),
        (coco(annotations=[{**COCO["annotations"][0], "bbox": [40, 8, 32, 16]}]), "is not inside it"),
        (coco(annotations=[{**COCO["annotations"][0], "bbox": [-1, 8, 32, 16]}]), "62.5 %, 25.0 %|is not inside it"),
        (coco(annotations=[{**COCO["annotations"][0], "bbox": [4, 8, 0, 16]}]), "is not inside it"),
        (coco(annotations=[{**COCO["annotations"][0], "bbox": [float("nan"), 8, 4, 16]}]), "is not inside it"),
        (coco(annotations=[{**COCO["annotations"][0], "bbox": [1, 2, 3]}]), "something is missing"),
        (coco(images=[{**COCO["images"][0], "width": "wide"}]), "something is missing"),
        ([task("000012.png")], "000012.png, which is none of 12 samples"),
        ([task("mine.png")], "mine.png, which is none of 12 samples"),
        ([task("000002_1.png")], "000002_1.png, which is none of 12 samples"),
        ([task("000002_png.rf.8ae000007.jpg")], "8ae000007.jpg, which is none of 12 samples"),
        ([task("7.png")], "7.png, which is none of 12 samples"),
        (
            [task("a-000002.png"), task("b-000002.png")],
            "on a-000002.png and on b-000002.png, which are of the same",
        ),
        (coco(images=[{**COCO["images"][0], "width": 0}]), "something is missing or is of another kind .ZeroDivision"),
        (b"[" * 100_000, "is no JSON"),
        ([task("000002.png", rotation=12.5)], "is turned by 12.5 degrees"),
        ([task("000002.png", x=80)], "is not inside it"),
        ([{"data": {}}], "something is missing"),
        ([3], "something is missing"),
    ],
)
def test_wrong_files_are_refused_in_a_sentence(content: object, sentence: str, file: Place) -> None:
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(SettingsError, match=sentence) as told:
        read_boxes(file, "window", 12)
    assert "mine.json" in str(told.value)
