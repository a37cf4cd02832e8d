"""What a long search for nearest references has found so far, in a file, so that a command that was ended goes on."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
import torch

from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.nearest_label import Found
from dcgan_dist.storage import MissingFile, Place

_DTYPES = {"distances": np.float32, "places": np.int64, "labels": np.int64, "blocks": np.int64, "seconds": np.float64}


@dataclass(frozen=True, eq=False)
class Progress:
    """So far.

    Attributes:
        found: in the blocks that were compared.
        blocks: how many were, the first ones.
        seconds: float64 [k], how long it took until enough were compared for each number of references.
    """

    found: Found
    blocks: int
    seconds: np.ndarray[tuple[int], np.dtype[np.float64]]

    @classmethod
    def none(cls, numbers: int, images: int) -> "Progress":
        """Before any block was compared."""
        return cls(Found.none(numbers, images), 0, np.zeros(numbers))

    def write(self, file: Place) -> None:
        """Write it, whole or not at all."""
        out = io.BytesIO()
        found = {name: getattr(self.found, name).numpy() for name in ("distances", "places", "labels")}
        np.savez(out, **found, blocks=np.int64(self.blocks), seconds=self.seconds)
        file.write_bytes(out.getvalue())


def read_progress(file: Place, numbers: int, images: int) -> Progress:
    """What was written before; nothing compared yet, where there is no such file.

    Raises:
        DataError: the file is none of these.
    """
    try:
        data = file.read_bytes()
    except MissingFile:
        return Progress.none(numbers, images)
    shapes = {"blocks": (), "seconds": (numbers,)}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            arrays = {name: content[name] for name in _DTYPES}
        for name, dtype in _DTYPES.items():
            if arrays[name].dtype != dtype or arrays[name].shape != shapes.get(name, (numbers, images)):
                raise ValueError(f"its {name} are {arrays[name].dtype} {arrays[name].shape}")
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} does not hold what was compared so far ({error}): delete it to begin anew") from error
    found = Found(*(torch.from_numpy(arrays[name]) for name in ("distances", "places", "labels")))
    return Progress(found, int(arrays["blocks"]), arrays["seconds"])
