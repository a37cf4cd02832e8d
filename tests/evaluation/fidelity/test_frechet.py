"""The Fréchet distance, against its definition, against torch-fidelity's code, and its error against draws."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from dcgan_dist.evaluation.fidelity.frechet import Moments, frechet

WIDTH = 12


def normal(number: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(99))
    return scale * torch.randn(number, WIDTH, generator=random) @ mix + shift


def moments(features: torch.Tensor) -> Moments:
    return Moments.zero(features.shape[1]).add(features)


def test_it_is_what_its_definition_says_and_what_torch_fidelity_finds() -> None:
    samples, images = normal(300, 1, 1.3, 0.7).relu(), normal(250, 2).relu()
    found = frechet(moments(samples), moments(images), samples).value
    (m, c), (w, s) = ((one.mean(0), np.cov(one, rowvar=False)) for one in (samples.double(), images.double()))
    by_definition = ((m - w) ** 2).sum().item() + np.trace(c + s - 2 * sqrtm(c @ s).real)
    assert found == pytest.approx(by_definition, rel=1e-9)
    theirs = fid_statistics_to_metric(*map(fid_features_to_statistics, (samples, images)), False)[KEY_METRIC_FID]
    assert found == pytest.approx(theirs, rel=1e-3)
    assert found > 20


def test_of_distributions_that_are_known_it_is_the_known_one() -> None:
    """Diagonal: the sum of squared differences of means and of deviations."""
    apart = Moments(3, 3 * torch.tensor([1.0, 2.0], dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64))
    apart.outer.copy_(2 * torch.diag(torch.tensor([4.0, 9.0])) + 3 * torch.outer(apart.mean, apart.mean))
    still = Moments(3, torch.zeros(2, dtype=torch.float64), 2 * torch.diag(torch.tensor([1.0, 16.0])).double())
    found = frechet(apart, still, torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
    assert found.value == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 4) ** 2)


def test_numbers_that_are_always_the_same_do_not_matter() -> None:
    samples, images = normal(200, 3), normal(200, 4, 0.8)
    alone = frechet(moments(samples), moments(images), samples)
    dead = torch.full((200, 3), 2.5)
    with_dead = [torch.cat([one, dead], 1) for one in (samples, images)]
    found = frechet(moments(with_dead[0]), moments(with_dead[1]), with_dead[0])
    assert found.value == pytest.approx(alone.value, rel=1e-6)
    assert found.error == pytest.approx(alone.error, rel=1e-6)


def test_sums_of_parts_are_those_of_the_whole() -> None:
    samples = normal(500, 5)
    parts = moments(samples[:123]) + moments(samples[123:])
    whole = moments(samples)
    assert parts.count == 500
    torch.testing.assert_close(parts.covariance, whole.covariance, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(whole.covariance, torch.cov(samples.double().T), rtol=1e-10, atol=1e-10)
    assert frechet(whole, whole, samples).value == pytest.approx(0, abs=1e-6)


def test_its_error_is_the_spread_of_many_draws() -> None:
    images = moments(normal(2_000, 6).relu())
    for scale in (1.0, 1.2):  # for samples as good as images the first order of the error does not vanish either
        draws = [normal(800, 100 + seed, scale).relu() for seed in range(60)]
        found = [frechet(moments(one), images, one) for one in draws]
        spread = np.std([one.value for one in found], ddof=1)
        assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.3)


def test_its_error_is_that_of_all_samples_also_from_the_influence_of_some() -> None:
    samples, images = normal(6_000, 7).relu(), moments(normal(2_000, 8).relu())
    whole = frechet(moments(samples), images, samples)
    found = frechet(moments(samples), images, samples[:1_500])
    assert found.value == whole.value
    assert found.error == pytest.approx(whole.error, rel=0.15)
