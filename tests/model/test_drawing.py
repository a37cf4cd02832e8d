from dataclasses import replace

import numpy as np
import pytest
import torch

from dcgan_dist.model.drawing import class_rows, grid_inputs, interpolate, to_uint8
from dcgan_dist.model.randomness import latents
from dcgan_dist.settings import NetworkSettings


def test_pixels_span_all_levels_and_stay_in_range() -> None:
    x = torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5]).reshape(5, 1, 1, 1).expand(5, 3, 1, 1)
    assert to_uint8(x)[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]


def test_every_level_survives_the_way_to_the_network_and_back() -> None:
    levels = torch.arange(256).reshape(256, 1, 1, 1).expand(256, 3, 1, 1)
    assert np.array_equal(to_uint8(levels / 127.5 - 1)[:, 0, 0, 0], np.arange(256))


def test_channels_come_last() -> None:
    x = torch.full((1, 3, 2, 4), -1.0)
    x[0, 2, 1, 3] = 1
    pixels = to_uint8(x)
    assert pixels.shape == (1, 2, 4, 3)
    assert np.argwhere(pixels == 255).tolist() == [[0, 1, 3, 2]]


def test_a_walk_is_an_open_path_of_even_steps_through_all_points() -> None:
    points = torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 8.0]])
    path = interpolate(points, 9)
    assert path.tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [4, 2], [4, 4], [4, 6], [4, 8]]


def test_the_walk_of_the_paper_has_9_points_and_100_images() -> None:
    points = torch.randn(9, 100, generator=torch.Generator().manual_seed(0))
    path = interpolate(points, 100)
    assert path.shape == (100, 100)
    assert torch.equal(path[0], points[0])
    assert torch.equal(path[-1], points[-1])
    steps = (path[1:] - path[:-1]).norm(dim=1)
    assert steps.max() < (points[1:] - points[:-1]).norm(dim=1).max() / 12


def test_shades_of_gray_are_in_all_three_channels() -> None:
    x = torch.linspace(-1, 1, 12).reshape(1, 1, 3, 4)
    pixels = to_uint8(x)
    assert pixels.shape == (1, 3, 4, 3)
    assert (pixels == to_uint8(x.expand(1, 3, 3, 4))).all()


@pytest.mark.parametrize(
    ("classes", "number", "shown", "columns"),
    [
        (10, 64, list(range(10)), 6),
        (8, 64, list(range(8)), 8),
        (3, 2, [0], 2),
        (1_000, 20, [0, 250, 500, 749, 999], 4),
        (2, 9, [0, 1], 4),
    ],
)
def test_a_grid_shows_a_class_a_row(classes: int, number: int, shown: list[int], columns: int) -> None:
    labels, found = class_rows(classes, number)
    assert found == columns
    assert labels.reshape(-1, columns).tolist() == [[label] * columns for label in shown]


def test_each_column_of_a_grid_shows_one_z() -> None:
    networks = NetworkSettings(classes=5, latent_size=3)
    z, labels, columns = grid_inputs(networks, 24, 7, "some")
    assert (columns, labels is not None and len(labels)) == (4, 20)
    assert torch.equal(z.reshape(5, 4, 3), latents(networks, 4, 7, "some").expand(5, 4, 3))
    z, labels, columns = grid_inputs(replace(networks, classes=0), 24, 7, "some")
    assert (len(z), labels, columns) == (24, None, None)
