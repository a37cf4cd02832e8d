"""The rows of layers beside one layer and fields at random."""

import argparse

import pytest
import torch

from benchmarks import kmeans_layers as benchmark
from benchmarks.kmeans_layers import at_random, measure
from dcgan_dist.evaluation.encoders import kmeans, kmeans_layers
from tests.benchmarks.bands import bands


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "PATCHES", 2_000)  # put back after `measure` has set it
    monkeypatch.setattr(benchmark, "PATCHES", 2_000)
    monkeypatch.setattr(kmeans_layers, "WINDOWS", 500)
    monkeypatch.setattr(benchmark, "IMAGES", 300)
    monkeypatch.setattr(benchmark, "TESTED", 200)
    monkeypatch.setattr(benchmark, "CENTROIDS", 16)
    monkeypatch.setattr(benchmark, "read", lambda *_: (bands(400, 26, seed=1), bands(300, 26, seed=2)))


def test_rows_are_of_layers_of_one_encoder_and_of_one_layer_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    report = measure(argparse.Namespace(cifar10="", threads=torch.get_num_threads()))
    rows = report.tables["kmeans-layers"].rows
    assert [str(row[0]).partition(",")[0] for row in rows] == [
        "one layer",
        *["2 layers"] * 2,
        *["3 layers"] * 2,
        "one layer",
    ]
    assert [row[1] for row in rows] == ["64", "192", "192", "320", "320", "320"]
    accuracies = [float(str(row[2])) for row in rows]
    assert min(accuracies) > 45, "of three classes"
    gains = report.rates
    assert gains["3_layers_points_over_one"] == pytest.approx(accuracies[3] - accuracies[0], abs=0.02)
    assert gains["2_layers_points_over_random_fields"] == pytest.approx(accuracies[1] - accuracies[2], abs=0.02)
    assert accuracies[1] != accuracies[2] or accuracies[3] != accuracies[4]


def test_fields_at_random_begin_with_their_seed_and_do_not_look_at_maps() -> None:
    maps = torch.randn(50, 40, generator=torch.Generator().manual_seed(3))
    one, other = at_random(maps), at_random(maps.flip(0) * 7)
    assert torch.equal(one, other)
    assert one.topk(5, 1).indices[:, 0].tolist() == list(range(40))
