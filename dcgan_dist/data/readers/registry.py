"""The readers by name, and which of them takes an address that nobody gave one for."""

from collections.abc import Mapping, Sequence

from dcgan_dist.data.readers.folder import FOLDER
from dcgan_dist.data.readers.source import Reader
from dcgan_dist.storage import Place

READERS: Mapping[str, Reader] = {
    "folder": FOLDER,
}
"""One that is added to this table can be prepared from. What is recognized by less stands below what needs more."""


def recognize(addresses: Sequence[Place], readers: Mapping[str, Reader] = READERS) -> tuple[str, str]:
    """Name of the reader that knows the first address, and what it sees there; both "" where none does."""
    for name, reader in readers.items():
        if seen := reader.recognize(addresses[0]):
            return name, seen
    return "", ""
