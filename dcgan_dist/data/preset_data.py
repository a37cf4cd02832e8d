"""Which data each preset is meant for, and what `prepare` is told to put it where the preset looks for it."""

from collections.abc import Mapping, Sequence

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.errors import DataError
from dcgan_dist.settings import PRESETS
from dcgan_dist.storage import place

PREPARE: Mapping[str, Sequence[str]] = {
    "imagenet32": ("imagenet", "original/imagenet", "$DCGAN_DIST_DATA/imagenet", "--size", "32"),
    "lsun64": ("lsun", "original/bedroom_train_lmdb", "$DCGAN_DIST_DATA/lsun", "--size", "64"),
    "faces64": ("faces", "original/photographs", "$DCGAN_DIST_DATA/faces", "--size", "64"),
    "celeba64": ("celeba", "original/celeba", "$DCGAN_DIST_DATA/celeba", "--size", "64"),
    "svhn32": ("svhn", "original/svhn", "$DCGAN_DIST_DATA/svhn", "--size", "32", "--download"),
    "mnist28": ("mnist", "original/mnist", "$DCGAN_DIST_DATA/mnist", "--size", "28", "--download"),
    "cifar32": ("cifar10", "original/cifar10", "$DCGAN_DIST_DATA/cifar10", "--size", "32", "--download"),
    "original28": ("mnist", "original/mnist", "$DCGAN_DIST_DATA/mnist", "--size", "28", "--download"),
    "original32": ("cifar10", "original/cifar10", "$DCGAN_DIST_DATA/cifar10", "--size", "32", "--download"),
    "original32conv": ("cifar10", "original/cifar10", "$DCGAN_DIST_DATA/cifar10", "--size", "32", "--download"),
}
"""Arguments of `prepare` by preset. The first word is the format, or `faces` where they are cut out of pictures. Of
presets with the same data, the first is the one that is named to users."""


_OTHERWISE = "own64"


def preset_for(word: str, size: int | None, data: str = "") -> str:
    """The preset for data that was prepared from some format, or lies where a preset looks for it, as ImageNet does
    that was prepared from Parquet; "" where there is none.

    Args:
        word: the format, or `faces`.
        size: height and width of the images; None: they have none in common.
        data: address of the shards.
    """
    meant = [preset for preset, arguments in PREPARE.items() if arguments[0] == word]
    meant += [preset for preset in PREPARE if data and _same(PRESETS[preset]().data.path, data)]
    return next((preset for preset in meant if PRESETS[preset]().networks.image_size == size), "")


def _same(address: str, other: str) -> bool:
    """Whether two addresses name the same place; none is named by a variable that is not set."""
    try:
        return place(address) == place(other)
    except DataError:
        return False


def training(data: str, word: str, size: int | None, keep: str = "") -> str:
    """The shell line that trains a run on shards.

    Args:
        data: address of the shards.
        word: the format that they were prepared from, or `faces`; "" where nobody knows.
        size: height and width of all images, in pixels, where networks can have it; None: that of the preset.
        keep: file of its keep-list; "" where there is none.
    """
    preset = preset_for(word, size, data)
    own = not preset and size not in (None, PRESETS[_OTHERWISE]().networks.image_size)
    sized = ["--networks.image-size", str(size)] if own else []
    kept = ["--data.keep", keep] if keep else []
    return command_line("train", "--preset", preset or _OTHERWISE, *sized, "--data", data, *kept, "--name", "mine")


def preparing(addresses: str) -> str:
    """The shell line that puts data at an address where a preset looks for it; "" for any other address."""
    for preset, arguments in PREPARE.items():
        if PRESETS[preset]().data.path == addresses:
            return command_line("prepare", *arguments)
    return ""
