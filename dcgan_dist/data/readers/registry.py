"""The readers by name: one that is added to this table can be prepared from."""

from collections.abc import Mapping

from dcgan_dist.data.readers.folder import open_folder
from dcgan_dist.data.readers.source import Reader

READERS: Mapping[str, Reader] = {"folder": open_folder}
