import numpy as np
import torch

from dcgan_dist.model.drawing import interpolate, to_uint8


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
