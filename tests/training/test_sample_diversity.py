"""Measures of samples, against what can be said of them without computing."""

import math

import pytest
import torch

from dcgan_dist.training.sample_diversity import drift, spread


def images(seed: int, n: int = 200) -> torch.Tensor:
    return torch.randn((n, 3, 8, 8), generator=torch.Generator().manual_seed(seed)) * 0.5


def test_spread_is_the_deviation_from_the_mean_image() -> None:
    assert spread(images(0) + torch.linspace(-1, 1, 8)) == pytest.approx(0.5, rel=0.01)
    assert spread(images(0)[:1].expand(5, -1, -1, -1)) == 0


def test_drift_is_1_between_unrelated_images_and_0_without_a_change() -> None:
    before, after = images(0), images(1)
    assert drift(after, before) == pytest.approx(1, rel=0.02)
    assert drift(before, before) == 0
    assert drift(before + 0.05, before) == pytest.approx(0.05 / 0.5 / math.sqrt(2), rel=0.02)


def test_one_picture_many_times_has_no_drift_to_speak_of() -> None:
    one = images(0)[:1].expand(4, -1, -1, -1)
    assert drift(one, one) == 0
