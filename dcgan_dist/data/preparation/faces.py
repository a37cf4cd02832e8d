"""From one photograph to as many images as it shows faces."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from dcgan_dist.data.faces.crops import Face
from dcgan_dist.data.faces.detectors import detector
from dcgan_dist.data.faces.find import find_faces
from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.image_decoding import decode_whole
from dcgan_dist.data.preparation.encoding import ImageFormat, check_bytes, encode_pixels, fit_array
from dcgan_dist.data.preparation.gather import sha256_of
from dcgan_dist.data.readers.source import Picture
from dcgan_dist.errors import SettingsError
from dcgan_dist.storage import place


def face_arguments(asked: bool, options: FaceOptions) -> dict[str, str | int | float]:
    """What the bytes of the shards depend on besides the other options.

    Args:
        asked: whether faces are to be cut out.
        options: of faces.

    Raises:
        SettingsError: options were given for faces that nobody asked for; or the detector cannot be used here.
    """
    if not asked:
        if options != FaceOptions():
            raise SettingsError(
                "options of faces were given, but the first word is not faces: write faces before the rest"
            )
        return {}
    detector(options)
    arguments = {"faces": True} | {f"faces.{name}": value for name, value in named(options).items()}
    if options.model:  # another file of the same name is another detector
        arguments["faces.model_sha256"] = sha256_of(place(options.model))
    return arguments


def named(options: FaceOptions) -> dict[str, str | int | float]:
    """The options by name, without the folder of the model, which is another one on another machine."""
    return asdict(options) | {"model": place(options.model).name if options.model else ""}


def make_faces(picture: Picture, form: ImageFormat, options: FaceOptions) -> tuple[list[tuple[bytes, str, Face]], bool]:
    """File, suffix and face of each image of a photograph, the largest face first, and whether a face has no room for
    its square; no image where it shows no other face.

    Args:
        picture: a file, or pixels: uint8 [H, W, 3] or [H, W].
        form: of the images.
        options: which faces.

    Raises:
        BadImage: it is empty, too large, or no picture that can be decoded; or the detector fails on it.
        DataError: memory ran out.
        SettingsError: the detector cannot be used.
    """
    if isinstance(picture, bytes):
        check_bytes(picture, form)
        pixels, lossless = decode_whole(picture, max_pixels=form.max_pixels), form.encode == "png"
    else:
        pixels, lossless = picture, form.encode in ("", "png")
    colors = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    found = find_faces(colors, options, form.size)
    images = [
        (*encode_pixels(fit_array(face.cut(pixels), form), form, lossless=lossless), face) for face in found.faces
    ]
    return images, found.without_room


def described(face: Face, key: str, options: FaceOptions) -> Mapping[str, object]:
    """What `KEY.json` says of a face: where it is in which photograph, and how it was found."""
    return {
        "source": key,
        "box": list(face.box),
        "crop": list(face.crop),
        "confidence": face.confidence,
        "detector": named(options),
    }
