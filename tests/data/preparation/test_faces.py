"""Photographs become as many images as they show faces."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.faces import find
from dcgan_dist.data.faces.crops import Box
from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.preparation.encoding import ImageFormat
from dcgan_dist.data.preparation.faces import described, face_arguments, make_faces
from dcgan_dist.errors import SettingsError

FORM = ImageFormat(16, "resize", 0, "png", 90, max_bytes=100_000, max_pixels=30_000)
OPTIONS = FaceOptions(margin=0.0)


@pytest.fixture(autouse=True)
def _two_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that finds two faces in whatever is bright at its first pixel."""

    def detect(picture: Pixels, least: int) -> list[tuple[Box, float]]:
        assert picture.ndim == 3
        return [(Box(10, 20, 16, 16), 0.5), (Box(60, 30, 32, 32), 0.75)] if picture[0, 0, 0] > 100 else []

    monkeypatch.setattr(find, "detector", lambda options: detect)


def photograph(first: int = 200) -> NDArray[np.uint8]:
    pixels = np.random.default_rng(5).integers(0, 256, (100, 150, 3), np.uint8)
    pixels[0, 0] = first
    return pixels


def png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def read(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["file", "pixels"])
def test_each_face_becomes_an_image_the_largest_first(kind: str) -> None:
    pixels = photograph()
    (first, suffix, face), (second, _, other) = make_faces(png(pixels) if kind == "file" else pixels, FORM, OPTIONS)[0]
    assert (suffix, face.box, face.confidence) == ("png", Box(60, 30, 32, 32), 0.75)
    assert (other.box, other.confidence) == (Box(10, 20, 16, 16), 0.5)
    cut = Image.fromarray(pixels[30:62, 60:92])
    np.testing.assert_array_equal(read(first), cut.resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(read(second), pixels[20:36, 10:26])


def test_grey_pixels_stay_grey() -> None:
    grey = photograph()[..., 0]
    _, (second, _, _) = make_faces(grey, FORM, OPTIONS)[0]
    np.testing.assert_array_equal(read(second), grey[20:36, 10:26])


def test_a_photograph_without_a_face_gives_no_image() -> None:
    assert make_faces(png(photograph(first=0)), FORM, OPTIONS) == ([], False)


def test_a_photograph_of_faces_that_are_too_close_gives_no_image_and_says_so() -> None:
    assert make_faces(photograph(), FORM, FaceOptions(margin=2, least=30)) == ([], True)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"no picture", "cannot be decoded"),
        (bytes(100_001), "has 100,001 bytes, more than the 100,000"),
        (png(np.zeros((300, 150, 3), np.uint8)), "declares 150 x 300 pixels, more than the 30,000"),
    ],
)
def test_what_is_no_picture_is_bad(data: bytes, told: str) -> None:
    with pytest.raises(BadImage, match=told):
        make_faces(data, FORM, OPTIONS)


def test_a_face_is_described_by_where_and_how_it_was_found() -> None:
    [(_, _, face), _] = make_faces(photograph(), FORM, OPTIONS)[0]
    assert described(face, "a/b.jpg", OPTIONS) == {
        "source": "a/b.jpg",
        "box": [60, 30, 32, 32],
        "crop": [60, 30, 32, 32],
        "confidence": 0.75,
        "detector": {
            "cascade": "alt2", "scale": 1.1, "neighbors": 5, "model": "", "confidence": 0.0, "margin": 0.0, "least": 0,
        },
    }  # fmt: skip


def test_options_of_faces_decide_the_bytes_where_faces_are_asked_for() -> None:
    plain, faces = face_arguments(False, FaceOptions()), face_arguments(True, FaceOptions())
    assert plain == {}
    assert faces["faces"] is True
    assert face_arguments(True, FaceOptions(margin=0.5)) == faces | {"faces.margin": 0.5}


def test_options_of_faces_without_the_word_are_refused() -> None:
    with pytest.raises(SettingsError, match="the first word is not faces"):
        face_arguments(False, FaceOptions(margin=0.5))


def test_another_file_of_a_network_is_another_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_dist.data.preparation.faces.detector", lambda options: None)
    found = []
    for content in (b"one", b"other"):
        (tmp_path / "yunet.onnx").write_bytes(content)
        found.append(face_arguments(True, FaceOptions(model=str(tmp_path / "yunet.onnx"))))
    assert found[0]["faces.model_sha256"] != found[1]["faces.model_sha256"]
