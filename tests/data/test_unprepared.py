"""What is no shards is named with what will read it, before anything starts."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from dcgan_dist.data.unprepared import explain, find, look_at_first
from dcgan_dist.errors import DataError
from dcgan_dist.settings import PRESETS, DataSettings
from dcgan_dist.storage import Place

PICTURE = simplejpeg.encode_jpeg(np.full((16, 16, 3), 90, np.uint8))


def put(folder: Path, *names: str, data: bytes = PICTURE) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def tar_of(path: Path, files: dict[str, bytes]) -> Place:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as writer:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            writer.addfile(member, io.BytesIO(body))
    return Place(str(path))


@pytest.mark.parametrize(
    "names", [["a.jpg", "b.PNG"], ["cat/a.jfif", "dog/b.webp"], ["train/cat/a.jpeg", "test/cat/b.jpeg"]]
)
def test_a_folder_of_pictures_is_given_the_command_that_makes_shards(names: list[str], tmp_path: Path) -> None:
    folder = put(tmp_path / "my photos", *names)
    with pytest.raises(DataError) as caught:
        find(str(folder))
    assert f"{folder} holds pictures" in str(caught.value)
    assert f"dcgan_dist.data.prepare '{folder}' shards, then give 'shards/train-*.tar' instead" in str(caught.value)


@pytest.mark.parametrize("address", ["a.jpg", "*.jpg", "train-*.tar"])
def test_so_are_pictures_themselves(address: str, tmp_path: Path) -> None:
    folder = put(tmp_path / "photos", "a.jpg", "b.jpg")
    with pytest.raises(DataError, match=r"dcgan_dist\.data\.prepare \S+/photos shards"):
        find(f"{folder}/{address}")


def test_a_shard_that_is_gone_is_told_as_that(tmp_path: Path) -> None:
    folder = put(tmp_path / "photos", "a.jpg", "b.jpg")
    with pytest.raises(DataError, match=r"photos/train-000000\.tar does not exist"):
        find(f"{folder}/train-000000.tar")


@pytest.mark.parametrize(
    ("names", "given", "what", "words"),
    [
        (["x_train_lmdb/data.mdb", "x_train_lmdb/lock.mdb"], "x_train_lmdb", "an LMDB, as LSUN has them", "lsun"),
        (["x_train_lmdb/data.mdb"], "x_train_lmdb/*.mdb", "an LMDB, as LSUN has them", "lsun"),
        (["b/img_align_celeba.zip"], "b/img_align_celeba.zip", "CelebA", "celeba"),
        (["set/train-00000-of-00009.parquet"], "set", "a folder of Parquet files", "parquet"),
        (["set/0.parquet", "set/1.parquet"], "set/1.parquet", "a Parquet file", "parquet"),
        (["set/train-00000-of-00009.parquet"], "set/train-*.parquet", "a folder of Parquet files", "parquet"),
        (["train_32x32.mat"], "train_32x32.mat", "SVHN", "svhn"),
        (["cifar-10-batches-py/data_batch_1"], "cifar-10-batches-py", "CIFAR-10", "cifar10"),
        (["cifar-10-python.tar.gz"], "cifar-10-python.tar.gz", "CIFAR-10", "cifar10"),
        (["fashion/train-images-idx3-ubyte.gz"], "fashion", "in the format of Fashion-MNIST", "fashion-mnist"),
        (["train-images-idx3-ubyte"], "train-images-idx3-ubyte", "in the format of MNIST", "mnist"),
    ],
)
def test_what_prepare_reads_is_named_with_its_line(
    names: list[str], given: str, what: str, words: str, tmp_path: Path
) -> None:
    put(tmp_path, *names, data=b"?")
    with pytest.raises(DataError) as caught:
        find(str(tmp_path / given))
    where = tmp_path / (given.rpartition("/")[0] if "*" in given else given)
    whole = where if where.is_dir() or words == "parquet" else where.parent
    assert f"{where} is {what}, not shards: make shards of it by " in str(caught.value)
    assert f"dcgan_dist.data.prepare {words} {whole} shards, then give 'shards/train-*.tar' instead" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "given", "what"),
    [
        (
            ["my pets.zip"],
            "my pets.zip",
            "is an archive, which nothing here reads: unpack it to a folder, for example by unzip '",
        ),
        (["set/pets.zip"], "set", "is an archive"),
        (["set.tar.gz"], "set.tar.gz", "is a compressed tar"),
        (["set/data-00000-of-00001.arrow"], "set", "is Arrow"),
        (["set/train.tfrecord-00000-of-00002"], "set", "is TFRecord"),
        (["x.npz"], "x.npz", "is arrays of NumPy"),
        (["digits.mat"], "digits.mat", "is arrays of MATLAB"),
        (["emnist-letters-train-images-idx3-ubyte.gz"], "emnist-letters-train-images-idx3-ubyte.gz", "MNIST's format"),
        (["faces.h5"], "faces.h5", "is HDF5"),
    ],
)
def test_formats_without_a_reader_are_named_with_the_way_to_shards(
    names: list[str], given: str, what: str, tmp_path: Path
) -> None:
    put(tmp_path, *names, data=b"?")
    with pytest.raises(DataError) as caught:
        find(str(tmp_path / given))
    told = str(caught.value)
    assert what in told
    assert "which nothing here reads: " in told
    assert "dcgan_dist.data.prepare FOLDER shards and give 'shards/train-*.tar' instead" in told
    assert "\n" not in told


@pytest.mark.parametrize("there", [True, False])
def test_a_preset_whose_data_is_missing_is_told_how_to_prepare_it(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DCGAN_DIST_DATA", raising=False)
    if there:
        monkeypatch.setenv("DCGAN_DIST_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        find(PRESETS["svhn32"]().data.path)
    told = str(caught.value)
    assert told.startswith(f"{tmp_path}/svhn/train-*.tar" if there else "the environment variable DCGAN_DIST_DATA is")
    assert "the preset's data is prepared by " in told
    assert told.endswith("prepare svhn original/svhn '$DCGAN_DIST_DATA/svhn' --size 32 --download")
    with pytest.raises(DataError) as caught:
        find(str(tmp_path / "svhn" / "train-*.tar"))
    assert "the preset's data" not in str(caught.value)


def test_shards_are_left_alone_whatever_lies_beside_them(tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "train-000000.tar", {"a.jpg": PICTURE})
    put(tmp_path, "contact-sheet.png", "a.zip", "more/a.jpg")
    assert find(str(tmp_path)) == [shard]
    assert explain(Place(str(tmp_path))) is None


@pytest.mark.parametrize(
    ("files", "what"),
    [
        # What lies beside the data is smaller: statistics, labels, a sheet of samples.
        ({"stats.npz": 700, "train/cat/a.jpg": 400, "train/dog/b.jpg": 400}, "in folders, such as train/cat,"),
        ({"contact-sheet.png": 300, "train/a.jpg": 400}, "in folders, such as train,"),
        ({"sheet.png": 500, "labels.mat": 9, "a/1.jpg": 200, "b/1.jpg": 200, "c/1.jpg": 200}, "in folders, such as a,"),
        ({"1.jpg": 300, "2.jpg": 300, "labels.mat": 500}, "holds pictures, such as 1.jpg, and no shards"),
        # And so may a picture beside what is no picture.
        ({"data.mdb": 9_000, "lock.mdb": 10, "a-look.png": 500, "some/1.jpg": 80}, "is an LMDB, as LSUN has them"),
        ({"a-look.png": 500, "test.zip": 700, "train.zip": 900}, "test.zip is an archive"),
        (
            {"a-look.png": 500, "train-0.parquet": 300, "train-1.parquet": 300},
            "train-0.parquet is a Parquet file, not shards",
        ),
    ],
)
def test_the_data_is_what_there_is_most_of(files: dict[str, int], what: str, tmp_path: Path) -> None:
    for name, size in files.items():
        put(tmp_path, name, data=bytes(size))
    told = explain(Place(str(tmp_path)))
    assert told is not None
    assert what in told


@pytest.mark.parametrize("name", ["ILSVRC2012_img_val.tar", "n01440764.tar"])
def test_a_tar_of_pictures_is_a_shard_also_if_prepare_reads_it_by_another_format(name: str, tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "in" / name, {"ILSVRC2012_val_00000001.JPEG": PICTURE})
    assert find(str(shard)) == find(str(shard.parent)) == [shard]


def test_shards_in_folders_are_no_other_data(tmp_path: Path) -> None:
    tar_of(tmp_path / "train" / "train-000000.tar", {"a.jpg": PICTURE})
    put(tmp_path, "contact-sheet.png", "x.npz")
    assert explain(Place(str(tmp_path))) is None
    with pytest.raises(DataError, match=r"holds no \.tar, but its folder train does: give .*/train"):
        find(str(tmp_path))


def test_a_set_is_not_refused_for_the_bad_images_it_begins_with(tmp_path: Path) -> None:
    bad = {f"{i:04}.jpg": b"GIF89a" for i in range(100)}
    alone = tar_of(tmp_path / "alone.tar", bad | {"z.jpg": PICTURE})
    look_at_first([alone], DataSettings(), 16)
    shards = [tar_of(tmp_path / f"{i:02}.tar", bad) for i in range(29)]
    with pytest.raises(DataError, match=r"none of 256 images that were tried, the first ones of 8 of 29 shards, can"):
        look_at_first(shards, DataSettings(), 16)
    look_at_first([*shards, alone, tar_of(tmp_path / "last.tar", {"a.jpg": PICTURE})], DataSettings(), 16)
    many = tar_of(tmp_path / "many.tar", {f"{i:04}.jpg": b"GIF89a" for i in range(300)})
    with pytest.raises(DataError, match=r"none of 256 images that were tried, the first ones of .*/many\.tar, can be"):
        look_at_first([many], DataSettings(), 16)


def test_the_first_images_are_looked_at(tmp_path: Path) -> None:
    data = DataSettings(max_image_bytes=5_000)
    empty = tar_of(tmp_path / "0.tar", {})
    good = tar_of(tmp_path / "1.tar", {"README": b"", "a.cls": b"1", "a.jpg": b"GIF89a", "b.jpg": PICTURE})
    bad = tar_of(tmp_path / "2.tar", {f"{i}.jpg": b"GIF89a" for i in range(3)} | {"x.jpg": bytes(6_000)})
    text = Place(str(put(tmp_path, "3.tar", data=b"hello" * 200) / "3.tar"))
    look_at_first([empty, good, text], data, 16)
    look_at_first([empty, bad, good], data, 16)
    with pytest.raises(DataError) as caught:
        look_at_first([empty, bad], data, 16)
    assert str(caught.value).startswith(
        "none of 3 images that were tried, the first ones of 2 of 2 shards, can be decoded, for example 2.tar: 0.jpg "
        "(cannot be decoded: it is a GIF,"
    )
    assert str(caught.value).endswith("): look at the files, or name other shards with --data")
    with pytest.raises(DataError, match=r"3\.tar is not a tar: it begins with b'hello"):
        look_at_first([empty, text], data, 16)
    dotted = tar_of(tmp_path / "4.tar", {"sample0.input.jpg": PICTURE})
    with pytest.raises(DataError, match=r"no image in .* 1 member with more than one dot, 4\.tar: sample0\.input\.jpg"):
        look_at_first([empty, dotted], data, 16)
