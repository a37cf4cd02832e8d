"""The pool on a real Ray: the same as evaluators in this process, whatever happens to an actor."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import ray
import torch

from dcgan_dist.errors import ClusterError, DataError
from dcgan_dist.evaluation.actor_state import Stage, makes, reads
from dcgan_dist.evaluation.classifiers.registry import Linear
from dcgan_dist.evaluation.encoders.discriminator import DiscriminatorFeatures
from dcgan_dist.evaluation.encoders.encoder import fit
from dcgan_dist.evaluation.encoders.pixels import PixelFeatures
from dcgan_dist.evaluation.probe import load, probe
from dcgan_dist.evaluation.service.evaluator import Evaluator
from dcgan_dist.evaluation.service.pool import MAX_DEATHS, Pool
from dcgan_dist.evaluation.task import ArrayPictures, Labeled, Task
from dcgan_dist.model.published_weights import load_published

pytestmark = pytest.mark.ray

COSTS = (1e-4, 1e-2)
# Actors cannot import this file.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(3)


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(2, cpus=0.5, gpus=0, threads=1)
    yield made
    made.close()


def evaluated(evaluators: Any, task: Task) -> dict[str, Any]:
    return probe(evaluators, task, PixelFeatures(), torch.float32, Linear(COSTS))


def scores(result: dict[str, Any]) -> list[float]:
    every, few = result["all_labels"], result["few_labels"]
    return [every["accuracy"], *(one["held_out_accuracy"] for one in every["tried"]), *few["draws"]]


def test_actors_give_what_evaluators_here_give(pool: Pool, bands: Task, here: Callable[..., Any]) -> None:
    evaluators = here(2)
    assert load(pool, [bands]) == load(evaluators, [bands])
    assert scores(evaluated(pool, bands)) == pytest.approx(scores(evaluated(evaluators, bands)), abs=0.006)
    assert pool.replaced == 0


def test_what_actors_hold_is_added_up_by_node(pool: Pool) -> None:
    assert pool.held_resources() == {ray.get_runtime_context().get_node_id(): (1.0, 0.0)}


@pytest.mark.system
def test_an_actor_that_is_killed_at_any_time_is_replaced_and_the_result_is_the_same(pool: Pool, bands: Task) -> None:
    checksum = load(pool, [bands])
    unbroken = evaluated(pool, bands)
    kills = []

    class Killing:
        """The pool, but before some of its calls one of its actors is killed."""

        calls = 0

        def each(self, name: str, /, *arguments: Any) -> list[Any]:
            self.maybe_kill()
            return pool.each(name, *arguments)

        def svm(self, name: str, /, *arguments: Any) -> tuple[Any, ...]:
            self.maybe_kill()
            return pool.svm(name, *arguments)

        def maybe_kill(self) -> None:
            if self.calls in (1, 4, 12, 29, 50):
                os.kill(pool.pids()[self.calls % 2], signal.SIGKILL)
                kills.append(self.calls)
            self.calls += 1

    killing = Killing()
    assert load(killing, [bands]) == checksum
    assert scores(evaluated(killing, bands)) == scores(unbroken)
    assert kills == [1, 4, 12, 29, 50]
    assert pool.replaced == len(kills)


@pytest.mark.system
def test_an_actor_that_is_killed_while_it_computes_is_replaced_too(pool: Pool, bands: Task) -> None:
    load(pool, [bands])
    pool.each("encode", "bands", PixelFeatures(), torch.float32)
    pids = pool.pids()
    killer = threading.Thread(target=lambda: (time.sleep(0.3), os.kill(pids[1], signal.SIGKILL)))
    killer.start()
    deadline = time.monotonic() + 60
    while not pool.replaced:
        assert time.monotonic() < deadline
        assert len(pool.each("encode", "bands", PixelFeatures(), torch.float32)) == 2
    killer.join()
    assert pool.replaced == 1
    assert scores(evaluated(pool, bands))[0] > 0.7


class Shifting(Evaluator):
    """Has one more state, made from the features."""

    @makes(Stage.SCALED)
    def shift(self, by: float) -> None:
        self._features(self._train).add_(by)

    @reads
    def total(self) -> float:
        return float(self._features(self._train).double().sum())

    def forgotten(self) -> None:
        raise AssertionError("it is never called")


def test_a_state_of_somebody_elses_outlives_its_actor(bands: Task) -> None:
    pool = Pool(2, 0.25, 0, 1, kind=Shifting)
    try:
        load(pool, [bands])
        pool.each("encode", "bands", PixelFeatures(), torch.float32)
        before = pool.each("total")
        pool.each("shift", 0.75)
        shifted = pool.each("total")
        assert all(after > total + 1 for after, total in zip(shifted, before, strict=True))
        os.kill(pool.pids()[1], signal.SIGKILL)
        assert pool.each("total") == shifted
        assert pool.replaced == 1
        with pytest.raises(TypeError, match="forgotten declares no effect"):
            pool.each("forgotten")
    finally:
        pool.close()


@dataclass(frozen=True)
class Whitened:
    """Pixels without their mean and deviation over the training images, for which it needs two rounds."""

    mean: float | None = None
    deviation: float | None = None

    recipe: ClassVar[dict[str, Any]] = {}
    standardized = False

    @property
    def fitted(self) -> bool:
        return self.deviation is not None

    def to(self, device: torch.device) -> Self:
        return self

    def gather(self, batches: Iterable[Any]) -> tuple[int, float]:
        blocks = [torch.from_numpy(batch).double() for batch in batches]
        if self.mean is None:
            return sum(block.numel() for block in blocks), sum(float(block.sum()) for block in blocks)
        squares = [float((block - self.mean).square().sum()) for block in blocks]
        return sum(block.numel() for block in blocks), sum(squares)

    def combine(self, parts: Sequence[tuple[int, float]]) -> "Whitened":
        value = sum(total for _, total in parts) / sum(number for number, _ in parts)
        return replace(self, mean=value) if self.mean is None else replace(self, deviation=math.sqrt(value))

    def features(self, images: Any) -> torch.Tensor:
        assert self.mean is not None
        assert self.deviation is not None
        return (torch.from_numpy(images).float().flatten(1) - self.mean) / self.deviation


def test_an_encoder_of_two_rounds_is_the_same_over_actors_one_of_which_dies_between_them(
    pool: Pool, bands: Task, here: Callable[..., Any]
) -> None:
    load(pool, [bands])
    rounds = []

    def gather(encoder: Whitened) -> list[Any]:
        if encoder.mean is not None:
            os.kill(pool.pids()[1], signal.SIGKILL)
        rounds.append(encoder)
        return pool.each("gather", "bands", encoder)

    fitted = fit(Whitened(), gather)
    assert pool.replaced == 1
    assert len(rounds) == 2
    values = bands.train.read(np.arange(len(bands.train))).astype(float)
    assert fitted.mean == pytest.approx(values.mean())
    assert fitted.deviation == pytest.approx(values.std())
    one = here(1)
    load(one, [bands])
    assert scores(probe(pool, bands, Whitened(), torch.float32, Linear(COSTS))) == pytest.approx(
        scores(probe(one, bands, fitted, torch.float32, Linear(COSTS))), abs=0.006
    )


@dataclass(frozen=True, eq=False)
class Given(DiscriminatorFeatures):
    """Features of images that no picture holds exactly: a picture's first value is the number of its image."""

    given: torch.Tensor | None = None

    def _input(self, images: Any) -> torch.Tensor:
        assert self.given is not None
        return self.given[torch.from_numpy(images[:, 0, 0, 0].astype(np.int64))]


def test_the_published_discriminator_gives_its_published_features(pool: Pool, published: Path) -> None:
    with np.load(published / "expected.npz", allow_pickle=False) as archive:
        x, expected = torch.from_numpy(archive["x"]), archive["svhn_d_feat"].astype(float)
    numbers = np.arange(64)
    pictures = ArrayPictures(np.tile(numbers.astype(np.uint8)[:, None, None, None], (1, 32, 32, 3)), "numbers")
    images = Labeled(pictures, numbers, numbers % 2)
    task = Task("numbers", "given", images, images, 2, held_out=1, seed=0)
    load(pool, [task])
    encoder = Given(load_published(published).svhn_discriminator, given=x)
    encoder = fit(encoder, lambda encoder: pool.each("gather", "numbers", encoder))
    assert pool.each("encode", "numbers", encoder, torch.float32)[0][0] == 7_168
    count, sums, squares = (sum(column) for column in zip(*pool.each("moments"), strict=True))
    assert count == 64
    assert np.abs(sums.numpy() - expected.sum(0)).max() < 64 * 1e-5
    assert squares.numpy() == pytest.approx((expected**2).sum(0), rel=1e-4, abs=1e-4)


class Deadly:
    """An encoder that kills whoever gathers for it."""

    def to(self, device: Any) -> "Deadly":
        return self

    def gather(self, batches: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.system
def test_an_actor_that_dies_again_and_again_ends_it_with_one_sentence(pool: Pool, bands: Task) -> None:
    load(pool, [bands])
    told = rf"evaluation actor 0 died {MAX_DEATHS + 1} times during the call gather .*: give it more memory"
    with pytest.raises(ClusterError, match=told):
        pool.each("gather", "bands", Deadly())


def test_what_a_user_can_mend_is_raised_as_it_is(pool: Pool, bands: Task) -> None:
    with pytest.raises(DataError, match="cannot be decoded"):
        load(pool, [replace(bands, train=Labeled(Broken(bands.train), bands.train.samples, bands.train.labels))])


class Broken(ArrayPictures):
    def __init__(self, labeled: Labeled) -> None:
        assert isinstance(labeled.pictures, ArrayPictures)
        super().__init__(labeled.pictures.images, "bands")

    def read(self, samples: Any, out: Any, rows: Any) -> Any:
        return ~super().read(samples, out, rows)


class Vanishing(ArrayPictures):
    """Images that are gone once there is a file that says so."""

    def __init__(self, labeled: Labeled, gone: Path) -> None:
        assert isinstance(labeled.pictures, ArrayPictures)
        super().__init__(labeled.pictures.images, str(gone))

    def read(self, samples: Any, out: Any, rows: Any) -> Any:
        if Path(self.source).exists():
            raise DataError("the shards are gone")
        return super().read(samples, out, rows)


def test_images_that_are_gone_when_an_actor_is_replaced_are_told(pool: Pool, bands: Task, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    load(pool, [replace(bands, train=replace(bands.train, pictures=Vanishing(bands.train, gone)))])
    gone.touch()
    os.kill(pool.pids()[1], signal.SIGKILL)
    with pytest.raises(DataError, match=r"^the shards are gone$"):
        pool.each("encode", "bands", PixelFeatures(), torch.float32)
    assert pool.replaced == 1


def test_where_no_machines_are_for_evaluation_actors_take_cpus_of_any() -> None:
    assert ray.cluster_resources().get("evaluator") is None
    made = Pool(3, cpus=0.25, gpus=0, threads=1)
    assert len(set(made.pids())) == 3
    assert ray.available_resources()["CPU"] == pytest.approx(3 - 0.75)
    made.close()


def test_actors_that_find_no_room_are_told_of_in_time() -> None:
    holder = Pool(1, cpus=3, gpus=0, threads=1)
    with pytest.raises(ClusterError, match=r"2 evaluation actors could not be placed within \d+ s"):
        Pool(2, cpus=1, gpus=0, threads=1, wait_s=1)
    holder.close()
