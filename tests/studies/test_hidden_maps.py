"""A generator that is parted at its hidden maps, and drawn without some of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dcgan_dist.errors import SettingsError
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.model.generate import About, FrozenGenerator, freeze
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies.hidden_maps import hidden_maps
from dcgan_dist.studies.subject import Subject

NETWORKS = NetworkSettings(image_size=32, generator_maps=4, discriminator_maps=4, latent_size=10)


def subject(network: nn.Module | None = None) -> Subject:
    generator = Generator(NETWORKS)
    initialize(generator, 7)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(8)
    about = About("mine", "000000000640", 640, "raw", NETWORKS, 16, "fixed statistics")
    return Subject(FrozenGenerator(network or freeze(generator, NETWORKS, 16), about), None, Place("/nowhere"))


@pytest.mark.parametrize(("layer", "count", "side"), [(1, 4, 16), (2, 8, 8), (3, 16, 4)])
def test_layers_are_counted_from_the_image(layer: int, count: int, side: int) -> None:
    mine = subject()
    hidden = hidden_maps(mine, layer)
    z = mine.generator.latents(40, 3)
    maps = hidden.see(z)
    assert (hidden.count, hidden.side) == (count, side)
    assert maps.shape == (40, count, side, side)
    assert float(maps.min()) == 0
    samples = np.concatenate(list(mine.generator.draw(40, 3)))
    # Kernels round differently in the last batch, which is smaller.
    assert np.abs(hidden.draw(maps).astype(int) - samples).max() <= 1


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_without_no_map_the_generator_draws_as_before(layer: int) -> None:
    mine = subject()
    hidden = hidden_maps(mine, layer)
    maps = hidden.see(mine.generator.latents(32, 4))
    assert np.abs(hidden.draw(maps, hidden.without([])).astype(int) - hidden.draw(maps)).max() <= 1


def test_a_dropped_map_is_nowhere_and_others_are_normalized_anew() -> None:
    mine = subject()
    hidden = hidden_maps(mine, 2)
    before = [value.clone() for value in hidden.tail.state_dict().values()]
    z = mine.generator.latents(32, 4)
    maps, tail = hidden.see(z), hidden.without([1, 6])
    changed = maps.clone()
    changed[:, [1, 6]] += 3
    assert np.array_equal(hidden.draw(maps, tail), hidden.draw(changed, tail))
    assert not np.array_equal(hidden.draw(maps, tail), hidden.draw(maps))
    # What the next layer of batch normalization gives has about its gain and shift again.
    seen = torch.cat([tail[:3](hidden.see(part)) for part in hidden.fitting])
    norm = tail[2]
    assert isinstance(norm, nn.BatchNorm2d)
    assert torch.allclose(seen.mean((0, 2, 3)), norm.bias, atol=0.1 * float(norm.weight.abs().mean()))
    assert torch.allclose(seen.std((0, 2, 3)), norm.weight.abs(), rtol=0.1)
    assert all(torch.equal(one, other) for one, other in zip(before, hidden.tail.state_dict().values(), strict=True))


@pytest.mark.parametrize("dropped", [[8], [-1, 7], [2, 2]])
def test_maps_that_are_not_there_or_twice_are_refused(dropped: list[int]) -> None:
    hidden = hidden_maps(subject(), 2)
    if dropped == [2, 2]:
        assert hidden.without(dropped) is not None
    else:
        with pytest.raises((ValueError, IndexError)):
            hidden.without(dropped)


def test_layers_that_are_not_there_are_refused() -> None:
    with pytest.raises(SettingsError, match="layer is 4, but the generator of mine has 3 hidden layers"):
        hidden_maps(subject(), 4)
    other = subject(nn.Sequential(nn.Linear(10, 4), nn.Tanh()))
    with pytest.raises(SettingsError, match=r"nn\.ReLU among them, but that of mine is another network"):
        hidden_maps(replace(other), 1)
    dense = subject(nn.Sequential(nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 12), nn.Unflatten(1, (3, 2, 2))))
    with pytest.raises(SettingsError, match="the generator of mine has none"):
        hidden_maps(dense, 1)


def test_a_dense_layer_has_no_maps() -> None:
    networks = replace(NETWORKS, dense_units=6)
    generator = Generator(networks)
    initialize(generator, 7)
    about = About("mine", "000000000640", 640, "raw", networks, 16, "fixed statistics")
    mine = Subject(FrozenGenerator(freeze(generator, networks, 16), about), None, Place("/nowhere"))
    assert hidden_maps(mine, 3).side == 4
    with pytest.raises(SettingsError, match="layer is 4, but the generator of mine has 3 hidden layers"):
        hidden_maps(mine, 4)
