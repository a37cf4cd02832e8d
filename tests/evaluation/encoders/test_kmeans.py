"""K-means features against a definition written here, and in parts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dcgan_dist.arrays import Pixels
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.encoders import kmeans
from dcgan_dist.evaluation.encoders.kmeans import KMeansFeatures, normalized, require_faiss
from dcgan_dist.evaluation.probe import load, probe
from dcgan_dist.evaluation.task import Task
from dcgan_dist.model.randomness import stream


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "PATCHES", 9_000)
    monkeypatch.setattr(kmeans, "ITERATIONS", 10)


@pytest.fixture
def images(bands: Task) -> Pixels:
    return bands.train.read(np.arange(300))


def batches(images: Pixels) -> list[Pixels]:
    return [images[i : i + 128] for i in range(0, len(images), 128)]


def test_patches_lose_their_mean_and_most_of_their_contrast() -> None:
    patches = torch.randint(0, 256, (50, 108), generator=torch.Generator().manual_seed(0)).float()
    found = normalized(patches).numpy()
    for patch, row in zip(patches.numpy(), found, strict=True):
        assert row == pytest.approx((patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 10), abs=1e-4)


def test_features_are_those_of_the_definition(images: Pixels) -> None:
    made = KMeansFeatures(12, len(images))
    made = made.combine([made.gather(batches(images))])
    assert made.mean is not None
    assert made.whitening is not None
    assert made.centroids is not None
    found = made.features(images[:9]).numpy()
    assert found.shape == (9, 48)
    for image, row in zip(images[:9], found, strict=True):
        wanted = np.zeros((2, 2, 12))
        for down in range(11):
            for right in range(11):
                patch = image[down : down + 6, right : right + 6].astype(float).transpose(2, 0, 1).reshape(-1)
                patch = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 10)
                white = (patch - made.mean.numpy()) @ made.whitening.numpy()
                distances = np.sqrt(((white - made.centroids.numpy()) ** 2).sum(1))
                wanted[int(down >= 6), int(right >= 6)] += np.maximum(0, distances.mean() - distances)
        flat = [wanted[0, 0], wanted[1, 0], wanted[0, 1], wanted[1, 1]]
        assert row == pytest.approx(np.concatenate(flat), rel=1e-3, abs=2e-2)


def test_whitened_patches_have_no_correlations(images: Pixels) -> None:
    made = KMeansFeatures(4, len(images))
    gathered = made.gather(batches(images))
    patches = torch.cat(gathered)
    assert patches.shape == (9_000, 108)
    made = made.combine([gathered])
    assert made.mean is not None
    assert made.whitening is not None
    covariance = torch.cov(((patches - made.mean) @ made.whitening).T)
    values = torch.linalg.eigvalsh(torch.cov(patches.T).double())
    wanted = values / (values + 0.1)
    assert torch.linalg.eigvalsh(covariance.double()) == pytest.approx(wanted, abs=1e-2)


def test_patches_are_parts_of_the_images_and_as_many_of_each(images: Pixels) -> None:
    batch = images[:5]
    for number, each in ((300, 30), (4_499, 3), (9_000, 1), (90_000, 1)):
        (drawn,) = KMeansFeatures(4, number).gather([batch])
        assert drawn.shape == (5 * each, 108)
        assert torch.equal(drawn, KMeansFeatures(4, number).gather([batch])[0])
        for place, image in enumerate(batch):
            every = normalized(F.unfold(torch.from_numpy(image).permute(2, 0, 1)[None].float(), 6)[0].T)
            distances = torch.cdist(drawn[place * each : (place + 1) * each], every)
            assert distances.min(1).values.max() < 0.1, "others are 10 and more away"


def test_patches_of_other_images_lie_at_other_places(images: Pixels) -> None:
    def places(batch: Pixels) -> list[int]:
        (drawn,) = KMeansFeatures(4, 9_000).gather([batch])
        every = [normalized(F.unfold(torch.from_numpy(one).permute(2, 0, 1)[None].float(), 6)[0].T) for one in batch]
        return [int(torch.cdist(patch[None], some).argmin()) for patch, some in zip(drawn, every, strict=True)]

    assert places(images[:20]) == places(images[:20])
    assert places(images[:20]) != places(images[20:40])


def test_centroids_are_the_same_whichever_part_holds_a_batch(images: Pixels) -> None:
    encoder = KMeansFeatures(5, len(images))
    gathered = encoder.gather(batches(images))
    assert len(gathered) == 3
    one, two = encoder.combine([gathered]), encoder.combine([gathered[::2], gathered[1::2]])
    for whole, parted in ((one.mean, two.mean), (one.whitening, two.whitening), (one.centroids, two.centroids)):
        assert torch.equal(whole, parted)  # type: ignore[arg-type]


def test_centroids_are_those_of_lloyds_iterations_from_small_random_ones(images: Pixels) -> None:
    encoder = KMeansFeatures(5, len(images))
    gathered = encoder.gather(batches(images))
    made = encoder.combine([gathered])
    white = ((torch.cat(gathered) - made.mean) @ made.whitening).double()
    start = stream(0, "centroids").standard_normal((5, 108), np.float32)
    centroids = 0.1 * torch.from_numpy(start).double()
    for _ in range(10):
        nearest = torch.cdist(white, centroids).argmin(1)
        centroids = torch.stack([white[nearest == one].mean(0) for one in range(5)])
    torch.testing.assert_close(made.centroids.double(), centroids, rtol=0, atol=2e-2)


def test_of_an_odd_number_of_places_the_first_half_has_one_more(images: Pixels) -> None:
    """15 pixels have 10 places for a patch, halved evenly; 16 have 11, of which 6 and 5 are in a half."""
    made = KMeansFeatures(4, len(images))
    made = made.combine([made.gather(batches(images))])
    even = images[:2, :15, :15]
    quarters = [made.features(np.ascontiguousarray(even[:, a : a + 10, b : b + 10])) for b in (0, 5) for a in (0, 5)]
    wanted = torch.cat([quarter.reshape(2, 4, 4).sum(1) for quarter in quarters], 1)
    torch.testing.assert_close(made.features(np.ascontiguousarray(even)), wanted, rtol=1e-4, atol=1e-2)


def test_features_need_centroids_first(images: Pixels) -> None:
    with pytest.raises(RuntimeError, match="features need centroids: fit the encoder first"):
        KMeansFeatures(12, len(images)).features(images[:2])


def test_without_faiss_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require_faiss()
    monkeypatch.setattr(kmeans, "find_spec", lambda name: None if name == "faiss" else object())
    with pytest.raises(SettingsError, match=r"need faiss: pip install 'dcgan-dist\[evaluate\]'"):
        require_faiss()


def test_a_probe_standardizes_them_and_parts_change_nothing(bands: Task, here: Callable[..., Any]) -> None:
    task = replace(bands, few=None)
    found = []
    for parts in (1, 3):
        evaluators = here(parts)
        load(evaluators, [task])
        result = probe(evaluators, task, KMeansFeatures(20, len(task.train)), torch.float32, Linear((1e-3, 1e-2)))
        counts, sums, squares = (sum(column) for column in zip(*evaluators.each("moments"), strict=True))
        assert (sums / counts).abs().max() < 1e-3
        assert (squares / counts).max() < 1.01
        assert (squares / counts).median() > 0.9
        found.append(result["all_labels"]["accuracy"])
    assert result["features"] == 80
    assert found[0] == pytest.approx(found[1], abs=0.006)
    assert found[0] > 0.6
