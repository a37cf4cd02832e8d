"""OpenCV's face detectors: cascades, which it ships, and YuNet, a network in a file.

Neither can be pickled: each process loads its own, once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.faces.crops import Box
from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.errors import DataError, SettingsError

_INSTALL = "pip install 'dcgan-dist[faces]'"
_YUNET_CONFIDENCE = 0.9


class Detector(Protocol):
    """Finds faces."""

    def __call__(self, picture: Pixels, least: int) -> list[tuple[Box, float]]:
        """Box and confidence of each face in a picture, in no order.

        Args:
            picture: uint8 [H, W, 3] in RGB.
            least: side, in pixels, of the smallest face that is of use.

        Raises:
            BadImage: OpenCV fails on this picture.
            DataError: memory ran out.
        """


@lru_cache(maxsize=1)
def detector(options: FaceOptions) -> Detector:
    """The detector of this process.

    Raises:
        SettingsError: OpenCV is missing, or is a version without cascades; the file of the network is missing, or
            is none.
    """
    cv2 = _opencv()
    # Processes are as many as cores. Threads would also find faces in an order that differs from call to call.
    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)
    return _YuNet(cv2, options) if options.model else _Cascade(cv2, options)


def opencv_version() -> str:
    """Of the OpenCV that is installed; raises `SettingsError` where none is."""
    return str(_opencv().__version__)


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise SettingsError(f"to find faces needs OpenCV, which cannot be imported ({error}): {_INSTALL}") from error
    return cv2


@contextmanager
def _one_picture(cv2: Any) -> Iterator[None]:
    """What OpenCV raises within is of the picture at hand; unless memory ran out, which depends on the machine."""
    try:
        yield
    except cv2.error as error:
        # What C++ itself raises has no more than a text.
        reason = getattr(error, "err", "") or str(error)
        if getattr(error, "code", 0) == cv2.Error.StsNoMem or "bad_alloc" in reason:
            raise DataError(
                "memory ran out while faces were looked for in a picture: run the command again with fewer "
                "--processes to continue"
            ) from error
        raise BadImage(f"OpenCV fails to look for faces in it: {' '.join(reason.split())}") from error


class _Cascade:
    def __init__(self, cv2: Any, options: FaceOptions) -> None:
        if not hasattr(cv2, "CascadeClassifier") or not hasattr(cv2, "data"):
            raise SettingsError(
                f"OpenCV {cv2.__version__} has no cascades any more: {_INSTALL}, or name a file of YuNet by faces.model"
            )
        file = f"{cv2.data.haarcascades}haarcascade_frontalface_{options.cascade}.xml"
        self._cv2, self._options = cv2, options
        self._classifier = cv2.CascadeClassifier()
        # Of a damaged file it either says so or raises.
        try:
            loaded = self._classifier.load(file)
        except cv2.error:
            loaded = False
        if not loaded:
            raise SettingsError(
                f"OpenCV {cv2.__version__} cannot read its cascade {file}: install it again, {_INSTALL}"
            )

    def __call__(self, picture: Pixels, least: int) -> list[tuple[Box, float]]:
        with _one_picture(self._cv2):
            boxes, _, weights = self._classifier.detectMultiScale3(
                self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY),
                scaleFactor=self._options.scale,
                minNeighbors=self._options.neighbors,
                minSize=(least, least),
                outputRejectLevels=True,
            )
        confidences = np.ravel(weights).tolist()
        found = [Box(*box) for box in np.reshape(boxes, (-1, 4)).astype(int).tolist()]
        return [
            (box, confidence)
            for box, confidence in zip(found, confidences, strict=True)
            if confidence >= self._options.confidence
        ]


class _YuNet:
    def __init__(self, cv2: Any, options: FaceOptions) -> None:
        if not Path(options.model).is_file():
            raise SettingsError(f"faces.model is {options.model!r} but there is no such file on this machine")
        self._cv2 = cv2
        try:
            self._network = cv2.FaceDetectorYN.create(
                options.model, "", (320, 320), score_threshold=options.confidence or _YUNET_CONFIDENCE
            )
        except cv2.error as error:
            raise SettingsError(
                f"faces.model is {options.model!r} but OpenCV {cv2.__version__} cannot read it as the ONNX file of a "
                f"YuNet network: {str(error).strip().splitlines()[0]}"
            ) from error

    def __call__(self, picture: Pixels, least: int) -> list[tuple[Box, float]]:
        with _one_picture(self._cv2):
            self._network.setInputSize((picture.shape[1], picture.shape[0]))
            _, rows = self._network.detect(self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2BGR))
        return [] if rows is None else boxes_of(rows)


def boxes_of(rows: NDArray[np.float32]) -> list[tuple[Box, float]]:
    """Boxes and confidences from the output of YuNet: rows of x, y, width, height, five points, score."""
    return [(Box(*(round(number) for number in row[:4])), row[14]) for row in rows.tolist()]
