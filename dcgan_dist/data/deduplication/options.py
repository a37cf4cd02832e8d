"""What is asked of `dedup`: the options of the command."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from dcgan_dist.bounds import AtLeast, From, check_bounds, shows_bounds
from dcgan_dist.data.preparation.options import WorkersOptions
from dcgan_dist.errors import SettingsError

arg = tyro.conf.arg


@shows_bounds
@dataclass(frozen=True)
class DedupOptions:
    """Find near duplicates among the images of shards, and write which images to keep.

    An autoencoder gives each image a code of 128 bits (paper, section 4.1). Images with close codes are compared once
    more, by their pixels. Of each group of duplicates one is kept. OUT gets the keep-list `keep.parquet`, for
    `train --data.keep`, `dedup.json` with all counts, and `dedup.html` with pairs and groups to look at.

    Example: python -m dcgan_dist.data.dedup "shards/train-*.tar" duplicates/
    """

    data: Annotated[str, tyro.conf.Positional, arg(metavar="DATA")]
    """Shards, given as for `train --data`."""
    out: Annotated[str, tyro.conf.Positional, arg(metavar="OUT")]
    """Folder for the results: a new or empty one, or that of an interrupted call."""
    against: Annotated[str, arg(metavar="DATA")] = ""
    """Shards of other images, such as those of `test`: tell which of them have near copies in DATA. They are not
    compared with each other."""
    method: Literal["default", "paper"] = "default"
    """`paper`: its method alone, without a second look: images with equal codes are duplicates."""
    radius: Annotated[int, From(-1, 32), arg(metavar="BITS")] = -1
    """Codes of duplicates differ in at most so many bits; -1: as the method has it."""
    threshold: Annotated[float, From(0, 6), arg(metavar="DIFFERENCE")] = 0.0
    """Largest difference of duplicates in the second look, of which none is above 6; 0: as the method has it."""
    model: Annotated[str, arg(metavar="FILE")] = ""
    """Autoencoder that an earlier call has written. Empty: fit one on some of the images."""
    sample: Annotated[int, AtLeast(0), arg(metavar="IMAGES")] = 0
    """The autoencoder is fitted on at most so many images, drawn at random; 0: as the method has it."""
    seed: Annotated[int, arg(metavar="NUMBER")] = 0
    """Random seed of the sample, of the autoencoder, and of the pairs that are shown."""
    cache: Annotated[str, arg(metavar="FOLDER")] = ""
    """Where thumbnails and codes are kept, 3 kB an image: calls that share it decode no image twice. Empty: `cache` in
    OUT."""
    write_shards: Annotated[str, arg(metavar="FOLDER")] = ""
    """Also write shards of the images that are kept into this new or empty folder."""
    marks: Annotated[str, arg(metavar="FILE")] = ""
    """`marks.json`, saved on the page once random pairs were judged: `dedup.json` gets the share of false pairs, with
    its interval."""
    processes: Annotated[int, AtLeast(0), arg(metavar="N")] = 0
    """Processes that do the work on this machine; 0: one per core."""
    workers: WorkersOptions = field(default_factory=WorkersOptions)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.model and self.sample:
            raise SettingsError(
                f"sample is {self.sample}, but the autoencoder {self.model} is fitted already: leave one of --sample "
                "and --model out"
            )
