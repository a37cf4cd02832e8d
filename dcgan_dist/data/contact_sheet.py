"""Images of shards side by side in one picture, to look at."""

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import decode
from dcgan_dist.data.shards.index import Index
from dcgan_dist.model.pixels import grid, png
from dcgan_dist.storage import Place

SHEET_FILE = "contact-sheet.png"
SHEET_IMAGES = 100


def contact_sheet(index: Index, rows: NDArray[np.intp], side: int) -> bytes:
    """A PNG with some images, which are known to be decodable, in their order.

    Args:
        index: of the images.
        rows: int [n], which of them, at least one.
        side: height and width of each in pixels.
    """
    images = np.zeros((len(rows), side, side, 3), np.uint8)
    for image, row in zip(images, rows.tolist(), strict=True):
        data = Place(index.shards[index.shard[row]]).read_range(int(index.offset[row]), int(index.size[row]))
        decode(data, image, fit="resize", max_pixels=1 << 62)  # it was decoded within the limit before
    return png(grid(images))
