"""Real images of both kinds, and the network that reads attributes: made once for all tests of the folder."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.judge import Reference
from benchmarks.learning import read_images
from benchmarks.scene_attributes import AttributeClassifier, draw_rooms
from dcgan_dist.arrays import Pixels
from dcgan_dist.settings import DataSettings, NetworkSettings, cifar32, scenes32


@dataclass(frozen=True)
class RealImages:
    """Images that a generator may have been trained on, held-out ones twice, and the networks of its preset."""

    real: Pixels
    held_out: Pixels
    others: Pixels
    reference: Reference
    networks: NetworkSettings

    @classmethod
    def of(cls, real: Pixels, held_out: Pixels, networks: NetworkSettings) -> "RealImages":
        return cls(real, held_out[::2], held_out[1::2], Reference(real, held_out[::2]), networks)


@functools.cache
def _scenes() -> RealImages:
    images, _ = draw_rooms(5_000, seed=1)
    return RealImages.of(images[:3_000], images[3_000:], scenes32().networks)


@functools.cache
def _cifar(folder: Path) -> RealImages:
    real = read_images(DataSettings(path=str(folder / "train-000000.tar")))
    held_out = read_images(DataSettings(path=str(folder / "test-000000.tar")))
    return RealImages.of(real, held_out, cifar32().networks)


@pytest.fixture(params=["scenes", "cifar10"])
def images(request: pytest.FixtureRequest, shared_data: Callable[[str], Path]) -> RealImages:
    """Rooms, and CIFAR-10 where it is at hand."""
    return _scenes() if request.param == "scenes" else _cifar(shared_data("cifar10"))


@pytest.fixture(scope="session")
def classifier() -> AttributeClassifier:
    """What `AttributeClassifier.learn` gives."""
    return AttributeClassifier.learn()
