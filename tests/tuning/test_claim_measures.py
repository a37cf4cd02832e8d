"""What is measured of a run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch

from dcgan_dist.arrays import Pixels
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import CheckpointError, DataError
from dcgan_dist.evaluation.coverage import sampler_of
from dcgan_dist.evaluation.fidelity.features import open_features
from dcgan_dist.evaluation.fidelity.measure import measure
from dcgan_dist.evaluation.task import Labeled
from dcgan_dist.evaluation.tasks.fidelity import open_fidelity
from dcgan_dist.model.dcgan import build_networks
from dcgan_dist.run_folder.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from dcgan_dist.run_folder.load_generator import load_frozen
from dcgan_dist.settings import DataSettings, NetworkSettings, OptimizationSettings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.judges.rooms import OBJECTS, STATES, RoomsSeen
from tuning import claim_measures
from tuning.claim_data import rooms
from tuning.claim_measures import (
    MEASURES,
    Judging,
    color_shares,
    distance,
    kernel_distance,
    log_distance,
    measured,
    of_quarters,
    open_probed,
    probe_accuracy,
    rates,
    reached,
    reasons,
    replaced_by_worst,
    swings,
)

NETWORKS = NetworkSettings(image_size=32, generator_maps=2, discriminator_maps=2, latent_size=5)


class Seeing:
    """A judge that takes the first three pixels of a picture for whether there are a bed, a window and a door."""

    def see(self, images: Pixels) -> RoomsSeen:
        masks = np.zeros((len(images), len(OBJECTS), 32, 32), bool)
        for column, name in enumerate(("bed", "window", "door")):
            masks[:, OBJECTS.index(name)] = images[:, 0, column, 0, None, None] > 0
        return RoomsSeen(masks, np.zeros((len(images), len(STATES)), bool))

    def features(self, images: Pixels) -> torch.Tensor:
        return torch.from_numpy(images[:, 0, :3, 0].astype(np.float32)) + torch.rand(
            len(images), 3, generator=torch.Generator().manual_seed(1)
        )


def pictures(*combinations: tuple[int, int, int]) -> Pixels:
    images = np.zeros((len(combinations), 32, 32, 3), np.uint8)
    for image, combination in zip(images, combinations, strict=True):
        image[0, :3] = np.array(combination)[:, None]
    return images


def test_each_combination_has_its_rate() -> None:
    found = rates(pictures((1, 0, 0), (1, 0, 1), (1, 0, 1), (0, 0, 0)), Seeing())  # type: ignore[arg-type]
    assert found.tolist() == [0.25, 0.25, 0, 0, 0, 0.5, 0, 0]


def test_the_distance_is_the_share_that_would_have_to_move() -> None:
    assert distance(np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.5, 0.3])) == pytest.approx(0.3)
    assert distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def run_with(folder: Path, points: list[dict[str, Any]]) -> Place:
    lines = [{"time": 1.0, "attempt": 1, "step": point["images"] // 10, **point} for point in points]
    folder.mkdir(exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Place(str(folder))


def unneeded() -> Any:
    raise AssertionError("nothing is to be judged")


def test_curves_count_in_the_last_third(tmp_path: Path) -> None:
    points = [
        {"images": images, "values": {"loss/generator": 1.0, "samples/spread": spread, "samples/drift": spread / 2}}
        for images, spread in ((100, 9.0), (200, 7.0), (210, 0.4), (300, 0.8))
    ]
    points[1]["values"] = {"loss/generator": 1.0}
    points.append(
        {"images": 310, "values": {"loss/generator": 1.0}, "health": "samples oscillate since 10 images: words"}
    )
    run = run_with(tmp_path, points)
    found = measured(run, ("spread", "drift", "condemned"), unneeded)
    assert found == {"spread": pytest.approx(0.6), "drift": pytest.approx(0.3), "condemned": 0.0}
    points += [
        {"images": images, "values": {"loss/generator": 1.0, "samples/spread": spread, "samples/drift": drift}}
        for images, spread, drift in ((311, 0.4, 0.0), (312, 9.4, 5.0))
    ]
    capped = measured(run_with(tmp_path, points), ("spread", "drift"), unneeded)
    assert capped["spread"] == pytest.approx((0.4 + 0.8 + 0.4 + 1) / 4)
    assert capped["drift"] == pytest.approx((0.2 + 0.4 + 0 + 2) / 4)


def test_a_run_without_numbers_has_failed(tmp_path: Path) -> None:
    points = [{"images": 100, "values": {"loss/generator": None, "samples/spread": 0.7}}]
    assert measured(run_with(tmp_path, points), MEASURES, unneeded) == dict.fromkeys(MEASURES)


def test_a_run_whose_folder_is_gone_has_not_failed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has no curves any more"):
        measured(run_with(tmp_path, []), ("spread",), unneeded)


def checkpoints(run: Place, *steps: int, path: str = "scenes") -> None:
    generator, discriminator = build_networks(NETWORKS, 1, torch.device("cpu"), torch.float32, channels_last=True)
    state = {"generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    settings = replace(
        scenes32(), data=DataSettings(path=path), networks=NETWORKS, optimization=OptimizationSettings(batch_size=10)
    )
    for step in steps:
        write_checkpoint(run, state, settings, step=step, attempt=1, kept=True)


def test_a_run_is_looked_at_after_each_quarter(tmp_path: Path) -> None:
    """Of 11 steps the quarters end with the 3rd, the 6th, the 9th and the last."""
    run = run_with(tmp_path, [{"images": 110, "values": {"loss/generator": 1.0}}])
    checkpoints(run, 2, 3, 6, 9, 10, 11)
    looked: list[str] = []

    class Looking:
        def rooms_distance(self, run: Place, checkpoint: str) -> float:
            looked.append(checkpoint)
            return 0.7 - 0.2 * len(looked)

    assert measured(run, ("sooner",), Looking) == {"sooner": pytest.approx(0.2)}  # type: ignore[arg-type]
    assert looked == [f"{images:012d}" for images in (30, 60, 90, 110)]
    looked.clear()
    assert measured(run, ("reached",), Looking) == {"reached": pytest.approx(0.875)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("distances", "expected"),
    [
        ([1.2, 0.4, -0.2, 0.1], (2 + 2 / 3) / 4),
        ([-0.5, 0.9, 0.9, 0.9], (2.5 / 3) / 4),  # once is enough
        ([1.0, 0.0, 0.2, 0.2], 0.5),
        ([0.9, 0.9, 0.9, 0.01], 2.0),
    ],
)
def test_a_quality_is_reached_between_two_checkpoints_or_never(distances: list[float], expected: float) -> None:
    assert reached(distances) == pytest.approx(expected)


def losses(*values: float) -> list[Any]:
    return [
        {"images": 100 * number, "values": {"loss/generator": value}} for number, value in enumerate(values, start=1)
    ]


def test_a_loss_swings_around_a_straight_line() -> None:
    """In the last third of 24 points, by hand: a zigzag of +-0.5 around a line whose mean is 4.5."""
    early = [9.0, 0.0] * 8
    line = [1.0 * number for number in range(1, 9)]
    zigzag = [0.5, -0.5, -0.5, 0.5, 0.5, -0.5, -0.5, 0.5]
    assert swings(losses(*early, *line)) == pytest.approx(0, abs=1e-9)
    deviation = (8 * 0.25 / 6) ** 0.5
    found = swings(losses(*early, *(one + two for one, two in zip(line, zigzag, strict=True))))
    assert found == pytest.approx(deviation / (deviation + 4.5))
    with pytest.raises(CheckpointError, match="was logged 7 times in the last third of the run, but 8 are needed"):
        swings(losses(*early[:15], *line[:6]))
    unlogged = [{**point, "values": {}} for point in losses(*early)]
    with pytest.raises(CheckpointError, match="was logged 1 time in"):
        swings([*unlogged, *losses(1.0)])


def labeled_shards(folder: Path, sizes: dict[str, int], told: bool) -> None:
    """Dark pictures and light ones, of classes that say so or are drawn at random."""
    random = np.random.default_rng(4)
    for split, number in sizes.items():
        with ShardWriter(Place(str(folder)), split, 1_000) as writer:
            for place in range(number):
                image = np.clip(random.integers(0, 60, (32, 32, 3)) + 150 * (place % 2), 0, 255).astype(np.uint8)
                label = place % 2 if told else int(random.integers(2))
                writer.add(simplejpeg.encode_jpeg(image, quality=95), label=label)
        concatenate(writer.written, image_size=32).save(Place(str(folder)))


@pytest.mark.parametrize(("told", "low", "high"), [(True, 0.95, 1.0), (False, 0.2, 0.8)])
def test_features_are_probed_on_few_images(
    told: bool, low: float, high: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeled_shards(tmp_path / "cifar10", {"train": 1_000, "test": 40}, told)
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    monkeypatch.setattr(claim_measures, "PROBE_IMAGES", 100)
    task = open_probed(32)
    assert (len(task.train), task.held_out, len(task.test), task.few) == (100, 20, 40, None)
    run = run_with(tmp_path / "run", [{"images": 110, "values": {"loss/generator": 1.0}}])
    checkpoints(run, 11)
    assert low <= probe_accuracy(run) <= high


def test_samples_that_are_copies_of_repeated_rooms_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with(tmp_path, [{"images": 110, "values": {"loss/generator": 1.0}}])
    drawn = np.concatenate([rooms()[:6], np.full((2, 32, 32, 3), 7, np.uint8)])
    monkeypatch.setattr(claim_measures, "samples_of", lambda run: drawn)
    assert measured(run, ("copies",), unneeded) == {"copies": 0.75}


def test_a_network_that_no_longer_learns_is_not_stable(tmp_path: Path) -> None:
    def points(loss: float, spread: float) -> list[dict[str, Any]]:
        values = {"loss/generator": loss, "score/real": 0.99, "samples/drift": 0.1, "samples/spread": spread}
        return [{"images": images, "values": values} for images in range(2_000, 62_000, 2_000)]

    names = ("drift", "swings", "spread", "condemned")
    run = run_with(tmp_path / "learning", points(4.0, 0.6))
    learning = {"drift": 0.1, "swings": 0.0, "spread": 0.6, "condemned": 0.0}
    assert measured(run, names, unneeded) == pytest.approx(learning, abs=1e-9)
    names = (*names, "oscillation")
    stuck = {"drift": 2.0, "swings": 1.0, "condemned": 1.0, "oscillation": 1.0}
    for name, loss, spread in (("won", 6.0, 0.6), ("repeating", 4.0, 0.1)):
        run = run_with(tmp_path / name, points(loss, spread))
        assert measured(run, names, unneeded) == pytest.approx(stuck | {"spread": spread})
        assert replaced_by_worst(run, names[:-1], unneeded) == pytest.approx({"drift": 0.1, "swings": 0.0}, abs=1e-9)
        assert "oscillation" not in replaced_by_worst(run, names, unneeded), "it has no checkpoint"
    assert not replaced_by_worst(Place(str(tmp_path / "learning")), names, unneeded)
    # Of another loss nobody knows when D has won.
    assert measured(run_with(tmp_path / "won", points(6.0, 0.6)), ("condemned",), unneeded, "hinge") == {"condemned": 0}


def test_runs_of_all_days_are_judged_by_the_rule_of_today() -> None:
    point: Any = {"images": 100, "values": {"loss/generator": None}, "health": "the moon is full"}
    assert reasons([point], "bce") == ["not a number since 0 images: loss/generator is nan"]
    assert reasons([{**point, "values": {"loss/generator": 1.0}}], "bce") == []


def test_colors_are_counted_over_all_pixels() -> None:
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[0] = (255, 0, 40)
    shares = color_shares(images)
    assert shares[0] == shares[7 * 64 + 0 * 8 + 1] == 0.5
    assert shares.sum() == 1
    assert distance(shares, color_shares(images[::-1])) == 0
    assert distance(shares, color_shares(images[:1])) == 0.5


def test_less_is_better_of_distances_and_more_of_accuracies() -> None:
    more = {name for name, measure in MEASURES.items() if measure.better == "max"}
    assert more == {"probe", "spread"}


def test_no_run_that_has_not_failed_is_worse_than_one_that_has() -> None:
    random = np.random.default_rng(8)
    ours = torch.from_numpy(random.normal(40, 1, (50, 6)).astype(np.float32))
    theirs = torch.from_numpy(random.normal(0, 1, (50, 6)).astype(np.float32))
    assert log_distance(ours, theirs) == MEASURES["rooms"].worst


def test_filters_are_watched_on_images_that_were_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with(tmp_path, [{"images": 110, "values": {"loss/generator": 1.0}}])
    checkpoints(run, 11, path="scenes")
    asked: list[Any] = []

    def watched(checkpoint: Checkpoint, images: Labeled) -> float:
        asked.append((checkpoint.name, images))
        return 0.625

    monkeypatch.setattr(claim_measures, "oscillation", watched)
    assert measured(run, ("oscillation",), unneeded) == {"oscillation": 0.625}
    ((name, images),) = asked
    assert name == "000000000110"
    expected = open_fidelity(None, scenes32(), None, open_features("efficientnet_lite0", 32, ""), 2_000, resize=False)
    assert np.array_equal(images.samples, expected.images.samples)


def test_a_checkpoint_that_is_gone_is_missed(tmp_path: Path) -> None:
    run = run_with(tmp_path, [{"images": 110, "values": {"loss/generator": 1.0}}])
    checkpoints(run, 3, 9, 11)
    with pytest.raises(CheckpointError, match="has 3 checkpoints of its quarters but needs 4"):
        of_quarters(run)


def test_samples_of_the_newest_checkpoint_are_judged(tmp_path: Path) -> None:
    run = run_with(tmp_path, [{"images": 110, "values": {"loss/generator": 1.0}}])
    checkpoints(run, 11)
    frozen = load_frozen(load_checkpoint(run), "mine", "raw", torch.device("cpu"))
    samples = np.concatenate(list(frozen.draw(2_000)))
    assert len({image.tobytes() for image in samples}) > 1_900
    judging = Judging(Seeing(), pictures(*[(0, 0, 0), (0, 1, 1), (0, 1, 1), (1, 0, 0)] * 3), "of 3 pixels")  # type: ignore[arg-type]
    found = measured(run, ("attributes", "rooms"), lambda: judging)
    true = rates(judging.rooms, Seeing())  # type: ignore[arg-type]
    assert found["attributes"] == pytest.approx(distance(rates(samples, Seeing()), true))  # type: ignore[arg-type]
    real = Seeing().features(judging.rooms)
    far = (Seeing().features(samples) - real.mean(0)) / real.std(0)
    assert found["rooms"] == pytest.approx(log_distance(far, (real - real.mean(0)) / real.std(0)))
    checkpoints(run, 12)
    assert measured(run, ("rooms",), lambda: judging) == {"rooms": found["rooms"]}
    assert len(judging.known) == 2


def test_the_distance_of_features_is_that_of_the_definition() -> None:
    """Unbiased, by the cubic kernel (Binkowski et al., 2018); its logarithm ends where sets are alike."""
    random = np.random.default_rng(7)
    ours, theirs = random.normal(0.5, 1.3, (300, 6)), random.normal(0, 1, (200, 6))

    def kernel(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return (one @ other.T / 6 + 1) ** 3

    own, their = kernel(ours, ours), kernel(theirs, theirs)
    expected = (own.sum() - np.trace(own)) / (300 * 299) + (their.sum() - np.trace(their)) / (200 * 199)
    expected -= 2 * kernel(ours, theirs).mean()
    tensors = [torch.from_numpy(features.astype(np.float32)) for features in (ours, theirs)]
    assert log_distance(*tensors) == pytest.approx(np.log10(expected), abs=1e-4)
    assert log_distance(tensors[0], tensors[0].flip(0)) == -3


def test_samples_and_rooms_are_compared_as_evaluate_does_it(
    tmp_path: Path, here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_with(tmp_path, [{"images": 110, "values": {"loss/generator": 1.0}}])
    checkpoints(run, 11)
    monkeypatch.setattr(claim_measures, "SAMPLES", 120)
    by = open_features("efficientnet_lite0", 32, "")
    settings = load_checkpoint(run).settings
    task = open_fidelity(None, settings, None, by, 120, resize=False)
    sampler = sampler_of(load_checkpoint(run), "raw", seed=0)
    expected = measure(here(2), task.images, sampler, 120, by.encoder, "key")["measures"]["kernel"]["value"]  # type: ignore[arg-type]
    assert kernel_distance(run) == pytest.approx(np.log10(expected), abs=1e-4)
    assert 0 < kernel_distance(run) < MEASURES["kernel"].worst


def test_samples_of_other_images_are_compared_with_those_held_out_beside_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_with(tmp_path / "run", [{"images": 110, "values": {"loss/generator": 1.0}}])
    shards = tmp_path / "shards"
    random = np.random.default_rng(3)
    for split in ("train", "test"):
        with ShardWriter(Place(str(shards)), split, 1_000) as writer:
            for _ in range(110):
                noise = random.integers(0, 256, (32, 32, 3), np.uint8)
                writer.add(simplejpeg.encode_jpeg(noise, quality=95))
        concatenate(writer.written, image_size=32).save(Place(str(shards)))
    monkeypatch.setattr(claim_measures, "SAMPLES", 110)
    checkpoints(run, 11)
    of_rooms = kernel_distance(run)
    checkpoints(run, 12, path=f"{shards}/train-*.tar")
    of_noise = kernel_distance(run)
    assert abs(of_noise - of_rooms) > 0.01
    assert kernel_distance(run, "000000000110") == of_rooms
    (shards / "test-000000.tar").unlink()
    with pytest.raises(DataError):
        kernel_distance(run)


@pytest.mark.parametrize(("measure", "named"), [("spread", "samples/spread"), ("swings", "loss/generator")])
def test_a_run_without_a_measure_in_its_curves_has_not_failed(tmp_path: Path, measure: str, named: str) -> None:
    run = run_with(tmp_path, [{"images": 100, "values": {"loss/generator": 1.0}}])
    with pytest.raises(CheckpointError, match=named):
        measured(run, (measure,), unneeded)
