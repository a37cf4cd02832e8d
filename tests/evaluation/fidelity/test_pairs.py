"""Kernel distance and neighborhoods, against their definitions and torch-fidelity's code, in any number of parts."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from dcgan_dist.evaluation.fidelity import pairs
from dcgan_dist.evaluation.fidelity.measure import SECOND_DRAW
from dcgan_dist.evaluation.fidelity.pairs import (
    Between,
    KernelDistance,
    Within,
    between,
    join_between,
    join_within,
    kernel_distance,
    shares,
    within,
)

KID = {"kid_subsets": 1, "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1.0}


def cloud(number: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return (scale * torch.randn(number, 6, generator=torch.Generator().manual_seed(seed)) + shift).relu()


def found(samples: torch.Tensor, images: torch.Tensor, parts: int = 1) -> tuple[Within, Within, Between]:
    of_samples, of_images = (
        join_within([within(one, part, parts) for part in range(parts)]) for one in (samples, images)
    )
    radii = of_samples.radii, of_images.radii
    return of_samples, of_images, join_between([between(samples, images, *radii, part, parts) for part in range(parts)])


def kernel(samples: torch.Tensor, images: torch.Tensor) -> KernelDistance:
    return kernel_distance(*found(samples, images))


def test_the_kernel_distance_is_what_torch_fidelity_finds() -> None:
    samples, images = cloud(400, 1, 1.4, 0.3), cloud(400, 2)
    theirs = kid_features_to_metric(
        samples, images, kid_subset_size=400, kid_kernel="poly", rng_seed=1, verbose=False, **KID
    )[KEY_METRIC_KID_MEAN]
    assert kernel(samples, images).value == pytest.approx(theirs, rel=1e-3)
    assert theirs > 0.1


def test_precision_and_recall_are_what_torch_fidelity_finds() -> None:
    samples, images = cloud(300, 3, 1.5, 0.4), cloud(350, 4)
    theirs = prc_features_to_metric(samples, images, verbose=False)
    ours = shares(found(samples, images)[2])
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-6)
    assert 0.1 < ours.precision < ours.recall < 1


def test_density_and_coverage_are_what_their_definitions_say() -> None:
    samples, images = cloud(200, 5, 1.5, 0.3), cloud(250, 6)
    own = torch.cdist(images.double(), images.double())
    radii = own.sort(1).values[:, 5]  # the first is the image itself
    inside = torch.cdist(samples.double(), images.double()) <= radii
    ours = shares(found(samples, images)[2])
    assert ours.density == pytest.approx(inside.double().sum().item() / (5 * 200))
    assert ours.coverage == pytest.approx(inside.any(0).double().mean().item())
    assert 0.2 < ours.coverage < 0.95
    assert ours.density < 0.8


def test_what_is_found_is_the_same_to_the_last_bit_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "BLOCK", 32)
    samples, images = cloud(150, 7, 1.2), cloud(90, 8)
    one, three, more = (found(samples, images, parts) for parts in (1, 3, 7))  # 7: some parts have no row of the images
    for whole, other in (*zip(one, three, strict=True), *zip(one, more, strict=True)):
        for field in fields(whole):
            assert torch.equal(getattr(whole, field.name), getattr(other, field.name)), field.name
    assert one[0].rows.tolist() == list(range(150))


def test_sets_that_are_alike_are_at_no_distance_and_images_that_repeat_are_told_by_recall() -> None:
    images = cloud(400, 9)
    values = [kernel(cloud(200, 100 + seed), images).value for seed in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 40**0.5 + kernel(cloud(2_000, 50), images).error
    repeated = shares(found(cloud(8, 10).repeat(25, 1), images)[2])
    assert repeated.precision > 0.5
    assert repeated.recall < 0.05
    assert repeated.coverage < 0.3


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_a_second_draw_lies_in_the_interval(scale: float) -> None:
    """In 95 of 100 cases; of 60 draws each is a second one of each other."""
    images = cloud(500, 11)
    draws = [kernel(cloud(300, 1_000 + seed, scale), images) for seed in range(60)]
    values, errors = (np.array([getattr(one, name) for one in draws]) for name in ("value", "error"))
    inside = np.abs(values[:, None] - values) <= SECOND_DRAW * errors[:, None]
    share = (inside.sum() - 60) / (60 * 59)
    assert 0.9 <= share <= 0.99
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.25)
