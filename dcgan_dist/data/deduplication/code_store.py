"""Codes of all images of a data set, as files beside their thumbnails; no Ray."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dcgan_dist.data.deduplication.autoencoder import Autoencoder
from dcgan_dist.data.deduplication.sealed_files import SEAL_BYTES, damaged, write_sealed
from dcgan_dist.data.deduplication.thumbnail_files import ThumbnailFiles, Unit
from dcgan_dist.storage import Place

CODE_BYTES = 16


def make_codes(common: tuple[Place, Autoencoder, ThumbnailFiles], number: int) -> int:
    """Write the codes of a unit, then those of its views; returns of how many images.

    Args:
        common: folder of the files of codes, which are those of one autoencoder; what makes codes; and of what.
        number: of the unit.

    Raises:
        DataError: a store fails.
    """
    folder, autoencoder, thumbnails = common
    pixels = thumbnails.unit(number)
    codes, views = autoencoder.codes(pixels), autoencoder.views(pixels)
    write_sealed(folder / thumbnails.units[number].name, codes.tobytes() + views.tobytes())
    return len(pixels)


def open_codes(
    folder: Place, units: Sequence[Unit], views: int
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Codes of each unit, uint8 [n, 16], and of its views, uint8 [n, V, 16]: mapped from a disk, else read.

    Raises:
        DataError: a file is missing or of another length.
    """
    codes, of_views = [], []
    for unit in units:
        file = folder / unit.name
        size = unit.images * (1 + views) * CODE_BYTES
        if file.info().size != size + SEAL_BYTES:
            raise damaged(file)
        data = (
            np.memmap(file.local_path, np.uint8, "r", shape=size)
            if file.is_local
            else np.frombuffer(file.read_range(0, size), np.uint8)
        )
        middle = unit.images * CODE_BYTES
        codes.append(data[:middle].reshape(unit.images, CODE_BYTES))
        of_views.append(data[middle:].reshape(unit.images, views, CODE_BYTES))
    return codes, of_views if views else []
