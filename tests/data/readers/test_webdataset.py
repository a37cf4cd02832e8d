"""Shards that anybody wrote as a source."""

import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from dcgan_dist.data import keep_list
from dcgan_dist.data.readers.source import Request, Source
from dcgan_dist.data.readers.webdataset import WEBDATASET
from dcgan_dist.data.shards.addresses import expand
from dcgan_dist.data.shards.build_index import index_shard
from dcgan_dist.data.shards.index import DATASET_FILE, INDEX_FILE, concatenate
from dcgan_dist.data.shards.writer import ShardWriter
from dcgan_dist.errors import DataError, SettingsError
from dcgan_dist.storage import Place


def picture(number: int) -> bytes:
    """Bytes that stand for an image file; their length varies."""
    return bytes([number % 256]) * (300 + 217 * number)


def tar_of(path: Path, files: Sequence[tuple[str, bytes]]) -> Place:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as writer:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            writer.addfile(info, io.BytesIO(body))
    return Place(str(path))


def opened(*addresses: Path | Place, splits: tuple[str, ...] = ()) -> Source:
    return WEBDATASET.open([Place(str(address)) for address in addresses], Request(splits))


def rows(source: Source) -> dict[str, tuple[object, int, str]]:
    """Picture, label and split by key, the pictures as another process reads them."""
    samples, fetch = source.samples, pickle.loads(pickle.dumps(source.fetch))
    order = np.lexsort((samples.offset, samples.file))
    taken = samples.take(order)
    pictures = list(fetch(source.files, taken))
    assert taken.size.tolist() == [len(one) for one in pictures]
    splits = [source.splits[number] for number in taken.split]
    found = dict(zip(taken.key.to_pylist(), zip(pictures, taken.label.tolist(), splits, strict=True), strict=True))
    assert len(found) == len(samples)
    return found


def by_webdataset(shard: Place, prefix: str) -> dict[str, tuple[object, int, str]]:
    """The same as the webdataset library reads a training shard."""
    found = {}
    for sample in webdataset.WebDataset([str(shard)], shardshuffle=False):
        image = next(sample[suffix] for suffix in ("jpg", "png", "webp") if suffix in sample)
        found[f"{prefix}/{sample['__key__']}"] = (image, int(sample.get("cls", -1)), "train")
    return found


def img2dataset(folder: Path, shard: int, *, stats: bool = True) -> Place:
    """A shard of three images, of which one could not be fetched, as img2dataset 1.47 writes it."""
    keys = [f"{shard:05d}{number:04d}" for number in range(3)]
    files, table = [], []
    for number, key in enumerate(keys):
        meta = {"caption": f"a dog {number}", "url": f"http://a/{number}.jpg", "key": key, "status": "success"}
        meta |= {"error_message": None, "width": 64, "height": 48, "sha256": "0" * 64, "exif": "{}"}
        if number == 1:
            table.append(meta | {"status": "failed_to_download", "error_message": "HTTP Error 404"})
            continue
        table.append(meta)
        files += [(f"{key}.jpg", picture(number)), (f"{key}.json", json.dumps(meta, indent=4).encode())]
        files.append((f"{key}.txt", meta["caption"].encode()))
    place = tar_of(folder / f"{shard:05d}.tar", files)
    pq.write_table(pa.Table.from_pylist(table), folder / f"{shard:05d}.parquet")
    if stats:
        (folder / f"{shard:05d}_stats.json").write_text(json.dumps({"count": 3, "successes": 2}, indent=4))
    return place


def test_samples_are_those_that_the_webdataset_library_reads(tmp_path: Path) -> None:
    expected = {}
    for shard in range(3):
        path = tmp_path / f"photos-{shard:06d}.tar"
        with webdataset.TarWriter(str(path), encoder=False) as writer:
            for number in range(4):
                key = f"folder.v2/{'k' * 90}/{number}" if shard == 1 else f"{number}"
                body = {"jpg" if number % 2 else "png": picture(4 * shard + number), "json": b"{}"}
                body |= {"cls": str(10 * shard + number).encode()} if number != 2 else {}
                writer.write({"__key__": key, **body})
        expected |= by_webdataset(Place(str(path)), path.name)
    source = opened(tmp_path)
    assert rows(source) == expected
    assert len(expected) == 12
    assert (source.splits, source.classes, source.streamed) == (("train",), None, False)
    assert source.notes == ("taken by the names of shards and their folders: 3 shards as train",)
    assert rows(opened(*reversed(source.files))) == expected


def test_keys_are_names_below_the_folder_of_all_shards(tmp_path: Path) -> None:
    for folder in ("train", "val"):
        for shard in (0, 1):
            tar_of(tmp_path / "set" / folder / f"{shard:05d}.tar", [("x/7.jpg", picture(shard))])
    source = opened(tmp_path / "set")
    assert rows(source) == {
        "train/00000.tar/x/7": (picture(0), -1, "train"),
        "train/00001.tar/x/7": (picture(1), -1, "train"),
        "val/00000.tar/x/7": (picture(0), -1, "val"),
        "val/00001.tar/x/7": (picture(1), -1, "val"),
    }
    assert source.splits == ("train", "val")
    only = opened(tmp_path / "set", splits=("val",))
    assert only.samples.key.to_pylist() == ["val/00000.tar/x/7", "val/00001.tar/x/7"]
    assert only.splits == ("val",)
    assert rows(only) == {key: value for key, value in rows(source).items() if key.startswith("val/")}


def test_each_sample_has_a_key_of_its_own(tmp_path: Path) -> None:
    files = [("x.jpg", picture(0)), ("y.jpg", picture(1)), ("x.png", picture(2)), ("y.jpg", picture(3))]
    files += [("x.jpg", picture(4)), ("bad\udcff.jpg", picture(5)), ("bad\\udcff.jpg", picture(6))]
    source = opened(tar_of(tmp_path / "a.tar", files))
    assert [(key, value[0]) for key, value in rows(source).items()] == [
        ("a.tar/x", picture(0)),
        ("a.tar/y", picture(1)),
        ("a.tar/x.2", picture(2)),
        ("a.tar/y.2", picture(3)),
        ("a.tar/x.3", picture(4)),
        ("a.tar/bad\\udcff", picture(5)),
        ("a.tar/bad\\udcff.2", picture(6)),
    ]


def test_what_is_no_image_is_passed_over_as_in_training(tmp_path: Path) -> None:
    files = [("clip_0.5.jpg", picture(1)), ("a.input.jpg", picture(2)), ("b.jpg", picture(3)), ("b.png", picture(4))]
    files += [("b.cls", b"5"), ("c.cls", b"6"), ("d.jpg", picture(7)), ("d.cls", b"dog"), ("../../e.jpg", picture(8))]
    tar_of(tmp_path / "00001.tar", files)
    tar_of(tmp_path / "00002.tar", [])
    tar_of(tmp_path / "._00003.tar", [("hidden.jpg", picture(9))])
    source = opened(tmp_path)
    assert rows(source) == {
        "00001.tar/b": (picture(3), 5, "train"),
        "00001.tar/d": (picture(7), -1, "train"),
        "00001.tar/../../e": (picture(8), -1, "train"),
    }
    assert source.notes[1].startswith(
        "passed over: 2 members with more than one dot, for example 00001.tar: clip_0.5.jpg; 1 KEY.cls that holds no "
        "class number, 00001.tar: d.cls; 1 further image of a key, 00001.tar: b.png; 1 key without an image, "
        "00001.tar: c.cls; 1 shard without any file, 00002.tar ("
    )


def test_unfinished_shards_of_img2dataset_are_passed_over(tmp_path: Path) -> None:
    for shard, stats in ((0, True), (2, False), (3, True), (4, False)):
        img2dataset(tmp_path, shard, stats=stats)
    (tmp_path / "00004.tar").write_bytes((tmp_path / "00004.tar").read_bytes()[:3000])
    source = opened(tmp_path)
    assert list(rows(source)) == [f"{shard:05d}.tar/{shard:05d}{number:04d}" for shard in (0, 3) for number in (0, 2)]
    assert rows(source)["00003.tar/000030002"] == (picture(2), -1, "train")
    assert source.notes == (
        f"passed over: 2 shards that img2dataset has not finished, for example {tmp_path}/00002.tar, beside which "
        "there is no 00002_stats.json",
        "taken by the names of shards and their folders: 2 shards as train",
    )
    with pytest.raises(DataError, match=r"has finished none of the shards: beside \S+/00002\.tar there is no 00002_st"):
        opened(tmp_path / "00002.tar", tmp_path / "00004.tar")
    # What stands beside them under another name is no shard of img2dataset's.
    tar_of(tmp_path / "more-00002.tar", [("own.jpg", picture(1))])
    assert "more-00002.tar/own" in rows(opened(tmp_path, splits=("more",)))


def test_a_torn_shard_is_used_as_far_as_it_is_whole(tmp_path: Path) -> None:
    files = [(f"{n}.{kind}", body) for n in range(4) for kind, body in (("jpg", picture(n)), ("cls", b"%d" % n))]
    shard = tar_of(tmp_path / "train-0.tar", files)
    cut = shard.read_bytes().index(picture(3)) + len(picture(3))
    (tmp_path / "train-0.tar").write_bytes(shard.read_bytes()[:cut])
    source = opened(tmp_path)
    assert rows(source) == {f"train-0.tar/{n}": (picture(n), n, "train") for n in range(3)}
    header_end = cut + -cut % 512 + 512
    told = f"{shard} is torn: it ends before byte {header_end:,} without an end mark; its first 3 images are used"
    assert source.notes[1].startswith(told)


# Shards of ours


def ours(folder: Path, split: str, classes: list[str] | None, *, attributes: bool = True) -> None:
    with ShardWriter(Place(str(folder)), split, 3) as writer:
        for number in range(5):
            writer.add(picture(number), label=number % 2)
    parts = [
        replace(part, attributes={"number": np.arange(len(part)) + 10 * at} if attributes else {})
        for at, part in enumerate(writer.written)
    ]
    concatenate(parts, classes=classes, image_size=8).save(Place(str(folder)))


def test_shards_of_ours_keep_names_of_classes_and_attributes(tmp_path: Path) -> None:
    ours(tmp_path / "a", "train", ["cat", "dog"])
    ours(tmp_path / "b", "val", ["cat", "dog"])
    source = opened(tmp_path / "b", tmp_path / "a")
    assert source.classes == ("cat", "dog")
    assert source.splits == ("train", "val")
    assert source.samples.attributes["number"].tolist() == [0, 1, 2, 10, 11] * 2
    assert source.samples.key.to_pylist()[3] == "a/train-000001.tar/train-00000003"
    assert rows(source)["b/val-000001.tar/val-00000003"] == (picture(3), 1, "val")
    part = opened(tmp_path / "a" / "train-000001.tar")
    assert (part.classes, part.samples.attributes["number"].tolist()) == (("cat", "dog"), [10, 11])


def test_classes_of_two_folders_have_to_be_the_same(tmp_path: Path) -> None:
    ours(tmp_path / "a", "train", ["cat", "dog"])
    for other, difference in ((["cat", "bee"], " 1 is 'dog' and 'bee'"), (["cat", "dog", "x"], "'x'")):
        ours(tmp_path / "b", "val", other)
        with pytest.raises(DataError, match=f"/a and .*/b have different classes, of which number.*{difference}"):
            opened(tmp_path / "a", tmp_path / "b")
    assert opened(tmp_path / "b").classes == ("cat", "dog", "x")


@pytest.mark.parametrize(("label", "classes"), [(b"1", None), (None, ("cat", "dog"))])
def test_class_numbers_of_unknown_meaning_take_no_names(
    label: bytes | None, classes: tuple[str, ...] | None, tmp_path: Path
) -> None:
    ours(tmp_path / "a", "train", ["cat", "dog"], attributes=False)
    foreign = tar_of(tmp_path / "b" / "train-9.tar", [("x.jpg", picture(1)), *([("x.cls", label)] if label else [])])
    source = opened(tmp_path / "a", foreign)
    assert source.classes == classes
    told = f"no names of classes: {tmp_path}/b has none, and its class numbers may not be those of {tmp_path}/a"
    assert (told in source.notes) == (classes is None)
    tar_of(tmp_path / "a" / "train-000009.tar", [("x.jpg", picture(1)), ("x.cls", b"1")])
    assert opened(tmp_path / "a").classes is None


def test_an_index_of_other_shards_is_refused(tmp_path: Path) -> None:
    ours(tmp_path, "train", ["cat", "dog"])
    description = json.loads((tmp_path / DATASET_FILE).read_text())
    description["classes"] = ["cat"]
    (tmp_path / DATASET_FILE).write_text(json.dumps(description))
    with pytest.raises(DataError, match=r"has images of class 1, but \S+/dataset\.json names only 1 class: correct it"):
        opened(tmp_path)
    ours(tmp_path, "train", ["cat", "dog"])
    shard = tmp_path / "train-000001.tar"
    data = bytearray(shard.read_bytes())
    at = data.index(b"train-00000004.cls") + 512
    data[at : at + 1] = b"1"  # it was 0
    shard.write_bytes(data)
    with pytest.raises(DataError, match=rf"{INDEX_FILE} is not the index of \S+train-000001\.tar, whose labels are"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("description", "classes"),
    [
        ('{"name": "pets", "classes": ["cat", "dog", "hen"]}', ("cat", "dog", "hen")),
        ('{"name": "pets", "classes": ["cat", "dog", "dog"]}', None),
        ('{"name": "pets", "classes": ["cat", "dog", 3]}', None),
        ('{"name": "pets", "classes": ["cat", "dog", "a\\u001b"]}', None),
        ('{"name": "pets", "classes": {"0": "cat", "1": "dog", "2": "hen"}}', None),
        ('{"name": "pets", "classes": 3}', None),
        ("[" * 100_000, None),
        ("not JSON", None),
        ("[3]", None),
        ('{"format": "dcgan-dist shards 1", "classes": ["cat", "dog", "hen"]}', None),
    ],
)
def test_classes_that_others_name_beside_their_shards_are_taken(
    description: str, classes: tuple[str, ...] | None, tmp_path: Path
) -> None:
    tar_of(tmp_path / "train-0.tar", [("x.jpg", picture(1)), ("x.cls", b"2"), ("y.jpg", picture(2)), ("y.cls", b"0")])
    (tmp_path / DATASET_FILE).write_text(description)
    assert opened(tmp_path).classes == classes


# Bad input


def _is_packed(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes(20_000)))


def _is_page(path: Path) -> None:
    path.write_bytes(b"\n<!DOCTYPE html><html><body>Sign in</body></html>" + b" " * 600)


def _is_text(path: Path) -> None:
    path.write_bytes(b"no tar at all")


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("a.tar", _is_packed, r"\S+/a\.tar is not a tar: it is compressed by gzip; decompress it"),
        ("a.tar", _is_page, r"\S+/a\.tar is not a tar: it is a page of HTML or XML: the download failed"),
        ("a.tar", _is_text, r"\S+/a\.tar is not a tar: it begins with b'no tar at all'"),
        ("a.tar.gz", _is_packed, r"\S+ holds no \.tar, but a\.tar\.gz, which is compressed: decompress it"),
        ("a.txt", _is_text, r"\S+ holds no \.tar: give shards, or the folder"),
        ("a.tar", lambda path: tar_of(path, [("a.txt", b"A")]), r"there is no image in \S+/a\.tar: 1 key without an"),
    ],
)
def test_what_holds_no_images_is_one_sentence(
    name: str, make: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(DataError, match=f"^{sentence}"):
        opened(tmp_path)


def test_splits_that_are_not_there_or_have_no_image_are_named(tmp_path: Path) -> None:
    tar_of(tmp_path / "train-0.tar", [("x.jpg", picture(1))])
    tar_of(tmp_path / "val-0.tar", [])
    with pytest.raises(SettingsError, match=r"split is 'test' but \S+ has no shards of test: it has train, val"):
        opened(tmp_path, splits=("test",))
    with pytest.raises(DataError, match="there is no image in the shards of val in"):
        opened(tmp_path)
    assert opened(tmp_path, splits=("train",)).splits == ("train",)
    with pytest.raises(DataError, match=r"there is no file or folder \S+/nowhere: give shards"):
        opened(tmp_path / "nowhere")


def test_a_shard_that_changes_after_it_was_listed_is_named(tmp_path: Path) -> None:
    shard = tar_of(tmp_path / "a.tar", [("x.jpg", picture(1)), ("y.jpg", picture(2))])
    source = opened(shard)
    shard.local_path.write_bytes(shard.read_bytes()[:1200])
    with pytest.raises(DataError, match=r"a\.tar has become shorter"):
        rows(source)


# Stores and what is recognized


def test_shards_on_an_object_store_are_the_same_source(tmp_path: Path, s3: Place) -> None:
    for number in range(3):
        shard = tar_of(tmp_path / f"train-{number}.tar", [(f"{number}.jpg", picture(number)), (f"{number}.cls", b"4")])
        (s3 / "in" / shard.name).write_bytes(shard.read_bytes())
    seen: list[int] = []
    there = WEBDATASET.open([s3 / "in"], Request(seen=lambda done, total: seen.append(done)))
    assert rows(there) == rows(opened(tmp_path))
    assert seen == [1, 2, 3]
    assert WEBDATASET.recognize(s3 / "in") == "3 WebDataset shards"


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        ({"train-0.tar": ["a.jpg"], "train-1.tar": ["b.jpg"], "notes.txt": []}, "2 WebDataset shards"),
        ({"train/0.tar": ["a.jpg"], "val/0.tar": ["b.jpg"], "cats/0.tar": ["c.jpg"]}, "2 WebDataset shards"),
        ({"0.tar": [], "1.tar": ["b.jpg"]}, "2 WebDataset shards"),
        ({"cats/0.tar": ["c.jpg"]}, ""),
        ({"ILSVRC2012_img_val.tar": ["ILSVRC2012_val_00000293.JPEG"]}, ""),
        ({"train.tar": ["n01440764.tar"]}, ""),
        ({"n01440764.tar": ["n01440764_1.JPEG"], "n01443537.tar": ["n01443537_2.JPEG"]}, ""),
        ({"a.jpg": [], "cat/b.jpg": []}, ""),
        ({}, ""),
    ],
)
def test_shards_are_recognized_and_other_tars_are_not(files: dict[str, list[str]], seen: str, tmp_path: Path) -> None:
    for name, members in files.items():
        if name.endswith(".tar"):
            tar_of(tmp_path / name, [(member, b"x") for member in members])
        else:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
    assert WEBDATASET.recognize(Place(str(tmp_path))) == seen


def test_what_else_is_recognized(tmp_path: Path) -> None:
    shard = img2dataset(tmp_path / "x", 0)
    img2dataset(tmp_path / "x", 1)
    assert WEBDATASET.recognize(shard) == "a WebDataset shard"
    assert WEBDATASET.recognize(shard.parent) == "2 WebDataset shards of img2dataset"
    assert WEBDATASET.recognize(shard.parent / "00000.parquet") == ""
    assert WEBDATASET.recognize(shard.parent / "nowhere") == ""
    _is_page(tmp_path / "x" / "00000.tar")
    assert WEBDATASET.recognize(shard) == ""
    (tmp_path / "named").mkdir()
    Path(f"{tmp_path}/named/\udcff.jpg").write_bytes(b"x")
    assert WEBDATASET.recognize(Place(f"{tmp_path}/named")) == ""


def test_samples_that_a_keep_list_leaves_out_are_none_of_the_source(tmp_path: Path) -> None:
    names = {"train-0": range(4), "train-1": range(4, 7), "test-0": range(7, 9)}
    for name, numbers in names.items():
        files = [[(f"{number}.jpg", picture(number)), (f"{number}.cls", b"%d" % number)] for number in numbers]
        tar_of(tmp_path / "in" / f"{name}.tar", [file for pair in files for file in pair])
    # A keep-list knows shards in the order in which it was made.
    shards = [tmp_path / "in" / f"{name}.tar" for name in ("train-0", "train-1", "test-0")]
    index = concatenate([index_shard(Place(str(shard))) for shard in shards])
    file = Place(str(tmp_path / "keep.parquet"))
    keep_list.write(file, index, np.array([0, 1, 0, 3, 4, 8, 6, 1, 8]))
    request = Request(keep=keep_list.load(file))
    source = WEBDATASET.open([Place(str(tmp_path / "in"))], request)
    kept = {0: "train-0", 1: "train-0", 3: "train-0", 4: "train-1", 6: "train-1", 8: "test-0"}
    assert rows(source) == {
        f"{name}.tar/{number}": (picture(number), number, name.partition("-")[0]) for number, name in kept.items()
    }
    assert f"keep-list: {file} leaves out 3 of 9 images" in source.notes
    only = WEBDATASET.open([Place(str(tmp_path / "in"))], replace(request, splits=("train",)))
    assert len(only.samples) == 5
    assert (
        f"keep-list: {file} leaves out 2 of 7 images, 1 of them for images in shards that are not among"
        in only.notes[-1]
    )
    keep_list.write(file, index, np.array([0, 1, 0, 3, 4, 5, 6, 1, 0]))
    with pytest.raises(DataError, match=r"leaves out 3 of 9 images, among them all of test: leave that out"):
        WEBDATASET.open([Place(str(tmp_path / "in"))], Request(keep=keep_list.load(file)))
    tar_of(tmp_path / "in" / "train-2.tar", [("9.jpg", picture(9))])
    with pytest.raises(DataError, match=r"does not know the shard .*/in/train-2.tar"):
        WEBDATASET.open([Place(str(tmp_path / "in"))], request)


def test_shared_cifar10_is_what_the_webdataset_library_reads(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("cifar10")
    source = opened(folder)
    assert np.bincount(source.samples.label[source.samples.split == 0]).tolist() == [5000] * 10
    assert np.bincount(source.samples.label[source.samples.split == 1]).tolist() == [1000] * 10
    assert source.splits == ("train", "test")
    assert source.classes is not None
    assert source.classes[::9] == ("airplane", "truck")
    first = expand(f"{folder}/train-*.tar")[0]
    assert rows(opened(first)) == by_webdataset(first, first.name)
