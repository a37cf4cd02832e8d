"""Random views of patches: within what is said of them, and colors against Python's own conversion."""

import colorsys

import numpy as np
import pytest
import torch

from dcgan_dist.data.scenes import draw
from dcgan_dist.evaluation.encoders import distortion
from dcgan_dist.evaluation.encoders.distortion import from_hsv, gradient_energy, principal_colors, to_hsv, views

IMAGES = torch.from_numpy(np.stack([draw("rooms", 24, 3, number).image for number in range(6)]))
ROOMS = IMAGES.permute(0, 3, 1, 2).float() / 255


def test_hue_saturation_and_value_are_those_of_python() -> None:
    some = torch.from_numpy(np.random.default_rng(0).random((1, 3, 5, 7), np.float32))
    some[0, :, 0, 0], some[0, :, 1, 1], some[0, :, 2, 2] = 0, 0.25, torch.tensor([1.0, 0, 0])
    found = to_hsv(some)
    for row in range(5):
        for column in range(7):
            expected = colorsys.rgb_to_hsv(*some[0, :, row, column].tolist())
            assert found[0, :, row, column].tolist() == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(from_hsv(found), some, rtol=0, atol=1e-6)


@pytest.fixture
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Views that differ in nothing."""
    for name in ("SHIFT", "TURN_DEGREES", "OFFSET", "HUE"):
        monkeypatch.setattr(distortion, name, 0.0)
    for name in ("SCALE", "CONTRAST", "POWER", "FACTOR"):
        monkeypatch.setattr(distortion, name, (1.0, 1.0))


@pytest.mark.usefixtures("_unchanged")
def test_a_view_without_distortion_is_the_patch() -> None:
    top, left = 4, 10
    center = torch.tensor([[(2 * left + 12) / 24 - 1, (2 * top + 12) / 24 - 1]]).expand(6, 2)
    found = views(ROOMS, center, 0.5, 12, principal_colors(ROOMS), np.random.default_rng(1))
    torch.testing.assert_close(found, ROOMS[:, :, top : top + 12, left : left + 12], rtol=0, atol=1e-4)


@pytest.mark.usefixtures("_unchanged")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHIFT", 0.2),
        ("TURN_DEGREES", 20.0),
        ("SCALE", (0.7, 0.8)),
        ("CONTRAST", (0.5, 0.6)),
        ("POWER", (0.25, 0.5)),
        ("FACTOR", (0.7, 0.8)),
        ("OFFSET", 0.1),
        ("HUE", 0.1),
    ],
)
def test_each_distortion_changes_a_view(name: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    centers, colors = torch.zeros(6, 2), principal_colors(ROOMS)
    plain = views(ROOMS, centers, 0.5, 12, colors, np.random.default_rng(1))
    monkeypatch.setattr(distortion, name, value)
    found = views(ROOMS, centers, 0.5, 12, colors, np.random.default_rng(1))
    assert ((found - plain).abs().amax((1, 2, 3)) > 0.01).all()
    assert found.min() >= 0
    assert found.max() <= 1
    again = views(ROOMS, centers, 0.5, 12, colors, np.random.default_rng(1))
    assert torch.equal(found, again)


def test_less_contrast_brings_colors_to_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distortion, "CONTRAST", (0.5, 0.5))
    for name in ("SHIFT", "TURN_DEGREES", "OFFSET", "HUE"):
        monkeypatch.setattr(distortion, name, 0.0)
    for name in ("SCALE", "POWER", "FACTOR"):
        monkeypatch.setattr(distortion, name, (1.0, 1.0))
    found = views(ROOMS, torch.zeros(6, 2), 1.0, 24, principal_colors(ROOMS), np.random.default_rng(1))
    mean = ROOMS.mean((2, 3), keepdim=True)
    torch.testing.assert_close(found, mean + (ROOMS - mean) / 2, rtol=0, atol=1e-4)


def test_energy_is_the_mean_squared_gradient_of_each_patch() -> None:
    images = np.random.default_rng(2).integers(0, 256, (2, 7, 7, 3), np.uint8)
    found = gradient_energy(images, 4)
    assert found.shape == (2, 4, 4)
    levels = images[1].astype(float)
    across, down = np.zeros((7, 7)), np.zeros((7, 7))
    across[:, :-1] = ((levels[:, 1:] - levels[:, :-1]) ** 2).sum(2)
    down[:-1] = ((levels[1:] - levels[:-1]) ** 2).sum(2)
    assert found[1, 2, 3] == pytest.approx((across + down)[2:6, 3:7].mean())


@pytest.mark.usefixtures("_unchanged")
def test_distortions_are_as_large_as_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp, number = (torch.arange(48) + 0.5) / 48, 400
    across, down = torch.broadcast_tensors(ramp, ramp[:, None])
    ramps = torch.stack([across, down, torch.full((48, 48), 0.5)]).expand(number, 3, 48, 48)

    def shown(images: torch.Tensor = ramps) -> torch.Tensor:
        return views(images, torch.zeros(number, 2), 0.5, 12, principal_colors(images), np.random.default_rng(4))

    def bounds(values: torch.Tensor) -> tuple[float, float]:
        return values.min().item(), values.max().item()

    def slopes(found: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of red, per side of a view, to the right and down."""
        red = found[:, 0] * 12 / 11
        return (red[:, :, -1] - red[:, :, 0]).mean(1), (red[:, -1] - red[:, 0]).mean(1)

    with monkeypatch.context() as changed:
        changed.setattr(distortion, "SHIFT", 0.15)
        moved = (shown()[:, :2].mean((2, 3)) - 0.5) / 0.5  # sides of a patch
        for direction in moved.T:
            assert bounds(direction) == pytest.approx((-0.15, 0.15), abs=0.005)
    with monkeypatch.context() as changed:
        changed.setattr(distortion, "TURN_DEGREES", 25.0)
        right, below = slopes(shown())
        assert bounds(torch.atan2(below, right).rad2deg()) == pytest.approx((-25, 25), abs=1)
        assert (right.square() + below.square()).sqrt().tolist() == pytest.approx([0.5] * number, abs=1e-3)
        of_green = slopes(shown()[:, 1:])  # no picture is mirrored
        torch.testing.assert_close(torch.stack(of_green), torch.stack([-below, right]), rtol=0, atol=1e-3)
    with monkeypatch.context() as changed:
        changed.setattr(distortion, "SCALE", (0.8, 1.6))
        sizes = slopes(shown())[0] / 0.5
        assert bounds(sizes) == pytest.approx((0.8, 1.6), abs=0.02)
        assert sizes.median().item() == pytest.approx(1.28**0.5, abs=0.06)  # factors are as probable as their inverse
    plain = from_hsv(torch.tensor([0.5, 0.4, 0.6]).view(1, 3, 1, 1)).expand(number, 3, 24, 24)
    for name, value, channel in (("HUE", 0.07, 0), ("OFFSET", 0.08, 1), ("OFFSET", 0.08, 2)):
        with monkeypatch.context() as changed:
            changed.setattr(distortion, name, value)
            off = to_hsv(shown(plain))[:, channel, 6, 6] - (0.5, 0.4, 0.6)[channel]
            assert bounds(off) == pytest.approx((-value, value), abs=0.003)
