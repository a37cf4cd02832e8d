"""Which images samples are compared with, and what is refused before anything starts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import SEED
from dcgan_dist.data.shards.index import concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.fidelity.features import ComparedBy
from dcgan_dist.evaluation.tasks import fidelity
from dcgan_dist.evaluation.tasks.fidelity import FidelityTask, open_fidelity
from dcgan_dist.evaluation.tasks.rooms import FIRST
from dcgan_dist.run_folder.trained_on import TrainedOn, contents
from dcgan_dist.settings import Settings, scenes32
from dcgan_dist.storage import Place

BY = ComparedBy("own_discriminator", None)


def settings(path: str, **data: Any) -> Settings:
    base = scenes32()
    return replace(base, networks=replace(base.networks, image_size=16), data=replace(base.data, path=path, **data))


def write(folder: Path, split: str, number: int, size: int = 16) -> None:
    with ShardWriter(Place(str(folder)), split, 1_000) as writer:
        for value in range(number):
            writer.add(simplejpeg.encode_jpeg(np.full((size, size, 3), value % 256, np.uint8), quality=95))
    concatenate(writer.written, image_size=size).save(Place(str(folder)))


def opened(
    folder: Path | None, trained_on: TrainedOn | None = None, samples: int = 150, path: str = "gone"
) -> FidelityTask:
    where = None if folder is None else Place(str(folder))
    return open_fidelity(where, settings(path), trained_on or TrainedOn(), BY, samples, resize=False)


def test_a_run_on_scenes_is_compared_with_others_of_the_same_kind() -> None:
    task = open_fidelity(None, settings("scenes", scenes="faces"), None, BY, 130, resize=False)
    assert len(task.images) == 130
    read = task.images.read(np.array([7, 129]))
    assert np.array_equal(read[1], draw("faces", 16, SEED, FIRST + 129).image)
    assert task.about == "faces that no run is trained on"
    rooms = open_fidelity(None, settings("scenes"), None, BY, 130, resize=False)
    assert rooms.data != task.data, "results of one would be read as those of the other"


def test_a_run_in_shades_of_gray_is_compared_with_shades_of_gray(tmp_path: Path) -> None:
    base = settings("scenes")
    gray = replace(base, networks=replace(base.networks, channels=1))
    image = open_fidelity(None, gray, None, BY, 130, resize=False).images.read(np.array([3]))[0]
    assert (image == image[..., :1]).all()
    assert image.std() > 10
    with ShardWriter(Place(str(tmp_path)), "test", 1_000) as writer:
        for _ in range(100):
            writer.add(simplejpeg.encode_jpeg(np.full((16, 16, 3), (250, 10, 10), np.uint8), quality=95))
    concatenate(writer.written, image_size=16).save(Place(str(tmp_path)))
    held_out = open_fidelity(Place(str(tmp_path)), gray, None, BY, 130, resize=False).images.read(np.array([3]))[0]
    assert (held_out == held_out[..., :1]).all()


def test_any_other_run_needs_a_folder() -> None:
    with pytest.raises(SettingsError, match=r"task fidelity compares samples with held-out images: give fidelity=FOLD"):
        opened(None, path="shards/train-*.tar")


def test_as_many_images_are_taken_as_samples_are_drawn(tmp_path: Path) -> None:
    write(tmp_path, "test", 180)
    assert len(opened(tmp_path).images) == 150
    # Each image has a shade of its own; they may be sorted by class, so that some of all are taken.
    shades = opened(tmp_path).images.read(np.arange(150)).mean((1, 2, 3)).round().astype(int)
    assert len(set(shades.tolist())) > 140
    assert shades.max() > 170
    assert not np.array_equal(np.sort(shades), shades)
    assert np.array_equal(opened(tmp_path).images.samples, opened(tmp_path).images.samples)
    task = opened(tmp_path, samples=200)
    assert sorted(task.images.samples.tolist()) == list(range(180))
    assert (len(task.images), task.samples) == (180, 200)
    assert all("held-out images: the Fréchet" not in note for note in task.notes)


def test_where_there_is_no_test_the_images_of_val_are_taken(tmp_path: Path) -> None:
    write(tmp_path, "val", 120)
    assert len(opened(tmp_path).images) == 120
    assert "there is no test-*.tar: compared with val-*.tar" in opened(tmp_path).notes
    write(tmp_path / "both", "val", 120)
    write(tmp_path / "both", "test", 130)
    task = opened(tmp_path / "both")
    assert len(task.images) == 130
    assert not [note for note in task.notes if "val" in note]


def test_few_images_are_told_and_fewer_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "test", 110)
    monkeypatch.setattr(fidelity, "STABLE", 140)
    (*_, note, own) = opened(tmp_path).notes
    assert note.startswith("there are only 110 held-out images: the Fréchet distance is larger than with more of them")
    assert "cannot be compared with any others" in own
    write(tmp_path / "few", "test", 99)
    with pytest.raises(DataError, match=r"only 99 images in .*few/test-\*\.tar, but samples are compared with at"):
        opened(tmp_path / "few")


def test_images_of_another_size_and_none_at_all_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "test", 120, size=32)
    with pytest.raises(DataError, match="has 32 x 32 pixels but the networks are made for 16 x 16"):
        opened(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        opened(tmp_path / "empty")


def test_images_that_the_run_was_trained_on_are_not_held_out(tmp_path: Path) -> None:
    write(tmp_path, "test", 120)
    seen = TrainedOn(contents([f"{tmp_path}/test-000000.tar"]))
    with pytest.raises(DataError, match="which is to be held out"):
        opened(tmp_path, seen)


def test_larger_images_are_fitted_as_those_were_that_the_run_was_trained_on(tmp_path: Path) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[8:24, 8:24] = 240
    with ShardWriter(Place(str(tmp_path)), "test", 1_000) as writer:
        for _ in range(100):
            writer.add(simplejpeg.encode_jpeg(image, quality=95))
    concatenate(writer.written, image_size=32).save(Place(str(tmp_path)))
    for fit, shade in (("crop", 240), ("resize", 60)):
        task = open_fidelity(Place(str(tmp_path)), settings("gone", fit=fit), TrainedOn(), BY, 110, resize=True)
        assert task.images.read(np.array([1])).mean() == pytest.approx(shade, abs=4)
