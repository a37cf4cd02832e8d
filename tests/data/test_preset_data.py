"""What `prepare` writes is what a preset looks for."""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from dcgan_dist.cli.arguments import read
from dcgan_dist.data.dataset import count_images, find_shards
from dcgan_dist.data.image_decoding import fit_pixels
from dcgan_dist.data.preparation.naming import FACES, name_words
from dcgan_dist.data.preparation.options import PrepareOptions
from dcgan_dist.data.preparation.report import next_commands
from dcgan_dist.data.prepare import main, prepare_work
from dcgan_dist.data.preset_data import PREPARE, preparing, preset_for, training
from dcgan_dist.data.readers.downloads import PUBLISHED
from dcgan_dist.data.readers.registry import READERS
from dcgan_dist.data.shards.index import find_index
from dcgan_dist.data.streaming.chunk_reader import ShardPictures, read_chunk
from dcgan_dist.data.unprepared import find
from dcgan_dist.evaluation.tasks.registry import parse_tasks
from dcgan_dist.settings import PRESET_IMAGES, PRESETS
from dcgan_dist.storage import Place
from tests.data.readers import imagenet_sets as imagenet
from tests.data.readers import test_cifar10 as cifar10
from tests.data.readers import test_lsun as lsun
from tests.data.readers import test_mnist as mnist
from tests.data.readers import test_svhn as svhn

LOOKS_IN_VARIABLE = {name for name, preset in PRESETS.items() if "$DCGAN_DIST_DATA" in preset().data.path}


def test_each_preset_of_a_data_set_has_its_line() -> None:
    assert set(PREPARE) == LOOKS_IN_VARIABLE == set(PRESETS) - {"scenes32", "own64"}


@pytest.mark.parametrize("preset", PREPARE)
def test_the_line_writes_what_the_preset_looks_for(preset: str) -> None:
    options = read(PrepareOptions, list(PREPARE[preset]), prog="prepare")
    named = name_words(options.words, READERS)
    settings = PRESETS[preset]()
    assert settings.data.path == f"{named.out}/train-*.tar"
    assert settings.networks.image_size == options.size
    assert named.faces == (preset == "faces64")
    assert named.faces or named.reader
    assert options.download == (named.reader in PUBLISHED)


@pytest.mark.parametrize(
    ("word", "size", "preset"),
    [
        ("cifar10", 32, "cifar32"),
        ("cifar10", 64, ""),
        ("svhn", 32, "svhn32"),
        ("lsun", 64, "lsun64"),
        ("lsun", 128, ""),
        ("celeba", 64, "celeba64"),
        (FACES, 64, "faces64"),
        ("imagenet", 32, "imagenet32"),
        ("folder", 64, ""),
        ("mnist", 32, ""),
    ],
)
def test_a_preset_fits_a_format_at_its_size(word: str, size: int, preset: str) -> None:
    assert preset_for(word, size) == preset


@pytest.mark.parametrize(
    ("data", "size", "preset"),
    [
        ("/d/imagenet/train-*.tar", 32, "imagenet32"),
        ("$DCGAN_DIST_DATA/imagenet/train-*.tar", 32, "imagenet32"),
        ("/d/imagenet/train-*.tar", 64, ""),
        ("/d/imagenet/train-*.tar", None, ""),
        ("/d/imagenet/val-*.tar", 32, ""),
        ("/e/imagenet/train-*.tar", 32, ""),
        ("shards/train-*.tar", 64, ""),
    ],
)
def test_a_preset_fits_what_lies_where_it_looks(
    data: str, size: int | None, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", "/d")
    assert preset_for("parquet", size, data) == preset
    monkeypatch.delenv("DCGAN_DIST_DATA")
    assert preset_for("parquet", size, data) == ""


@pytest.mark.parametrize(
    ("word", "size", "options"),
    [
        ("", None, "own64"),
        ("", 64, "own64"),
        ("", 32, "own64 --networks.image-size 32"),
        ("folder", 8, "own64 --networks.image-size 8"),
        ("imagenet", 32, "imagenet32"),
        ("imagenet", 64, "own64"),
    ],
)
def test_the_line_trains_at_the_size_of_the_images(word: str, size: int | None, options: str) -> None:
    assert f"train --preset {options} --data a.tar --name mine" in training("a.tar", word, size)


def test_only_the_address_of_a_preset_has_a_line() -> None:
    assert preparing("$DCGAN_DIST_DATA/celeba/train-*.tar").endswith(
        "prepare celeba original/celeba '$DCGAN_DIST_DATA/celeba' --size 64"
    )
    assert preparing("mine/train-*.tar") == preparing("shards/train-*.tar") == ""


def test_lengths_are_for_the_data_as_published() -> None:
    assert PRESET_IMAGES["celeba64"] == 162_770
    assert PRESETS["celeba64"]().images == 25 * 162_770
    assert set(PRESET_IMAGES) == set(PRESETS)


def twelve_of_each(split: str) -> list[int]:
    """Labels of 120 pictures, which a probe needs some of."""
    return np.random.default_rng(len(split)).permutation(np.repeat(np.arange(10), 12)).tolist()


def cifar10_files() -> Mapping[str, bytes]:
    random = np.random.default_rng(3)
    pixels = {name: random.integers(0, 256, (120, 3072), np.uint8) for name in cifar10.BATCHES}
    return {f"{name}.bin": cifar10.binary(rows, twelve_of_each(name)) for name, rows in pixels.items()}


def test_cifar32_trains_on_what_was_prepared_and_a_task_opens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    cifar10.folder(tmp_path / "original/cifar10", dict(cifar10_files()))
    out = "$DCGAN_DIST_DATA/cifar10"
    assert main(["cifar10", "$DCGAN_DIST_DATA/original/cifar10", out, "--size", "32", "--processes", "1"]) == 0
    assert "train --preset cifar32 --data " in capsys.readouterr().out
    settings = PRESETS["cifar32"]()
    shards = find_shards(settings)
    assert [shard.name for shard in shards] == ["train-000000.tar"]
    counted = count_images(settings, shards)
    assert (counted.images, counted.image_size, counted.exact) == (600, 32, True)
    # A name of its own: the task cifar10 also wants 400 images of each class.
    (task,) = parse_tasks(f"mine={out}")
    opened = task.open(32, resize=False, seed=5)
    assert (opened.classes, len(opened.train.labels), len(opened.test.labels)) == (10, 600, 120)
    held = cifar10_files()["test_batch.bin"]
    published = {held[at + 1 : at + 3073]: held[at] for at in range(0, len(held), 3073)}
    images = opened.test.read(np.arange(120))
    for image, label in zip(images, opened.test.labels, strict=True):
        assert published[image.transpose(2, 0, 1).tobytes()] == label


def jpegs(number: int) -> list[bytes]:
    return [simplejpeg.encode_jpeg(np.full((80, 90, 3), 9 * i, np.uint8)) for i in range(number)]


def put_imagenet(folder: Path) -> None:
    tar = imagenet.train_tar({wnid: {f"{wnid}_7.JPEG": jpegs(2)[1]} for wnid in imagenet.WNIDS})
    (folder / "imagenet").mkdir()
    (folder / "imagenet/ILSVRC2012_img_train.tar").write_bytes(tar)


def put_lsun(folder: Path) -> None:
    lsun.write(folder / "bedroom_train_lmdb", [(f"{i:040x}".encode(), data) for i, data in enumerate(jpegs(5))])


def put_celeba(folder: Path) -> None:
    (folder / "celeba").mkdir()
    with zipfile.ZipFile(folder / "celeba/img_align_celeba.zip", "w") as archive:
        for i, data in enumerate(jpegs(6), 1):
            archive.writestr(f"img_align_celeba/{i:06d}.jpg", data)
    partition = "".join(f"{i:06d}.jpg {i // 3}\n" for i in range(1, 7))
    (folder / "celeba/list_eval_partition.txt").write_text(partition)


def put_svhn(folder: Path) -> None:
    (folder / "svhn").mkdir()
    svhn.files(folder / "svhn", "train", "test")


@pytest.mark.parametrize(
    ("preset", "put", "train"),
    [
        ("imagenet32", put_imagenet, 4),
        ("lsun64", put_lsun, 5),
        ("celeba64", put_celeba, 2),
        ("svhn32", put_svhn, svhn.COUNTS["train"]),
    ],
)
def test_a_preset_finds_the_training_images_that_its_line_has_prepared(
    preset: str, put: Callable[[Path], None], train: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "original").mkdir()
    put(tmp_path / "original")
    line = [word for word in PREPARE[preset] if word != "--download"]
    assert main([*line, "--processes", "1"]) == 0
    settings = PRESETS[preset]()
    shards = find_shards(settings)
    counted = count_images(settings, shards)
    assert {shard.name for shard in shards} == {"train-000000.tar"}
    assert (counted.images, counted.image_size) == (train, settings.networks.image_size)


def test_grey_pictures_reach_training_and_evaluation_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "out"
    mnist.put(tmp_path / "original")
    assert main(["mnist", str(tmp_path / "original"), str(out), "--size", "32", "--processes", "1"]) == 0
    digits = mnist.pixels("t10k")
    wanted = {
        fit_pixels(digit, 32, "resize").tobytes(): label
        for digit, label in zip(digits, mnist.labels("t10k"), strict=True)
    }
    (task,) = parse_tasks(f"digits={out}")
    opened = task.open(32, resize=False, seed=5)
    images = opened.test.read(np.arange(len(wanted)))
    assert (images[..., :1] == images).all()
    for image, label in zip(images, opened.test.labels, strict=True):
        assert wanted[image[..., 0].tobytes()] == label

    index = find_index(find(f"{out}/test-*.tar"))
    assert index is not None
    assert is_grey_png(Place(index.shards[0]).read_range(int(index.offset[0]), int(index.size[0])))
    rows = np.empty_like(images)
    places = np.arange(len(wanted))
    filled = read_chunk(ShardPictures(index, 32, "resize", 1 << 20, 1 << 20), places, rows, places)
    assert not filled.any()
    assert np.array_equal(rows, images)


def is_grey_png(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        return image.mode == "L" and image.format == "PNG"


@pytest.mark.parametrize(
    ("word", "size", "words"),
    [
        ("faces", 64, "--preset faces64 --data"),
        ("faces", 32, "--preset own64 --networks.image-size 32 --data"),
        ("folder", 64, "--preset own64 --data"),
    ],
)
def test_the_line_that_trains_has_the_preset(word: str, size: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (80, 80)).save(tmp_path / "photos/a.png")
    given = ("folder", str(tmp_path / "photos"), str(tmp_path / "out"))
    work = prepare_work(PrepareOptions(given, size=size))
    assert words in next_commands(replace(work, faces=word == "faces"))[1]
