"""K-means in layers against definitions written here, and in parts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dcgan_dist.arrays import Pixels
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.encoders import kmeans, kmeans_layers
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures
from dcgan_dist.evaluation.encoders.kmeans_layers import (
    FIELDS,
    THRESHOLD,
    Layer,
    LayeredKMeans,
    directions,
    learn,
    least_side,
    similarity,
)
from dcgan_dist.evaluation.probe import load, probe
from dcgan_dist.evaluation.task import Task

CENTROIDS = 24


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "PATCHES", 3_000)
    monkeypatch.setattr(kmeans, "ITERATIONS", 5)
    monkeypatch.setattr(kmeans_layers, "WINDOWS", 700)
    monkeypatch.setattr(kmeans_layers, "ITERATIONS", 4)


@pytest.fixture
def images() -> Pixels:
    """Two and a half batches, large enough for three layers."""
    coarse = np.random.default_rng(3).integers(0, 256, (300, 13, 13, 3))
    return coarse.repeat(2, 1).repeat(2, 2).astype(np.uint8)


def batches(images: Pixels) -> list[Pixels]:
    return [images[i : i + 128] for i in range(0, len(images), 128)]


def fitted(images: Pixels, layers: int) -> LayeredKMeans:
    made = LayeredKMeans(KMeansFeatures(CENTROIDS, len(images)), layers)
    return fit(made, lambda encoder: [encoder.gather(batches(images))])


def test_similarity_is_the_correlation_of_squares_of_each_whitened_pair() -> None:
    random = np.random.default_rng(0)
    scale = random.gamma(1, 1, (4_000, 1))
    maps = np.concatenate([scale * random.normal(size=(4_000, 3)), random.gamma(0.3, 1, (4_000, 2))], 1)
    maps[:, 4] += 0.6 * maps[:, 0]
    maps = (maps - maps.mean(0)) / maps.std(0)
    found = similarity(torch.from_numpy(maps).float()).numpy()
    for one in range(5):
        for other in range(5):
            if one == other:
                assert np.isposinf(found[one, other])
                continue
            pair = maps[:, [one, other]]
            values, vectors = np.linalg.eigh(pair.T @ pair / len(pair))
            a, b = (pair @ vectors @ np.diag(values**-0.5) @ vectors.T).T
            wanted = (a**2 * b**2).mean() - 1
            wanted /= np.sqrt(((a**4).mean() - 1) * ((b**4).mean() - 1))
            assert found[one, other] == pytest.approx(wanted, abs=1e-5)
    assert found[0, 1] > 0.2 > 0.05 > abs(found[0, 3]), "the first three share their scale, the others do not"


def test_constant_maps_and_maps_of_two_values_are_like_no_other() -> None:
    maps = torch.randn(500, 4, generator=torch.Generator().manual_seed(1))
    maps[:, 1] = 0
    maps[:, 2] = maps[:, 2].sign()
    found = similarity((maps - maps.mean(0)) / maps.std(0).clamp(min=1e-9))
    assert not found.isnan().any()
    for number in (1, 2):
        others = torch.arange(4) != number
        assert (found[number, others].abs() < 0.1).all()
    assert (found[1, [0, 2, 3]] == 0).all()


def test_equal_maps_are_no_defect() -> None:
    maps = torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    maps[:, 2] = maps[:, 0]
    assert not similarity((maps - maps.mean(0)) / maps.std(0)).isnan().any()


def test_fields_take_the_maps_that_vary_together() -> None:
    """Four groups of eight maps, each with a scale of its own."""
    generator = torch.Generator().manual_seed(2)
    scales = torch.rand(3_000, 1, 1, 4, generator=generator).repeat_interleave(8, 3) * 3
    windows = scales * torch.randn(3_000, 2, 2, 32, generator=generator)
    for field in learn(windows, 8, depth=0).fields:
        assert sorted(field.tolist()) == list(range(int(field[0]) // 8 * 8, int(field[0]) // 8 * 8 + 8))


def test_directions_are_found_up_to_their_sign() -> None:
    random = np.random.default_rng(4)
    wanted = np.linalg.qr(random.normal(size=(6, 3)))[0].T
    points = wanted[random.integers(0, 3, 900)] * random.normal(0, 3, (900, 1)) + random.normal(0, 0.05, (900, 6))
    start = torch.from_numpy(wanted.T + random.normal(0, 0.2, (6, 3))).float()
    found = directions(torch.from_numpy(points).float(), 7 * start)
    assert found.norm(dim=0).numpy() == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.abs(found.numpy().T @ wanted.T) == pytest.approx(np.eye(3), abs=0.02)


def test_a_direction_to_which_no_point_belongs_stays() -> None:
    start = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    found = directions(torch.tensor([[5.0, 0.1], [-4.0, 0.1]]), start)
    assert found[:, 1].tolist() == [0, 1]
    assert found[:, 0].numpy() == pytest.approx(np.array([5**2 + 4**2, 0.1]) / np.hypot(41, 0.1), abs=1e-3)


def test_a_learned_layer_is_whitened_windows_along_directions_above_the_threshold() -> None:
    windows = torch.rand(600, 2, 2, 32, generator=torch.Generator().manual_seed(5)) ** 3 * 40
    layer = learn(windows, 4, depth=1)
    found = layer.maps(windows)
    assert found.shape == (600, 1, 1, 4 * FIELDS)
    scaled = ((windows - windows.mean((0, 1, 2))) / windows.std((0, 1, 2))).double()
    for number, field in enumerate(layer.fields):
        rows = scaled[..., field].flatten(1)
        values, vectors = torch.linalg.eigh(torch.cov(rows.T))
        whitening = vectors @ torch.diag((values + 0.1) ** -0.5) @ vectors.T
        white = (rows - rows.mean(0)) @ whitening
        deviations = windows.std((0, 1, 2))[field].repeat(4).double()
        along = torch.linalg.solve(whitening, deviations[:, None] * layer.filters[number].double())
        assert along.norm(dim=0).numpy() == pytest.approx([1] * 4, abs=1e-3)
        wanted = ((white @ along).abs() - THRESHOLD).clamp(min=0)
        torch.testing.assert_close(found[:, 0, 0, 4 * number : 4 * number + 4].double(), wanted, rtol=1e-3, atol=1e-3)


def test_a_map_that_is_always_0_does_not_harm() -> None:
    windows = torch.rand(200, 2, 2, 32, generator=torch.Generator().manual_seed(6))
    windows[..., 3:20] = 0
    assert torch.isfinite(learn(windows, 8, depth=0).maps(windows)).all()


def test_windows_of_maps_are_their_four_places_in_order() -> None:
    below = torch.arange(2 * 3 * 3 * 2.0).reshape(2, 3, 3, 2) - 17
    layer = Layer(torch.tensor([[1]]), torch.tensor([[[1.0], [100.0], [0.1], [0.01]]]), torch.tensor([[2.0]]))
    found = layer.maps(below)
    assert found.shape == (2, 2, 2, 1)
    x = below[..., 1]
    wanted = x[:, :2, :2] + 100 * x[:, :2, 1:] + 0.1 * x[:, 1:, :2] + 0.01 * x[:, 1:, 1:] - 2
    assert (wanted < 0).any(), "both signs count"
    wanted = (wanted.abs() - THRESHOLD).clamp(min=0)
    torch.testing.assert_close(found[..., 0], wanted)


def test_features_are_quadrants_of_all_layers_each_pooled_for_the_next(images: Pixels) -> None:
    made = fitted(images, 3)
    some = images[:20]
    first = made.first.maps(some)
    assert first.shape[1:] == (21, 21, CENTROIDS)
    found = made.features(some)
    assert found.shape == (20, 4 * (CENTROIDS + 2 * 2 * CENTROIDS))
    torch.testing.assert_close(found[:, : 4 * CENTROIDS], made.first.features(some))
    second = made.upper[0].maps(F.avg_pool2d(first.permute(0, 3, 1, 2), 3).permute(0, 2, 3, 1))
    assert second.shape[1:] == (6, 6, 2 * CENTROIDS)
    places = slice(4 * CENTROIDS, 4 * CENTROIDS + 2 * CENTROIDS)
    torch.testing.assert_close(found[:, places], second[:, :3, :3].sum((1, 2)), rtol=1e-4, atol=1e-3)
    pooled = F.avg_pool2d(second.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    assert pooled.shape[1] == 3
    third = made.upper[1].maps(pooled)[:, 0, 0]
    torch.testing.assert_close(found[:, 12 * CENTROIDS : 14 * CENTROIDS], third, rtol=1e-4, atol=1e-3)


def test_layers_are_the_same_whichever_part_holds_a_batch(images: Pixels) -> None:
    whole = fitted(images, 3)
    parts = batches(images)
    made = LayeredKMeans(KMeansFeatures(CENTROIDS, len(images)), 3)
    made = fit(made, lambda encoder: [encoder.gather(parts[::2]), encoder.gather(parts[1::2])])
    for one, other in zip(whole.upper, made.upper, strict=True):
        assert torch.equal(one.fields, other.fields)
        assert torch.equal(one.filters, other.filters)
        assert torch.equal(one.offsets, other.offsets)


def test_a_part_without_images_changes_nothing(images: Pixels) -> None:
    whole = fitted(images, 2)
    made = LayeredKMeans(KMeansFeatures(CENTROIDS, len(images)), 2)
    made = fit(made, lambda encoder: [encoder.gather(batches(images)), encoder.gather([])])
    assert torch.equal(made.upper[0].filters, whole.upper[0].filters)


def test_windows_are_so_many_and_parts_of_the_maps_below(images: Pixels) -> None:
    made = LayeredKMeans(KMeansFeatures(CENTROIDS, len(images)), 2)
    made = made.combine([made.gather(batches(images))])
    assert not made.fitted
    drawn = made.gather(batches(images))
    assert [len(one) for one in drawn] == [299, 299, 103], "700 windows over 300 images, in shares of 128, 128 and 44"
    below = F.avg_pool2d(made.first.maps(images[256:]).permute(0, 3, 1, 2), 3).permute(0, 2, 3, 1)
    every = below.unfold(1, 2, 1).unfold(2, 2, 1).permute(0, 1, 2, 4, 5, 3).reshape(-1, 4 * CENTROIDS)
    distances = torch.cdist(drawn[2].flatten(1), every).min(1).values
    assert distances.max() < 1e-2
    assert len(drawn[2].flatten(1).unique(dim=0)) > 60


def test_features_need_all_layers(images: Pixels) -> None:
    made = LayeredKMeans(KMeansFeatures(CENTROIDS, len(images)), 2)
    with pytest.raises(RuntimeError, match="features need all layers: fit the encoder first"):
        made.combine([made.gather(batches(images))]).features(images[:2])


def test_the_smallest_images_have_four_quadrants_of_their_highest_maps(images: Pixels) -> None:
    assert (least_side(2), least_side(3)) == (14, 26)
    for layers in (2, 3):
        for less in (0, 1):
            side = least_side(layers) - less
            some = np.ascontiguousarray(images[:, :side, :side])
            highest = fitted(some, layers).features(some)[:, -8 * CENTROIDS :].reshape(len(some), 4, 2 * CENTROIDS)
            assert (highest.amax((0, 2)) > 0).tolist() == [True, *[not less] * 3]


def test_a_probe_with_layers_and_parts_change_nothing(bands: Task, here: Callable[..., Any]) -> None:
    task = replace(bands, few=None)
    found = []
    for parts in (1, 3):
        evaluators = here(parts)
        load(evaluators, [task])
        encoder = LayeredKMeans(KMeansFeatures(CENTROIDS, len(task.train)), 2)
        result = probe(evaluators, task, encoder, torch.float32, Linear((1e-3, 1e-2)))
        found.append(result["all_labels"]["accuracy"])
    assert result["features"] == 4 * 3 * CENTROIDS
    assert found[0] == pytest.approx(found[1], abs=0.006)
    assert found[0] > 0.6
