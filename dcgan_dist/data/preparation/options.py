"""What is asked of `prepare`: the options of the command."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from dcgan_dist.bounds import AtLeast, Below, From, check_bounds, shows_bounds
from dcgan_dist.data.image_decoding import Fit
from dcgan_dist.data.splits import parse_splits
from dcgan_dist.errors import SettingsError

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True)
class PrepareOptions:
    """Make shards from a folder of pictures (JPEG, PNG, WebP), on disks or object stores.

    Example: python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1
    """

    source: Annotated[tyro.conf.Positional[str], arg(metavar="FOLDER")]
    """Folder of the pictures; if all are in subfolders, the name of the first subfolder on the way is a picture's
    class."""
    out: Annotated[tyro.conf.Positional[str], arg(metavar="OUT")]
    """Folder for the shards: an empty or new one, or the one of an interrupted call."""
    size: Annotated[int, arg(metavar="PIXELS")] = 64
    """Height and width of an image: a power of two from 8 to 256."""
    fit: Fit = "resize"
    """`resize` scales the shorter side, then crops the center; `crop` crops the center without scaling."""
    split: Annotated[str, arg(metavar="NAME[,NAME]")] = ""
    """Name of the split, with which the shards' names begin. Several, as in `train,test`: these folders in FOLDER
    are the splits, and their subfolders the classes. Empty: `train`, or the folders `train`, `val` and `test` if
    FOLDER holds nothing else."""
    holdout: Annotated[float, Below(1), arg(metavar="SHARE")] = 0.0
    """Fraction of the pictures that become the split `test`. Their bytes alone decide: a picture keeps its split
    when others are added, and copies of a picture stay together."""
    images_per_shard: Annotated[int, AtLeast(1), arg(metavar="IMAGES")] = 5_000
    """Images per shard; the last one has the rest."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of the order of the images."""
    quality: Annotated[int, From(1, 100), arg(metavar="NUMBER")] = 95
    """Quality of the JPEGs that are written, without chroma subsampling; a JPEG that already has the size is copied
    as it is."""
    processes: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Processes that decode pictures; 0: one per core."""

    def __post_init__(self) -> None:
        check_bounds(self)
        if not 8 <= self.size <= 256 or self.size & (self.size - 1):
            raise SettingsError(f"size is {self.size} but needs to be a power of two from 8 to 256")
        parse_splits(self.split)
