"""Pictures inside of a page, as `data:` addresses."""

import base64
import io

from PIL import Image

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.pixels import png

SIDE = 128
"""Pixels of the longer side, at most: larger ones are made smaller, so that a page stays small."""
_PNG_SIDE = 48
"""Up to here a PNG is hardly larger than a JPEG, and shows what was compared."""


def data_address(picture: Pixels) -> str:
    """`data:image/...` of uint8 [H, W, 3]."""
    image = Image.fromarray(picture)
    if max(image.size) <= _PNG_SIDE:
        return _address("png", png(picture))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "jpeg", quality=90)
    return _address("jpeg", file.getvalue())


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
