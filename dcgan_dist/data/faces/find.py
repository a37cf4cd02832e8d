"""All faces of one picture."""

from dataclasses import replace

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.faces.crops import Kept, keep
from dcgan_dist.data.faces.detectors import detector
from dcgan_dist.data.faces.options import FaceOptions

_DIGITS = 3


def find_faces(picture: Pixels, options: FaceOptions, size: int) -> Kept:
    """The faces of a picture, the largest first; the same ones in every process.

    Args:
        picture: uint8 [H, W, 3] in RGB, upright.
        options: which faces, and how much around them.
        size: height and width, in pixels, of the images that are made of the crops.

    Raises:
        BadImage: the detector fails on it.
        DataError: memory ran out.
        SettingsError: see `detector`.
    """
    height, width = picture.shape[:2]
    least = options.least_side(size)
    found = detector(options)(picture, least)
    kept = keep(found, width, height, margin=options.margin, least=least)
    # What a shard says of a face should not tell on which CPU the last digit was computed.
    return kept._replace(faces=[replace(face, confidence=round(face.confidence, _DIGITS)) for face in kept.faces])
