"""What the learning check has to reject and to accept, on rooms and on CIFAR-10."""

from typing import Any

import numpy as np
import pytest

from benchmarks import rejects
from benchmarks.judge import (
    RULES,
    Rule,
    Verdict,
    copied,
    coverage,
    fineness,
    judge,
    mean_distance,
    random_features,
    squared_distances,
    thumbnails,
)

NUMBER = 1_000
CLEARLY = 0.5
"""What is rejected has to be twice outside of a bound, and what is accepted well inside."""


def test_images_that_were_held_out_are_accepted(images: Any) -> None:
    verdict = images.reference.judge(images.others)
    assert verdict.accepted
    assert verdict.margin > 1.5


def test_so_are_64_of_them(images: Any) -> None:
    assert images.reference.judge(images.others[:64]).margin > 1.5


def test_pale_and_slightly_noisy_images_are_accepted_since_a_young_generator_draws_such(images: Any) -> None:
    random = np.random.default_rng(0)
    pale = 128 + 0.75 * (images.others.astype(np.float32) - 128)
    poor = (pale + random.normal(0, 5, pale.shape)).clip(0, 255).astype(np.uint8)
    assert images.reference.judge(poor).accepted


def test_uniform_noise_is_rejected(images: Any) -> None:
    verdict = images.reference.judge(rejects.uniform_noise(images.real, NUMBER))
    assert verdict.margin < CLEARLY
    assert {"coverage", "spread", "fineness"} <= set(verdict.failed)


def test_noise_with_the_mean_and_sd_of_every_pixel_is_rejected(images: Any) -> None:
    noise = rejects.gaussian_noise(images.real, NUMBER)
    assert np.abs(noise.mean(0) - images.real.mean(0)).mean() < 10
    verdict = images.reference.judge(noise)
    assert verdict.margin < CLEARLY
    assert {"coverage", "spread", "fineness"} <= set(verdict.failed)


def test_the_mean_image_is_rejected(images: Any) -> None:
    verdict = images.reference.judge(rejects.mean_image(images.real, NUMBER))
    assert verdict.margin < CLEARLY
    assert {"coverage", "spread", "fineness"} <= set(verdict.failed)


def test_an_untrained_generator_is_rejected(images: Any) -> None:
    verdict = images.reference.judge(rejects.untrained(images.networks, NUMBER))
    assert verdict.margin < CLEARLY
    assert {"coverage", "spread"} <= set(verdict.failed)


def test_blurred_training_images_are_rejected(images: Any) -> None:
    verdict = images.reference.judge(rejects.blurred(images.real, NUMBER))
    assert verdict.margin < CLEARLY
    assert set(verdict.failed) == {"fineness", "copied"}


@pytest.mark.parametrize("sd", [0.6, 0.8, 1, 2])
def test_blur_is_seen_even_where_nothing_is_copied(images: Any, sd: float) -> None:
    assert images.reference.judge(rejects.blurred(images.others, NUMBER, sd)).failed == ["fineness"]


def test_64_copies_of_one_image_are_rejected(images: Any) -> None:
    copies = rejects.copies_of_one(images.real)
    assert len(copies) == 64
    assert len(np.unique(copies, axis=0)) == 1
    verdict = images.reference.judge(copies)
    assert verdict.margin < CLEARLY
    assert {"coverage", "spread", "copied"} <= set(verdict.failed)


def test_copies_of_one_image_are_rejected_though_it_is_none_of_the_training_images(images: Any) -> None:
    assert {"coverage", "spread"} <= set(images.reference.judge(rejects.copies_of_one(images.others)).failed)


def test_a_generator_that_draws_the_same_16_images_is_rejected(images: Any) -> None:
    assert images.reference.judge(images.others[np.arange(NUMBER) % 16]).failed == ["coverage"]


def test_a_replay_of_1000_training_images_is_rejected_for_copying_alone(images: Any) -> None:
    replayed = rejects.replay(images.real, NUMBER)
    verdict = images.reference.judge(replayed)
    assert verdict.margin < CLEARLY
    assert verdict.failed == ["copied"]
    assert verdict.measures["copied"] == 1


def test_a_replay_of_training_images_that_were_touched_up_is_rejected(images: Any) -> None:
    touched = rejects.replay(images.real, NUMBER).astype(np.int16) + np.random.default_rng(0).integers(-3, 4, 3)
    assert images.reference.judge(touched.clip(0, 255).astype(np.uint8)).measures["copied"] > 0.9


def test_the_share_that_was_copied_is_told(images: Any) -> None:
    half = np.concatenate([images.others[: NUMBER // 2], images.real[: NUMBER // 2]])
    assert images.reference.judge(half).measures["copied"] == pytest.approx(0.5, abs=0.05)


def test_the_verdict_is_the_same_each_time_and_leaves_its_input_alone(images: Any) -> None:
    real, held_out, others = images.real[:500].copy(), images.held_out[:200].copy(), images.others[:200].copy()
    first = judge(others, real, held_out)
    assert judge(others, real, held_out) == first
    assert (others == images.others[:200]).all()
    assert (real == images.real[:500]).all()


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros((63, 32, 32, 3), np.uint8), "samples has 63 images but needs at least 64"),
        (np.zeros((64, 16, 16, 3), np.uint8), "needs to be uint8 .*32, 32, 3"),
        (np.zeros((64, 32, 32, 3), np.float32), "samples is float32"),
    ],
)
def test_what_cannot_be_judged_is_refused(samples: Any, said: str) -> None:
    real = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=said):
        judge(samples, real, real)


def test_equal_distributions_cover_all_but_one_in_32() -> None:
    rows = np.random.default_rng(0).standard_normal((2, 1_500, 8), dtype=np.float32)
    assert coverage(rows[0], rows[1]) == pytest.approx(1 - 2**-5, abs=0.015)


def test_only_the_part_of_the_data_that_has_samples_near_is_covered() -> None:
    real = np.random.default_rng(0).standard_normal((1_000, 8), dtype=np.float32)
    real[250:] += 100
    assert coverage(np.random.default_rng(1).standard_normal((1_000, 8), dtype=np.float32), real) == pytest.approx(
        0.25, abs=0.01
    )


def test_the_mean_distance_is_that_of_all_pairs() -> None:
    assert mean_distance(np.array([[0, 0], [3, 4], [0, 0]], np.float32)) == pytest.approx(10 / 3)


def test_squared_distances_are_those_of_the_definition() -> None:
    a, b = (np.random.default_rng(seed).standard_normal((5, 4)).astype(np.float32) for seed in (0, 1))
    np.testing.assert_allclose(squared_distances(a, b), ((a[:, None].astype(np.float64) - b) ** 2).sum(2), rtol=1e-5)


def test_fineness_does_not_depend_on_contrast_or_brightness() -> None:
    steps = np.random.default_rng(0).integers(0, 60, (64, 32, 32, 3), dtype=np.uint8)
    assert fineness(steps * 4 + np.uint8(9)) == pytest.approx(fineness(steps), rel=1e-4)


def test_fineness_of_white_noise_is_that_of_the_laplacian() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    assert fineness(noise) == pytest.approx(4**2 + 4 * 1, rel=0.02)


def test_images_of_one_color_have_no_fineness() -> None:
    assert fineness(np.full((64, 32, 32, 3), 7, np.uint8)) == 0


def test_a_sample_is_copied_where_a_training_image_is_closer_than_half_the_way_to_a_held_out_one() -> None:
    samples = np.array([[0.0], [0.0], [10.0]], np.float32)
    held_out = np.array([[1.0], [12.0]], np.float32)
    assert copied(samples, np.array([[0.4]], np.float32), held_out) == pytest.approx(2 / 3)
    assert copied(samples, np.array([[0.6], [8.0]], np.float32), held_out) == 0


def test_thumbnails_are_averages() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    average = image.reshape(8, 4, 8, 4, 3).mean((1, 3)) / 127.5 - 1
    np.testing.assert_allclose(thumbnails(image), average.transpose(2, 0, 1).reshape(1, -1), atol=1e-5)


def test_random_features_have_the_documented_shape_and_do_not_depend_on_what_else_is_in_the_batch() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    features = random_features(images)
    assert features.shape == (300, 256 * 4 * 4)
    assert features.dtype == np.float32
    np.testing.assert_allclose(random_features(images[260:]), features[260:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("value", "margin"), [(1, 2), (0.25, 0.5), (4, 0.5), (0, 0.002)])
def test_a_margin_is_a_factor_inside_the_nearer_bound(value: float, margin: float) -> None:
    rule = Rule("name", "meaning", "reason", at_least=0.5, at_most=2)
    assert rule.margin(value, resolution=0.001) == pytest.approx(margin)


def test_one_measure_outside_its_bounds_is_enough_to_reject() -> None:
    inside = {rule.name: 3.0 for rule in RULES}
    assert Verdict(inside, inside).accepted
    for name in inside:
        verdict = Verdict(inside, inside | {name: 0.9})
        assert not verdict.accepted
        assert verdict.failed == [name]
