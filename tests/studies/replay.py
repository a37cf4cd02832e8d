"""A generator that has learned nothing but to replay images."""

import torch
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings


class Replay(nn.Module):
    """Shows the image whose place in the latent space is nearest to z, and halfway between two places both at once.

    Attributes:
        images: float32 [n, 3 * S * S], in [-1, 1].
        places: float32 [n, latent_size].
        sharpness: of the change from one image to the next.
    """

    def __init__(self, images: Pixels, networks: NetworkSettings, sharpness: float) -> None:
        super().__init__()
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).float().flatten(1) / 127.5 - 1
        self.places = latents(networks, len(images), 8, "places")
        self.sharpness = sharpness
        self.size = images.shape[1]
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, z: Tensor) -> Tensor:
        nearness = torch.softmax(-self.sharpness * torch.cdist(z, self.places).square(), 1)
        return (nearness @ self.images).view(-1, 3, self.size, self.size)
