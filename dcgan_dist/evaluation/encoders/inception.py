"""The Inception of the published inception distances, as torch-fidelity has it, with the weights in a user's file."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.ready_made import ReadyMade, read_weights

NAME = "inception"
WIDTH = 2_048
"""Numbers that describe an image."""
WEIGHTS_SHA256 = "6726825d"
"""What the SHA-256 of the file begins with, as torch-fidelity's name for it says."""
MOST_BYTES = 256 << 20


class InceptionFeatures(ReadyMade):
    """The last maps, each averaged over its places: images are enlarged to 299 pixels as TensorFlow 1 did it."""

    @property
    def recipe(self) -> dict[str, Any]:
        return {
            "network": "inception-v3-compat of torch-fidelity",
            "weights_sha256_begins": WEIGHTS_SHA256,
            "maps": str(WIDTH),
        }

    @torch.no_grad()
    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, 2048]."""
        shown = torch.from_numpy(images).permute(0, 3, 1, 2).to(next(self.network.buffers()).device)
        (made,) = self.network(shown)
        result: Tensor = made
        return result.cpu()


def load_inception(file: Path) -> InceptionFeatures:
    """The network with the weights in torch-fidelity's file.

    Raises:
        SettingsError: the package is not installed, the file is not there, or not that one.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # optional
    except ImportError as error:
        raise SettingsError(f"features {NAME} need torch-fidelity: pip install 'torch-fidelity>=0.4'") from error
    instead = "give weights-inception-2015-12-05-6726825d.pth of github.com/toshas/torch-fidelity, release v0.2.0"
    weights = read_weights(file, WEIGHTS_SHA256, MOST_BYTES, NAME, instead)
    # torch-fidelity would run what code is in the file that it is given: it is given what was read without.
    with tempfile.TemporaryDirectory(prefix="dcgan-dist-") as folder:
        plain = Path(folder) / "weights.pth"
        torch.save(weights, plain)
        network = FeatureExtractorInceptionV3(NAME, [str(WIDTH)], feature_extractor_weights_path=str(plain))
    return InceptionFeatures(network.eval().requires_grad_(False))
