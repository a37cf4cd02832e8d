"""A generator whose pictures follow z exactly, and a judge that reads them: what studies should find is known."""

from typing import Any

import torch
from torch import Tensor, nn

from dcgan_dist.model.generate import About, FrozenGenerator
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.faces import FaceJudge
from dcgan_dist.studies.judges.store import Judged
from dcgan_dist.studies.subject import Subject

LATENTS = 7
NETWORKS = NetworkSettings(image_size=32, generator_maps=4, discriminator_maps=4, latent_size=LATENTS)
SCALE = 4
"""Of z, by which pictures divide it: sums of three z are no brighter than white."""
TESTED = {"scenes": 3, "right": {"smile": 0.75}}


class Colors(nn.Sequential):
    """Red, green and blue are the first three components of z, whatever the layers compute."""

    def forward(self, z: Tensor) -> Tensor:
        return z[:, :3, None, None].expand(-1, 3, 32, 32) / SCALE


class Reader(nn.Module):
    """Looks to the right by red; smiles where green is above 0, and has glasses where blue is; long hair as the smile,
    never bald; of the second color of skin where green is above 0, of the third color of hair where blue is."""

    def forward(self, x: Tensor) -> Tensor:
        red, green, blue = x.mean((2, 3)).T
        no, zero = torch.full_like(red, -1.0), torch.zeros_like(red)
        skin, hair = [zero, green, no, no, no], [zero, no, blue, no, no, no]
        return torch.stack([red, green, blue, green, no, *skin, *hair], 1)


def subject() -> Subject:
    """The generator, as a run that is no run."""
    network = Colors(nn.Linear(LATENTS, 20, bias=False), nn.ReLU())
    with torch.no_grad():
        network[0].weight.zero_()
        # The first layer follows red most, then the last component, which no picture shows.
        network[0].weight[0, 0], network[0].weight[1, LATENTS - 1] = 3, 2
    about = About("mine", "000000000640", 640, "raw", NETWORKS, 32, "fixed statistics")
    return Subject(FrozenGenerator(network, about), None, Place("/nowhere"))


def judged(tested: dict[str, Any] = TESTED) -> Judged:
    """The judge."""
    return Judged(FaceJudge(Reader().eval()), tested)
