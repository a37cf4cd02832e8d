"""SVHN with 1,000 labels (paper, section 5.2; published code, svhn), from its .mat files."""

import hashlib
import io

import numpy as np

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.task import PUBLISHED_COSTS, ArrayPictures, FewLabels, Labeled, Task, order
from dcgan_dist.storage import Place

SIZE, CLASSES = 32, 10
HELD_OUT = 10_000
"""Images of the training set (not of the extra one) that are held out to choose C."""
FEW_LABELS = FewLabels(per_class=100, choosing=10, draws=100)
FILES = ("train_32x32.mat", "test_32x32.mat")


def open_svhn(
    name: str, folder: Place, size: int, *, seed: int, held_out: int = HELD_OUT, few: FewLabels = FEW_LABELS
) -> Task:
    """Read `train_32x32.mat` and `test_32x32.mat`.

    Args:
        name: name of the task.
        folder: folder with the two files.
        size: height and width of the networks' images, which has to be 32.
        seed: seed of the order of the training images, and of the draws.
        held_out: number of training images that are held out to choose C.
        few: how many labels, and how many draws.

    Raises:
        DataError: a file is missing, or is not one of SVHN's.
        SettingsError: the networks are made for another size.
    """
    if size != SIZE:
        raise SettingsError(
            f"task {name} has images of {SIZE} x {SIZE} pixels but the networks are made for {size} x {size}: give a "
            "checkpoint of that size"
        )
    digest = hashlib.sha256()
    (train, labels), (test, test_labels) = (_read(folder / file, digest) for file in FILES)
    if len(train) <= held_out:
        raise DataError(f"{folder / FILES[0]} has {len(train):,} images but {held_out:,} alone choose C: copy it again")
    samples = order(len(train), seed)
    return Task(
        name,
        digest.hexdigest()[:16],
        Labeled(ArrayPictures(train, str(folder / FILES[0])), samples, labels[samples]),
        Labeled(ArrayPictures(test, str(folder / FILES[1])), np.arange(len(test)), test_labels),
        CLASSES,
        held_out,
        seed,
        costs=PUBLISHED_COSTS,
        all_labels=False,
        few=few,
    )


def _read(file: Place, digest: "hashlib._Hash") -> tuple[Pixels, Integers]:
    """Images uint8 [n, 32, 32, 3] and classes int64 [n]: digit d has class d - 1; 0, which is 10 in the file, has 9."""
    try:
        from scipy.io import loadmat  # an extra
        from scipy.io.matlab import MatReadError, matfile_version
    except ImportError as error:
        raise SettingsError("SVHN's .mat files need scipy: pip install 'dcgan-dist[evaluate]'") from error
    data = file.read_bytes()
    digest.update(data)
    try:
        if matfile_version(io.BytesIO(data))[0] > 1:
            raise MatReadError("it is of MATLAB 7.3, which is another format")
        content = loadmat(io.BytesIO(data), variable_names=["X", "y"])
        images, digits = content["X"], content["y"]
    except (MatReadError, ValueError, TypeError, KeyError, OSError) as error:
        raise DataError(f"{file} is not a .mat file of SVHN, with X and y in it ({error}): copy it again") from error
    number = images.shape[-1]
    if images.dtype != np.uint8 or images.shape[:3] != (SIZE, SIZE, 3) or digits.size != number:
        raise DataError(
            f"{file} has X {images.dtype} {images.shape} and {digits.size:,} y, but SVHN has uint8 (32, 32, 3, n): use "
            "the cropped digits"
        )
    classes = digits.reshape(-1).astype(np.int64) - 1
    if classes.min() < 0 or classes.max() >= CLASSES:
        raise DataError(f"{file} has digits from {classes.min() + 1} to {classes.max() + 1} but needs 1 to 10")
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), classes
