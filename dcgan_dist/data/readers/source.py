"""What a reader makes of addresses: samples that are listed but not read yet, whatever the format they are kept in.

A source is listed by one process and read by many. So the list is a table of a few numbers a sample, which can be cut
into pieces and sent without any picture in it; and what reads the pictures of such a piece can be pickled.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.keep_list import KeepList
from dcgan_dist.data.shards.attributes import Column, joined
from dcgan_dist.storage import Place

Picture = bytes | NDArray[np.uint8]
"""A file (JPEG, PNG, WebP) as the publisher made it, or pixels: uint8 [H, W, 3] in RGB, or [H, W] in grey."""


@dataclass(frozen=True)
class Samples:
    """Which samples a source has, and where each is: columns with one row a sample.

    Attributes:
        key: `pa.large_string`: its name, which no other sample of the source has; with the seed it decides on the
            sample's place in the shards.
        file: int32: number of its file in `Source.files`.
        offset: int64: where it is in that file, in what the reader counts by: bytes, rows, a position.
        size: int64: bytes of its picture; 0 where only reading tells.
        split: int16: number of its split in `Source.splits`.
        label: int32: class number, -1 where it has none.
        attributes: what else is known of it, by name.
    """

    key: pa.Array
    file: NDArray[np.int32]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    split: NDArray[np.int16]
    label: NDArray[np.int32]
    attributes: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = (self.file, self.offset, self.size, self.split, self.label)
        lengths = {len(column) for column in (self.key, *numbers, *self.attributes.values())}
        if len(lengths) != 1:
            raise ValueError(f"columns of samples have different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: NDArray[np.int64]) -> "Samples":
        """The samples of these rows, in this order."""
        return Samples(
            self.key.take(pa.array(rows)),
            self.file[rows],
            self.offset[rows],
            self.size[rows],
            self.split[rows],
            self.label[rows],
            {name: column[rows] for name, column in self.attributes.items()},
        )

    @staticmethod
    def concatenate(parts: "Sequence[Samples]") -> "Samples":
        """The samples of some parts, which have the same attributes, one after the other."""
        return Samples(
            pa.concat_arrays([part.key for part in parts]),
            np.concatenate([part.file for part in parts]),
            np.concatenate([part.offset for part in parts]),
            np.concatenate([part.size for part in parts]),
            np.concatenate([part.split for part in parts]),
            np.concatenate([part.label for part in parts]),
            joined([("", part.attributes) for part in parts]),
        )


class Fetch(Protocol):
    """Reads pictures in any process of any machine; it can be pickled, and opens its files where it is called."""

    def __call__(self, files: Sequence[Place], samples: Samples) -> Iterator[Picture | BadImage]:
        """The picture of each sample, in their order, or why it alone cannot be read.

        Args:
            files: of the source.
            samples: some of the source's, in the order of `file` and `offset`.

        Raises:
            DataError: the source fails as a whole.
        """


@dataclass(frozen=True)
class Source:
    """What some addresses hold.

    Attributes:
        where: the addresses, for messages.
        files: what samples are read from: files, or folders where the samples are files themselves.
        samples: all of them, each once, in an order that the addresses alone decide.
        fetch: reads them.
        splits: names of the splits, in the order in which they are written; each has a sample.
        classes: names of the classes by number, over all splits; None where there are none.
        notes: lines for people: how the source was understood, and what of it is passed over.
        streamed: a file can only be read from its beginning to its end, since it is compressed as a whole: the samples
            of a file are all read by one process.
    """

    where: str
    files: tuple[Place, ...]
    samples: Samples
    fetch: Fetch
    splits: tuple[str, ...]
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    streamed: bool = False

    @property
    def witness(self) -> Place | None:
        """A file of it, if it has any: a machine that finds that is taken to find all of the source."""
        if not self.files:
            return None
        first = self.files[int(self.samples.file[0])]
        return first if first.is_file() else first / self.samples.key[0].as_py()


@dataclass(frozen=True)
class Request:
    """What is asked of a reader, besides the addresses.

    Attributes:
        splits: that somebody named: none where the source itself is to say them.
        seen: is told how many samples have been listed, and how many there are, None where nobody knows.
        keep: which samples are kept, where the source is shards; None: all.
    """

    splits: tuple[str, ...] = ()
    seen: Callable[[int, int | None], None] = lambda done, total: None
    keep: KeepList | None = None


@dataclass(frozen=True)
class Reader:
    """A format that can be prepared from.

    Attributes:
        about: a phrase for the help: what addresses it takes.
        open: lists the samples at some addresses, without reading a picture where the format allows that. It raises
            `DataError` where it finds nothing that it can read, `SettingsError` where it has to be told more.
        recognize: what it sees at an address, as in "a tar of 1,000 tars"; "" where that is not its format. It looks at
            names and first bytes only, and raises nothing for what other readers take.
    """

    about: str
    open: Callable[[Sequence[Place], Request], Source]
    recognize: Callable[[Place], str]
