"""The command that looks for copies, as a user gives it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from dcgan_dist.data import keep_list
from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import embedded_folder
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.memorised import main
from dcgan_dist.model.dcgan import Discriminator, Generator, initialize
from dcgan_dist.run_folder.checkpoint import write_checkpoint
from dcgan_dist.run_folder.trained_on import FIELD, Kept, TrainedOn, contents
from dcgan_dist.settings import Settings, scenes32
from dcgan_dist.storage import Place
from dcgan_dist.studies.training_images import training_images

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("standing_cluster")]

SCENES = 400
SETTINGS = replace(
    scenes32(),
    networks=replace(scenes32().networks, image_size=16, generator_maps=4, discriminator_maps=4),
    data=replace(scenes32().data, scenes_images=SCENES),
)


def jpeg(index: int) -> bytes:
    return simplejpeg.encode_jpeg(draw("rooms", 16, 0, index).image, quality=95, colorsubsampling="444")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that has learned nothing in `runs/run`, the same images as shards in `shards`."""
    state = {}
    for name, kind in (("generator", Generator), ("discriminator", Discriminator)):
        network = kind(SETTINGS.networks)
        initialize(network, 0)
        state[name] = network.state_dict()
    write_checkpoint(Place(str(tmp_path / "runs" / "run")), state, SETTINGS, step=10, attempt=1, kept=True)
    for split, first, number in (("train", 0, SCENES), ("test", SCENES, 120)):
        with ShardWriter(Place(str(tmp_path / "shards")), split, 200) as writer:
            for index in range(first, first + number):
                writer.add(jpeg(index))
    return tmp_path


def memorised(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "dcgan_dist.memorised", *arguments],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def test_what_is_found_is_said_and_written_with_a_sheet_of_pairs(folder: Path) -> None:
    status, output, errors = memorised(folder, "runs/run", "--data", "shards", "-n", "120", "--actors", "2")
    assert status == 0, errors
    (file,) = (folder / "runs" / "run" / "evaluation").glob("*.json")
    assert file.name.startswith("000000000640-memorised-raw-")
    assert output.startswith("memorised: 120 samples against 120 images held out")
    assert output.count("no sign of copies") == 2
    result = json.loads(file.read_text())
    assert (result["samples"], result["held_out_images"], result["training_images"]) == (120, 120, SCENES)
    assert set(result["by"]) == {"pixels", "features of D"}
    # Of another generator, or by other statistics, it would be another result.
    assert file.stem.endswith(result["recipe_sha256"][:8])
    assert (result["generator"], result["statistics"]) == (
        "raw",
        "batch normalization by fixed statistics of 32 batches of 64 z",
    )
    assert "raw generator" in output
    # The run has no record: nobody knows whether these are its training images.
    doubt = f"it is not known whether {folder}/runs/run was trained on {folder}/shards/train-*.tar"
    assert doubt in result["notes"]
    assert f"note: {doubt}" in output
    with Image.open(file.with_suffix(".png")) as sheet:
        # Enlarged, so that a person sees it; each training image stands in it once, and these samples are near to few.
        rows = -(-2 * len(np.unique(nearest_images(result))) // 8)
        assert sheet.size[0] == 6 * (8 * 18 - 2)
        assert sheet.size[1] in [6 * (row * 18 - 2) for row in range(rows, 9)]
        # Each sample stands beside its training image.
        pair = result["by"]["features of D"]["closest"][0]
        told = np.asarray(sheet)[::6, ::6][:16, 18:34]
    wanted = simplejpeg.decode_jpeg(jpeg(pair["training_image"]))
    assert np.abs(told.astype(int) - wanted).max() <= 2


def nearest_images(result: dict[str, Any]) -> list[int]:
    """Training images of the closest samples by the last measure, whose pairs the sheet shows."""
    return [pair["training_image"] for pair in result["by"]["features of D"]["closest"]]


def test_a_run_on_the_embedded_data_set_needs_no_data_named(folder: Path) -> None:
    where = embedded_folder(replace(SETTINGS, storage=str(folder / "runs")))
    with ShardWriter(where, "rooms", SCENES) as writer:
        for index in range(SCENES):
            writer.add(jpeg(index))
    concatenate(writer.written, image_size=16).save(where)
    status, output, errors = memorised(folder, "run", "-n", "100")
    assert status == 0, errors
    assert "100 samples against 100 images held out" in output


def on_shards(folder: Path, *splits: str, keep: Kept | None = None) -> tuple[Place, Settings]:
    """That run as if it had been trained on the shards of these splits."""
    run = Place(str(folder / "runs" / "run"))
    trained = contents(shard.address for split in splits for shard in expand(f"{folder}/shards/{split}-*.tar"))
    (run / "run.json").write_bytes(json.dumps({FIELD: TrainedOn(trained, keep=keep).record()}).encode())
    return run, replace(SETTINGS, data=replace(SETTINGS.data, path="shards/train-*.tar"))


def test_the_images_of_the_run_are_taken_wherever_they_lie(folder: Path) -> None:
    run, settings = on_shards(folder, "train")
    (folder / "shards").rename(folder / "moved")
    compared = training_images(run, settings, f"{folder}/moved", 110)
    assert (len(compared.train), len(compared.held_out), compared.notes) == (SCENES, 110, ())


def test_images_that_a_keep_list_leaves_out_are_no_training_images(folder: Path) -> None:
    index = concatenate([index_shard(shard) for shard in expand(f"{folder}/shards/train-*.tar")])
    instead, file = np.arange(SCENES), Place(str(folder / "keep.parquet"))
    instead[[3, 4, 250]] = 5
    keep = Kept(file.address, keep_list.write(file, index, instead))
    compared = {}
    for name, given in (("all", None), ("kept", keep)):
        run, settings = on_shards(folder, "train", keep=given)
        compared[name] = training_images(run, settings, f"{folder}/shards", 110)
    kept = compared["kept"]
    assert (len(kept.train), kept.notes) == (SCENES - 3, (f"keep-list: {file} leaves out 3 of 400 images",))
    wanted = compared["all"].train.read(np.array([2, 5, 251]))
    assert (kept.train.read(np.array([2, 3, 248])) == wanted).all()
    assert kept.data != compared["all"].data
    # A run that was trained on all of them can be compared with these alone.
    run, settings = on_shards(folder, "train")
    asked = training_images(run, settings, f"{folder}/shards", 110, str(file))
    assert (asked.data, asked.notes) == (kept.data, kept.notes)
    # Images of their shards are no more held out than those that are kept.
    shutil.copy(folder / "shards" / "train-000001.tar", folder / "shards" / "test-000001.tar")
    with pytest.raises(DataError, match="which is to be held out"):
        training_images(run, settings, f"{folder}/shards", 110)


def test_without_a_folder_it_is_that_of_the_training_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, settings = on_shards(folder, "train")
    monkeypatch.chdir(folder)
    for data in ("", "shards", "shards/train-*.tar"):
        assert len(training_images(run, settings, data, 110).held_out) == 110
    for test in (folder / "shards").glob("test-*.tar"):
        test.unlink()
    with pytest.raises(SettingsError, match=r"shards/train-\*.tar, beside which there is no test-\*.tar: give --data"):
        training_images(run, settings, "", 110)
    with pytest.raises(SettingsError, match=r"keep is own.parquet, but there is no folder of train-\*.tar and test-"):
        training_images(run, settings, "", 110, "own.parquet")


def test_images_that_are_not_those_of_the_run_are_refused(folder: Path) -> None:
    run, settings = on_shards(folder, "train")
    (folder / "shards" / "train-000001.tar").rename(folder / "shards" / "other-000001.tar")
    with pytest.raises(DataError, match=r"train-\*.tar of .*/shards are not the ones that .*/run was trained on, so "):
        training_images(run, settings, f"{folder}/shards", 110)
    with pytest.raises(DataError, match="leave --data out, since it drew its own"):
        training_images(run, SETTINGS, f"{folder}/shards", 110)


def test_so_are_held_out_images_that_it_was_trained_on(folder: Path) -> None:
    shutil.copy(folder / "shards" / "test-000000.tar", folder / "shards" / "train-000002.tar")
    run, settings = on_shards(folder, "train")
    with pytest.raises(DataError, match=r"on .*/train-000002.tar \(here as its copy .*/test-000000.tar\), which is to"):
        training_images(run, settings, f"{folder}/shards", 110)


def test_scenes_that_were_trained_on_before_the_run_began_are_a_doubt(folder: Path) -> None:
    settings = replace(SETTINGS, storage=str(folder / "runs"))
    with ShardWriter(embedded_folder(settings), "rooms", SCENES) as writer:
        for index in range(SCENES):
            writer.add(jpeg(index))
    concatenate(writer.written, image_size=16).save(embedded_folder(settings))
    run, _ = on_shards(folder)
    own = TrainedOn(contents([writer.written[0].shard]), {"/first/rooms-000000.tar": "ab"})
    (run / "run.json").write_bytes(json.dumps({FIELD: own.record()}).encode())
    assert training_images(run, settings, "", 100).notes == (
        "held-out scenes may have been trained on by a run that this one began with, as /first/rooms-000000.tar was",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["runs/run", "-n", "10"], "number is 10 but needs at least 100"),
        (["runs/run", "--threads", "-1"], "threads is -1 but needs at least 0"),
        (["nobody"], "there is no run nobody: neither"),
        (["runs/quite-another"], "is not the folder of a run; the runs in "),
        (["runs/run"], "dataset.json"),
        (["runs/run", "--data", "nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("folder")
def test_wrong_input_is_told_in_one_sentence_with_status_2(arguments: list[str], sentence: str, call: Any) -> None:
    status, output, errors = call(main, *arguments)
    assert status == 2, output + errors
    assert errors.strip().startswith("error: ")
    assert sentence in errors
    assert len(errors.strip().splitlines()) == 1
