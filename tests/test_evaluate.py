"""The command over evaluation/, as a user gives it."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch

from benchmarks.digits import write_digits
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.evaluate import main
from dcgan_dist.evaluation.coverage import Sampler
from dcgan_dist.evaluation.fidelity.measure import MEASURES
from dcgan_dist.evaluation.service import options
from dcgan_dist.model.dcgan import Discriminator, Generator, build_networks, initialize
from dcgan_dist.model.pixels import png
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.run_folder.trained_on import FIELD, contents
from dcgan_dist.settings import mnist28, scenes32
from dcgan_dist.storage import Place

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("standing_cluster")]

SETTINGS = replace(
    scenes32(), networks=replace(scenes32().networks, image_size=16, generator_maps=4, discriminator_maps=4)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run in `run`, and two classes, dark and bright with much noise, in `mine`."""
    generator, discriminator = Generator(SETTINGS.networks), Discriminator(SETTINGS.networks)
    initialize(generator, 3)
    initialize(discriminator, 3)
    state = {"generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    write_checkpoint(Place(str(tmp_path / "run")), state, SETTINGS, step=10, attempt=1, kept=True)
    random = np.random.default_rng(0)
    for split, number in (("train", 300), ("test", 100)):
        with ShardWriter(Place(str(tmp_path / "mine")), split, 150) as writer:
            for label in random.integers(0, 2, number).tolist():
                image = (random.integers(0, 200, (16, 16, 3)) + random.integers(0, 40) * label).astype(np.uint8)
                writer.add(simplejpeg.encode_jpeg(image, quality=95), label=label)
    return tmp_path


def evaluate(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "dcgan_dist.evaluate", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "DCGAN_DIST_DATA"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def test_results_are_written_and_what_is_there_is_not_computed_again(folder: Path, call: Any) -> None:
    command = [
        "run",
        "--tasks",
        "mine=mine",
        "--features",
        "discriminator,random,pixels,knn",
        "--actors",
        "2",
        "--cpus",
        "0.5",
    ]
    status, output, errors = evaluate(folder, *command)
    assert status == 0, errors
    lines = [line for line in output.splitlines() if " run at 640 images" in line or line.startswith(("pixels", "knn"))]
    assert len(lines) == 4
    files = sorted((folder / "run" / "evaluation").iterdir())
    assert [file.name.rsplit("-", 1)[0] for file in files] == [
        "000000000640-mine-discriminator", "000000000640-mine-random", "mine-knn", "mine-pixels"
    ]  # fmt: skip
    results = [json.loads(file.read_text()) for file in files]
    assert [result["features"] for result in results] == [16 * 12, 16 * 12, 768, 768]
    assert [(result["run"], result["images"]) for result in results] == [("run", 640), ("run", 640), ("", 0), ("", 0)]
    assert all(result["actors"] == 2 for result in results)
    assert len({result["data_checksum"] for result in results}) == 1
    assert len({result["recipe_sha256"] for result in results}) == 3, "random and trained weights have one recipe"
    assert all(0.5 < result["all_labels"]["accuracy"] <= 1 for result in results)

    times = [file.stat().st_mtime_ns for file in files]
    files[0].unlink()
    status, _, errors = evaluate(folder, "run/checkpoints/000000000640", *command[1:])
    assert status == 0, errors
    assert [file.stat().st_mtime_ns for file in files][1:] == times[1:]
    new = json.loads(files[0].read_text())

    # By now it is known that the run was trained on the test images: results of before say so when they are read.
    seen = {"shards": contents([f"{folder}/mine/test-000000.tar"])}
    (folder / "run" / "run.json").write_text(json.dumps({FIELD: seen}))
    times = [file.stat().st_mtime_ns for file in files]
    status, output, errors = call(main, *command)
    assert (status, errors) == (0, "4 of 4 results computed before; --again computes them anew\n")
    assert "note: the run was trained on 1 of the 1 shards of test images, for example " in output
    assert [file.stat().st_mtime_ns for file in files] == times
    assert "notes" not in new
    assert new["all_labels"]["accuracy"] == pytest.approx(results[0]["all_labels"]["accuracy"], abs=0.011)


def test_how_near_samples_come_to_images_is_told_for_each_number_of_samples(folder: Path) -> None:
    command = ["run", "--tasks", "neighbours=mine", "--actors", "2", "--cpus", "0.5"]
    status, output, errors = evaluate(folder, *command)
    assert status == 0, errors
    (file,) = (folder / "run" / "evaluation").iterdir()
    assert file.name.startswith("000000000640-neighbours-generator-")
    result = json.loads(file.read_text())
    assert [one["samples"] for one in result["distances"]] == [1_000, 10_000, 100_000]
    means = [one["mean"] for one in result["distances"]]
    assert means == sorted(means, reverse=True)
    assert all(one["low"] < one["mean"] < one["high"] for one in result["distances"])
    assert result["validation_images"] == 100
    assert result["recipe"]["generator"] == "raw"
    assert result["recipe"]["statistics"].startswith("of each batch of ")
    assert f"100,000 samples  {means[-1]:.3f}" in output


def test_the_nearest_labeled_sample_tells_classes_and_more_actors_find_the_same(tmp_path: Path) -> None:
    write_digits(str(tmp_path / "digits"), 120, 60)
    base = mnist28()
    settings = replace(
        base,
        networks=replace(base.networks, generator_maps=4, discriminator_maps=4, dense_units=16),
        data=replace(base.data, path=str(tmp_path / "digits" / "train-*.tar")),
    )
    generator, discriminator = build_networks(settings.networks, 3, torch.device("cpu"), torch.float32, False, {})
    state = {"generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    write_checkpoint(Place(str(tmp_path / "run")), state, settings, step=10, attempt=1, kept=True)
    seen = {"shards": contents([f"{tmp_path}/digits/train-000000.tar"])}
    (tmp_path / "run" / "run.json").write_text(json.dumps({FIELD: seen}))

    command = ["run", "--tasks", "mnist-nn=digits", "--mnist-nn-samples", "10000", "--cpus", "0.5"]
    found = {}
    for actors in ("1", "2"):
        status, output, errors = evaluate(tmp_path, *command, "--actors", actors, "--threads", "1", "--out", actors)
        assert status == 0, errors
        (file,) = (tmp_path / actors).glob("*.json")
        assert file.name.startswith("run-000000001280-mnist-nn-generator-")
        found[actors] = json.loads(file.read_text())
        assert len(list((tmp_path / actors).glob("run-000000001280-mnist-nn-compared-*.npz"))) == 1
    (error,) = found["1"]["errors"]
    assert error["samples"] == 10_000
    assert error["low"] <= error["error"] <= error["high"]
    assert found["1"]["real"]["images"] == 120
    assert found["1"]["real"]["error"] < error["error"], "digits tell more than what no generator has learned"
    assert [found["2"][name] for name in ("errors", "real")] == [found["1"][name] for name in ("errors", "real")]
    assert found["1"]["recipe"]["statistics"].startswith("of each batch of 128 samples")
    assert f"10,000  {100 * error['error']:.2f} (±" in output
    assert "DCGAN (paper, MNIST; " in output


def test_fidelity_is_found_the_same_by_one_actor_and_by_two(folder: Path) -> None:
    """The images are samples of the same weights, of another seed, so that no share is 0 or 1 for all."""
    generator = Generator(SETTINGS.networks)
    initialize(generator, 3)
    sampler = Sampler(generator, "raw", SETTINGS.networks, 40, seed=9)
    images = torch.cat([sampler.batch(number) for number in range(3)]).unflatten(1, (3, 16, 16))
    pixels = ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    with ShardWriter(Place(str(folder / "alike")), "test", 60) as writer:
        for image in pixels:
            writer.add(png(image), suffix="png")
    command = ["run", "--tasks", "fidelity=alike", "--fidelity-samples", "150", "--cpus", "0.5", "--threads", "1"]
    found = {}
    for actors in ("1", "2"):
        arguments = ["--fidelity-features", "own_discriminator", "--actors", actors, "--out", actors]
        status, output, errors = evaluate(folder, *command, *arguments)
        assert status == 0, errors
        (file,) = (folder / actors).iterdir()
        assert file.name.startswith("run-000000000640-fidelity-")
        found[actors] = json.loads(file.read_text())
        assert found[actors]["actors"] == int(actors)
    one, two = found["1"], found["2"]
    assert (one["samples"], one["held_out_images"]) == (150, 120)
    assert one["data_checksum"] == two["data_checksum"]
    assert one["recipe_sha256"] == two["recipe_sha256"]
    for name in MEASURES:
        for part, value in one["measures"][f"own_discriminator/{name}"].items():
            # Sums over parts round in another order.
            assert two["measures"][f"own_discriminator/{name}"][part] == pytest.approx(value, rel=1e-6), (name, part)
    assert one["measures"]["own_discriminator/frechet"]["value"] > 0
    assert all(one["measures"][f"own_discriminator/{name}"]["value"] > 0 for name in MEASURES[2:])
    assert "own_discriminator" in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "there is no run nowhere: neither "),
        (["run", "--tasks", "nobody"], "task nobody needs its data: give --tasks nobody=FOLDER"),
        (["run", "--tasks", "mine=absent"], "task mine needs its data but there is no folder"),
        (
            ["run", "--tasks", "mine=mine", "--features", "best"],
            "needs names of discriminator, averaged, supervised, finetuned, random",
        ),
        (["--tasks", "neighbours=mine", "--features", "pixels"], "neighbours draws samples of a run: give its folder"),
        (["--tasks", "mnist-nn=mine", "--features", "pixels"], "mnist-nn draws samples of a run: give its folder"),
        (["run", "--tasks", "mnist-nn=mine"], "but the networks of run know no classes: give a run that was trained"),
        (["run", "--tasks", "neighbours=absent"], "task neighbours needs its data but there is no folder"),
        (["--tasks", "mine=mine"], "features discriminator are made by a run's network: give the run's folder"),
        (["--tasks", "mine=mine", "--features", "published-svhn", "--resize"], "svhn/G.npz is missing"),
        (["run", "--tasks", "mine=mine", "--features", "published-svhn"], "are made for images of 32 x 32 pixels"),
        (
            ["run/checkpoints/000000000640", "--tasks", "mine=mine", "--checkpoint", "best"],
            "--checkpoint is best but the run is given as its checkpoint 000000000640",
        ),
        (["run", "--tasks", "mine=mine", "--checkpoint", "7"], "has no checkpoint 7: it has 000000000640"),
        (["run", "--tasks", "mine=mine", "--actors", "0"], "actors is 0 but needs at least 1"),
        (
            ["run", "--tasks", "mine=mine", "--resource", "GPU"],
            "resource is GPU but needs to be one that machines offer",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_told_in_one_sentence_with_status_2(
    arguments: list[str], sentence: str, folder: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    assert_told(folder, sentence, *call(main, *arguments, "--published", "absent"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--actors", "9"], "9 evaluation actors with 1 CPU each need more"),
        (["--gpus", "1"], "with 1 CPU and 1 GPU each need more than the cluster has free, which is room for 0"),
        (["--resource", "evaluator"], "with 1 CPU and 1 evaluator each need more"),
    ],
)
def test_so_is_a_pool_that_is_larger_than_the_cluster(arguments: list[str], sentence: str, folder: Path) -> None:
    status, output, errors = evaluate(folder, "run", "--tasks", "mine=mine", "--wait-s", "0.1", *arguments)
    joining, waiting, last = errors.split("\n", 2)
    assert joining.startswith("joining the Ray cluster at ")
    assert waiting.startswith("waiting for machines, at most 0.1 s (--wait-s) unless some are being started: ")
    assert_told(folder, sentence, status, output, last)


def assert_told(folder: Path, sentence: str, status: int, output: str, errors: str) -> None:
    assert status == 2, output + errors
    assert errors.strip().startswith("error: ")
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (folder / "run" / "evaluation").exists()


def test_a_task_whose_images_cannot_be_decoded_fails_late(
    folder: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ShardWriter(Place(str(folder / "bad")), "train", 150) as writer:
        for label in (0, 1) * 20:
            writer.add(b"no picture", label=label)
    (folder / "mine" / "test-000000.tar").rename(folder / "bad" / "test-000000.tar")
    # This process is connected already.
    monkeypatch.setattr(options, "connected", lambda address, cpus: contextlib.nullcontext())
    monkeypatch.chdir(folder)
    status, output, errors = call(main, "run", "--tasks", "mine=bad", "--cpus", "0.5")
    assert (status, output) == (1, "")
    assert errors.splitlines()[-1].startswith("error: ")
    assert "train-000000.tar" in errors.splitlines()[-1]
