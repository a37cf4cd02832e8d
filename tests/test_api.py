"""Loading from Python; that training works is in docs/test_api.py."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dcgan_dist.api import features, load_discriminator, load_generator, train
from dcgan_dist.errors import CheckpointError, SettingsError
from dcgan_dist.evaluation.encoders.maps import batch_statistics, to_float
from dcgan_dist.evaluation.encoders.maps import features as defined
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.run_folder.checkpoint import load_checkpoint, write_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.settings import NetworkSettings, OptimizationSettings, Settings
from dcgan_dist.storage import Place

SETTINGS = Settings(
    images=640,
    networks=NetworkSettings(image_size=16, generator_maps=4, discriminator_maps=3, latent_size=5),
    optimization=OptimizationSettings(batch_size=16, average_images=100),
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with the run `one`, which has two checkpoints."""
    folder = tmp_path_factory.mktemp("runs")
    for step in (20, 40):
        state: dict[str, Any] = {}
        for number, (name, kind) in enumerate(
            [("generator", Generator), ("averaged", Generator), ("discriminator", Discriminator)]
        ):
            network = kind(SETTINGS.networks)  # type: ignore[operator]
            initialize(network, step + number)
            state[name] = network.state_dict()
        write_checkpoint(Place(str(folder / "one")), state, SETTINGS, step=step, attempt=1, kept=True)
    return folder


def pictures(number: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, (number, 16, 16, 3), dtype=np.uint8)


def test_a_generator_is_that_of_the_command(runs: Path) -> None:
    run = Place(str(runs / "one"))
    newest = load_frozen(load_checkpoint(run), "one", "averaged", CPU)
    z = newest.latents(3, seed=2)
    for source in (runs / "one", run, str(runs / "one" / "checkpoints" / "000000000640")):
        assert torch.equal(load_generator(source)(z), newest(z))
    assert torch.equal(load_generator("one", storage=str(runs))(z), newest(z))
    older = load_frozen(load_checkpoint(run, "000000000320"), "one", "raw", CPU)
    found = load_generator(runs / "one", checkpoint="000000000320", generator="raw")
    assert torch.equal(found(z), older(z))
    assert found.about == older.about
    assert not torch.equal(older(z), newest(z))


def test_a_discriminator_is_that_of_the_checkpoint(runs: Path) -> None:
    expected = Discriminator(SETTINGS.networks)
    expected.load_state_dict(load_checkpoint(Place(str(runs / "one"))).state["discriminator"])
    images = to_float(pictures(6), CPU)
    torch.testing.assert_close(load_discriminator(runs / "one")(images), expected(images))


def test_features_are_those_of_the_probe(runs: Path) -> None:
    discriminator = load_discriminator(runs / "one")
    assert isinstance(discriminator, Discriminator)
    images, reference = pictures(5), pictures(100, seed=1)
    statistics = batch_statistics(discriminator, to_float(reference, CPU))
    found = features(discriminator, images, reference)
    assert (found.dtype, found.shape) == (torch.float32, (5, 16 * (3 + 6)))
    torch.testing.assert_close(found, defined(discriminator, statistics, to_float(images, CPU)))
    alone = torch.cat([features(discriminator, image[None], reference) for image in images])
    torch.testing.assert_close(alone, found, rtol=0, atol=1e-5)
    assert not torch.allclose(features(discriminator, images), found)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (
            pictures(3).astype(np.float32),
            r"images is float32 \[3, 16, 16, 3\] but needs to be an array of uint8 \[n, 16, ",
        ),
        (pictures(3)[:, :8, :8], r"images is uint8 \[3, 8, 8, 3\] but needs"),
        (pictures(3)[0], r"images is uint8 \[16, 16, 3\] but needs"),
        (pictures(0), "n at least 1"),
        (pictures(3).transpose(0, 3, 1, 2), "but needs"),
    ],
)
def test_other_images_than_those_that_are_meant_are_refused(runs: Path, images: Any, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        features(load_discriminator(runs / "one"), images)
    with pytest.raises(SettingsError, match=sentence.replace("images is", "reference is")):
        features(load_discriminator(runs / "one"), pictures(2), images)


def test_a_wrong_source_gets_the_sentence_of_the_command(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no run two"):
        load_generator("two", storage=str(runs))
    with pytest.raises(CheckpointError, match="has no checkpoint 9999: it has 000000000320, 000000000640"):
        load_discriminator(runs / "one", checkpoint="9999")
    (tmp_path / "g.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"g\.safetensors cannot be read"):
        load_generator(tmp_path / "g.safetensors")
    with pytest.raises(SettingsError, match="holds one generator"):
        load_generator(tmp_path / "g.safetensors", generator="raw")
    with pytest.raises(SettingsError, match="name is empty"):
        train(replace(SETTINGS, name=""))


def test_nothing_of_ray_is_imported_to_load_a_network() -> None:
    package = "import sys, dcgan_dist\nassert 'torch' not in sys.modules"
    code = f"{package}\nimport dcgan_dist.api\nassert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
