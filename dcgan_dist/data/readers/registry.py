"""The readers by name, and which of them takes an address that nobody gave one for."""

from collections.abc import Mapping, Sequence

from dcgan_dist.data.readers.celeba import CELEBA
from dcgan_dist.data.readers.cifar10 import CIFAR10
from dcgan_dist.data.readers.folder import FOLDER
from dcgan_dist.data.readers.imagenet import IMAGENET
from dcgan_dist.data.readers.lsun import LSUN
from dcgan_dist.data.readers.mnist import FASHION_MNIST, MNIST
from dcgan_dist.data.readers.parquet import PARQUET
from dcgan_dist.data.readers.source import Reader
from dcgan_dist.data.readers.svhn import SVHN
from dcgan_dist.data.readers.webdataset import WEBDATASET
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place

READERS: Mapping[str, Reader] = {
    "imagenet": IMAGENET,
    "parquet": PARQUET,
    "lsun": LSUN,
    "celeba": CELEBA,
    "cifar10": CIFAR10,
    "svhn": SVHN,
    "mnist": MNIST,
    "fashion-mnist": FASHION_MNIST,
    "webdataset": WEBDATASET,
    "folder": FOLDER,
}
"""One that is added to this table can be prepared from. What is recognized by less stands below what needs more."""

SCENES = "scenes"
"""What the built-in scenes are called, a source that needs no address."""


def recognize(addresses: Sequence[Place], readers: Mapping[str, Reader] = READERS) -> tuple[str, str]:
    """Name of the reader that knows the first address, and what it sees there; both "" where none does.

    Raises:
        DataError: none does, and some could not look at it.
    """
    failed: DataError | None = None
    for name, reader in readers.items():
        try:
            if seen := reader.recognize(addresses[0]):
                return name, seen
        except DataError as error:
            # Others may take what this one cannot look at, such as a folder with a name that is not UTF-8.
            failed = failed or error
    if failed:
        raise failed
    return "", ""
