"""Which reader takes an address."""

import os
from pathlib import Path

import pytest

from dcgan_dist.data.readers.registry import READERS, recognize
from dcgan_dist.errors import DataError
from dcgan_dist.storage import Place


def test_a_folder_of_pictures_is_recognized_whatever_names_lie_in_it(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    assert recognize([Place(str(tmp_path))]) == ("folder", "a folder of pictures")


def test_why_an_address_could_not_be_looked_at_is_said_where_no_reader_takes_it(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    readers = {name: reader for name, reader in READERS.items() if name != "folder"}
    with pytest.raises(DataError, match="holds a name that is not UTF-8"):
        recognize([Place(str(tmp_path))], readers)
