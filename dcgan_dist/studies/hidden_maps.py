"""The hidden maps of a generator: what they show for a z, and what is drawn without some of them; no Ray."""

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.model.batchnorm import Statistics, average_of_batches
from dcgan_dist.model.drawing import to_uint8
from dcgan_dist.model.generate import BATCHES, SEED
from dcgan_dist.model.randomness import latents
from dcgan_dist.studies.subject import Subject


@dataclass(frozen=True, eq=False)
class HiddenMaps:
    """A generator that is parted behind one of its rectifiers.

    Attributes:
        head: gives the hidden maps, [n, C, s, s], at least 0, for z.
        tail: gives the images for the maps; its statistics are those of all maps.
        count: C.
        side: s.
        batch_size: of training: of batches whose statistics are used.
        fitting: z of such batches, each [batch_size, latent_size].
    """

    head: nn.Sequential
    tail: nn.Sequential
    count: int
    side: int
    batch_size: int
    fitting: tuple[Tensor, ...]

    @torch.no_grad()
    def see(self, z: Tensor) -> Tensor:
        """float32 [n, latent_size] -> [n, C, s, s]."""
        return torch.cat([self.head(part) for part in torch.split(z, self.batch_size)])

    @torch.no_grad()
    def draw(self, maps: Tensor, tail: nn.Sequential | None = None) -> Pixels:
        """Hidden maps [n, C, s, s] -> uint8 [n, S, S, 3], by the generator's own tail or by that of `without`."""
        return torch.cat([_pixels((tail or self.tail)(part)) for part in torch.split(maps, self.batch_size)]).numpy()

    @torch.no_grad()
    def without(self, dropped: Collection[int]) -> nn.Sequential:
        """What follows the maps, drawing without some of them: these are 0 everywhere.

        Statistics of batch normalization are those that its layers meet then: the published code, which always takes
        those of the batch at hand, does the same.

        Raises:
            ValueError: there is no such map.
        """
        keep = torch.ones(self.count)
        keep[list(dropped)] = 0
        if len(set(dropped)) != int(self.count - keep.sum()):
            raise ValueError(f"dropped is {sorted(dropped)} but needs to be numbers of maps from 0 to {self.count - 1}")
        tail = nn.Sequential(_Drop(keep), *deepcopy(list(self.tail)))
        found = average_of_batches(_met([*self.head, *tail], z) for z in self.fitting)
        layers = [layer for layer in tail if isinstance(layer, nn.BatchNorm2d)]
        if found is not None and layers:
            # The first ones are those of the head, which stay.
            means, variances = (one[-len(layers) :] for one in (found.means, found.variances))
            for layer, mean, variance in zip(layers, means, variances, strict=True):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                layer.running_mean.copy_(mean)
                layer.running_var.copy_(variance)
        return tail.eval()


class _Drop(nn.Module):
    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.register_buffer("keep", keep[:, None, None])

    def forward(self, maps: Tensor) -> Tensor:
        """[n, C, s, s], some of them 0."""
        return maps * self.get_buffer("keep")


def _met(layers: Sequence[nn.Module], x: Tensor) -> Statistics:
    """What each layer of batch normalization is given for a batch, by the statistics of that, as `generate.freeze`."""
    means, variances = [], []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            dims = [dim for dim in range(x.dim()) if dim != 1]
            variance, mean = torch.var_mean(x, dims, correction=0)
            means.append(mean.double())
            variances.append(variance.double())
            x = F.batch_norm(x, None, None, layer.weight, layer.bias, training=True, momentum=0.0, eps=layer.eps)
        else:
            x = layer(x)
    return Statistics(tuple(means), tuple(variances), 1)


def _pixels(images: Tensor) -> Tensor:
    return torch.from_numpy(to_uint8(images))


def hidden_maps(subject: Subject, layer: int) -> HiddenMaps:
    """Part a generator behind one of its rectifiers.

    Args:
        layer: 1 is the last hidden one, whose maps are the largest.

    Raises:
        SettingsError: there is no such layer, or it has no maps; the generator is not made of PyTorch's stock layers.
    """
    network, about = subject.generator.network, subject.about
    layers = list(network) if isinstance(network, nn.Sequential) else []
    # A dense layer, in front of the one whose units become maps, has none.
    unfolded = next((place for place, one in enumerate(layers) if isinstance(one, nn.Unflatten)), 1)
    ends = [place + 1 for place, one in enumerate(layers) if isinstance(one, nn.ReLU) and place + 1 >= unfolded]
    if not ends and any(isinstance(one, nn.ReLU) for one in layers):
        raise SettingsError(
            f"study forget drops maps that rectifiers made, but the generator of {about.run} has none: give a run of "
            "another networks.structure"
        )
    if not ends:
        raise SettingsError(
            f"study forget needs a generator of layers in a nn.Sequential, nn.ReLU among them, but that of {about.run} "
            "is another network"
        )
    if layer > len(ends):
        raise SettingsError(f"layer is {layer}, but the generator of {about.run} has {len(ends)} hidden layers")
    end = ends[-layer]
    if end < len(layers) and isinstance(layers[end], nn.Unflatten):
        end += 1
    head, tail = nn.Sequential(*layers[:end]), nn.Sequential(*layers[end:])
    with torch.no_grad():
        maps = head(latents(about.networks, 1, 0, "maps"))
    fitting = tuple(latents(about.networks, about.batch_size, SEED, "statistics", batch) for batch in range(BATCHES))
    return HiddenMaps(head, tail, maps.shape[1], maps.shape[2], about.batch_size, fitting)
