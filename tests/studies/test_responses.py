"""Responses to a whole data set: the same however many evaluators there are, and whatever happens to one of them."""

import io
import os
import pickle
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from ray import cloudpickle
from torch import nn

from dcgan_dist.data.scenes.builtin import embedded_image
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError
from dcgan_dist.evaluation.encoders.discriminator import features_of, of_random
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.service.evaluator import ThisProcess
from dcgan_dist.evaluation.service.pool import Pool
from dcgan_dist.evaluation.task import ArrayPictures, Labeled
from dcgan_dist.evaluation.tasks.labeled import pictures
from dcgan_dist.model.batchnorm import with_statistics
from dcgan_dist.settings import NetworkSettings
from dcgan_dist.storage import Place
from dcgan_dist.studies import responses
from dcgan_dist.studies.responses import Fitted, Responder, Responses, find_responses, fixed_maps, responses_of

SIZE, IMAGES, DISTINCT, K = 16, 3_000, 300, 9
SETTINGS = NetworkSettings(image_size=SIZE, discriminator_maps=4)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Labeled:
    """Thousands of rooms in shards, of which one cannot be decoded; each is there ten times, so that many are equal."""
    folder = Place(str(tmp_path_factory.mktemp("shards")))
    jpegs = [embedded_image("rooms", SIZE, index)[0] for index in range(DISTINCT)]
    with ShardWriter(folder, "train", 700) as writer:
        for index in range(IMAGES):
            jpeg = jpegs[index % DISTINCT]
            writer.add(jpeg if index != 1_234 else jpeg[: len(jpeg) // 2])
    index = concatenate([index_shard(Place(str(one.shard))) for one in writer.written])
    return Labeled(pictures(index, SIZE), np.arange(IMAGES), np.zeros(IMAGES, np.int64))


@pytest.fixture(scope="module")
def networks(scenes: Labeled) -> dict[str, Fitted]:
    some = [scenes.read(np.arange(first, first + 128)) for first in (0, 500)]
    return {f"seed {seed}": fit(of_random(SETTINGS, seed), lambda one: [one.gather(some)]) for seed in (3, 4)}


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several rounds, whose ends are none of a pass over the data."""
    monkeypatch.setattr(responses, "ROUND", 4 * 128)


class InParts:
    """Several evaluators in this process."""

    def __init__(self, parts: int) -> None:
        self.evaluators = [Responder(number, parts, torch.get_num_threads()) for number in range(parts)]

    def each(self, name: str, /, *arguments: Any) -> list[Any]:
        return [getattr(evaluator, name)(*arguments) for evaluator in self.evaluators]

    def svm(self, name: str, /, *arguments: Any) -> tuple[Any, ...]:
        raise AssertionError("nobody asks for it")


def same(one: Responses, other: Responses) -> bool:
    """To the last bit."""
    return (
        one.seen == other.seen
        and one.strongest.keys() == other.strongest.keys()
        and all(
            np.array_equal(one.strongest[name].numbers, other.strongest[name].numbers)
            and one.strongest[name].responses.tobytes() == other.strongest[name].responses.tobytes()
            for name in one.strongest
        )
    )


@pytest.fixture(scope="module")
def alone(scenes: Labeled, networks: dict[str, Fitted]) -> Responses:
    return find_responses(ThisProcess(Responder), scenes, networks, K, lambda text: None)


def test_they_are_the_largest_of_all_images(scenes: Labeled, networks: dict[str, Fitted], alone: Responses) -> None:
    whole = np.delete(np.arange(IMAGES), 1_234)
    images = scenes.read(whole)
    assert alone.seen == IMAGES - 1
    for name, encoder in networks.items():
        maps = fixed_maps(encoder, torch.device("cpu"))
        x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        of_all = responses_of(maps, x)
        top = alone.strongest[name]
        assert top.responses.shape == (of_all.shape[1], K)
        assert np.abs(top.responses - np.sort(of_all, 0)[::-1][:K].T).max() < 1e-4
        for feature in range(of_all.shape[1]):
            rows = np.searchsorted(whole, top.numbers[feature])
            assert np.abs(of_all[rows, feature] - top.responses[feature]).max() < 1e-4


@pytest.mark.parametrize("parts", [2, 3, 30])
def test_parts_change_nothing(parts: int, scenes: Labeled, networks: dict[str, Fitted], alone: Responses) -> None:
    said: list[str] = []
    assert same(find_responses(InParts(parts), scenes, networks, K, said.append), alone)
    assert said[0] == f"looked at 0 of {IMAGES:,} images"
    assert len(said) == -(-IMAGES // (512 * parts))


def test_other_images_or_networks_have_other_responses(
    scenes: Labeled, networks: dict[str, Fitted], alone: Responses
) -> None:
    fewer = Labeled(scenes.pictures, scenes.samples[:-400], scenes.labels[:-400])
    found = find_responses(ThisProcess(Responder), fewer, networks, K, lambda text: None)
    assert not same(found, alone)
    swapped = dict(zip(networks, reversed(networks.values()), strict=True))
    assert not same(find_responses(ThisProcess(Responder), scenes, swapped, K, lambda text: None), alone)


def test_where_nothing_can_be_decoded_there_are_no_responses(networks: dict[str, Fitted]) -> None:
    class Torn(ArrayPictures):
        def read(self, samples: Any, out: Any, rows: Any) -> Any:
            return np.ones(len(samples), np.bool_)

    images = Labeled(Torn(np.zeros((700, SIZE, SIZE, 3), np.uint8), "torn"), np.arange(700), np.zeros(700, np.int64))
    found = find_responses(ThisProcess(Responder), images, networks, K, lambda text: None)
    assert (found.seen, dict(found.strongest)) == (0, {})


def test_a_network_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(RuntimeError, match="fit the encoder first"):
        fixed_maps(of_random(SETTINGS, 1), torch.device("cpu"))


def test_the_network_that_is_given_stays_as_it_is(networks: dict[str, Fitted]) -> None:
    encoder = networks["seed 3"]
    maps: Any = fixed_maps(encoder, torch.device("cpu"))
    assert maps.__self__ is not encoder.discriminator
    picture = Image.open(io.BytesIO(embedded_image("rooms", SIZE, 7)[0]))
    x = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    # By fixed statistics an image does not change another.
    both = maps(torch.cat([x, -x]))[-1]
    assert torch.allclose(both[:1], maps(x)[-1], atol=1e-6)


def test_shards_that_are_gone_are_told(networks: dict[str, Fitted], tmp_path: Path) -> None:
    folder = Place(str(tmp_path / "shards"))
    with ShardWriter(folder, "train", 50) as writer:
        for index in range(100):
            writer.add(embedded_image("rooms", SIZE, index)[0])
    index = concatenate([index_shard(Place(str(one.shard))) for one in writer.written])
    Path(str(writer.written[1].shard)).unlink()
    images = Labeled(pictures(index, SIZE), np.arange(100), np.zeros(100, np.int64))
    with pytest.raises(DataError, match="000001"):
        find_responses(ThisProcess(Responder), images, networks, K, lambda text: None)


def test_a_users_own_network_travels_with_its_code(scenes: Labeled) -> None:
    def build(settings: NetworkSettings) -> tuple[nn.Module, nn.Module]:
        return nn.Linear(1, 1), Own()

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.below = nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 5, 4, 2))

        def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
            return [torch.relu(self.below(images))]

    networks = NetworkSettings(image_size=SIZE, factory="mine:build")
    discriminator = Own()
    encoder = features_of(discriminator, networks, {"mine:build": build})
    fitted = fit(encoder, lambda one: [one.gather([scenes.read(np.arange(128))])])
    there: Any = pickle.loads(cloudpickle.dumps(fitted))
    some = Labeled(scenes.pictures, scenes.samples[:200], scenes.labels[:200])
    found = [
        find_responses(ThisProcess(Responder), some, {"own": one}, K, lambda text: None) for one in (fitted, there)
    ]
    assert same(*found)


@pytest.fixture(scope="module")
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(3)


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("actors", [1, 2])
def test_actors_give_the_same(actors: int, scenes: Labeled, networks: dict[str, Fitted], alone: Responses) -> None:
    pool = Pool(actors, cpus=0.5, gpus=0, threads=1, kind=Responder)
    try:
        assert same(find_responses(pool, scenes, networks, K, lambda text: None), alone)
        assert pool.replaced == 0
    finally:
        pool.close()


@pytest.mark.ray
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("victim", [0, 1])
def test_an_actor_that_is_killed_on_the_way_changes_nothing(
    victim: int, scenes: Labeled, networks: dict[str, Fitted], alone: Responses
) -> None:
    pool = Pool(2, cpus=0.5, gpus=0, threads=1, kind=Responder)
    said: list[str] = []

    def kill_in_the_second_round(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            # While the actor computes, or before it begins.
            threading.Timer(0.02, os.kill, (pool.pids()[victim], signal.SIGKILL)).start()

    try:
        assert same(find_responses(pool, scenes, networks, K, kill_in_the_second_round), alone)
        assert len(said) == 3
        # An actor that had ended its last round when it was killed is missed by the next call.
        assert pool.each("respond", 0, 1, 1)[0].seen == 1
        assert pool.replaced == 1
    finally:
        pool.close()


def test_networks_of_shades_of_gray_look_at_all_three_channels_alike() -> None:
    gray = NetworkSettings(image_size=SIZE, discriminator_maps=4, channels=1)
    images = np.random.default_rng(4).integers(0, 256, (40, SIZE, SIZE, 1), np.uint8).repeat(3, 3)
    encoder = fit(of_random(gray, 5), lambda one: [one.gather([images])])
    maps = fixed_maps(encoder, torch.device("cpu"))
    x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1).requires_grad_()
    found = maps(x)
    assert encoder.statistics is not None
    alone = with_statistics(encoder.discriminator, encoder.statistics).maps(x[:, :1])  # type: ignore[operator]
    for one, other in zip(found, alone, strict=True):
        torch.testing.assert_close(one, other)
    (gradient,) = torch.autograd.grad(found[-1].sum(), x)
    assert torch.equal(gradient[:, 0], gradient[:, 2])
    assert gradient.abs().max() > 0
