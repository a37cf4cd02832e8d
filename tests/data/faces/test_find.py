"""Faces of real photographs, and of pictures that have none."""

import io
import tarfile
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.faces.find import find_faces
from dcgan_dist.data.faces.options import FaceOptions


@pytest.fixture
def photographs(shared_data: Callable[[str], Path]) -> list[Pixels]:
    """60 of Labeled Faces in the Wild: one person in the middle of each, others at its edges in some."""
    with tarfile.open(shared_data("faces") / "faces-000001.tar") as shard:
        members = (member for member in shard if member.name.endswith(".jpg"))
        files = [shard.extractfile(member).read() for member in islice(members, 60)]  # type: ignore[union-attr]
    return [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in files]


def test_photographs_of_a_person_have_one_face_in_the_middle(photographs: list[Pixels]) -> None:
    faces = [find_faces(picture, FaceOptions(), 64).faces for picture in photographs]
    assert Counter(map(len, faces))[1] >= 54
    for x, y, width, height in (found[0].box for found in faces if found):
        assert abs(x + width / 2 - 125) < 30
        assert abs(y + height / 2 - 125) < 30


def test_faces_are_the_same_whatever_came_before(photographs: list[Pixels]) -> None:
    pictures = [np.concatenate([photographs[0], photographs[1]], axis=1), *photographs[2:5]]
    forth = [find_faces(picture, FaceOptions(), 64).faces for picture in pictures]
    back = [find_faces(picture, FaceOptions(), 64).faces for picture in reversed(pictures)]
    assert len(forth[0]) == 2
    assert forth == back[::-1]


def test_a_face_is_where_it_was_put(photographs: list[Pixels]) -> None:
    [alone] = find_faces(photographs[0], FaceOptions(), 64).faces
    larger = np.zeros((400, 600, 3), np.uint8)
    larger[100:350, 300:550] = photographs[0]
    [face] = find_faces(larger, FaceOptions(), 64).faces
    assert abs(face.box.x - alone.box.x - 300) <= 8
    assert abs(face.box.y - alone.box.y - 100) <= 8
    assert face.cut(larger).shape == (face.crop.height, face.crop.width, 3)


def test_faces_that_are_too_small_for_the_images_are_none(photographs: list[Pixels]) -> None:
    [face] = find_faces(photographs[0], FaceOptions(), 64).faces
    assert face.crop.width == round(face.box.side * 1.5)
    assert find_faces(photographs[0], FaceOptions(), 256).faces == []
    assert find_faces(photographs[0], FaceOptions(least=200), 64).faces == []


def test_confidences_have_no_digits_that_a_cpu_decides_on(photographs: list[Pixels]) -> None:
    [face] = find_faces(photographs[0], FaceOptions(cascade="default"), 64).faces
    assert 0 < face.confidence < 20
    assert face.confidence == round(face.confidence, 3)


@pytest.mark.parametrize("shape", [(200, 300), (1, 1), (1, 500), (19, 19), (43, 43)])
def test_blank_and_tiny_pictures_have_no_faces(shape: tuple[int, int]) -> None:
    assert find_faces(np.full((*shape, 3), 200, np.uint8), FaceOptions(), 64).faces == []
