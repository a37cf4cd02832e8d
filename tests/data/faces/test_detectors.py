"""OpenCV's detectors: that they get the picture as they want it, and what is said where they cannot be used."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan_dist.data.faces.crops import Box
from dcgan_dist.data.faces.detectors import boxes_of, detector
from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.errors import DataError, SettingsError

RED = np.full((40, 60, 3), (255, 0, 0), np.uint8)


@pytest.fixture(autouse=True)
def _load_again() -> Iterator[None]:
    detector.cache_clear()
    yield
    detector.cache_clear()


class Classifier:
    """Stands in for a cascade, and keeps what it was called with."""

    called: ClassVar[dict[str, Any]]

    def load(self, file: str) -> bool:
        Classifier.called = {"file": file}
        return True

    def empty(self) -> bool:
        return False

    def detectMultiScale3(self, grey: NDArray[np.uint8], **options: Any) -> tuple[Any, Any, Any]:
        Classifier.called |= {"grey": grey, **options}
        return np.array([[1, 2, 9, 9], [20, 3, 8, 8]], np.int32), np.array([21, 22]), np.array([4.5, 0.5])


class Network:
    """Stands in for YuNet, whose weights OpenCV does not ship."""

    called: ClassVar[dict[str, Any]]
    rows: ClassVar[NDArray[np.float32] | None]

    @staticmethod
    def create(model: str, config: str, size: tuple[int, int], **options: Any) -> "Network":
        Network.called = {"model": model, **options}
        return Network()

    def setInputSize(self, size: tuple[int, int]) -> None:
        Network.called["size"] = size

    def detect(self, picture: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32] | None]:
        Network.called["picture"] = picture
        return 1, Network.rows


def test_a_cascade_gets_grey_and_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "CascadeClassifier", Classifier)
    found = detector(FaceOptions(cascade="alt", scale=1.3, neighbors=4))(RED, 17)
    assert found == [(Box(1, 2, 9, 9), 4.5), (Box(20, 3, 8, 8), 0.5)]
    called = Classifier.called
    assert Path(called.pop("file")).name == "haarcascade_frontalface_alt.xml"
    np.testing.assert_array_equal(called.pop("grey"), np.full((40, 60), 76, np.uint8))  # 0.299 of 255; blue has 29
    assert called == {"scaleFactor": 1.3, "minNeighbors": 4, "minSize": (17, 17), "outputRejectLevels": True}


def test_what_a_cascade_is_not_sure_of_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "CascadeClassifier", Classifier)
    assert detector(FaceOptions(confidence=4.5))(RED, 9) == [(Box(1, 2, 9, 9), 4.5)]


@pytest.mark.parametrize(("confidence", "least"), [(0.0, 0.9), (0.6, 0.6)])
def test_yunet_gets_blue_first_and_width_before_height(
    confidence: float, least: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "yunet.onnx").write_bytes(b"weights")
    monkeypatch.setattr(cv2, "FaceDetectorYN", Network)
    Network.rows = np.array([[*(1.4, 2.6, 9.5, 11.2), *range(10), 0.75]], np.float32)
    found = detector(FaceOptions(model=str(tmp_path / "yunet.onnx"), confidence=confidence))(RED, 9)
    assert found == [(Box(1, 3, 10, 11), 0.75)]
    np.testing.assert_array_equal(Network.called.pop("picture"), np.full((40, 60, 3), (0, 0, 255), np.uint8))
    assert Network.called == {"model": str(tmp_path / "yunet.onnx"), "size": (60, 40), "score_threshold": least}
    Network.rows = None
    assert detector(FaceOptions(model=str(tmp_path / "yunet.onnx"), confidence=confidence))(RED, 9) == []


def opencv_error(code: int, text: str) -> cv2.error:
    """As OpenCV raises it."""
    error = cv2.error(f"OpenCV(4.14.0) /io/opencv/modules/core/src/matrix.cpp:246: error: ({code}:...) {text}")
    error.code, error.err = code, text
    return error


@pytest.mark.parametrize("model", ["", "yunet.onnx"])
@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (
            opencv_error(-215, "layer 3\nhas no size"),
            BadImage,
            r"OpenCV fails to look for faces in it: layer 3 has no si",
        ),
        (cv2.error("Unknown C++ exception from OpenCV code"), BadImage, "faces in it: Unknown C\\+\\+ exception"),
        (opencv_error(-4, "Failed to allocate 9 bytes"), DataError, r"memory ran out.*fewer --processes"),
        (cv2.error("std::bad_alloc"), DataError, r"memory ran out.*fewer --processes"),
    ],
    ids=["assertion", "C++", "memory", "C++ memory"],
)
def test_a_picture_that_opencv_fails_on_is_bad_unless_memory_ran_out(
    model: str,
    error: cv2.error,
    kind: type[Exception],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*given: Any, **options: Any) -> None:
        raise error

    (tmp_path / "yunet.onnx").write_bytes(b"weights")
    monkeypatch.setattr(cv2, "FaceDetectorYN", Network)
    monkeypatch.setattr(Network, "detect", fail)
    monkeypatch.setattr(cv2, "CascadeClassifier", Classifier)
    monkeypatch.setattr(Classifier, "detectMultiScale3", fail)
    find = detector(FaceOptions(model=str(tmp_path / model) if model else ""))
    with pytest.raises(kind, match=told) as raised:
        find(RED, 9)
    assert "/io/opencv" not in str(raised.value)


def test_rows_of_yunet_become_boxes() -> None:
    rows = np.array([[-3.6, 4.2, 30, 40, *[0] * 10, 0.5], [7, 8, 9.4, 9.6, *[0] * 10, 1.0]], np.float32)
    assert boxes_of(rows) == [(Box(-4, 4, 30, 40), 0.5), (Box(7, 8, 9, 10), 1.0)]


def test_a_process_loads_a_detector_once_and_has_no_threads() -> None:
    cv2.setNumThreads(3)
    first = detector(FaceOptions())
    assert detector(FaceOptions(margin=0.25)) is first
    assert detector(FaceOptions(cascade="alt")) is not first
    assert cv2.getNumThreads() == 1


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(SettingsError, match=r"needs OpenCV.*pip install 'dcgan-dist\[faces\]'"):
        detector(FaceOptions())


@pytest.mark.parametrize("name", ["CascadeClassifier", "data"])
def test_an_opencv_without_cascades_is_told_as_that(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, name)
    with pytest.raises(SettingsError, match=r"OpenCV \S+ has no cascades any more: pip install .*faces\.model"):
        detector(FaceOptions())


@pytest.mark.parametrize("content", [None, b"", b"<opencv_storage></opencv_storage>", b"no XML"])
def test_a_cascade_that_cannot_be_read_is_told_as_that(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2.data, "haarcascades", f"{tmp_path}/")
    if content is not None:
        (tmp_path / "haarcascade_frontalface_default.xml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"cannot read its cascade .*frontalface_default\.xml: install"):
        detector(FaceOptions(cascade="default"))


def test_a_missing_model_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"faces\.model is '.*yunet\.onnx' but there is no such file on this mach"):
        detector(FaceOptions(model=str(tmp_path / "yunet.onnx")))


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>"])
def test_a_file_that_is_no_network_is_told_as_that(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(content)
    with pytest.raises(SettingsError, match=r"faces\.model is .*cannot read it as the ONNX file of a YuNet net"):
        detector(FaceOptions(model=str(tmp_path / "yunet.onnx")))
