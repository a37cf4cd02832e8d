"""The command over every format: each image of the shards is compared with the picture that its `KEY.json` names."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from dcgan_dist.data.prepare import main
from dcgan_dist.data.readers.registry import READERS, SCENES
from dcgan_dist.data.scenes import draw, truth
from dcgan_dist.data.scenes.builtin import SEED
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.index import Index, find_index
from dcgan_dist.storage import Place
from tests.data.readers import hugging_face, imagenet_sets, test_cifar10, test_lsun, test_mnist, test_svhn
from tests.data.readers.tar_files import packed, tar_of

SIZE = 16
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Known:
    """What is known of a picture: its split, the name of its class, its pixels, and what else."""

    split: str
    name: str | None
    pixels: Pixels
    attributes: dict[str, int | float | str] = field(default_factory=dict)


Expected = dict[str, Known]
Builder = Callable[[Path], Expected]
"""Writes a source into a folder that is not there."""


def picture(number: int) -> Pixels:
    """Pixels that no other number has, of one of several sizes."""
    return np.random.default_rng(number).integers(0, 256, (18 + number % 5, 21 - number % 4, 3), np.uint8)


def png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def folder(path: Path) -> Expected:
    expected = {}
    for number in range(30):
        split, name = ("train", "test", "train")[number % 3], ("bee", "ant", "cat", "dog")[number * 7 % 4]
        key = f"{split}/{name}/{number:02d}.png"
        (path / key).parent.mkdir(parents=True, exist_ok=True)
        (path / key).write_bytes(png(picture(number)))
        expected[key] = Known(split, name, picture(number))
    return expected


def parquet(path: Path) -> Expected:
    names = ("tench", "goldfish", "shark")
    expected, number = {}, 0
    files = {"train-00000-of-00002": 7, "train-00001-of-00002": 4, "validation-00000-of-00001": 5}
    for file, rows in (files | {"test-00000-of-00001": 3}).items():
        split = {"validation": "val"}.get(file.partition("-")[0], file.partition("-")[0])
        some = range(number, number + rows)
        labels = [-1 if split == "test" else one * 5 % 3 for one in some]
        columns = {
            "image": hugging_face.images(*((png(picture(one)), f"p_{one}.JPEG") for one in some)),
            "label": pa.array(labels),
        }
        hugging_face.write(path / "data" / f"{file}.parquet", columns, names)
        for one, label in zip(some, labels, strict=True):
            expected[f"p_{one}.JPEG"] = Known(split, None if label < 0 else names[label], picture(one))
        number += rows
    return expected


def imagenet_pictures() -> tuple[dict[str, dict[str, bytes]], dict[str, bytes], dict[str, bytes], Expected]:
    """Files of each split by name, those to train on by class, and what is expected of them."""
    numbers = iter(range(1000))
    expected: Expected = {}

    def put(key: str, split: str, wnid: str | None) -> bytes:
        expected[key] = Known(split, wnid, picture(next(numbers)))
        return png(expected[key].pixels)

    train = {
        wnid: {name: put(f"{wnid}/{name}", "train", wnid) for name in files}
        for wnid, files in imagenet_sets.train().items()
    }
    val = {name: put(name, "val", wnid) for name, wnid in zip(imagenet_sets.val(), imagenet_sets.VAL, strict=True)}
    test = {name: put(name, "test", None) for name in imagenet_sets.held_out()}
    return train, val, test, expected


def imagenet(path: Path) -> Expected:
    train, val, test, expected = imagenet_pictures()
    files = {
        "ILSVRC2012_img_train.tar": imagenet_sets.train_tar(train),
        "ILSVRC2012_img_val.tar": tar_of(dict(sorted(val.items(), key=lambda item: item[0][::-1]))),
        "ILSVRC2012_img_test_v10102019.tar": tar_of({f"test/{name}": body for name, body in test.items()}),
        "ILSVRC2012_devkit_t12.tar.gz": imagenet_sets.devkit(),
    }
    save(path, files)
    return expected


def imagenet_packed(path: Path) -> Expected:
    train, val, test, expected = imagenet_pictures()
    named = {f"{name[:-5]}_{wnid}.JPEG": body for wnid, files in train.items() for name, body in files.items()}
    files = {f"train_images_{part}.tar.gz": packed(tar_of(dict(list(named.items())[part::5]))) for part in range(5)}
    labeled = {f"{name[:-5]}_{expected[name].name}.JPEG": body for name, body in val.items()}
    files |= {"val_images.tar.gz": packed(tar_of(labeled)), "test_images.tar.gz": packed(tar_of(test))}
    save(path, files)
    return expected


def lsun(path: Path) -> Expected:
    path.mkdir()
    expected = {}
    for category, split, numbers in (
        ("bridge", "train", range(9)),
        ("attic", "train", range(9, 14)),
        ("bridge", "val", range(14, 18)),
    ):
        name = f"{category}_{split}_lmdb"
        values = [(f"{number * 7919 % 997:040x}".encode(), number) for number in numbers]
        test_lsun.write(path / name, [(key, png(picture(number))) for key, number in values])
        expected |= {f"{name}/{key.decode()}": Known(split, category, picture(number)) for key, number in values}
    return expected


def celeba(path: Path) -> Expected:
    names = [f"{number:06d}.jpg" for number in range(1, 25)]
    bald, person = [number * 7 % 3 == 0 for number in range(24)], [number * 31 % 11 for number in range(24)]
    splits = ["train" if number < 12 else "val" if number < 18 else "test" for number in range(24)]
    path.mkdir()
    with zipfile.ZipFile(path / "img_align_celeba.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in reversed(range(24)):
            archive.writestr(f"img_align_celeba/{names[number]}", png(picture(number)))
    # Lines in an order of their own: they belong to pictures by name.
    rows = sorted(range(24), key=lambda number: number * 5 % 24)
    text = {
        "list_attr_celeba.txt": "24\nBald Young \n" + "".join(f"{names[n]} {2 * bald[n] - 1:2}  1\n" for n in rows),
        "list_eval_partition.txt": "".join(f"{names[n]} {('train', 'val', 'test').index(splits[n])}\n" for n in rows),
        "identity_CelebA.txt": "".join(f"{names[n]} {person[n]}\n" for n in reversed(rows)),
    }
    save(path, {name: lines.encode() for name, lines in text.items()})
    return {
        names[n]: Known(splits[n], None, picture(n), {"Bald": int(bald[n]), "Young": 1, "identity": person[n]})
        for n in range(24)
    }


def cifar10_known() -> Expected:
    expected, number = {}, {"train": 0, "test": 0}
    for batch, (rows, labels) in test_cifar10.batches().items():
        split = "test" if batch == "test_batch" else "train"
        for row, label in zip(rows, labels, strict=True):
            pixels = np.stack([row[0:1024], row[1024:2048], row[2048:]], axis=-1).reshape(32, 32, 3)
            expected[f"{split}/{number[split]:06d}"] = Known(split, test_cifar10.NAMES[label], pixels)
            number[split] += 1
    return expected


def cifar10_archive(path: Path) -> Expected:
    # Not in the order of their names, as the publisher's own.
    files = dict(reversed(test_cifar10.python_files().items()))
    body = packed(tar_of({f"cifar-10-batches-py/{name}": data for name, data in files.items()}))
    save(path, {"cifar-10-python.tar.gz": body})
    return cifar10_known()


def cifar10_binary(path: Path) -> Expected:
    save(path, test_cifar10.binary_files())
    return cifar10_known()


def svhn(path: Path) -> Expected:
    test_svhn.files(path, *test_svhn.COUNTS)
    expected = {}
    for seed, (split, number) in enumerate(test_svhn.COUNTS.items()):
        held = test_svhn.digits(number, seed)
        for i in range(number):
            expected[f"{split}/{i:06d}"] = Known(split, str(int(held["y"][i, 0]) % 10), held["X"][..., i])
    return expected


def mnist(path: Path) -> Expected:
    return idx(path, test_mnist.DIGITS, tuple("0123456789"), "")


def fashion_mnist(path: Path) -> Expected:
    names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    return idx(path, test_mnist.CLOTHES, names, ".gz")


def idx(path: Path, begins: dict[str, list[int]], names: tuple[str, ...], suffix: str) -> Expected:
    test_mnist.put(path, begins=begins, suffix=suffix)
    return {
        f"{split}/{number:06d}": Known(split, names[label], pixels)
        for part, split in test_mnist.SPLITS.items()
        for number, (pixels, label) in enumerate(
            zip(test_mnist.pixels(part), test_mnist.labels(part, begins), strict=True)
        )
    }


def webdataset(path: Path) -> Expected:
    names = ("ant", "bee", "cat")
    files: dict[str, dict[str, bytes]] = {"train-000000.tar": {}, "train-000001.tar": {}, "val-000000.tar": {}}
    expected = {}
    for number in range(21):
        shard, label = list(files)[number % 3], number * 5 % 3
        # The class comes before its image for some, behind it for others.
        parts = [(f"{number:03d}.png", png(picture(number))), (f"{number:03d}.cls", b"%d" % label)]
        files[shard] |= dict(parts[:: 1 if number % 2 else -1])
        expected[f"{shard}/{number:03d}"] = Known(shard.partition("-")[0], names[label], picture(number))
    save(path, {name: tar_of(members) for name, members in files.items()})
    (path / "dataset.json").write_text(json.dumps({"classes": names}))
    return expected


def scenes(_: Path) -> Expected:
    return {
        f"faces-{number:08d}": Known(
            "train",
            None,
            draw("faces", SIZE, SEED, number).image,
            truth("faces", SEED, number)["attributes"],
        )
        for number in range(23)
    }


def save(path: Path, files: dict[str, bytes]) -> Path:
    path.mkdir(exist_ok=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


FORMATS: dict[str, tuple[str, Builder]] = {
    "folder": ("folder", folder),
    "parquet": ("parquet", parquet),
    "imagenet": ("imagenet", imagenet),
    "imagenet-packed": ("imagenet", imagenet_packed),
    "lsun": ("lsun", lsun),
    "celeba": ("celeba", celeba),
    "cifar10-archive": ("cifar10", cifar10_archive),
    "cifar10-binary": ("cifar10", cifar10_binary),
    "svhn": ("svhn", svhn),
    "mnist": ("mnist", mnist),
    "fashion-mnist": ("fashion-mnist", fashion_mnist),
    "webdataset": ("webdataset", webdataset),
    "scenes": ("scenes", scenes),
}


def cropped(pixels: Pixels) -> Pixels:
    """The center, as `--fit crop` has it."""
    top, left = ((length - SIZE + 1) // 2 for length in pixels.shape[:2])
    return pixels[top : top + SIZE, left : left + SIZE]


def read(out: Path) -> tuple[dict[str, Known], Index]:
    """All that the shards of a target say, which has to be what its index says."""
    found: dict[str, Known] = {}
    shards = expand(f"{out}/*.tar")
    index = find_index(shards)
    assert index is not None
    row = 0
    for shard in shards:
        with tarfile.open(shard.local_path) as archive:
            members = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        for name in [name for name in members if name.endswith(".png")]:
            key = name.removesuffix(".png")
            meta = json.loads(members[f"{key}.json"])
            label = int(members.get(f"{key}.cls", b"-1"))
            assert label == index.label[row]
            assert meta.get("class") == (index.classes[label] if index.classes and label >= 0 else None)
            attributes = {name: column[row].item() for name, column in index.attributes.items()}
            assert meta.get("attributes", {}) == attributes
            assert meta["source"] not in found
            image = np.asarray(Image.open(io.BytesIO(members[name])))
            stored = Place(index.shards[index.shard[row]]).read_range(int(index.offset[row]), int(index.size[row]))
            assert stored == members[name]
            found[meta["source"]] = Known(shard.name.rpartition("-")[0], meta.get("class"), image, attributes)
            row += 1
    assert row == len(index)
    return found, index


@pytest.mark.parametrize("name", FORMATS)
def test_each_image_is_the_picture_that_it_names_with_its_split_class_and_attributes(tmp_path: Path, name: str) -> None:
    reader, build = FORMATS[name]
    expected = build(tmp_path / "in")
    # Scenes are drawn, and have no address.
    if reader == SCENES:
        given = [reader, tmp_path / "out", "--scenes", "faces", "--count", len(expected)]
    else:
        given = [reader, tmp_path / "in", tmp_path / "out"]
    given += ["--size", SIZE, "--fit", "crop", "--encode", "png"]
    assert main([str(one) for one in (*given, "--images-per-shard", 7, "--seed", 3, "--processes", 1)]) == 0
    found, index = read(tmp_path / "out")
    assert found.keys() == expected.keys()
    for key, known in expected.items():
        assert (found[key].split, found[key].name) == (known.split, known.name)
        assert found[key].attributes == known.attributes
        assert np.array_equal(found[key].pixels, cropped(known.pixels))
    by_split = [[key for key in found if found[key].split == split] for split in {one.split for one in found.values()}]
    given_order = {key: number for number, key in enumerate(expected)}
    assert all([given_order[key] for key in keys] != sorted(given_order[key] for key in keys) for keys in by_split)
    names = {one.name for one in expected.values()} - {None}
    assert names <= set(index.classes or ())
    assert bool(names) == bool(index.classes)


def test_every_format_is_tried() -> None:
    assert {reader for reader, _ in FORMATS.values()} == {*READERS, SCENES}
