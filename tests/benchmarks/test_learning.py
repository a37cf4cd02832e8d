import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from benchmarks.learning import Trained, draw_samples, examine, main, read_images, train
from benchmarks.render import ROOT
from benchmarks.report import publish
from benchmarks.scene_attributes import AttributeClassifier, draw_rooms
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.model.dcgan import Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.settings import DataSettings, Settings, scenes32
from dcgan_dist.storage import place

ROOMS = 1_200


def untrained_run(folder: Path, image_size: int = 32, *, averaged: bool = False, step: int = 10) -> str:
    """A run whose G has learned nothing, in a checkpoint as training writes it."""
    preset = scenes32()
    networks = replace(preset.networks, image_size=image_size, generator_maps=8, discriminator_maps=8)
    settings: Settings = replace(preset, networks=networks, data=replace(preset.data, scenes_images=ROOMS))
    state = {}
    for seed, name in enumerate(["generator", "averaged"] if averaged else ["generator"]):
        generator = Generator(networks)
        initialize(generator, seed)
        state[name] = generator.state_dict()
    write_checkpoint(place(str(folder)), state, settings, step=step, attempt=1, kept=True)
    return str(folder)


def write_shard(folder: Path, images: list[bytes]) -> DataSettings:
    with ShardWriter(place(str(folder)), "train", 100) as writer:
        for image in images:
            writer.add(image)
    return DataSettings(path=str(folder / "train-*.tar"))


def test_the_committed_report_meets_all_its_bars() -> None:
    report = json.loads((ROOT / "benchmarks" / "results" / "learning.json").read_text())
    bars = {bar["name"]: bar["met"] for bar in report["bars"]}
    assert [name for name, met in bars.items() if not met] == []
    for data in ("scenes", "CIFAR-10"):
        assert sum(name.startswith(f"{data}: ") and "rejected" in name for name in bars) == 7
        assert sum(name.startswith(f"{data}: ") and "accepted" in name for name in bars) == 3


def test_a_run_that_has_learned_nothing_misses_its_bars_for_all_to_see(
    tmp_path: Path, classifier: AttributeClassifier, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Trained(untrained_run(tmp_path / "run"), None)
    # Rooms stand in for CIFAR-10, which is not at hand everywhere.
    images, _ = draw_rooms(ROOMS + 1_000, seed=3)
    report = examine(run, run, images[:ROOMS], images[ROOMS:], classifier, number=500)
    missed = {bar.name for bar in report.bars if not bar.met}
    publish(report, None)
    # What a classifier makes of noise is chance: with another processor's rounding it learns to say something else.
    chance = {f"rooms: {noise}, attributes furthest off" for noise in ("uniform noise", "Gaussian noise")}
    by_attributes = {name for name in missed - chance if "accepted" not in name}
    assert by_attributes == {"rooms: scenes32, attributes furthest off"}
    assert {name.partition(":")[0] for name in missed} == {"scenes", "CIFAR-10", "rooms"}
    assert not any("held-out" in name for name in missed)
    assert "**no**" in capsys.readouterr().out
    subjects = [row[1] for row in report.tables["learning"].rows]
    assert subjects.count("1,000 training images replayed") == 2
    assert set(report.tables) == {"learning", "learning-rules", "learning-attributes", "learning-runs"}


def test_the_default_generator_draws(tmp_path: Path) -> None:
    plain = draw_samples(untrained_run(tmp_path / "plain"), 100)
    early = draw_samples(untrained_run(tmp_path / "early", averaged=True), 100)
    late = draw_samples(untrained_run(tmp_path / "late", averaged=True, step=625), 100)
    assert plain.samples.shape == late.samples.shape == (100, 32, 32, 3)
    assert (plain.kind, early.kind, late.kind) == ("raw", "raw", "averaged")
    assert np.array_equal(plain.samples, early.samples)
    assert (plain.samples != late.samples).any()


def test_a_run_of_another_image_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="have 16 pixels but need 32"):
        draw_samples(untrained_run(tmp_path / "run", image_size=16), 100)


def test_all_images_of_all_shards_are_read(tmp_path: Path) -> None:
    rooms, _ = draw_rooms(150, seed=0)
    jpegs = [simplejpeg.encode_jpeg(room, quality=95, colorsubsampling="444") for room in rooms]
    images = read_images(write_shard(tmp_path, jpegs))
    assert images.shape == rooms.shape
    assert np.abs(images.astype(int) - rooms).mean() < 3


def test_a_picture_that_cannot_be_decoded_is_no_silent_gap(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 images"):
        read_images(write_shard(tmp_path, [b"no picture"]))


def test_missing_data_is_said_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    assert main([]) == 2
    assert "cifar10" in capsys.readouterr().err


def test_a_training_that_fails_is_not_taken_for_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        train(str(tmp_path), "scenes32", "--lr", "0")
    assert failure.value.returncode == 2
    assert "optimization.lr is 0" in capfd.readouterr().err
