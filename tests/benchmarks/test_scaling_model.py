"""The cost model: what has to hold of it whatever was measured."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from benchmarks.blocks import fit
from benchmarks.report import Cell
from benchmarks.scaling_model import (
    BATCH,
    RESULTS,
    STRONG,
    WEAK,
    Job,
    Machine,
    Measured,
    Way,
    cost,
    first_where,
    job_of,
    limits,
    read_measured,
    report,
)
from dcgan_dist.data.streaming.source import MOST_LANES, lanes_for
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.settings import scenes32
from dcgan_dist.training.schedule import ALIGNED_EXCHANGES

JOB = Job(launches=0.5, flops=8e9, gradients=7e7, weights=1.4e8, norms=12, image_bytes=12_288, window=4_096)
WAYS = {
    "fp32": Way("fp32", 1.1),
    "bf16": Way("bf16", 0.5),
    "powersgd": Way("powersgd", 0.04),
    "weights": Way("weights", 0.0, 1.2, 2.5),
    "weights in bf16": Way("weights in bf16", 0.0, 0.6, 2.5),
}
MEASURED = Measured(
    ways=WAYS, chunk_s=0.01, block_s=0.002, decode_s=4e-5, checkpoint_bytes=4e8, launch_s=0.008, tflops=300.0
)
MACHINE = Machine(launch_s=0.012)


def multiplications(network: nn.Module, inputs: torch.Tensor) -> float:
    """Of a forward pass: each weight of a layer meets each place of the smaller of the maps that it lies between."""
    found = []

    def look(module: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        places = min(map_.shape[2:].numel() for map_ in (given[0], made)) if given[0].ndim == made.ndim == 4 else 1
        found.append(places * sum(p.numel() for p in module.parameters(recurse=False) if p.ndim >= 2))

    for module in network.modules():
        module.register_forward_hook(look)
    with torch.no_grad():
        network(inputs)
    return float(sum(found))


def test_a_worker_alone_sends_nothing_and_computes_all() -> None:
    one = cost(JOB, MACHINE, MEASURED, 1, BATCH)
    assert (one.reduce_s, one.norms_s) == (0.0, 0.0)
    assert one.compute_s == pytest.approx(BATCH * 8e9 / 30e12)


def test_with_few_images_a_worker_waits_for_launches_unless_it_is_alone() -> None:
    launching = MACHINE.launch_s * JOB.launches
    assert cost(JOB, MACHINE, MEASURED, 2, 4).compute_s == pytest.approx(launching)
    assert cost(JOB, MACHINE, MEASURED, 2, 256).compute_s == pytest.approx(128 * 8e9 / 30e12)
    assert cost(JOB, MACHINE, MEASURED, 1, 2).compute_s < launching / 2


def test_two_workers_send_what_was_measured() -> None:
    two = cost(JOB, replace(MACHINE, latency_s=0.0), MEASURED, 2, BATCH)
    assert two.reduce_s == pytest.approx(1.1 * 7e7 * 8 / 10e9)


def test_gradients_that_are_smaller_take_less() -> None:
    slow = replace(MACHINE, latency_s=0.0)
    plain, small = (cost(JOB, slow, MEASURED, 8, BATCH, WAYS[way]) for way in ("fp32", "powersgd"))
    assert small.reduce_s == pytest.approx(plain.reduce_s * 0.04 / 1.1)
    assert (small.norms_s, small.compute_s) == (plain.norms_s, plain.compute_s)


def test_an_exchange_is_shared_by_the_steps_between_two() -> None:
    slow = replace(MACHINE, latency_s=0.0)
    found = cost(JOB, slow, MEASURED, 8, BATCH, replace(WAYS["weights"], every=32))
    ring = 2 * 7 / 8 * 1.4e8 * 8 / 10e9
    assert found.reduce_s == pytest.approx((1.2 + 2.5 / ALIGNED_EXCHANGES) * ring / 32)
    assert found.norms_s == 0, "statistics are those of each worker"
    assert cost(JOB, MACHINE, MEASURED, 1, BATCH, replace(WAYS["weights"], every=32)).reduce_s == 0


def test_what_limits_is_named() -> None:

    def named(measured: Measured) -> dict[tuple[Cell, ...], Cell]:
        rows = report(JOB, MACHINE, measured).tables["scaling-ways"].rows
        return {(row[0], row[1], row[2]): row[7] for row in rows}

    limits = named(MEASURED)
    assert limits[8, "128", "fp32"] == "network"
    assert limits[8, "128", "weights in bf16 every 64 steps"] == "launches"
    assert limits[8, "1,024", "weights in bf16 every 64 steps"] == "computing"
    assert limits[64, "8,192", "weights in bf16 every 64 steps"] == "computing"
    slow = named(replace(MEASURED, block_s=5 * MEASURED.block_s))
    assert slow[64, "8,192", "weights in bf16 every 64 steps"] == "coordinator"


def test_the_bars_are_those_of_the_ways_that_are_asked_about() -> None:
    bars = report(JOB, MACHINE, MEASURED).bars
    assert [(bar.name, bar.at_least) for bar in bars] == [
        ("efficiency of 8 L4s, 128 images a worker, weights every 16 steps", 0.8),
        ("efficiency of 8 L4s, 128 images a worker, weights in bf16 every 16 steps", 0.8),
        ("efficiency of 8 L4s, 128 images in all, weights every 64 steps", 0.6),
        ("efficiency of 8 L4s, 128 images in all, weights in bf16 every 64 steps", 0.6),
    ]
    way = replace(WAYS["weights"], every=16)
    alone = cost(JOB, MACHINE, MEASURED, 1, BATCH).images_per_s
    wanted = cost(JOB, MACHINE, MEASURED, 8, 8 * BATCH, way).images_per_s / 8 / alone
    assert bars[0].value == pytest.approx(wanted)


def test_more_workers_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="129 workers cannot share 128 images"):
        cost(JOB, MACHINE, MEASURED, BATCH + 1, BATCH)


def test_a_busy_coordinator_is_what_limits() -> None:
    slow = replace(MEASURED, block_s=1.0)
    found = cost(JOB, MACHINE, slow, 8, 8 * BATCH)
    assert found.coordinator > 1
    # It deals a chunk in so long, whatever the workers do.
    assert lanes_for(8, 4) == 1
    assert found.images_per_s == pytest.approx(JOB.window / (slow.chunk_s + 8 * slow.block_s))


def test_a_batch_that_is_larger_than_a_chunk_makes_a_chunk_of_its_own() -> None:
    many = cost(JOB, MACHINE, MEASURED, 512, 512 * BATCH)
    dealing = MEASURED.chunk_s + 512 * MEASURED.block_s
    assert many.coordinator == pytest.approx(dealing / MOST_LANES / many.alone_s)
    alone = cost(JOB, MACHINE, MEASURED, 512, 512 * BATCH, lanes=lambda workers, steps: 1)
    assert alone.coordinator == pytest.approx(dealing / alone.alone_s)


def test_the_first_number_of_workers_is_found() -> None:
    assert first_where(lambda found: found.batch >= 1_000, JOB, MACHINE, MEASURED) == 8
    assert first_where(lambda found: False, JOB, MACHINE, MEASURED) is None


def test_wider_chunks_and_more_coordinators_move_its_limit() -> None:
    rows = {str(row[0]): row[1] for row in limits(JOB, [MACHINE], MEASURED).rows}
    asked = ("data.window 4,096", "coordinators are", "every 64 steps", "data.window 65,536")
    one, several, seldom, wide = [
        next(int(str(number).replace(",", "")) for what, number in rows.items() if words in what) for words in asked
    ]
    assert one < several
    assert seldom < wide


def test_what_a_step_takes_is_counted() -> None:
    found = job_of(scenes32())
    generator, discriminator = build_networks(scenes32().networks, 1, torch.device("cpu"), torch.float32, False)
    numbers = sum(p.numel() for network in (generator, discriminator) for p in network.parameters())
    assert found.gradients == 4 * numbers * (1.0 if scenes32().optimization.schedule == "both" else 0.5)
    of_g, of_d = (3, 8) if scenes32().optimization.schedule == "both" else (2, 4)
    by_hand = of_g * multiplications(generator, torch.zeros(2, 100)) + of_d * multiplications(
        discriminator, torch.zeros(2, 3, 32, 32)
    )
    assert found.flops == pytest.approx(2 * by_hand)


def test_the_tables_have_a_row_for_each_size_and_network() -> None:
    made = report(JOB, MACHINE, MEASURED)
    assert len(made.tables["scaling-strong"].rows) == 2 * len(STRONG)
    assert len(made.tables["scaling-weak"].rows) == 2 * len(WEAK)
    assert made.tables["scaling-strong"].rows[0][7] == "100 %"


def test_the_committed_tables_come_from_the_committed_measurements() -> None:
    made = json.loads((RESULTS / "scaling.json").read_text())
    assert made["samples"]["measured"] == asdict(read_measured(RESULTS))


def test_a_chunk_and_its_blocks_are_told_apart() -> None:
    base, slope = fit({1: 0.012, 2: 0.014, 4: 0.018})
    assert (base, slope) == (pytest.approx(0.010), pytest.approx(0.002))
