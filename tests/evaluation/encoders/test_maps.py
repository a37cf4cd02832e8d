"""Features of a discriminator: the published numbers, a definition written here, and statistics from several parts."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from dcgan_dist.evaluation.encoders.maps import batch_statistics, features, to_float, widths
from dcgan_dist.model.batchnorm import Statistics, average
from dcgan_dist.model.dcgan import Discriminator, initialize
from dcgan_dist.model.published_weights import load_published
from dcgan_dist.settings import NetworkSettings


def discriminator(**settings: object) -> Discriminator:
    networks = NetworkSettings(**({"image_size": 16, "discriminator_maps": 3} | settings))  # type: ignore[arg-type]
    network = Discriminator(networks)
    initialize(network, seed=1)
    return network.double()


def images(number: int, seed: int = 0, side: int = 16) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(number, 3, side, side, generator=random, dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_published_discriminators_give_the_published_features(published: Path, dtype: torch.dtype) -> None:
    with np.load(published / "expected.npz", allow_pickle=False) as archive:
        expected = dict(archive)
    networks, x = load_published(published), torch.from_numpy(expected["x"]).to(dtype)
    for network, batch, name, limit in (
        (networks.svhn_discriminator.to(dtype), x, "svhn_d_feat", 1e-5),
        (networks.imagenet_discriminator.to(dtype), x[expected["imagenet_x_index"]], "imagenet_d_feat4", 5e-6),
    ):
        found = features(network, batch_statistics(network, batch), batch)
        assert found.shape == expected[name].shape
        assert np.abs(found.double().numpy() - expected[name]).max() <= limit


def test_features_are_those_of_the_definition() -> None:
    network, x = discriminator(), images(6)
    statistics = batch_statistics(network, images(9, seed=1))
    found = features(network, statistics, x)
    wanted, maps, fixed = [], x, iter(zip(statistics.means, statistics.variances, strict=True))
    for layer in network.layers:
        maps = F.conv2d(maps, layer.linear.weight, stride=2, padding=2)
        if layer.norm is not None:
            mean, variance = (values[:, None, None] for values in next(fixed))
            gain, shift = layer.norm.weight[:, None, None], layer.norm.bias[:, None, None]
            maps = (maps - mean) / torch.sqrt(variance + 1e-8) * gain + shift
        maps = torch.where(maps > 0, maps, 0.2 * maps)
        cell = maps.shape[-1] // 4
        wanted.append(maps.reshape(6, -1, 4, cell, 4, cell).amax((3, 5)).reshape(6, -1))
    assert found.shape == (6, 16 * sum(widths(network))) == (6, 16 * (3 + 6))
    torch.testing.assert_close(found, torch.cat(wanted, 1), rtol=0, atol=1e-12)


def test_every_batch_counts_the_same_and_variances_are_biased() -> None:
    network = discriminator()
    large, small = images(40, seed=2), images(4, seed=3)
    found = average([batch_statistics(network, batch) for batch in (large, small)])
    first = [F.leaky_relu(network.layers[0].linear(batch), 0.2) for batch in (large, small)]
    before = [network.layers[1].linear(maps) for maps in first]
    mean = (before[0].mean((0, 2, 3)) + before[1].mean((0, 2, 3))) / 2
    variance = (before[0].var((0, 2, 3), correction=0) + before[1].var((0, 2, 3), correction=0)) / 2
    torch.testing.assert_close(found.means[0], mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.variances[0], variance, rtol=0, atol=1e-12)


def test_parts_together_have_the_statistics_of_all_batches() -> None:
    network = discriminator(structure="3x3")
    batches = [batch_statistics(network, images(8, seed)) for seed in range(5)]
    whole, parts = average(batches), average([average(batches[:1]), average(batches[1:])])
    assert whole.batches == parts.batches == 5
    for one, other in zip(whole.means + whole.variances, parts.means + parts.variances, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_features_of_an_image_do_not_depend_on_its_batch() -> None:
    network, x = discriminator(), images(6)
    statistics = batch_statistics(network, x)
    alone = torch.cat([features(network, statistics, image[None]) for image in x])
    torch.testing.assert_close(alone, features(network, statistics, x), rtol=0, atol=1e-12)


def test_networks_without_batch_normalization_have_features_too() -> None:
    network = discriminator(batchnorm="nowhere")
    statistics = batch_statistics(network, images(4))
    assert statistics == Statistics((), (), 1)
    assert features(network, statistics, images(2)).shape == (2, 144)


def test_networks_that_know_classes_are_told_none_and_maps_of_7_x_7_are_pooled_to_4_x_4() -> None:
    """Cells of 7 x 7 and 14 x 14 maps overlap: each has all rows and columns of which it has a part."""
    network = discriminator(
        image_size=28, channels=1, classes=4, dense_units=6, output="sigmoid", batchnorm_gain=False, latent_size=3
    )
    x = images(6, side=28)[:, :1]
    statistics = batch_statistics(network, x)
    found = features(network, statistics, x)
    first = F.leaky_relu(F.conv2d((x + 1) / 2, network.layers[0].linear.weight[:, :1], stride=2, padding=2), 0.2)
    second = F.conv2d(first, network.layers[1].linear.weight[:, :3], stride=2, padding=2)
    mean, variance = (values[:, None, None] for values in (statistics.means[0], statistics.variances[0]))
    second = F.leaky_relu((second - mean) / torch.sqrt(variance + 1e-8), 0.2)
    wanted = []
    for maps, edges in (
        (first, [(0, 4), (3, 7), (7, 11), (10, 14)]),
        (second, [(0, 2), (1, 4), (3, 6), (5, 7)]),
    ):
        cells = [[maps[:, :, top:end, left:right].amax((2, 3)) for left, right in edges] for top, end in edges]
        wanted.append(torch.stack([torch.stack(row, -1) for row in cells], -2).flatten(1))
    torch.testing.assert_close(found, torch.cat(wanted, 1), rtol=0, atol=1e-12)


def test_colors_become_shades_of_gray_where_networks_take_these() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8)
    found = to_float(levels, torch.device("cpu"), 1)
    expected = [np.asarray(Image.fromarray(picture).convert("L")) for picture in levels]
    assert torch.equal(found[:, 0], torch.from_numpy(np.stack(expected)).float() / 127.5 - 1)


def test_levels_become_numbers_from_minus_one_to_one() -> None:
    levels = np.zeros((1, 2, 2, 3), np.uint8)
    levels[0, 0, 1] = 255
    found = to_float(levels, torch.device("cpu"))
    assert found.shape == (1, 3, 2, 2)
    assert found[0, :, 0, 1].tolist() == [1, 1, 1]
    assert found[0, :, 1, 1].tolist() == [-1, -1, -1]
