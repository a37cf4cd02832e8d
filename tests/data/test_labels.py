"""Which class each image has is told by its number or by attributes, and what is no class is told in a sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dcgan_dist.data.labels import class_labels, labels_sha256, lacking
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import SEED
from dcgan_dist.data.shards.index import Index, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.settings import DataSettings
from dcgan_dist.storage import Place

DATA = DataSettings(path="data/train-*.tar")
ATTRIBUTES = {
    "smile": np.array([0, 1, 1, 0, 1]),
    "glasses": np.array([1, 1, 0, 0, 0]),
    "age": np.array([3, 0, 70, 21, 4]),
    "turn": np.array([1, -1, 0, 1, 0]),
    "yaw": np.array([0.0, 1.0, 1.0, 0.0, 1.0]),
}


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Five images of classes 2, 0, 1, 0, 4 in shards of two."""
    with ShardWriter(Place(str(tmp_path)), "train", 2) as writer:
        for label in (2, 0, 1, 0, 4):
            writer.add(b"\xff\xd8 no matter", label=label)
    return replace(concatenate(writer.written), attributes=ATTRIBUTES)


def test_the_class_is_the_number_of_the_sample(index: Index) -> None:
    labels = class_labels(index, DATA, 5)
    assert labels is not None
    assert (labels.tolist(), labels.dtype) == ([2, 0, 1, 0, 4], np.int64)
    assert class_labels(index, DATA, 0) is None


@pytest.mark.parametrize(
    ("label", "classes", "expected"),
    [
        ("age", 71, [3, 0, 70, 21, 4]),
        ("smile,glasses", 4, [2, 3, 1, 0, 1]),
        ("glasses,smile", 4, [1, 3, 2, 0, 2]),
    ],
)
def test_or_what_attributes_make_of_it(label: str, classes: int, expected: list[int], index: Index) -> None:
    labels = class_labels(index, replace(DATA, label=label), classes)
    assert labels is not None
    assert labels.tolist() == expected


def test_scenes_have_the_attributes_that_they_were_drawn_with(index: Index) -> None:
    data = DataSettings(scenes="rooms", label="window,night,door")
    labels = class_labels(index, data, 8)
    assert labels is not None
    for number in range(5):
        shown = draw("rooms", 16, SEED, number).truth["attributes"]
        assert labels[number] == shown["window"] + 2 * shown["night"] + 4 * shown["door"]
    assert len(set(labels.tolist())) > 2


@pytest.mark.parametrize(
    ("label", "classes", "sentence"),
    [
        ("", 4, r"networks\.classes is 4 but the images are of classes 0 to 4, for example train-000002\.tar: .*: give "
         r"--networks\.classes 5"),
        ("beard", 2, "data.label names 'beard', but the attributes of the data are: smile, glasses, age, turn, yaw"),
        ("yaw", 2, r"data\.label names 'yaw', which is 0\.0 for train-000000\.tar: .*, but needs to be a whole number"),
        ("turn", 2, r"data\.label names 'turn', which is -1 for train-000000\.tar: .*, but needs to be a whole number"),
        ("smile,age", 4, r"'age', which is 3 for .*, but needs to be 0 or 1 where several attributes make a class"),
        ("age", 70, "networks.classes is 70 but the images are of classes 0 to 70"),
    ],
)  # fmt: skip
def test_what_is_no_class_is_told(label: str, classes: int, sentence: str, index: Index) -> None:
    with pytest.raises(DataError, match=sentence):
        class_labels(index, replace(DATA, label=label), classes)


def test_images_without_a_class_are_told_with_what_they_have(index: Index) -> None:
    unknown = replace(index, label=np.array([2, 0, -1, 0, -1], np.int32))
    with pytest.raises(DataError, match=r"is 3 but 2 of 5 images have no class, for example train-000001\.tar: .*age"):
        class_labels(unknown, DATA, 3)


def test_classes_without_images_are_told() -> None:
    labels = np.array([1, 3, 1])
    assert lacking(labels, 5).startswith("networks.classes is 5 but there are no images of class 0, 2, 4: samples")
    assert "class 0, 2, 4, 5, 6, 7, 8, 9 and 290 more: samples" in lacking(labels, 300)
    assert not lacking(np.array([0, 2, 1]), 3)


def test_the_digest_changes_with_any_class() -> None:
    digests = {labels_sha256(np.array(labels)) for labels in ([1, 0], [0, 1], [1, 0, 0], [1, 1])}
    assert len(digests) == 4
    assert labels_sha256(np.array([1, 0], np.int32)) == labels_sha256(np.array([1, 0]))
