"""Which images labeled samples are judged on, and what is compared with them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.scenes import draw
from dcgan_dist.data.scenes.builtin import SEED
from dcgan_dist.data.shards.attributes import columns
from dcgan_dist.data.shards.index import concatenate, find_index
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.evaluation.tasks import mnist_nn
from dcgan_dist.evaluation.tasks.mnist_nn import MnistNNTask, open_mnist_nn, require_classes
from dcgan_dist.run_folder.trained_on import FIELD, TrainedOn, contents, find_trained_on
from dcgan_dist.settings import Settings, original28, scenes32
from dcgan_dist.storage import Place

LABELS = {"train": (2, 0, 1, 1, 0, 2, 2), "test": (0, 2, 1, 2)}


def settings(folder: Path, **data: Any) -> Settings:
    base = scenes32()
    networks = replace(base.networks, image_size=16, channels=1, classes=3)
    return replace(base, networks=networks, data=replace(base.data, path=f"{folder}/train-*.tar", **data))


def write(
    folder: Path,
    split: str,
    labels: Sequence[int | None],
    size: int = 16,
    names: tuple[str, ...] | None = None,
    dark: int = 0,
) -> None:
    """Gray images, brighter from one to the next."""
    with ShardWriter(Place(str(folder)), split, 100) as writer:
        for number, label in enumerate(labels):
            image = np.full((size, size, 3), 20 * number + 10 - dark, np.uint8)
            writer.add(simplejpeg.encode_jpeg(image, quality=95), label=label)
    index = concatenate(writer.written, classes=names, image_size=size)
    parities = [{"parity": (label or 0) % 2} for label in labels]
    replace(index, attributes=columns(parities)).save(Place(str(folder)))


def opened(folder: Path, data: Path, seed: int = 5, resize: bool = False, **of: Any) -> MnistNNTask:
    """The task of a run that was trained on `train-*.tar` in `folder / "train"`."""
    run, its = Place(str(folder / "run")), settings(folder / "train", **of)
    (folder / "run").mkdir(exist_ok=True)
    shards = [str(shard) for shard in sorted((folder / "train").glob("train-*.tar"))]
    (folder / "run" / "run.json").write_text(json.dumps({FIELD: {"shards": contents(shards)}}))
    return open_mnist_nn(Place(str(data)), run, its, find_trained_on(run, its), resize=resize, seed=seed)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Training images in `train`, the folder of test images."""
    write(tmp_path / "train", "train", LABELS["train"])
    write(tmp_path / "test", "test", LABELS["test"])
    return tmp_path / "test"


def test_they_are_test_images_of_a_folder_and_the_images_that_the_run_was_trained_on(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = opened(tmp_path, data)
    assert task.classes == 3
    assert task.notes == ()
    assert task.test.labels.tolist() == list(LABELS["test"])
    assert task.test.read(np.arange(4)).mean((1, 2, 3)).round().tolist() == [10, 30, 50, 70]
    shades = task.real.read(np.arange(7)).mean((1, 2, 3)).round().astype(int)
    assert sorted(shades.tolist()) == list(range(10, 150, 20))
    assert task.real.labels.tolist() == [LABELS["train"][(shade - 10) // 20] for shade in shades.tolist()]
    assert shades.tolist() != sorted(shades.tolist()), "shards may be sorted by class"

    monkeypatch.setattr(mnist_nn, "REAL", 4)
    few = opened(tmp_path, data).real
    assert few.samples.tolist() == task.real.samples[:4].tolist()
    assert opened(tmp_path, data, seed=6).real.samples.tolist() != few.samples.tolist()


def test_classes_are_those_that_the_run_was_trained_on(tmp_path: Path, data: Path) -> None:
    task = opened(tmp_path, data, label="parity")
    assert task.test.labels.tolist() == [label % 2 for label in LABELS["test"]]
    assert sorted(task.real.labels.tolist()) == sorted(label % 2 for label in LABELS["train"])
    with pytest.raises(DataError, match=r"data\.label names 'pose', but the attributes of the data are: parity"):
        opened(tmp_path, data, label="pose")


def test_networks_without_classes_are_refused(tmp_path: Path) -> None:
    require_classes(settings(tmp_path).networks, "one")
    plain = (
        r"^task mnist-nn draws samples of known classes but the networks of one know no classes: give a run that was "
        r"trained with --networks\.classes$"
    )
    with pytest.raises(SettingsError, match=plain):
        require_classes(replace(settings(tmp_path).networks, classes=0), "one")
    # Presets of the original GAN refuse to be given classes.
    never = (
        r"those of the original GAN \(networks\.structure maxout\) never do, so give a run of a DCGAN that was trained"
    )
    with pytest.raises(SettingsError, match=never):
        require_classes(original28().networks, "one")


@pytest.mark.parametrize(
    ("labels", "size", "sentence"),
    [
        ((0, 3, 1), 16, r"test-\*\.tar has class 3, for example .*test-000000\.tar.*, but the networks of .*/run know"),
        ((0, None, 1), 16, r"1 of 3 images of .*test-\*\.tar have no class, for example .*test-000000\.tar"),
        ((0, 2), 28, r"has 28 x 28 pixels but the networks are made for 16 x 16"),
    ],
)
def test_images_that_cannot_be_judged_are_told(
    labels: Sequence[int | None], size: int, sentence: str, tmp_path: Path, data: Path
) -> None:
    write(tmp_path / "other", "test", labels, size)
    with pytest.raises(DataError, match=sentence):
        opened(tmp_path, tmp_path / "other")


def test_a_folder_without_test_images_is_told(tmp_path: Path, data: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"none/test-\*\.tar"):
        opened(tmp_path, tmp_path / "none")


def test_classes_of_other_names_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train", "train", LABELS["train"], names=("cat", "dog", "hen"))
    write(tmp_path / "same", "test", LABELS["test"], names=("cat", "dog", "hen"))
    write(tmp_path / "other", "test", LABELS["test"], names=("cat", "hen", "dog"))
    assert opened(tmp_path, tmp_path / "same").notes == ()
    with pytest.raises(DataError, match=r"class 1 is 'dog' in the training images of .*/run but 'hen' in .*/other"):
        opened(tmp_path, tmp_path / "other")


def test_images_that_the_run_was_trained_on_are_no_test_images(tmp_path: Path, data: Path) -> None:
    shard = tmp_path / "train" / "train-000000.tar"
    write(tmp_path / "copy", "test", LABELS["test"])
    (tmp_path / "copy" / "test-000000.tar").write_bytes(shard.read_bytes())
    for name in ("dataset.json", "index.npz"):
        (tmp_path / "copy" / name).unlink()
    with pytest.raises(DataError, match=r"the run was trained on .*train-000000\.tar .*which is to be held out"):
        opened(tmp_path, tmp_path / "copy")


def test_training_images_that_are_gone_or_others_are_told(tmp_path: Path, data: Path) -> None:
    task = opened(tmp_path, data)
    record = (tmp_path / "run" / "run.json").read_text()
    write(tmp_path / "train", "train", LABELS["train"], dark=5)
    (tmp_path / "run" / "run.json").write_text(record)
    run, its = Place(str(tmp_path / "run")), settings(tmp_path / "train")
    with pytest.raises(DataError, match=r"are not the training images of .*/run: put those back$"):
        open_mnist_nn(Place(str(data)), run, its, find_trained_on(run, its), resize=False, seed=5)
    for file in (tmp_path / "train").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"train/train-\*\.tar"):
        open_mnist_nn(Place(str(data)), run, its, find_trained_on(run, its), resize=False, seed=5)
    assert len(task.real) == 7


def test_the_same_images_have_the_same_digest_and_others_another(tmp_path: Path, data: Path) -> None:
    task = opened(tmp_path, data)
    write(tmp_path / "more", "test", (*LABELS["test"], 1))
    other = opened(tmp_path, tmp_path / "more")
    assert (other.data == task.data, other.real_data == task.real_data) == (False, True)


def test_larger_images_are_fitted_as_those_were_that_the_run_was_trained_on(tmp_path: Path) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[8:24, 8:24] = 240
    for split in ("train", "test"):
        with ShardWriter(Place(str(tmp_path / split)), split, 100) as writer:
            for label in range(3):
                writer.add(simplejpeg.encode_jpeg(image, quality=95), label=label)
        concatenate(writer.written, image_size=32).save(Place(str(tmp_path / split)))
    for fit, shade in (("crop", 240), ("resize", 60)):
        task = opened(tmp_path, tmp_path / "test", resize=True, fit=fit)
        for images in (task.test, task.real):
            assert images.read(np.array([1])).mean() == pytest.approx(shade, abs=4)


def test_attributes_of_test_images_are_their_own_also_where_the_run_was_trained_on_scenes(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = find_index([Place(str(tmp_path / "train" / "train-000000.tar"))])
    assert trained is not None
    monkeypatch.setattr(mnist_nn, "training_index", lambda *given, otherwise: (trained, []))
    test = find_index([Place(str(data / "test-000000.tar"))])
    assert test is not None
    scenes = [draw("rooms", 16, SEED, number).truth["attributes"]["window"] for number in range(4)]
    replace(test, attributes=columns([{"window": 1 - int(window)} for window in scenes])).save(Place(str(data)))
    run, its = Place(str(tmp_path / "run")), settings(tmp_path, label="window")
    its = replace(its, data=replace(its.data, path="scenes"))
    task = open_mnist_nn(Place(str(data)), run, its, TrainedOn(), resize=False, seed=5)
    assert task.test.labels.tolist() == [1 - int(window) for window in scenes]
