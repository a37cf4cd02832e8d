"""torch-fidelity's Inception: its own code on weights that are read without running any code, and what is refused.

The published weights are not here: the network has random ones, and the checksum is that of their file.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders import inception
from dcgan_dist.evaluation.encoders.inception import WIDTH, load_inception


class Untrained(FeatureExtractorInceptionV3):
    """With initial weights."""

    def load_state_dict(self, *given: object, **others: object) -> None:
        pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "none.pth")
    torch.manual_seed(0)
    untrained = Untrained("random", [str(WIDTH)], feature_extractor_weights_path=str(folder / "none.pth"))
    torch.save(untrained.state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def test_features_are_those_that_torch_fidelity_makes(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    encoder = load_inception(weights)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    theirs = FeatureExtractorInceptionV3("given", [str(WIDTH)], feature_extractor_weights_path=str(weights))
    (expected,) = theirs(torch.from_numpy(images).permute(0, 3, 1, 2))
    found = encoder.features(images)
    assert found.shape == (2, WIDTH)
    torch.testing.assert_close(found, expected)
    assert not torch.equal(found[0], found[1])


def test_other_weights_are_refused_and_so_is_a_file_that_would_run_code(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"does not hold the weights of features inception .*, not with 6726825d\)"):
        load_inception(weights)
    with pytest.raises(SettingsError, match=r"gone\.pth cannot be read .*: give weights-inception-2015-12-05-6726825d"):
        load_inception(tmp_path / "gone.pth")
    evil = tmp_path / "evil.pth"
    torch.save({"weights": Evil(tmp_path / "ran")}, evil)
    monkeypatch.setattr(inception, "WEIGHTS_SHA256", hashlib.sha256(evil.read_bytes()).hexdigest())
    with pytest.raises(SettingsError, match="holds more than weights, which is not read: give weights-inception"):
        load_inception(evil)
    assert not (tmp_path / "ran").exists()


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._file,)


def test_without_the_package_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(SettingsError, match="features inception need torch-fidelity: pip install"):
        load_inception(tmp_path / "weights.pth")
