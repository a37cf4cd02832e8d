"""The scripts of docs/api.md do what the page says."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dcgan_dist.api import load_generator
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.sample import main
from dcgan_dist.settings import Settings, lsun64
from dcgan_dist.storage import Place

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCKED = "import sys; sys.modules['dcgan_dist'] = None  # not at hand\n"


def example(name: str) -> str:
    """A script of the page."""
    match = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("latent", ["uniform", "normal"])
def test_plain_pytorch_draws_from_an_exported_file_what_we_draw(
    latent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = lsun64()
    networks = replace(preset.networks, image_size=16, generator_maps=4, latent_size=6, latent=latent)
    settings: Settings = replace(preset, networks=networks)
    generator = Generator(networks)
    initialize(generator, seed=5)
    write_checkpoint(
        Place(str(tmp_path / "run")), {"generator": generator.state_dict()}, settings, step=10, attempt=1, kept=True
    )
    monkeypatch.chdir(tmp_path)
    assert main(["./run", "-n", "0", "--device", "cpu", "--export", "generator.safetensors"]) == 0
    check = (
        "alone = torch.cat([generator(one[None]) for one in z])\n"
        "torch.save({'z': z, 'images': images.detach(), 'alone': alone.detach()}, 'drawn.pt')\n"
    )
    (tmp_path / "plain.py").write_text(BLOCKED + example("plain.py") + check)
    subprocess.run([sys.executable, "plain.py"], cwd=tmp_path, check=True, timeout=120)
    drawn = torch.load("drawn.pt", weights_only=True)
    assert drawn["images"].shape == (16, 3, 16, 16)
    for source in ("./run", "generator.safetensors"):
        torch.testing.assert_close(drawn["images"], load_generator(source)(drawn["z"]), rtol=0, atol=1e-6)
    # An image is what it is, alone or among others, and none is grey.
    torch.testing.assert_close(drawn["alone"], drawn["images"], rtol=0, atol=1e-6)
    assert drawn["alone"].flatten(1).std(1).mean() > 0.5 * drawn["images"].std()
    assert bool(drawn["z"].abs().max() > 1) is (latent == "normal")


@pytest.mark.system
@pytest.mark.ray
def test_the_session_of_the_page_runs(train_command: Any) -> None:
    command = train_command
    (command.folder / "session.py").write_text(example("session.py"))
    done = subprocess.run(
        [sys.executable, "session.py"],
        cwd=command.folder,
        env=command.environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(
        "first after 6,400 images, raw generator, batch normalization by fixed statistics of 32 batches of 64 z\n"
        "(64, 896)\n"
    )
    assert (command.folder / "one.png").is_file()
