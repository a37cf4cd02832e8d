"""Shapes in fractions of the side, the light over them, and the choice of colors that can be told apart."""

import numpy as np
import pytest

from dcgan_dist.data.scenes.canvas import Canvas, distance, grid, mix, pick, shade

RED, GREEN, BLACK, WHITE = (200, 0, 0), (0, 200, 0), (0, 0, 0), (255, 255, 255)


def _plain(size, level=1.0):
    return np.full((size, size, 3), level, dtype=np.float32)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_shape_covers_the_same_part_at_every_size(size):
    canvas = Canvas(size, BLACK)
    canvas.polygon([(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)], RED)
    # The outline's last canvas pixel belongs to the shape: half a side of it more than a quarter of the picture.
    assert canvas.picture(_plain(size))[..., 0].mean() / 200 == pytest.approx(0.25, abs=0.5 / size)


def test_edges_are_smooth():
    canvas = Canvas(32, BLACK)
    canvas.ellipse((0.2, 0.2, 0.8, 0.8), WHITE)
    levels = np.unique(canvas.picture(_plain(32)))
    assert len(levels) > 6


def test_shapes_may_lie_outside():
    canvas = Canvas(16, GREEN)
    canvas.polygon([(-3.0, -3.0), (4.0, -3.0), (4.0, 4.0), (-3.0, 4.0)], RED)
    assert (canvas.picture(_plain(16)) == RED).all()


def test_light_scales_colors_and_never_wraps_around():
    canvas = Canvas(16, (100, 200, 40))
    assert (canvas.picture(_plain(16, 0.5)) == (50, 100, 20)).all()
    assert (canvas.picture(_plain(16, 2.0)) == (200, 255, 80)).all()


def test_the_grid_runs_over_the_centers_of_pixels():
    x, y = grid(4)
    assert x.ravel().tolist() == y.ravel().tolist() == [0.125, 0.375, 0.625, 0.875]
    assert (x * y).shape == (4, 4, 1)


def test_shade_and_mix_stay_colors():
    assert shade((100, 200, 10), 2.0) == (200, 255, 20)
    assert shade((100, 200, 10), 0.5) == (50, 100, 5)
    assert mix(BLACK, (100, 200, 40), 0.25) == (25, 50, 10)


def test_distance_is_0_for_equal_colors_and_765_from_black_to_white():
    assert distance(RED, RED) == 0
    assert distance(BLACK, WHITE) == pytest.approx(765)
    assert distance(RED, GREEN) == distance(GREEN, RED) > 0


def test_a_picked_color_keeps_its_distance():
    rng = np.random.default_rng(0)
    picked = [pick(rng, [RED, GREEN], [((190, 10, 10), 100)]) for _ in range(50)]
    assert all(distance(color, GREEN) < 30 for color in picked)
    assert len(set(picked)) > 20


def test_the_most_unlike_color_is_picked_where_none_keeps_its_distance():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert distance(pick(rng, [RED, GREEN], [((190, 10, 10), 900)]), GREEN) < 30


def test_every_palette_color_is_picked_when_nothing_speaks_against_it():
    rng = np.random.default_rng(0)
    picked = [pick(rng, [RED, GREEN, WHITE]) for _ in range(60)]
    near = {min((RED, GREEN, WHITE), key=lambda palette, color=color: distance(palette, color)) for color in picked}
    assert near == {RED, GREEN, WHITE}
    assert all(0 <= channel <= 255 for color in picked for channel in color)
