"""The sequence, by itself: properties over random layouts, and mixing against what chance allows."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_dist.data.preparation.convert import convert
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.processes import ThisProcess
from dcgan_dist.data.preparation.work import begin
from dcgan_dist.data.readers.folder import open_folder
from dcgan_dist.data.readers.source import Request
from dcgan_dist.data.streaming.plan import SEQUENCE, SLICE_BYTES, Plan, Slices, chunks_of, cut_slices, share
from dcgan_dist.storage import Place


def layout(seed: int, shards: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Shard numbers and file sizes of a data set whose shards are unequal, one of them perhaps empty."""
    rng = np.random.default_rng(seed)
    shard = np.repeat(np.arange(shards), rng.integers(0, most, shards))
    if not len(shard):
        shard = np.zeros(1, np.int64)
    return shard, rng.integers(1, 300_000, len(shard))


def take(plan: Plan, steps: int, rank: int = 0, workers: int = 1) -> list[list[tuple[int, int, int]]]:
    rows = plan.rows(0, rank, workers)
    return [
        list(zip(part.sample.tolist(), part.epoch.tolist(), part.step.tolist(), strict=True))
        for part, _ in zip(rows, range(steps), strict=False)
    ]


plans = st.builds(
    lambda seed, shards, most, batch, window: Plan(
        cut_slices(*layout(seed, shards, most), window), batch_size=batch, window=window, seed=seed
    ),
    seed=st.integers(0, 2**63 - 1),
    shards=st.integers(1, 12),
    most=st.integers(2, 300),
    batch=st.integers(2, 200),
    window=st.integers(1, 1_500),
)


@settings(max_examples=250, deadline=None)
@given(plan=plans, workers=st.integers(1, 9))
def test_every_sample_comes_once_an_epoch_and_any_number_of_workers_sees_the_same_batches(
    plan: Plan, workers: int
) -> None:
    workers = min(workers, plan.batch_size)
    steps = min(-(-3 * plan.epoch_images // plan.batch_size), 2_000)
    whole = take(plan, steps)
    assert all(len(step) == plan.batch_size for step in whole)
    assert [{row[2] for row in step} for step in whole] == [{i} for i in range(steps)]

    rows = [row for step in whole for row in step]
    assert [epoch for _, epoch, _ in rows] == [position // plan.epoch_images for position in range(len(rows))]
    for first in range(0, len(rows) - plan.epoch_images + 1, plan.epoch_images):
        epoch = [sample for sample, _, _ in rows[first : first + plan.epoch_images]]
        assert sorted(epoch) == list(range(plan.epoch_images))

    parts = [take(plan, steps, rank, workers) for rank in range(workers)]
    assert all(len(part) == steps for part in parts)
    assert [[row for part in parts for row in part[i]] for i in range(steps)] == whole


@settings(max_examples=200, deadline=None)
@given(plan=plans, data=st.data())
def test_a_run_that_starts_at_a_position_sees_what_was_left(plan: Plan, data: st.DataObject) -> None:
    steps = min(3 * plan.chunk_steps, 200)
    start = data.draw(st.integers(0, steps - 1))
    whole = take(plan, steps)
    rest = [
        list(zip(rows.sample.tolist(), rows.epoch.tolist(), rows.step.tolist(), strict=True))
        for rows, _ in zip(plan.rows(start), range(steps - start), strict=False)
    ]
    assert rest == whole[start:]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), shards=st.integers(1, 8), most=st.integers(2, 400), window=st.integers(1, 5_000))
def test_slices_cover_all_samples_and_cross_no_shard(seed: int, shards: int, most: int, window: int) -> None:
    shard, size = layout(seed, shards, most)
    slices = cut_slices(shard, size, window)
    covered = [i for first, count in zip(slices.first, slices.count, strict=True) for i in range(first, first + count)]
    assert covered == list(range(len(shard)))
    for first, count in zip(slices.first.tolist(), slices.count.tolist(), strict=True):
        assert len(set(shard[first : first + count])) == 1
        assert count <= max(1, min(64, window // 64))
        assert count == 1 or size[first : first + count].sum() <= 1 << 20


@settings(max_examples=300, deadline=None)
@given(plan=plans, epoch=st.integers(0, 10**6))
def test_windows_cut_an_epoch_at_chunks_and_none_is_small(plan: Plan, epoch: int) -> None:
    bounds = plan.windows(epoch)
    assert (bounds[0], bounds[-1]) == (0, plan.epoch_images)
    lengths = np.diff(bounds)
    assert min(lengths) >= min(plan.epoch_images, plan.chunk_images / 2)
    assert max(lengths) < 2 * plan.chunk_images
    for bound in bounds[1:-1]:
        assert (epoch * plan.epoch_images + bound) % plan.chunk_images == 0


@pytest.mark.parametrize(
    ("sizes", "window", "firsts"),
    [
        # Two of half a limit fill it; a shard ends a slice.
        ([SLICE_BYTES // 2] * 8, 6_400, [0, 2, 4, 5, 7]),
        ([SLICE_BYTES - 1, 1, 1, 1, 1, 1, 1, 1], 6_400, [0, 2, 5]),
        ([SLICE_BYTES + 1, 1, SLICE_BYTES, 1, 1, 1, 1, 1], 6_400, [0, 1, 2, 3, 5]),
        # A sixty-fourth of a window, and one image at least.
        ([100] * 8, 192, [0, 3, 5]),
        ([100] * 8, 191, [0, 2, 4, 5, 7]),
        ([100] * 8, 1, [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_slices_are_as_long_as_they_may_be(sizes: list[int], window: int, firsts: list[int]) -> None:
    slices = cut_slices(np.array([0] * 5 + [1] * 3), np.array(sizes), window)
    assert slices.first.tolist() == firsts
    assert slices.count.tolist() == np.diff([*firsts, 8]).tolist()


def test_slices_have_64_images_at_most_and_there_may_be_none() -> None:
    assert cut_slices(np.zeros(200, int), np.ones(200, int), 1 << 20).count.tolist() == [64, 64, 64, 8]
    assert len(cut_slices(np.zeros(0, int), np.zeros(0, int), 100)) == 0


@pytest.mark.parametrize(
    ("images", "epoch", "bounds"),
    [
        (100, 0, [0, 30, 60, 100]),
        (100, 1, [0, 20, 50, 80, 100]),
        (100, 2, [0, 40, 70, 100]),
        # A piece of half a chunk stays by itself, at either end.
        (105, 0, [0, 30, 60, 90, 105]),
        (105, 1, [0, 15, 45, 75, 105]),
        (30, 4, [0, 30]),
        (20, 1, [0, 20]),
        (44, 0, [0, 44]),
    ],
)
def test_windows_end_with_chunks_of_30(images: int, epoch: int, bounds: list[int]) -> None:
    plan = Plan(Slices(np.arange(images), np.ones(images, int)), batch_size=10, window=25, seed=0)
    assert (plan.epoch_images, plan.chunk_steps, plan.chunk_images) == (images, 3, 30)
    assert plan.windows(epoch) == bounds


@pytest.mark.parametrize(("images", "batch", "window"), [(80, 8, 4_096), (80, 16, 4_096), (81, 8, 64), (37, 50, 128)])
def test_so_many_epochs_show_each_sample_so_often(images: int, batch: int, window: int) -> None:
    """Also of a set that a chunk holds many times."""
    plan = Plan(cut_slices(np.zeros(images, np.int64), np.full(images, 700), window), batch, window, seed=5)
    for epochs in (1, 3):
        steps = -(-epochs * images // batch)
        shown = [sample for step in take(plan, steps) for sample, _, _ in step]
        assert np.bincount(shown[: epochs * images], minlength=images).tolist() == [epochs] * images
        assert len(shown) < epochs * images + batch


@pytest.mark.parametrize(("batch", "window"), [(128, 4_096), (128, 512), (64, 4_096), (100, 1_000), (2_048, 4_096)])
def test_at_least_60_slices_make_a_chunk(batch: int, window: int) -> None:
    n = 60_000
    plan = Plan(cut_slices(np.zeros(n, np.int64), np.full(n, 100), window), batch, window, seed=3)
    owner = np.repeat(np.arange(len(plan.slices)), plan.slices.count)
    assert all(len(np.unique(owner[plan.chunk(number).sample])) >= 60 for number in range(10))


def test_shares_of_workers_are_consecutive_and_differ_by_one_at_most() -> None:
    shares = [share(128, rank, 3) for rank in range(3)]
    assert shares == [(0, 42), (42, 85), (85, 128)]


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [(0, 8, [0, 1]), (0, 9, [0, 1, 2]), (3, 5, [0, 1]), (4, 5, [1]), (7, 8, [1]), (11, 13, [2, 3]), (8, 8, [])],
)
def test_chunks_of_four_steps_that_hold_some_steps(first: int, last: int, numbers: list[int]) -> None:
    assert list(chunks_of(first, last, 4)) == numbers


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    slices = Slices(np.arange(0, 6_400, 64), np.full(100, 64))
    orders = [Plan(slices, 128, 6_400, seed).chunk(number).sample for seed in (0, 1) for number in (0, 1)]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).mean() < 0.01


def test_the_order_of_old_runs_stays() -> None:
    """A resumed run relies on it; the numbers were written down when the sequence was made. Where they have to change,
    `SEQUENCE` has to grow."""
    plan = Plan(Slices(np.arange(0, 24, 4), np.full(6, 4)), batch_size=5, window=10, seed=42)
    assert SEQUENCE == 2
    assert [rows.sample.tolist() for rows, _ in zip(plan.rows(0), range(10), strict=False)] == [
        [4, 20, 10, 9, 5],
        [7, 11, 8, 6, 21],
        [22, 18, 2, 16, 13],
        [19, 14, 1, 23, 0],
        [15, 12, 17, 3, 14],
        [15, 13, 12, 4, 5],
        [20, 6, 3, 2, 7],
        [22, 23, 0, 21, 1],
        [10, 8, 11, 19, 16],
        [17, 9, 18, 3, 13],
    ]


def test_class_counts_of_batches_of_prepared_shards_lie_in_the_multinomial_band(tmp_path: Path) -> None:
    """Counts of a batch lie outside the two-sided 99.9 % band no more often than chance allows."""
    from scipy.stats import binom

    classes, per_class = 10, 400
    image = simplejpeg.encode_jpeg(np.zeros((8, 8, 3), np.uint8))
    for number in range(classes):
        (tmp_path / "pictures" / f"class-{number}").mkdir(parents=True)
        for i in range(per_class):
            (tmp_path / "pictures" / f"class-{number}" / f"{i}.jpg").write_bytes(image)
    options = PrepareOptions((), size=8, images_per_shard=900)
    source = open_folder([Place(str(tmp_path / "pictures"))], Request())
    index, _ = convert(begin(options, "folder", source, Place(str(tmp_path / "shards"))), ThisProcess())
    plan = Plan(cut_slices(index.shard, index.size, 4_096), 128, 4_096, seed=1)
    steps = zip(plan.rows(0), range(1_500), strict=False)
    counts = np.array([np.bincount(index.label[rows.sample], minlength=classes) for rows, _ in steps])
    low, high = binom.interval(0.999, 128, 1 / classes)
    outside = ((counts < low) | (counts > high)).mean()
    assert outside <= 0.001 + 3 * np.sqrt(0.001 * 0.999 / counts.size)


@pytest.mark.parametrize("images", [50_000, 4_096 * 3 + 64, 4_096 * 2 - 100])
def test_batches_of_class_sorted_shards_are_mixed_also_where_epochs_meet(images: int) -> None:
    """The last rows of an epoch in a chunk come from many slices, however few they are."""
    slices = cut_slices(np.arange(images) // 5_000, np.full(images, 1_000), 4_096)
    plan = Plan(slices, 128, 4_096, seed=1)
    slice_of = np.repeat(np.arange(len(slices)), slices.count)
    # Every distance between the end of an epoch and the bound of a chunk comes about.
    numbers = {e * images // plan.chunk_images + more for e in range(1, 65) for more in (-1, 0, 1)}
    parts = [slice_of[plan.chunk(number).sample].reshape(-1, 128) for number in sorted(numbers)]
    assert min(len(np.unique(rows)) for rows in np.concatenate(parts)) >= 20


def test_class_counts_of_batches_of_class_sorted_shards_lie_in_the_hypergeometric_band_of_their_window() -> None:
    from scipy.stats import hypergeom

    classes, n = 10, 50_000
    label = np.sort(np.arange(n) % classes)
    shard = np.arange(n) // 5_000
    plan = Plan(cut_slices(shard, np.full(n, 1_000), 4_096), 128, 4_096, seed=1)
    labels = np.concatenate([label[plan.chunk(number).sample] for number in range(61)])
    outside = total = 0
    for epoch in range(5):
        for first, last in pairwise(plan.windows(epoch)):
            window = labels[epoch * n + first : epoch * n + last]
            low, high = hypergeom.interval(0.999, last - first, np.bincount(window, minlength=classes), 128)
            whole = window[: len(window) // 128 * 128].reshape(-1, 128)
            counts = np.array([np.bincount(rows, minlength=classes) for rows in whole])
            outside += int(((counts < low) | (counts > high)).sum())
            total += counts.size
    assert outside / total <= 0.001 + 3 * np.sqrt(0.001 * 0.999 / total)
