"""The steps that are measured before a run."""

import os
from dataclasses import replace

import pytest
import torch

from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings, Settings, WorkerSettings
from dcgan_dist.training.speed import CPU_IMAGES, measure_speed


@pytest.mark.parametrize(
    ("batch_size", "workers", "images", "classes"), [(12, 2, 6, 0), (512, 1, CPU_IMAGES, 0), (5, 4, 2, 3)]
)
def test_steps_of_one_worker_are_measured(
    batch_size: int, workers: int, images: int, classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcgan_dist.training.speed.MEASURE_S", 0.05)
    settings = Settings(
        images=1,
        networks=NetworkSettings(
            image_size=16, generator_maps=4, discriminator_maps=4, classes=classes, channels=1 if classes else 3
        ),
        optimization=OptimizationSettings(batch_size=batch_size, schedule="alternate"),
        # As many as found room share the batch, not as many as are wished for.
        workers=WorkerSettings(number=workers + 1, at_least=1),
    )
    before = torch.get_num_threads()
    try:
        speed = measure_speed(settings, workers, beside=1_000)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert speed.images_per_second > 0
    assert (speed.step_images, speed.device, speed.cores) == (images, "CPU", len(os.sched_getaffinity(0)))


def test_steps_of_the_original_gan_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dropout needs masks."""
    monkeypatch.setattr("dcgan_dist.training.speed.MEASURE_S", 0.05)
    settings = PRESETS["original28"]()
    networks = replace(settings.networks, image_size=8, generator_maps=4, discriminator_maps=4)
    before = torch.get_num_threads()
    try:
        speed = measure_speed(replace(settings, networks=networks), 10, beside=1_000)
    finally:
        torch.set_num_threads(before)
    assert (speed.images_per_second > 0, speed.step_images) == (True, 10)
