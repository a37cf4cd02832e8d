"""Which data each preset is meant for, and what `prepare` is told to put it where the preset looks for it."""

from collections.abc import Mapping, Sequence

from dcgan_dist.cli.invocation import command_line
from dcgan_dist.settings import PRESETS

PREPARE: Mapping[str, Sequence[str]] = {
    "imagenet32": ("imagenet", "original/imagenet", "$DCGAN_DIST_DATA/imagenet", "--size", "32"),
    "lsun64": ("lsun", "original/bedroom_train_lmdb", "$DCGAN_DIST_DATA/lsun", "--size", "64"),
    "faces64": ("faces", "original/photographs", "$DCGAN_DIST_DATA/faces", "--size", "64"),
    "celeba64": ("celeba", "original/celeba", "$DCGAN_DIST_DATA/celeba", "--size", "64"),
    "svhn32": ("svhn", "original/svhn", "$DCGAN_DIST_DATA/svhn", "--size", "32", "--download"),
    "cifar32": ("cifar10", "original/cifar10", "$DCGAN_DIST_DATA/cifar10", "--size", "32", "--download"),
}
"""Arguments of `prepare` by preset. The first word is the format, or `faces` where they are cut out of pictures."""


def preset_for(word: str, size: int) -> str:
    """The preset for data that was prepared from some format; "" where there is none.

    Args:
        word: the format, or `faces`.
        size: height and width of the images.
    """
    meant = (preset for preset, arguments in PREPARE.items() if arguments[0] == word)
    return next((preset for preset in meant if PRESETS[preset]().networks.image_size == size), "")


def preparing(addresses: str) -> str:
    """The shell line that puts data at an address where a preset looks for it; "" for any other address."""
    for preset, arguments in PREPARE.items():
        if PRESETS[preset]().data.path == addresses:
            return command_line("prepare", *arguments)
    return ""
