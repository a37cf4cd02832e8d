"""What is possible, but hardly meant: a table."""

from typing import Any

import pytest

from dcgan_dist.settings import PRESETS, replaced
from dcgan_dist.training.advice import warnings

SANE: dict[str, Any] = {"data_images": 5_000, "images": 400_000, "image_size": 64, "store_bytes": 4e9}


def told(changes: dict[str, object], facts: dict[str, Any], preset: str = "own64") -> list[str]:
    settings = replaced(PRESETS[preset](), changes, "test")
    return warnings(settings, **(SANE | facts))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_warned_of_nothing(preset: str) -> None:
    settings = PRESETS[preset]()
    assert settings.images is not None
    assert told({}, {"images": settings.images, "data_images": 50_000}, preset) == []


def test_what_is_of_adam_and_of_batch_normalization_is_told_of_nothing_else() -> None:
    changes: dict[str, object] = {"optimization.lr": 0.3, "optimization.batch_size": 4}
    assert told(changes, {"image_size": None}, "original28") == []


@pytest.mark.parametrize(
    ("changes", "facts", "sentence"),
    [
        ({}, {"images": 63}, "the run of 63 images is shorter than one step of 64"),
        ({}, {"images": 64 * 999}, "too short to learn: it has 999 updates of G"),
        ({}, {"images": 64 * 999}, "give --images 64000 or more"),
        # Twice as many images for as many updates of G.
        ({"optimization.schedule": "alternate"}, {"images": 64 * 1_500}, "too short to learn: it has 750 updates of G"),
        ({"optimization.schedule": "alternate"}, {"images": 64 * 1_500}, "give --images 128000 or more"),
        ({}, {"data_images": 63}, "batch_size is 64 but the data set has 63 images"),
        ({}, {"data_images": 199}, "the data set has only 199 images"),
        ({"optimization.batch_size": 7}, {"image_size": None}, "give --batch-size 32 or more"),
        ({"optimization.lr": 1e9}, {}, "optimization.lr is 1e+09"),
        ({"optimization.lr": 2.1e-3}, {}, "optimization.lr is 0.0021"),
        ({"optimization.lr": 1e-30}, {}, "optimization.lr is 1e-30, at which the weights hardly change"),
        ({"optimization.beta1": 0.99}, {}, "optimization.beta1 is 0.99"),
        ({"optimization.average_images": 100_001}, {}, "average_images is 100,001 in a run of 400,000"),
        (
            {"optimization.average_discriminator_images": 100_002},
            {},
            "average_discriminator_images is 100,002 in a run of 400,000: the averaged D",
        ),
        ({}, {"image_size": 32}, "pictures of 32 pixels, which are enlarged to networks.image_size 64"),
        ({"data.window": 63}, {}, "data.window is 63, less than a batch of 64"),
        ({"data.window": 10**9}, {"data_images": 10**6}, "a chunk of it takes 11.4 GiB of an object store of 3.7 GiB"),
        ({"monitoring.samples": 1_025}, {}, "monitoring.samples is 1,025"),
        ({"checkpoints.images": 639}, {}, "checkpoints.images is 639"),
        ({"workers.gradients": "bf16"}, {}, "workers.gradients is bf16 but a single worker sends nothing"),
        ({"workers.exchange_steps": 8}, {}, "workers.exchange_steps is 8 but a single worker sends nothing"),
    ],
)
def test_what_leads_nowhere_is_told(changes: dict[str, object], facts: dict[str, Any], sentence: str) -> None:
    found = told(changes, facts)
    assert len(found) == 1, found
    assert sentence in found[0]
    assert "give " in found[0]
    assert "\n" not in found[0]


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({}, {"images": 64 * 1_000}),
        ({}, {"data_images": 200}),
        ({"optimization.lr": 2e-3}, {}),
        ({"optimization.beta1": 0.9}, {}),
        ({"optimization.average_images": 100_000}, {}),
        ({}, {"image_size": 128}),
        ({}, {"image_size": None}),
        ({"data.window": 10**9}, {"data_images": 5_000}),
        ({"data.window": 10**9}, {"data_images": 10**6, "store_bytes": None}),
        ({"monitoring.samples": 1_024}, {}),
        ({"checkpoints.images": 640}, {}),
        ({"workers.gradients": "powersgd", "workers.number": 2}, {}),
        ({"workers.exchange_steps": 8, "workers.number": 2}, {}),
    ],
)
def test_what_just_leads_somewhere_is_not(changes: dict[str, object], facts: dict[str, Any]) -> None:
    assert told(changes, facts) == []
