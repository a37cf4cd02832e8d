"""The embedded data set as shards: where they lie in a run's storage, and one of their images."""

from typing import Final

import simplejpeg

from dcgan_dist.data.scenes import Kind, Scene, draw
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place, place

EMBEDDED: Final = "scenes"
"""The data address of the embedded data set."""
SEED = 0
"""The embedded data set is the same for every seed of a run, as CIFAR-10 is."""
VERSION = 1
"""Raised when the drawing changes, so that an old copy in a storage is not taken for the new set."""
JPEG_QUALITY = 95


def embedded_folder(settings: Settings) -> Place:
    """Where the embedded data set lies in the run's storage."""
    data, size = settings.data, settings.networks.image_size
    return place(settings.storage) / "data" / f"{data.scenes}-{size}px-{data.scenes_images}-v{VERSION}"


def embedded_image(kind: Kind, size: int, index: int) -> tuple[bytes, Scene]:
    """One image of it as JPEG, and what it shows; those after the last one of a run's set are drawn the same way."""
    scene = draw(kind, size, SEED, index)
    return simplejpeg.encode_jpeg(scene.image, quality=JPEG_QUALITY, colorsubsampling="444"), scene
