"""What is asked of `prepare`: the options of the command."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from dcgan_dist.bounds import AtLeast, Below, From, check_bounds, shows_bounds
from dcgan_dist.data.faces.options import FaceOptions
from dcgan_dist.data.image_decoding import Fit
from dcgan_dist.data.scenes import Kind
from dcgan_dist.data.splits import parse_splits
from dcgan_dist.errors import SettingsError
from dcgan_dist.settings import IMAGE_SIZES

arg = tyro.conf.arg

Encode = Literal["", "jpeg", "png", "keep"]

_SHARD_PIXELS = 5_000 * 64 * 64


@dataclass(frozen=True)
class WorkersOptions:
    """Where the work is done."""

    address: Annotated[str, arg(metavar="HOST:PORT")] = ""
    """Ray cluster whose machines do the work; empty: $RAY_ADDRESS, or processes of this machine alone if that is not
    set."""


@shows_bounds
@dataclass(frozen=True)
class PrepareOptions:
    """Make shards from what publishers ship, or from a folder of pictures, on disks or object stores.

    WORDS are [faces] [FORMAT] ADDRESS... OUT. `faces` turns each face in photographs into an image. FORMAT is imagenet,
    parquet, lsun, celeba, cifar10, svhn, mnist, fashion-mnist, webdataset, folder or scenes; if it is left out, it is
    recognized. ADDRESS is a folder or file of the source; OUT is the folder for the shards: a new or empty one, or that
    of an interrupted call.

    Example: python -m dcgan_dist.data.prepare photos/ shards/ --size 64 --holdout 0.1
    """

    words: Annotated[tyro.conf.Positional[tuple[str, ...]], arg(metavar="WORDS")]
    """[faces] [FORMAT] ADDRESS... OUT."""
    size: Annotated[int, arg(metavar="PIXELS")] = 64
    """Height and width of an image: a power of two from 8 to 256, or 7 times one: 14, 28, 56, 112, 224."""
    fit: Fit = "resize"
    """`resize` scales the shorter side, then crops the center; `crop` crops the center without scaling."""
    channels: Literal[0, 1, 3] = 0
    """1: gray, 3: RGB; 0: gray for MNIST and Fashion-MNIST, else RGB."""
    encode: Encode = ""
    """`jpeg`, or `png`, which is lossless; `keep` copies a JPEG, PNG or WebP that needs no change, else `jpeg`. Empty:
    `png` where the source holds pixels (CIFAR-10, SVHN, MNIST, Fashion-MNIST, scenes), else `jpeg`."""
    split: Annotated[str, arg(metavar="NAME[,NAME]")] = ""
    """Which splits of the source to take. For a folder of pictures, one name makes all of them that split; several, as
    in `train,test`, name the folders in it that are the splits, whose subfolders are the classes. Empty: all splits of
    the source; for a folder, `train`, or its folders `train`, `val` and `test` if it holds nothing else."""
    keep: Annotated[str, arg(metavar="FILE")] = ""
    """Keep-list that de-duplication wrote, where the source is the shards that it was made of: samples that it leaves
    out do not become images. Empty: all do."""
    holdout: Annotated[float, Below(1), arg(metavar="SHARE")] = 0.0
    """Fraction of the pictures that become the split `test`. Their bytes alone decide: a picture keeps its split
    when others are added, and copies of a picture stay together."""
    images_per_shard: Annotated[int, AtLeast(0), arg(metavar="IMAGES")] = 0
    """Images per shard; the last one has the rest. 0: 5,000, and fewer of more than 64 x 64 pixels, so that a shard
    has some 30 MB."""
    download: bool = False
    """Download the files of cifar10, svhn, mnist or fashion-mnist into the folder ADDRESS first, except for those that
    are there."""
    scenes: Kind = "rooms"
    """What is drawn where the format is `scenes`, which needs no ADDRESS: the pictures of runs that are given no
    data."""
    count: Annotated[int, AtLeast(1), arg(metavar="SCENES")] = 20_000
    """How many scenes are drawn."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of the order of the images."""
    faces: FaceOptions = field(default_factory=FaceOptions)
    quality: Annotated[int, From(1, 100), arg(metavar="NUMBER")] = 95
    """Quality of the JPEGs that are written, without chroma subsampling; a JPEG that already has the size is copied
    as it is."""
    processes: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Processes that decode pictures on this machine; 0: one per core."""
    workers: WorkersOptions = field(default_factory=WorkersOptions)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.size not in IMAGE_SIZES:
            raise SettingsError(f"size is {self.size} but needs to be one of {', '.join(map(str, IMAGE_SIZES))}")
        parse_splits(self.split)

    @property
    def shard_images(self) -> int:
        """Images of a shard."""
        return self.images_per_shard or min(5_000, _SHARD_PIXELS // self.size**2)

    def decide_bytes(self) -> dict[str, str | int | float]:
        """Those options that the bytes of the shards depend on."""
        return {
            "size": self.size,
            "fit": self.fit,
            "channels": self.channels,
            "encode": self.encode,
            "split": self.split,
            "holdout": self.holdout,
            "images_per_shard": self.shard_images,
            "seed": self.seed,
            "quality": self.quality,
        }
