"""What a reader makes of an address: pictures that are named but not read yet, whatever the format they are kept in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dcgan_dist.data.image_decoding import BadImage
from dcgan_dist.data.shards.attributes import Value
from dcgan_dist.storage import Place


@dataclass(frozen=True, slots=True)
class Item:
    """A picture of a source. It may be read in a thread or in another process, so all of it can be pickled.

    Attributes:
        key: its name, which no other picture of the source has; with the seed it decides on the picture's place in the
            shards.
        split: one of the source's.
        size: bytes of its file; 0 where only reading tells.
        data: its file (JPEG, PNG, WebP), or what reads that when it is called: it raises `BadImage` where this picture
            alone cannot be read, and `DataError` where the source fails.
        label: its class number, None where it has none.
        attributes: what else is known of it, under the same names for all pictures of a source.
    """

    key: str
    split: str
    size: int
    data: bytes | Callable[[], bytes]
    label: int | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)

    def read(self, max_bytes: int) -> bytes:
        """Its file; raises `BadImage` where that is empty or too large, and what `data` raises."""
        if self.size > max_bytes:
            raise BadImage(f"has {self.size:,} bytes, more than the {max_bytes:,} that are allowed")
        data = self.data if isinstance(self.data, bytes) else self.data()
        if not data:
            raise BadImage("is empty")
        return data


@dataclass(frozen=True)
class Source:
    """What an address holds.

    Attributes:
        where: the address.
        count: how many pictures there are, None where only their end tells.
        items: the pictures, each once; to be gone through once.
        splits: names of the splits, in the order in which they are written; each has a picture.
        classes: names of the classes by number, over all splits; None where there are none.
        told: lines for people: how the source was understood, and what of it is passed over.
    """

    where: Place
    count: int | None
    items: Iterable[Item]
    splits: tuple[str, ...]
    classes: tuple[str, ...] | None = None
    told: tuple[str, ...] = ()


Reader = Callable[[Place, Sequence[str]], Source]
"""Opens an address, given the splits that somebody asked for by name: none where the source itself is to say them.

It raises `DataError` where it finds nothing that it can read, `SettingsError` where it has to be told more."""
