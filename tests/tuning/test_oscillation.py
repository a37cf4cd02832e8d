"""Filters that oscillate, and those that do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.streaming.plan import Integers
from dcgan_dist.errors import SettingsError
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.model.adversarial_step import AdversarialStep
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.model.randomness import latents, stream
from dcgan_dist.run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from dcgan_dist.settings import PRESETS, NetworkSettings, OptimizationSettings, scenes32
from dcgan_dist.storage import Place
from tuning import oscillation
from tuning.oscillation import GRID, WATCHED, one_frequency, responses

LENGTH = 128


def waves(period: float, places: int = 6) -> NDArray[np.float32]:
    """[LENGTH, 1, places]: each with another phase and strength."""
    time, place = np.arange(LENGTH)[:, None], np.arange(places)
    return ((1 + place) * np.sin(2 * np.pi * time / period + place))[:, None].astype(np.float32)


@pytest.mark.parametrize("period", [2.5, 7.3, 20.0])
def test_a_filter_of_one_frequency_has_nearly_all_power_there(period: float) -> None:
    assert one_frequency(waves(period))[0] > 0.9


def test_slow_change_is_learning() -> None:
    assert one_frequency(waves(120.0))[0] < 0.05
    walk = np.random.default_rng(1).normal(size=(LENGTH, 1, 64)).cumsum(axis=0)
    assert one_frequency(walk.astype(np.float32))[0] < 0.2


def test_noise_is_of_all_frequencies() -> None:
    noise = np.random.default_rng(2).normal(size=(LENGTH, 1, 64)).astype(np.float32)
    assert one_frequency(noise)[0] < 0.1


def test_each_filter_is_judged_alone_and_one_that_stands_still_is_none() -> None:
    steady = np.full((LENGTH, 1, 6), 3.5, np.float32)
    line = (np.arange(LENGTH)[:, None, None] * np.ones((1, 1, 6))).astype(np.float32)
    beside = np.concatenate([steady, waves(9.0), waves(120.0)], axis=1)
    found = one_frequency(beside)
    assert found[0] == 0
    assert found[1:] == pytest.approx([one_frequency(waves(9.0))[0], one_frequency(waves(120.0))[0]])
    assert one_frequency(line + waves(9.0))[0] == pytest.approx(found[1], abs=0.02), "a trend counts for nothing"


NETWORKS = NetworkSettings(image_size=32, generator_maps=2, discriminator_maps=3, latent_size=5)
IMAGES = np.random.default_rng(3).integers(0, 256, (40, 32, 32, 3), np.uint8)
LABELED = Labeled(ArrayPictures(IMAGES, "test"), np.arange(40), np.zeros(40, np.int64))


def begun(folder: Path, optimization: OptimizationSettings) -> Checkpoint:
    settings = replace(scenes32(), seed=6, networks=NETWORKS, optimization=optimization)
    generator, discriminator = build_networks(NETWORKS, 6, torch.device("cpu"), torch.float32, channels_last=True)
    step = AdversarialStep(generator, discriminator, optimization, 50)
    step(torch.from_numpy(IMAGES[:36]).permute(0, 3, 1, 2), latents(NETWORKS, 36, 1, "any"), 6)
    write_checkpoint(Place(str(folder)), step.state_dict(), settings, step=7, attempt=1, kept=True)
    return load_checkpoint(Place(str(folder)))


def test_what_is_watched_are_the_hidden_maps_while_training_goes_on(tmp_path: Path) -> None:
    optimization = OptimizationSettings(batch_size=36, lr=3e-3, schedule="both")
    checkpoint = begun(tmp_path, optimization)
    found = responses(checkpoint, LABELED, 3)
    assert found.shape == (3, 8 + 4 + 2, WATCHED * GRID * GRID)

    generator, discriminator = build_networks(NETWORKS, 9, torch.device("cpu"), torch.float32, channels_last=True)
    step = AdversarialStep(generator, discriminator, optimization, 50)
    step.load_state_dict(checkpoint.state)
    z = latents(NETWORKS, 36, 6, "watched")
    for number in (7, 8, 9):
        places = np.sort(stream(6, "batches of a watched run", number).integers(0, 40, 36))
        real = torch.from_numpy(IMAGES[places]).permute(0, 3, 1, 2)
        step(real, latents(NETWORKS, 36, 6, "latents of a watched run", number), number)
        with torch.no_grad():
            first = generator.first(z).unflatten(1, (8, 4, 4))  # type: ignore[operator]
            second = generator.layers[0](first)  # type: ignore[index]
        of_first = first[:WATCHED].transpose(0, 1).reshape(8, -1)
        of_second = second[:WATCHED].unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)).transpose(0, 1).reshape(4, -1)
        assert found[number - 7, :8] == pytest.approx(of_first.numpy(), abs=1e-5)
        assert found[number - 7, 8:12] == pytest.approx(of_second.numpy(), abs=1e-5)
    assert not np.array_equal(found[0], found[1])


def test_it_goes_on_with_the_same_sums_on_any_machine(tmp_path: Path) -> None:
    checkpoint = begun(tmp_path, OptimizationSettings(batch_size=36, lr=3e-3, schedule="both"))
    told: list[int] = []

    class Threads(ArrayPictures):
        """Pictures that tell with how many threads they are asked for."""

        def read(self, samples: Integers, out: Pixels, rows: Integers) -> NDArray[np.bool_]:
            told.append(torch.get_num_threads())
            return super().read(samples, out, rows)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        responses(checkpoint, Labeled(Threads(IMAGES, "test"), np.arange(40), np.zeros(40, np.int64)), 2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert told == [1, 1]


def test_updates_of_d_alone_are_no_looks(tmp_path: Path) -> None:
    found = responses(begun(tmp_path, OptimizationSettings(batch_size=36, lr=3e-3, schedule="alternate")), LABELED, 3)
    changes = np.abs(np.diff(found, axis=0)).max(axis=(1, 2))
    assert (changes > 0).all()


def test_it_is_the_mean_of_the_tenth_that_oscillates_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = np.concatenate([waves(120.0)] * 18 + [waves(9.0), waves(5.0)], axis=1)
    monkeypatch.setattr(oscillation, "responses", lambda checkpoint, images, updates: series[:updates])
    found = oscillation.oscillation(begun(tmp_path, OptimizationSettings(batch_size=36)), LABELED)
    assert found == pytest.approx(one_frequency(series)[18:].mean())


def test_networks_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    checkpoint = begun(tmp_path, OptimizationSettings(batch_size=36))
    original = replace(PRESETS["original28"](), optimization=checkpoint.settings.optimization)
    with pytest.raises(SettingsError, match=r"filters of networks\.structure maxout are not watched"):
        responses(replace(checkpoint, settings=original), LABELED, 2)
