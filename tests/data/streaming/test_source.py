"""The real source: real shards through real Ray Data to real consumers, against the plan."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import simplejpeg

from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.data.streaming import source
from dcgan_dist.data.streaming.batches import batches
from dcgan_dist.data.streaming.cache import PART_IMAGES, CachedPictures, Gatherer, cache_pictures, is_cached
from dcgan_dist.data.streaming.chunk_reader import ShardPictures
from dcgan_dist.data.streaming.plan import Plan, cut_slices, share
from dcgan_dist.data.streaming.source import Part, Reading, part_of, share_rows, split
from dcgan_dist.storage import Place

pytestmark = pytest.mark.ray

SIZE = 8


@pytest.fixture(scope="module", autouse=True)
def cluster(start_ray: Callable[[int], None]) -> None:
    start_ray(7)


def write_shards(folder: Path, seed: int, images: int, bad: frozenset[int] = frozenset()) -> ShardPictures:
    """Shards of unequal length; the pixels of a picture follow from its number."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    with ShardWriter(Place(str(folder)), "train", int(rng.integers(30, 200))) as writer:
        for number in range(images):
            picture = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
            writer.add(b"bad" if number in bad else simplejpeg.encode_jpeg(picture, quality=90))
    return ShardPictures(concatenate(writer.written), SIZE, "resize", 1 << 20, 1 << 20)


def plan_of(pictures: ShardPictures, batch: int, window: int, seed: int) -> Plan:
    return Plan(cut_slices(pictures.index.shard, pictures.index.size, window), batch, window, seed)


@ray.remote(num_cpus=1)
def consume(
    shards: Any, rank: int, plan: Plan, workers: int, first: int, last: int, cached: CachedPictures | None
) -> list[tuple[Any, ...]]:
    """What a worker sees, step by step: samples, bad ones, pixels, and classes where there are some."""
    import torch

    low, high = share(plan.batch_size, rank, workers)
    gather = None if cached is None else Gatherer(cached)
    rows = high - low, share_rows(plan, workers)
    seen = batches(shards, *rows, first, last, plan.chunk_steps, torch.device("cpu"), gather)
    found = []
    for batch in seen:
        classes = () if batch.labels is None else (batch.labels.numpy(),)
        found.append((batch.samples, batch.bad, batch.images.numpy(), *classes))
    return found


def consume_all(
    pictures: ShardPictures | CachedPictures,
    plan: Plan,
    workers: int,
    first: int,
    last: int,
    labels: np.ndarray | None = None,
    lanes: int = 1,
) -> list[list[Any]]:
    """For each step what all workers together see, in rank order."""
    reading = Reading(plan, pictures, labels)
    part, reference = part_of(plan, first, last, workers, lanes), ray.put(reading)
    # As workers do: of more lanes than there are chunks some have none.
    used = range(min(lanes, part.last - part.first))
    split_lanes = [split(reference, plan, reading.row_bytes, replace(part, lane=lane)) for lane in used]
    cached = pictures if isinstance(pictures, CachedPictures) else None
    ranks = ray.get(
        [
            consume.remote(list(shards), rank, plan, workers, first, last, cached)
            for rank, shards in enumerate(zip(*split_lanes, strict=True))
        ],
        timeout=120,
    )
    assert all(len(rank) == last - first for rank in ranks)
    return [[np.concatenate(parts) for parts in zip(*step, strict=True)] for step in zip(*ranks, strict=True)]


def expected(plan: Plan, first: int, last: int) -> list[list[int]]:
    return [rows.sample.tolist() for rows, _ in zip(plan.rows(first), range(last - first), strict=False)]


CASES = [(seed, 2 + seed % 4) for seed in range(20)]


@pytest.mark.parametrize(("seed", "workers"), CASES)
def test_consumers_see_the_plan_whatever_their_number(seed: int, workers: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([7, seed])
    batch = int(rng.integers(workers, 40))
    window = int(rng.integers(1, 150))
    pictures = write_shards(tmp_path / "data", seed, int(rng.integers(50, 400)))
    plan = plan_of(pictures, batch, window, seed)
    # In cases 0 to 3 the batch does not divide, over so many chunks that a misdeal would show.
    if seed < 4:
        batch += batch % workers == 0
        plan = plan_of(pictures, batch, window, seed)
        assert batch % workers
    chunks = 64 if seed < 4 else 12
    first = int(rng.integers(0, 2 * plan.chunk_steps))
    last = first + chunks * plan.chunk_steps - int(rng.integers(0, plan.chunk_steps))
    seen = consume_all(pictures, plan, workers, first, last)
    assert [samples.tolist() for samples, _, _ in seen] == expected(plan, first, last)


@pytest.mark.parametrize(
    ("lanes", "first", "last"), [(2, 0, 40), (3, 7, 41), (4, 2, 3), (3, 9, 14)], ids=lambda value: str(value)
)
def test_consumers_see_the_same_from_any_number_of_lanes(lanes: int, first: int, last: int, tmp_path: Path) -> None:
    """Chunks have four steps: from one chunk in the middle of which it begins, to more than two rounds of lanes."""
    pictures = write_shards(tmp_path / "data", 6, 150)
    plan = plan_of(pictures, 11, 44, 8)
    assert plan.chunk_steps == 4
    seen = consume_all(pictures, plan, 2, first, last, lanes=lanes)
    assert [samples.tolist() for samples, _, _ in seen] == expected(plan, first, last)


def test_lanes_share_the_chunks_of_each_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lanes of 25 chunks, of which a lane reads four at a time."""
    monkeypatch.setattr(source, "EXECUTION_CHUNKS", 4)
    plan = Plan(cut_slices(np.zeros(100, np.int64), np.ones(100), 40), 10, 40, 3)
    context = ray.data.DataContext.get_current().copy()
    seen = []
    for lane in range(3):
        part = Part(5, 30, 2, lane, 3)
        tasks = source.ChunkSource(ray.put(None), plan, part, 1_000)
        for execution in range(3):
            context._execution_idx = execution
            numbers = [task.read_fn.args[1] for task in tasks.get_read_tasks(1, data_context=context)]
            assert len(numbers) <= 4
            assert all((number - 5) % 3 == lane for number in numbers)
            seen += numbers
        assert tasks.estimate_inmemory_data_size() == 2_000 * len(part.chunks)
    assert sorted(seen) == list(range(5, 30))


@pytest.mark.parametrize(
    ("workers", "chunk_steps", "lanes"),
    [(1, 1, 1), (4, 1, 1), (5, 1, 2), (8, 2, 1), (8, 1, 2), (32, 1, 8), (32, 8, 1), (32, 4, 2), (1_000, 1, 8)],
)
def test_many_blocks_a_step_take_more_lanes(workers: int, chunk_steps: int, lanes: int) -> None:
    assert source.lanes_for(workers, chunk_steps) == lanes


def test_pixels_are_those_of_the_sample_and_a_bad_one_changes_nothing_but_itself(tmp_path: Path) -> None:
    bad = frozenset({3, 50, 51, 119})
    whole, holed = (write_shards(tmp_path / name, 1, 120, bad_) for name, bad_ in (("a", frozenset()), ("b", bad)))
    plans = [plan_of(pictures, 12, 48, 5) for pictures in (whole, holed)]
    one, other = (consume_all(pictures, plan, 3, 0, 20) for pictures, plan in zip((whole, holed), plans, strict=True))
    reference = np.empty((120, SIZE, SIZE, 3), np.uint8)
    whole.read(np.arange(120), reference, np.arange(120))
    for (samples, none, pixels), (same_samples, told, other_pixels) in zip(one, other, strict=True):
        assert (pixels == reference[samples].transpose(0, 3, 1, 2)).all()
        assert not len(none)
        assert (samples == same_samples).all()
        assert sorted(told.tolist()) == sorted(set(samples.tolist()) & bad)
        good = ~np.isin(samples, list(bad))
        assert (pixels[good] == other_pixels[good]).all()
        # What stands in for a bad one is a picture of the set, not noise.
        for row in np.flatnonzero(~good):
            assert (other_pixels[row].transpose(1, 2, 0) == reference).all((1, 2, 3)).any()


@pytest.mark.parametrize("cached", [False, True])
def test_the_class_is_that_of_the_image_which_is_shown(cached: bool, tmp_path: Path) -> None:
    """Also where another image stands in for a bad one. Classes are numbers of images here, so each shows which."""
    pictures = replace(write_shards(tmp_path / "data", 3, 90, frozenset({4, 61})), channels=1)
    reference = np.zeros((90, SIZE, SIZE, 1), np.uint8)
    pictures.read(np.arange(90), reference, np.arange(90))
    plan, labels = plan_of(pictures, 9, 40, 2), np.arange(90)
    source = cache_pictures(pictures, lambda *_: None) if cached else pictures
    told = 0
    for samples, bad, pixels, classes in consume_all(source, plan, 2, 0, 10, labels):
        assert pixels.shape == (9, 1, SIZE, SIZE)
        assert (pixels == reference[classes].transpose(0, 3, 1, 2)).all()
        instead = samples != classes
        assert sorted(samples[instead].tolist()) == sorted(bad.tolist())
        told += len(bad)
    assert told


def test_a_second_execution_goes_on_where_the_first_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = write_shards(tmp_path / "data", 2, 100)
    plan = plan_of(pictures, 10, 40, 3)
    tasks = source.ChunkSource(ray.put(Reading(plan, pictures)), plan, Part(3, 3 + 2_500, 2), 1_000)
    context = ray.data.DataContext.get_current().copy()
    numbers = []
    for execution in range(4):
        context._execution_idx = execution
        numbers += [task.read_fn.args[1] for task in tasks.get_read_tasks(1, data_context=context)]
    assert numbers == list(range(3, 3 + 2_500))


def test_a_cache_yields_the_same_samples_and_pixels(tmp_path: Path) -> None:
    images = PART_IMAGES + 300
    pictures = write_shards(tmp_path / "data", 4, images, bad=frozenset({5, PART_IMAGES + 1}))
    plan = plan_of(pictures, 64, 512, 9)
    told: list[tuple[str, int, int]] = []
    cached = cache_pictures(pictures, lambda *progress: told.append(progress))
    assert len(cached.parts) == 2
    assert told[-1][1:] == (2, 2)
    for one, other in zip(consume_all(pictures, plan, 2, 3, 60), consume_all(cached, plan, 2, 3, 60), strict=True):
        assert all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("setting", "images_read", "store_bytes", "answer"),
    [
        ("on", 1, 0, True),
        ("off", 1 << 40, 1 << 60, False),
        ("auto", 2_000, 4 * 1_000 * 3 * 32 * 32, True),
        ("auto", 2_000, 4 * 1_000 * 3 * 32 * 32 - 4, False),
        ("auto", 1_000, 1 << 60, False),
    ],
)
def test_auto_caches_what_fits_a_quarter_of_the_store_and_is_read_again(
    setting: Any, images_read: int, store_bytes: int, answer: bool
) -> None:
    assert is_cached(setting, 1_000, 3 * 32 * 32, images_read, store_bytes) is answer


def test_batches_that_come_out_of_order_are_noticed() -> None:
    import torch

    class Wrong:
        def iter_batches(self, **_: object) -> Any:
            for step in (0, 2):
                yield {
                    "image": np.zeros((4, SIZE, SIZE, 3), np.uint8),
                    "step": np.full(4, step),
                    "sample": np.arange(4),
                    "filled": np.zeros(4, bool),
                }

    with pytest.raises(RuntimeError, match="steps 2 to 2 came where step 1 was due"):
        list(batches([Wrong()], 4, 4, 0, 3, 1, torch.device("cpu")))
