"""Exemplar CNN: which patches are picked, that the network learns to tell them apart, and what features are."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.scenes import draw
from dcgan_dist.evaluation.encoders import exemplar
from dcgan_dist.evaluation.encoders.distortion import principal_colors, views
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.encoders.exemplar import PATCH, SIDE, ExemplarFeatures, SmallNetwork, draw_seeds, learn


def rooms(number: int) -> Pixels:
    return np.stack([draw("rooms", 32, 3, index).image for index in range(number)])


def test_patches_with_much_to_see_are_picked_more_often() -> None:
    noise = np.random.default_rng(0)
    images = np.stack([noise.integers(100, 120 if number % 2 else 160, (32, 32, 3), np.uint8) for number in range(400)])
    images[7] = 90  # without any gradient
    seeds = [draw_seeds(part) for part in np.split(images, 4)]
    best = exemplar.joined(seeds).best(100)
    strong = (best.images.reshape(100, -1).max(1) > 125).sum()
    assert 75 < strong < 100  # nine times as probable, without replacement
    assert not (best.images == 90).all((1, 2, 3)).any()
    assert (np.abs(best.centers) <= 0.5).all()
    again = draw_seeds(images[:100])
    assert np.array_equal(again.keys, seeds[0].keys)
    assert np.array_equal(again.centers, seeds[0].centers)


def test_the_same_patches_are_picked_however_many_parts_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemplar, "learn", lambda seeds, passes: (seeds, passes))
    batches = [rooms(12 * number)[-12:] for number in (1, 2, 3, 4)]
    encoder = ExemplarFeatures(10, 3)
    whole = encoder.combine([encoder.gather(batches)]).network
    parts = encoder.combine([encoder.gather(batches[::2]), encoder.gather(batches[1::2]), encoder.gather([])]).network
    assert whole is not None
    assert parts is not None
    for name in ("keys", "images", "centers"):
        assert np.array_equal(getattr(whole[0], name), getattr(parts[0], name))  # type: ignore[index]
    assert len(whole[0].keys) == 10  # type: ignore[index]
    assert whole[1] == 3  # type: ignore[index]


def test_the_network_learns_to_tell_views_of_patches_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemplar, "VIEWS", 40)
    monkeypatch.setattr(exemplar, "BATCH", 32)
    seeds = exemplar.joined([draw_seeds(rooms(60))]).best(8)
    network, colors = learn(seeds, passes=8), principal_colors(exemplar._to_unit(seeds.images))

    def hidden(network: SmallNetwork, seed: int) -> torch.Tensor:
        """Of two views of each patch, [16, 128]."""
        labels = torch.arange(16) % 8
        images, centers = exemplar._to_unit(seeds.images)[labels], torch.from_numpy(seeds.centers)[labels]
        shown = views(images, centers, PATCH / SIDE, PATCH, colors, np.random.default_rng(seed))
        with torch.no_grad():
            return network.maps(shown)[-1].flatten(1)

    def told(network: SmallNetwork) -> float:
        """How often the nearest view by direction, of those of the other half, is of the same patch."""
        right = []
        for seed in range(12):
            found = F.normalize(hidden(network, seed), dim=1)
            right.append(((found[:8] @ found[8:].T).argmax(1) == torch.arange(8)).float().mean().item())
        return float(np.mean(right))

    torch.manual_seed(5)
    assert told(network) > told(SmallNetwork()) + 0.15


def test_features_are_the_largest_responses_in_the_quadrants() -> None:
    torch.manual_seed(1)
    network = SmallNetwork().eval()
    images = rooms(5)
    found = ExemplarFeatures(8, 2, network).features(images)
    x = F.interpolate(exemplar._to_unit(images), size=64, mode="bilinear", align_corners=False)
    with torch.no_grad():
        maps = network.maps(x)
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 32, 32), (64, 16, 16), (128, 9, 9)]
    assert found.shape == (5, 1024)
    assert torch.equal(found[3, :4], maps[0][3, 0].reshape(2, 16, 2, 16).amax((1, 3)).flatten())
    # A map of 9 x 9 has no middle: quadrants of 5 share its rows and columns in the middle.
    assert found[3, -1] == maps[2][3, -1, 4:, 4:].max()
    torch.testing.assert_close(ExemplarFeatures(8, 2, network).features(images[3:4]), found[3:4], rtol=1e-4, atol=1e-5)


def test_it_is_fitted_in_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemplar, "VIEWS", 2)
    monkeypatch.setattr(exemplar, "BATCH", 4)
    encoder = ExemplarFeatures(6, 1)
    with pytest.raises(RuntimeError, match="fit the encoder first"):
        encoder.features(rooms(2))
    state = torch.get_rng_state()
    ready = fit(encoder, lambda one: [one.gather([rooms(10)])])
    again = fit(encoder, lambda one: [one.gather([rooms(10)])])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(ready.features(rooms(2)), again.features(rooms(2)))
    assert ready.recipe == {"classes": 6, "views": 2, "passes": 1, "network": "64c5-64c5-128f"}


def test_a_patch_lies_where_there_is_much_to_see() -> None:
    images = np.full((200, 32, 32, 3), 90, np.uint8)
    images[:, :14, 18:] = np.random.default_rng(1).integers(0, 256, (200, 14, 14, 3), np.uint8)
    x, y = draw_seeds(images).best(40).centers.mean(0)
    assert x > 0.1, "the right half"
    assert y < -0.1, "the upper half"
