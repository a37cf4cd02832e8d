"""Files of weights that are not read."""

from pathlib import Path

import pytest

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.ready_made import read_weights


def test_files_that_are_missing_or_too_large_are_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"need their weights but .*/none cannot be read \(No such file"):
        read_weights(tmp_path / "none", "ab", 10, "x", "get it")
    (tmp_path / "large").write_bytes(b"0" * 11)
    with pytest.raises(SettingsError, match=r"large has 11 bytes, too many for the weights of features x: get it"):
        read_weights(tmp_path / "large", "ab", 10, "x", "get it")
