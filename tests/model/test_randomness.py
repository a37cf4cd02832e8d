import numpy as np
import pytest
import torch

from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.settings import NetworkSettings


def test_numbers_depend_on_seed_purpose_and_step_alone() -> None:
    first = stream(1, "latents", 5).random(4)
    assert (first == stream(1, "latents", 5).random(4)).all()
    for other in (stream(2, "latents", 5), stream(1, "samples", 5), stream(1, "latents", 6)):
        assert (first != other.random(4)).all()


def test_seeds_that_share_their_lower_32_bits_differ() -> None:
    assert (stream(1, "latents").random(4) != stream(1 + 2**32, "latents").random(4)).all()


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 128])
def test_workers_together_draw_the_batch_of_one(workers: int) -> None:
    settings = NetworkSettings()
    parts = [
        latents(settings, 128, 42, "latents", 7, slice(r * 128 // workers, (r + 1) * 128 // workers))
        for r in range(workers)
    ]
    assert torch.equal(torch.cat(parts), latents(settings, 128, 42, "latents", 7))


def test_uniform_latents_fill_the_interval_of_the_paper() -> None:
    z = latents(NetworkSettings(), 5_000, 42, "latents")
    assert z.shape == (5_000, 100)
    assert z.dtype == torch.float32
    assert -1 <= z.min() < -0.999
    assert 0.999 < z.max() <= 1
    assert z.mean().item() == pytest.approx(0, abs=5e-3)  # six standard errors
    assert z.var().item() == pytest.approx(1 / 3, abs=4e-3)


def test_normal_latents_are_standard_normal() -> None:
    z = latents(NetworkSettings(latent="normal"), 5_000, 42, "latents").double()
    assert z.mean().item() == pytest.approx(0, abs=9e-3)  # six standard errors
    assert z.var().item() == pytest.approx(1, abs=1.2e-2)
    assert np.mean(np.abs(z.numpy()) < 1) == pytest.approx(0.6827, abs=4e-3)
